import { exponentialBound } from './histogram-bounds.ts';
import { zeroCountUpTo } from './histogram-zero.ts';
import { CUSTOM_BUCKETS, NOT_RESET, RESET, type HistogramLayout, type NativeHistogram } from './histogram.ts';

/**
 * Whether two histograms are equal for PromQL: same buckets, empty ones included, and same numbers, where -0 is not 0.
 * Hints do not count.
 *
 * Prometheus compares the bits of numbers, so that two NaN may differ, and how buckets are put into spans; here NaN equals
 * NaN, and there are no spans.
 */
export function equalHistograms(a: NativeHistogram, b: NativeHistogram): boolean {
  if (a === b) return true;
  if (!Object.is(a.count, b.count) || !Object.is(a.sum, b.sum) || !Object.is(a.zeroCount, b.zeroCount)) return false;
  if (a.layout !== b.layout && !isEqualLayout(a.layout, b.layout)) return false;
  return isEqualColumn(a.positive, b.positive) && isEqualColumn(a.negative, b.negative);
}

/**
 * Whether the counters started again between two samples of one series: the later one says so, or says nothing and counts
 * less in some bucket or in all, or has finer buckets or a smaller zero bucket than the earlier one. What a gauge says is
 * nothing. The sum of observations is not looked at.
 */
export function resetBetween(previous: NativeHistogram, current: NativeHistogram): boolean {
  if (current.hint === RESET) return true;
  if (current.hint === NOT_RESET) return false;
  if (current.count < previous.count) return true;
  const { schema, zeroThreshold } = current.layout;
  if (schema === CUSTOM_BUCKETS) {
    if (previous.layout.schema !== CUSTOM_BUCKETS) return true;
    if (!isEqualBounds(current.layout.bounds, previous.layout.bounds)) return isCustomReset(previous, current);
    if (current.zeroCount < previous.zeroCount) return true;
  } else {
    if (schema > previous.layout.schema || zeroThreshold < previous.layout.zeroThreshold) return true;
    if (isZeroReset(previous, current)) return true;
  }
  return isSideReset(previous, current, true) || isSideReset(previous, current, false);
}

function isEqualLayout(a: HistogramLayout, b: HistogramLayout): boolean {
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    isEqualBounds(a.bounds, b.bounds) &&
    isEqualColumn(a.positive, b.positive) &&
    isEqualColumn(a.negative, b.negative)
  );
}

function isEqualColumn(a: Int32Array | Float64Array, b: Int32Array | Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = a.length - 1; i >= 0; i--) if (!Object.is(a[i], b[i])) return false;
  return true;
}

/** Bounds compare as numbers: -0 is 0. */
function isEqualBounds(a: Float64Array, b: Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether the zero bucket counts less than what the earlier histogram has within it, or splits a bucket of that. */
function isZeroReset(previous: NativeHistogram, { layout, zeroCount }: NativeHistogram): boolean {
  const { schema, zeroThreshold, positive, negative } = previous.layout;
  const before = zeroCountUpTo(
    { count: previous.zeroCount, lost: 0, threshold: zeroThreshold },
    schema,
    { indexes: positive, counts: previous.positive, lost: undefined },
    { indexes: negative, counts: previous.negative, lost: undefined },
    layout.zeroThreshold,
  );
  return before.threshold !== layout.zeroThreshold || zeroCount < before.count;
}

/** Whether a bucket outside the zero bucket counts less than before, where finer ones are added up to it. */
function isSideReset(previous: NativeHistogram, current: NativeHistogram, isPositive: boolean): boolean {
  const { schema, zeroThreshold } = current.layout;
  const shift = previous.layout.schema - schema;
  const indexesBefore = isPositive ? previous.layout.positive : previous.layout.negative;
  const countsBefore = isPositive ? previous.positive : previous.negative;
  const indexes = isPositive ? current.layout.positive : current.layout.negative;
  const counts = isPositive ? current.positive : current.negative;
  let isHidden = zeroThreshold !== 0 && schema !== CUSTOM_BUCKETS;
  let i = 0;
  for (let j = 0; j < indexesBefore.length;) {
    const index = shift === 0 ? indexesBefore[j]! : ((indexesBefore[j]! - 1) >> shift) + 1;
    let before = countsBefore[j++]!;
    while (shift !== 0 && j < indexesBefore.length && ((indexesBefore[j]! - 1) >> shift) + 1 === index) {
      before += countsBefore[j++]!;
    }
    if (isHidden && exponentialBound(schema, index) <= zeroThreshold) continue;
    isHidden = false;
    while (i < indexes.length && indexes[i]! < index) i++;
    if (i < indexes.length && indexes[i] === index) {
      if (counts[i]! < before) return true;
    } else if (before !== 0) {
      return true;
    }
  }
  return false;
}

/** Whether less is counted between two bounds that both have than before. */
function isCustomReset(previous: NativeHistogram, current: NativeHistogram): boolean {
  const boundsBefore = previous.layout.bounds;
  const bounds = current.layout.bounds;
  let fromBefore = 0;
  let from = 0;
  for (let i = 0, j = 0; i <= bounds.length && j <= boundsBefore.length;) {
    const bound = bounds[i] ?? Infinity;
    const boundBefore = boundsBefore[j] ?? Infinity;
    if (bound !== boundBefore) {
      if (bound < boundBefore) i++;
      else j++;
      continue;
    }
    let count = 0;
    for (; from < current.positive.length && current.layout.positive[from]! <= i; from++)
      count += current.positive[from]!;
    let before = 0;
    for (; fromBefore < previous.positive.length && previous.layout.positive[fromBefore]! <= j; fromBefore++) {
      before += previous.positive[fromBefore]!;
    }
    if (count < before) return true;
    i++;
    j++;
  }
  return false;
}
