import { bucketBound } from './histogram-bounds.ts';
import {
  CUSTOM_BUCKETS,
  GAUGE,
  RESET_UNKNOWN,
  SCHEMA_MIN,
  type HistogramLayout,
  type NativeHistogram,
} from './histogram.ts';

/** Whether two histograms can be added: both have exponential buckets, or both have custom ones. */
export function canAdd(a: NativeHistogram, b: NativeHistogram): boolean {
  return (a.layout.schema === CUSTOM_BUCKETS) === (b.layout.schema === CUSTOM_BUCKETS);
}

/**
 * The histogram of the observations of both, which `canAdd` must allow. The operands stay as they are.
 *
 * Exponential buckets are merged to the coarser schema; of two zero thresholds the larger one holds, moved up to the end of
 * a bucket that it would split, and what lies below it goes into the zero bucket. Of custom bounds those are kept that both
 * have. So Prometheus adds too (model/histogram/float_histogram.go), but that it drops a bucket of the second operand
 * whose finer parts lie on either side of the threshold.
 */
export function addHistograms(a: NativeHistogram, b: NativeHistogram): NativeHistogram {
  return a.layout.schema === CUSTOM_BUCKETS ? addCustom(a, b) : addExponential(a, b);
}

/**
 * The same observations in at most `bucketsMax` buckets, at a coarser schema where that is needed; undefined when even the
 * coarsest one has too many. Custom buckets have no coarser schema.
 */
export function limitBuckets(histogram: NativeHistogram, bucketsMax: number): NativeHistogram | undefined {
  let limited = histogram;
  while (limited.positive.length + limited.negative.length > bucketsMax) {
    const { schema } = limited.layout;
    if (schema === CUSTOM_BUCKETS || schema <= SCHEMA_MIN) return undefined;
    limited = withSides(limited, schema - 1, coarser(positiveOf(limited), 1), coarser(negativeOf(limited), 1));
  }
  return limited;
}

/** A histogram of no observations with the same kind of buckets, from which counting starts. */
export function zeroHistogram({ layout }: NativeHistogram): NativeHistogram {
  const { schema, zeroThreshold, bounds } = layout;
  return {
    layout: { schema, zeroThreshold, positive: NO_INDEXES, negative: NO_INDEXES, bounds },
    hint: RESET_UNKNOWN,
    count: 0,
    sum: 0,
    zeroCount: 0,
    positive: NO_COUNTS,
    negative: NO_COUNTS,
  };
}

/** The buckets on one side of zero: ascending indexes and their counts. */
interface Side {
  readonly indexes: Int32Array;
  readonly counts: Float64Array;
}

const NO_INDEXES = new Int32Array(0);
const NO_COUNTS = new Float64Array(0);

function positiveOf({ layout, positive }: NativeHistogram): Side {
  return { indexes: layout.positive, counts: positive };
}

function negativeOf({ layout, negative }: NativeHistogram): Side {
  return { indexes: layout.negative, counts: negative };
}

function withSides(histogram: NativeHistogram, schema: number, positive: Side, negative: Side): NativeHistogram {
  return {
    ...histogram,
    layout: { ...histogram.layout, schema, positive: positive.indexes, negative: negative.indexes },
    positive: positive.counts,
    negative: negative.counts,
  };
}

function addExponential(a: NativeHistogram, b: NativeHistogram): NativeHistogram {
  const [left, right] = withOneThreshold(a, b);
  const schema = Math.min(left.layout.schema, right.layout.schema);
  const leftShift = left.layout.schema - schema;
  const rightShift = right.layout.schema - schema;
  const positive = merge(coarser(positiveOf(left), leftShift), coarser(positiveOf(right), rightShift));
  const negative = merge(coarser(negativeOf(left), leftShift), coarser(negativeOf(right), rightShift));
  return withSides({ ...left, ...totals(left, right) }, schema, positive, negative);
}

function addCustom(a: NativeHistogram, b: NativeHistogram): NativeHistogram {
  const bounds = sharedBounds(a.layout.bounds, b.layout.bounds);
  const positive = merge(
    ontoBounds(positiveOf(a), a.layout.bounds, bounds),
    ontoBounds(positiveOf(b), b.layout.bounds, bounds),
  );
  return {
    ...totals(a, b),
    layout: { ...a.layout, positive: positive.indexes, bounds },
    positive: positive.counts,
    negative: NO_COUNTS,
  };
}

function totals(a: NativeHistogram, b: NativeHistogram): Pick<NativeHistogram, 'hint' | 'count' | 'sum' | 'zeroCount'> {
  return {
    hint: hintOfSum(a.hint, b.hint),
    count: a.count + b.count,
    // The payload of a NaN may depend on the order of the operands; the plain NaN has one pattern.
    sum: plain(a.sum + b.sum),
    zeroCount: a.zeroCount + b.zeroCount,
  };
}

/** A gauge makes the sum one; hints that say different things about resets say nothing together. */
function hintOfSum(a: number, b: number): number {
  if (a === b) return a;
  return a === GAUGE || b === GAUGE ? GAUGE : RESET_UNKNOWN;
}

function plain(value: number): number {
  return value === value ? value : Number.NaN;
}

