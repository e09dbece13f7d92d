import { exponentialBound } from './histogram-bounds.ts';
import {
  BUCKET_CELLS,
  cellsOf,
  COUNT_CELL,
  CUSTOM_BUCKETS,
  sameNumbers,
  SUM_CELL,
  ZERO_COUNT_CELL,
  type HistogramLayout,
  type NativeHistogram,
} from './histogram.ts';
import { coarsen, compact, negativeOf, positiveOf, replaceSides, type Accumulator } from './histogram-accumulator.ts';
import { addColumn, addTerm, subtractColumn } from './histogram-cells.ts';
import { addSide, coarser, mapOntoBounds, populated, sharedBounds, unionOf, type Side } from './histogram-sides.ts';
import { zeroCountUpTo } from './histogram-zero.ts';

/** How another histogram is combined with the first. */
export interface Combining {
  readonly isSubtracted: boolean;
  /** Whether its buckets within the zero bucket, which no sound histogram populates, are left out. */
  readonly dropsHidden: boolean;
}

export const ADDED: Combining = { isSubtracted: false, dropsHidden: true };
export const SUBTRACTED: Combining = { isSubtracted: true, dropsHidden: true };
export const ADDED_WHOLLY: Combining = { isSubtracted: false, dropsHidden: false };

/**
 * Adds or subtracts the numbers of `other`, which `canAdd` must allow; `otherLost` are its rounding errors, in the same
 * layout, and count in a compensated sum only. Hints are not looked at.
 *
 * Exponential buckets are merged to the coarser schema; of two zero thresholds the larger one holds, moved up to the end of
 * a populated bucket that it would split. Where a bucket of the finer `other` is below the threshold but its merged bucket
 * reaches beyond, Prometheus counts it in both, and so does this. Of custom bounds those are kept that both have; true when
 * they had to be reconciled so.
 */
export function combine(
  into: Accumulator,
  other: NativeHistogram,
  otherLost: NativeHistogram | undefined,
  how: Combining,
): boolean {
  if (hasSameBuckets(into.layout, other.layout, how)) {
    addCells(into, other, otherLost, how.isSubtracted);
    return false;
  }
  if (into.layout.schema === CUSTOM_BUCKETS) return combineCustom(into, other, otherLost, how);
  combineExponential(into, other, otherLost, how);
  return false;
}

/**
 * Widens the zero buckets of both to the least threshold that is no less than either and lies within no populated bucket.
 */
export function widenToOneThreshold(a: Accumulator, b: Accumulator): void {
  for (;;) {
    if (a.layout.zeroThreshold < b.layout.zeroThreshold) widenZero(a, b.layout.zeroThreshold);
    else if (b.layout.zeroThreshold < a.layout.zeroThreshold) widenZero(b, a.layout.zeroThreshold);
    else return;
  }
}

/** Equal buckets, all of which count. */
function hasSameBuckets(a: HistogramLayout, b: HistogramLayout, { dropsHidden }: Combining): boolean {
  if (a !== b) {
    if (a.schema !== b.schema || a.zeroThreshold !== b.zeroThreshold) return false;
    if (!sameNumbers(a.positive, b.positive) || !sameNumbers(a.negative, b.negative)) return false;
    if (!sameNumbers(a.bounds, b.bounds)) return false;
  }
  if (a.schema === CUSTOM_BUCKETS || !dropsHidden) return true;
  return !hidesBuckets(b);
}

/** Whether there are buckets that end within the zero bucket, which plain addition does not look at. */
export function hidesBuckets(layout: HistogramLayout): boolean {
  return hiddenBuckets(layout.positive, layout) > 0 || hiddenBuckets(layout.negative, layout) > 0;
}

/** How many of the buckets nearest to zero end within the zero bucket. */
function hiddenBuckets(indexes: Int32Array, { schema, zeroThreshold }: HistogramLayout): number {
  let hidden = 0;
  while (hidden < indexes.length && exponentialBound(schema, indexes[hidden]!) <= zeroThreshold) hidden++;
  return hidden;
}

