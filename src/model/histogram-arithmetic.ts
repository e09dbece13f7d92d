import { canAdd } from './histogram-add.ts';
import { accumulatorOf, cellsOfCopy, compact, histogramOf, joinHint } from './histogram-accumulator.ts';
import { ADDED, combine, SUBTRACTED, type Combining } from './histogram-combine.ts';
import { BUCKET_CELLS, GAUGE, ZERO_COUNT_CELL, type HistogramLayout, type NativeHistogram } from './histogram.ts';

/**
 * Arithmetic of PromQL on native histograms, as Prometheus 3.15 has it (model/histogram/float_histogram.go). All of it is
 * pure: operands stay as they are, and a result may share its layout with one. Results may have empty buckets, which
 * operators drop with `compacted`.
 */

/** A sum or a difference, and what there is to say about it. */
export interface Combined {
  readonly histogram: NativeHistogram;
  /** One operand says that its counters were reset, the other that they were not. */
  readonly resetCollision: boolean;
  /** The custom bounds differed, and only those that both have were kept. */
  readonly boundsReconciled: boolean;
}

/** `a + b`; undefined when one has exponential buckets and the other custom ones. */
export function sumOf(a: NativeHistogram, b: NativeHistogram): Combined | undefined {
  return combined(a, b, ADDED);
}

/** `a - b` with the hint that a sum would have (an operator's result is a gauge); undefined as in `sumOf`. */
export function differenceOf(a: NativeHistogram, b: NativeHistogram): Combined | undefined {
  return combined(a, b, SUBTRACTED);
}

/** All numbers times the factor. A negative one makes a gauge. */
export function scaled(histogram: NativeHistogram, factor: number): NativeHistogram {
  const cells = cellsOfCopy(histogram);
  for (let i = 0; i < cells.length; i++) cells[i]! *= factor;
  return histogramOf(histogram.layout, factor < 0 ? GAUGE : histogram.hint, cells);
}

/** All numbers divided by the divisor. A negative one makes a gauge; zero leaves infinite totals and no buckets. */
export function divided(histogram: NativeHistogram, divisor: number): NativeHistogram {
  const cells = cellsOfCopy(histogram);
  for (let i = 0; i < cells.length; i++) cells[i]! /= divisor;
  if (divisor === 0) {
    const layout: HistogramLayout = { ...histogram.layout, positive: NO_INDEXES, negative: NO_INDEXES };
    return histogramOf(layout, histogram.hint, cells.slice(0, BUCKET_CELLS));
  }
  return histogramOf(histogram.layout, divisor < 0 ? GAUGE : histogram.hint, cells);
}

/**
 * The histogram without its empty buckets; itself when there are none. This is Prometheus's compaction to spans without
 * empty buckets; spans themselves are not kept, so that buckets next to each other are so in one way only.
 */
export function compacted(histogram: NativeHistogram): NativeHistogram {
  if (!histogram.positive.includes(0) && !histogram.negative.includes(0)) return histogram;
  const whole = accumulatorOf(histogram);
  whole.cells[ZERO_COUNT_CELL] = histogram.zeroCount;
  compact(whole);
  return histogramOf(whole.layout, whole.hint, whole.cells);
}

/** Whether any number, or any custom bound, is infinite. */
export function hasOverflow({ layout, count, sum, zeroCount, positive, negative }: NativeHistogram): boolean {
  return (
    isInfinite(count) ||
    isInfinite(sum) ||
    isInfinite(zeroCount) ||
    positive.some(isInfinite) ||
    negative.some(isInfinite) ||
    layout.bounds.some(isInfinite)
  );
}

const NO_INDEXES = new Int32Array(0);

function combined(a: NativeHistogram, b: NativeHistogram, how: Combining): Combined | undefined {
  if (!canAdd(a, b)) return undefined;
  const into = accumulatorOf(a);
  const resetCollision = joinHint(into, b.hint);
  const boundsReconciled = combine(into, b, undefined, how);
  return { histogram: histogramOf(into.layout, into.hint, into.cells), resetCollision, boundsReconciled };
}

function isInfinite(value: number): boolean {
  return value === Infinity || value === -Infinity;
}