/** Bucket i of a schema lies in bucket ((i - 1) >> shift) + 1 of the schema `shift` steps coarser. */
function coarser(side: Side, shift: number): Side {
  if (shift === 0 || side.indexes.length === 0) return side;
  const indexes = new Int32Array(side.indexes.length);
  const counts = new Float64Array(side.indexes.length);
  let used = 0;
  for (let i = 0; i < side.indexes.length; i++) {
    const index = ((side.indexes[i]! - 1) >> shift) + 1;
    if (used === 0 || indexes[used - 1] !== index) indexes[used++] = index;
    counts[used - 1]! += side.counts[i]!;
  }
  return { indexes: indexes.slice(0, used), counts: counts.slice(0, used) };
}

/** The buckets of both sides. The indexes are those of an operand, by reference, where it has all of them. */
function merge(a: Side, b: Side): Side {
  const indexes = new Int32Array(a.indexes.length + b.indexes.length);
  const counts = new Float64Array(indexes.length);
  let used = 0;
  let i = 0;
  let j = 0;
  while (i < a.indexes.length || j < b.indexes.length) {
    const left = i < a.indexes.length ? a.indexes[i]! : Number.POSITIVE_INFINITY;
    const right = j < b.indexes.length ? b.indexes[j]! : Number.POSITIVE_INFINITY;
    indexes[used] = Math.min(left, right);
    if (left <= right) counts[used]! += a.counts[i++]!;
    if (right <= left) counts[used]! += b.counts[j++]!;
    used++;
  }
  const sum = counts.slice(0, used);
  if (used === a.indexes.length) return { indexes: a.indexes, counts: sum };
  if (used === b.indexes.length) return { indexes: b.indexes, counts: sum };
  return { indexes: indexes.slice(0, used), counts: sum };
}

/** Both histograms with the least zero threshold that lies in no populated bucket of either. */
function withOneThreshold(a: NativeHistogram, b: NativeHistogram): [NativeHistogram, NativeHistogram] {
  let left = a;
  let right = b;
  while (left.layout.zeroThreshold !== right.layout.zeroThreshold) {
    if (left.layout.zeroThreshold < right.layout.zeroThreshold) {
      left = withThreshold(left, right.layout.zeroThreshold);
    } else if (right.layout.zeroThreshold < left.layout.zeroThreshold) {
      right = withThreshold(right, left.layout.zeroThreshold);
    } else {
      break;
    }
  }
  return [left, right];
}

/** The histogram with a larger zero threshold, or the next larger one that splits no populated bucket. */
function withThreshold(histogram: NativeHistogram, wanted: number): NativeHistogram {
  const { layout } = histogram;
  const sides = [positiveOf(histogram), negativeOf(histogram)];
  let threshold = wanted;
  for (let before = Number.NaN; before !== threshold;) {
    before = threshold;
    for (const side of sides) threshold = splitEnd(side, layout, threshold);
  }
  let zeroCount = histogram.zeroCount;
  const [positive, negative] = sides.map(({ indexes, counts }) => {
    let at = 0;
    while (at < indexes.length && startsBelow(layout, indexes[at]!, threshold)) zeroCount += counts[at++]!;
    return { indexes: indexes.slice(at), counts: counts.slice(at) };
  });
  const moved = withSides({ ...histogram, zeroCount }, layout.schema, positive!, negative!);
  return { ...moved, layout: { ...moved.layout, zeroThreshold: threshold } };
}

/** The end of the populated bucket that `threshold` splits; `threshold` when there is none. */
function splitEnd({ indexes, counts }: Side, layout: HistogramLayout, threshold: number): number {
  for (let i = 0; i < indexes.length && startsBelow(layout, indexes[i]!, threshold); i++) {
    const end = bucketBound(layout, indexes[i]!);
    if (counts[i] !== 0 && end > threshold) return end;
  }
  return threshold;
}

/** Whether the bucket begins nearer to zero than the threshold. */
function startsBelow(layout: HistogramLayout, index: number, threshold: number): boolean {
  return bucketBound(layout, index - 1) < threshold;
}

/** Bounds that are in both lists. */
function sharedBounds(a: Float64Array, b: Float64Array): Float64Array {
  const known = new Set(b);
  const shared = a.filter((bound) => known.has(bound));
  return shared.length === a.length ? a : shared;
}

/** Moves counts from the buckets between `from` to those between `to`, which are some of them. */
function ontoBounds({ indexes, counts }: Side, from: Float64Array, to: Float64Array): Side {
  if (from.length === to.length) return { indexes, counts };
  const moved = new Int32Array(indexes.length);
  const sums = new Float64Array(indexes.length);
  let used = 0;
  let bucket = 0;
  for (let i = 0; i < indexes.length; i++) {
    const bound = indexes[i]! < from.length ? from[indexes[i]!]! : Number.POSITIVE_INFINITY;
    while (bucket < to.length && to[bucket]! < bound) bucket++;
    if (used === 0 || moved[used - 1] !== bucket) moved[used++] = bucket;
    sums[used - 1]! += counts[i]!;
  }
  return { indexes: moved.slice(0, used), counts: sums.slice(0, used) };
}