function addCells(
  into: Accumulator,
  other: NativeHistogram,
  otherLost: NativeHistogram | undefined,
  isSubtracted: boolean,
): void {
  const { cells, lost } = into;
  const negativeAt = BUCKET_CELLS + other.positive.length;
  addTotals(into, other, otherLost, isSubtracted);
  if (into.layout.schema !== CUSTOM_BUCKETS) {
    addTerm(cells, lost, ZERO_COUNT_CELL, isSubtracted ? -other.zeroCount : other.zeroCount);
    // Prometheus adds the error of the other zero count also where there is none.
    if (lost !== undefined) addTerm(cells, lost, ZERO_COUNT_CELL, otherLost?.zeroCount ?? 0);
  }
  if (isSubtracted) {
    subtractColumn(cells, lost, BUCKET_CELLS, other.positive);
    subtractColumn(cells, lost, negativeAt, other.negative);
  } else {
    addColumn(cells, lost, BUCKET_CELLS, other.positive, otherLost?.positive);
    addColumn(cells, lost, negativeAt, other.negative, otherLost?.negative);
  }
}

function addTotals(
  { cells, lost }: Accumulator,
  { count, sum }: NativeHistogram,
  otherLost: NativeHistogram | undefined,
  isSubtracted: boolean,
): void {
  addTerm(cells, lost, COUNT_CELL, isSubtracted ? -count : count);
  addTerm(cells, lost, SUM_CELL, isSubtracted ? -sum : sum);
  if (lost === undefined || otherLost === undefined) return;
  addTerm(cells, lost, COUNT_CELL, otherLost.count);
  addTerm(cells, lost, SUM_CELL, otherLost.sum);
}

function combineExponential(
  into: Accumulator,
  other: NativeHistogram,
  otherLost: NativeHistogram | undefined,
  how: Combining,
): void {
  const { isSubtracted } = how;
  const zero = reconcileZero(into, other, otherLost);
  addTerm(into.cells, into.lost, ZERO_COUNT_CELL, isSubtracted ? -zero.count : zero.count);
  if (into.lost !== undefined) addTerm(into.cells, into.lost, ZERO_COUNT_CELL, zero.lost);
  addTotals(into, other, otherLost, isSubtracted);

  coarsen(into, other.layout.schema);
  const { layout } = into;
  const shift = other.layout.schema - layout.schema;
  const isCompensated = into.lost !== undefined;
  const [otherPositive, otherNegative] = sidesOf(other, otherLost);
  const positive = coarser(otherPositive, shift, isCompensated);
  const negative = coarser(otherNegative, shift, isCompensated);
  addSides(into, positive, negative, how);
}

function sidesOf(histogram: NativeHistogram, lost: NativeHistogram | undefined): [positive: Side, negative: Side] {
  return [
    { indexes: histogram.layout.positive, counts: histogram.positive, lost: lost?.positive },
    { indexes: histogram.layout.negative, counts: histogram.negative, lost: lost?.negative },
  ];
}

/** Adds buckets of the same schema, or of the same custom bounds. */
function addSides(into: Accumulator, positive: Side, negative: Side, how: Combining): void {
  const { layout } = into;
  const countsAll = layout.schema === CUSTOM_BUCKETS || !how.dropsHidden;
  const positiveFrom = countsAll ? 0 : hiddenBuckets(positive.indexes, layout);
  const negativeFrom = countsAll ? 0 : hiddenBuckets(negative.indexes, layout);
  const ownPositive = positiveOf(into);
  const ownNegative = negativeOf(into);
  const merged = {
    ...layout,
    positive: unionOf(layout.positive, positive.indexes, positiveFrom),
    negative: unionOf(layout.negative, negative.indexes, negativeFrom),
  };
  if (merged.positive !== layout.positive || merged.negative !== layout.negative) {
    const cells = new Float64Array(cellsOf(merged));
    cells.set(into.cells.subarray(0, BUCKET_CELLS));
    const lost = into.lost === undefined ? undefined : new Float64Array(cells.length);
    if (into.lost !== undefined) lost?.set(into.lost.subarray(0, BUCKET_CELLS));
    into.layout = merged;
    into.cells = cells;
    into.lost = lost;
  }
  addSide(positiveOf(into), ownPositive, positive, positiveFrom, how.isSubtracted);
  addSide(negativeOf(into), ownNegative, negative, negativeFrom, how.isSubtracted);
}

