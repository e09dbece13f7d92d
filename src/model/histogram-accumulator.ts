import {
  BUCKET_CELLS,
  cellsOf,
  COUNT_CELL,
  CUSTOM_BUCKETS,
  GAUGE,
  RESET_UNKNOWN,
  SUM_CELL,
  ZERO_COUNT_CELL,
  type HistogramLayout,
  type NativeHistogram,
} from './histogram.ts';
import { coarser, populated, type Side } from './histogram-sides.ts';

/**
 * A histogram that others are added to in place. Its numbers lie in `cells` in the order of a histogram column's: count,
 * sum, zero count, positive and negative buckets. `lost` has the rounding errors of each where the sum is compensated
 * (Neumaier 1974), and is undefined otherwise. Layouts are replaced, never changed.
 *
 * Every step is done in the order of Prometheus (model/histogram/float_histogram.go), so that the numbers are its numbers.
 */
export interface Accumulator {
  layout: HistogramLayout;
  hint: number;
  cells: Float64Array;
  lost: Float64Array | undefined;
}

/** An accumulator that holds a copy of the histogram. */
export function accumulatorOf(histogram: NativeHistogram): Accumulator {
  return { layout: histogram.layout, hint: histogram.hint, cells: cellsOfCopy(histogram), lost: undefined };
}

/** The numbers as one column. Custom buckets have no zero bucket, whatever arithmetic left in its count. */
export function cellsOfCopy({ layout, count, sum, zeroCount, positive, negative }: NativeHistogram): Float64Array {
  const cells = new Float64Array(cellsOf(layout));
  cells[COUNT_CELL] = count;
  cells[SUM_CELL] = sum;
  cells[ZERO_COUNT_CELL] = layout.schema === CUSTOM_BUCKETS ? 0 : zeroCount;
  cells.set(positive, BUCKET_CELLS);
  cells.set(negative, BUCKET_CELLS + positive.length);
  return cells;
}

/** The histogram of a column of cells; its buckets are views. */
export function histogramOf(layout: HistogramLayout, hint: number, cells: Float64Array): NativeHistogram {
  const negativeAt = BUCKET_CELLS + layout.positive.length;
  return {
    layout,
    hint,
    count: cells[COUNT_CELL]!,
    sum: cells[SUM_CELL]!,
    zeroCount: cells[ZERO_COUNT_CELL]!,
    positive: cells.subarray(BUCKET_CELLS, negativeAt),
    negative: cells.subarray(negativeAt, negativeAt + layout.negative.length),
  };
}

/**
 * Joins the hint of another histogram to the accumulator's: a gauge makes the result one, and hints that say different
 * things about resets say nothing together. True when one says that there was a reset and the other that there was none.
 */
export function joinHint(into: Accumulator, hint: number): boolean {
  const own = into.hint;
  if (own === hint) return false;
  into.hint = own === GAUGE || hint === GAUGE ? GAUGE : RESET_UNKNOWN;
  return own !== GAUGE && hint !== GAUGE && own !== RESET_UNKNOWN && hint !== RESET_UNKNOWN;
}

/** Merges the buckets to a coarser exponential schema; does nothing when it is not coarser. */
export function coarsen(into: Accumulator, schema: number): void {
  const { layout } = into;
  if (schema >= layout.schema) return;
  const shift = layout.schema - schema;
  const isCompensated = into.lost !== undefined;
  const positive = coarser(positiveOf(into), shift, isCompensated);
  const negative = coarser(negativeOf(into), shift, isCompensated);
  replaceSides(into, { ...layout, schema, positive: positive.indexes, negative: negative.indexes }, positive, negative);
}

/** Drops the buckets that are empty and have lost nothing. */
export function compact(into: Accumulator): void {
  const positive = populated(positiveOf(into));
  const negative = populated(negativeOf(into));
  const { layout } = into;
  if (positive.indexes.length === layout.positive.length && negative.indexes.length === layout.negative.length) return;
  replaceSides(into, { ...layout, positive: positive.indexes, negative: negative.indexes }, positive, negative);
}

export function positiveOf({ layout, cells, lost }: Accumulator): Side {
  const end = BUCKET_CELLS + layout.positive.length;
  return {
    indexes: layout.positive,
    counts: cells.subarray(BUCKET_CELLS, end),
    lost: lost?.subarray(BUCKET_CELLS, end),
  };
}

export function negativeOf({ layout, cells, lost }: Accumulator): Side {
  const start = BUCKET_CELLS + layout.positive.length;
  return { indexes: layout.negative, counts: cells.subarray(start), lost: lost?.subarray(start) };
}

/** Takes over a layout and its buckets; the totals stay. */
export function replaceSides(into: Accumulator, layout: HistogramLayout, positive: Side, negative: Side): void {
  const cells = new Float64Array(cellsOf(layout));
  cells.set(into.cells.subarray(0, BUCKET_CELLS));
  cells.set(positive.counts, BUCKET_CELLS);
  cells.set(negative.counts, BUCKET_CELLS + positive.counts.length);
  if (into.lost !== undefined) {
    const lost = new Float64Array(cells.length);
    lost.set(into.lost.subarray(0, BUCKET_CELLS));
    if (positive.lost !== undefined) lost.set(positive.lost, BUCKET_CELLS);
    if (negative.lost !== undefined) lost.set(negative.lost, BUCKET_CELLS + positive.counts.length);
    into.lost = lost;
  }
  into.layout = layout;
  into.cells = cells;
}
