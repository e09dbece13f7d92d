import { canAdd } from './histogram-add.ts';
import { accumulatorOf, cellsOfCopy, histogramOf, joinHint, type Accumulator } from './histogram-accumulator.ts';
import { ADDED, combine } from './histogram-combine.ts';
import type { NativeHistogram } from './histogram.ts';

/**
 * The compensated sum of histograms, in place: `sum`, `sum_over_time` and, with a count, `avg` of PromQL. Added in the
 * order of Prometheus, the terms give its result in every bit; in any other order, or merged from sums of parts, they give
 * the same up to roundings in the compensation.
 *
 * Hints are joined as in an addition. Whether they contradict each other over all terms is for the caller to note: a sum
 * does not remember it.
 */
export type HistogramSum = Accumulator;

/** What an addition has to say: whether custom bounds differed, so that only those that both have were kept. */
export interface Added {
  readonly boundsReconciled: boolean;
}

export const RECONCILED: Added = { boundsReconciled: true };
const AS_IT_IS: Added = { boundsReconciled: false };

/** The sum of one histogram. */
export function startHistogramSum(histogram: NativeHistogram): HistogramSum {
  return accumulatorOf(histogram);
}

/** Undefined, and nothing added, when one has exponential buckets and the other custom ones. */
export function addToHistogramSum(sum: HistogramSum, term: NativeHistogram): Added | undefined {
  return addWithLost(sum, term, undefined);
}

/** Adds all that another sum holds, which stays as it is. As `addToHistogramSum`. */
export function mergeHistogramSum(sum: HistogramSum, other: HistogramSum): Added | undefined {
  const { histogram, compensation } = partsOfHistogramSum(other);
  return addWithLost(sum, histogram, compensation);
}

/** The sum as a histogram; the state stays as it is. Empty buckets are kept. */
export function finishHistogramSum(sum: HistogramSum): NativeHistogram {
  return finishCells(sum, sum.cells.slice(), sum.lost);
}

/** What a sum consists of, in views: the histogram, and in one of the same layout its rounding errors, if it has any yet. */
export interface HistogramSumParts {
  readonly histogram: NativeHistogram;
  readonly compensation: NativeHistogram | undefined;
}

export function partsOfHistogramSum({ layout, hint, cells, lost }: HistogramSum): HistogramSumParts {
  const compensation = lost && histogramOf(layout, hint, lost);
  return { histogram: histogramOf(layout, hint, cells), compensation };
}

/** A sum of its parts. The compensation must have the layout of the histogram. */
export function histogramSumOf({ histogram, compensation }: HistogramSumParts): HistogramSum {
  const sum = accumulatorOf(histogram);
  if (compensation !== undefined) sum.lost = cellsOfCopy(compensation);
  return sum;
}

/** Adds the rounding errors to the cells, which become those of the result. */
export function finishCells(
  { layout, hint }: Pick<HistogramSum, 'layout' | 'hint'>,
  cells: Float64Array,
  lost: Float64Array | undefined,
): NativeHistogram {
  const whole: Accumulator = { layout, hint, cells, lost: undefined };
  if (lost !== undefined) combine(whole, histogramOf(layout, hint, lost), undefined, ADDED);
  return histogramOf(whole.layout, hint, whole.cells);
}

function addWithLost(
  sum: HistogramSum,
  term: NativeHistogram,
  termLost: NativeHistogram | undefined,
): Added | undefined {
  if (!canAdd(sum, term)) return undefined;
  sum.lost ??= new Float64Array(sum.cells.length);
  joinHint(sum, term.hint);
  return combine(sum, term, termLost, ADDED) ? RECONCILED : AS_IT_IS;
}