function combineCustom(
  into: Accumulator,
  other: NativeHistogram,
  otherLost: NativeHistogram | undefined,
  how: Combining,
): boolean {
  addTotals(into, other, otherLost, how.isSubtracted);
  const { layout } = into;
  const [positive, negative] = sidesOf(other, otherLost);
  if (sameNumbers(layout.bounds, other.layout.bounds)) {
    addSides(into, positive, negative, how);
    return false;
  }
  const bounds = sharedBounds(layout.bounds, other.layout.bounds);
  const own = positiveOf(into);
  const counts = new Float64Array(bounds.length + 1);
  const lost = new Float64Array(bounds.length + 1);
  mapOntoBounds(own, layout.bounds, bounds, counts, lost, false);
  mapOntoBounds(positive, other.layout.bounds, bounds, counts, lost, how.isSubtracted);
  const mapped = populated({ indexes: Int32Array.from(counts.keys()), counts, lost });
  replaceSides(into, { ...layout, bounds, positive: mapped.indexes }, mapped, negativeOf(into));
  return true;
}

/**
 * Widens the zero bucket of the accumulator to the least threshold that is no less than either and lies within no
 * populated bucket, and returns what the other histogram would have in a zero bucket of that width.
 */
function reconcileZero(
  into: Accumulator,
  other: NativeHistogram,
  otherLost: NativeHistogram | undefined,
): { count: number; lost: number } {
  let zero = { count: other.zeroCount, lost: otherLost?.zeroCount ?? 0, threshold: other.layout.zeroThreshold };
  // A threshold that is no number would never equal the other one.
  while (Math.abs(zero.threshold - into.layout.zeroThreshold) > 0) {
    const { schema, zeroThreshold } = other.layout;
    if (zero.threshold < into.layout.zeroThreshold) {
      const start = { count: other.zeroCount, lost: otherLost?.zeroCount ?? 0, threshold: zeroThreshold };
      zero = zeroCountUpTo(start, schema, ...sidesOf(other, otherLost), into.layout.zeroThreshold);
    }
    if (zero.threshold > into.layout.zeroThreshold) widenZero(into, zero.threshold);
  }
  return zero;
}

function widenZero(into: Accumulator, threshold: number): void {
  const { layout, cells, lost } = into;
  const start = {
    count: cells[ZERO_COUNT_CELL]!,
    lost: lost?.[ZERO_COUNT_CELL] ?? 0,
    threshold: layout.zeroThreshold,
  };
  const positive = positiveOf(into);
  const negative = negativeOf(into);
  const zero = zeroCountUpTo(start, layout.schema, positive, negative, threshold);
  cells[ZERO_COUNT_CELL] = zero.count;
  if (lost !== undefined) lost[ZERO_COUNT_CELL] = zero.lost;
  into.layout = { ...layout, zeroThreshold: zero.threshold };
  for (const { indexes, counts, lost: sideLost } of [positive, negative]) {
    for (let i = 0; i < indexes.length; i++) {
      if (exponentialBound(layout.schema, indexes[i]! - 1) >= zero.threshold) break;
      counts[i] = 0;
      if (sideLost !== undefined) sideLost[i] = 0;
    }
  }
  compact(into);
}
