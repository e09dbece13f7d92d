import { canAdd } from './histogram-add.ts';
import { divided, hasOverflow, scaled } from './histogram-arithmetic.ts';
import {
  addToHistogramSum,
  finishCells,
  histogramSumOf,
  mergeHistogramSum,
  partsOfHistogramSum,
  RECONCILED,
  startHistogramSum,
  type Added,
  type HistogramSum,
} from './histogram-sum.ts';
import type { NativeHistogram } from './histogram.ts';

/**
 * The mean of histograms, in place: `avg` and `avg_over_time` of PromQL. It is a compensated sum and a count as long as
 * the sum is finite. From the first term on that would make any number of it infinite, it is the mean of the terms so far,
 * with its compensation, and each further term moves it.
 */
export interface HistogramMean {
  sum: HistogramSum;
  count: number;
  isIncremental: boolean;
}

/** The mean of one histogram. */
export function startHistogramMean(histogram: NativeHistogram): HistogramMean {
  return { sum: startHistogramSum(histogram), count: 1, isIncremental: false };
}

/** Undefined, and nothing added, when one has exponential buckets and the other custom ones. */
export function addToHistogramMean(mean: HistogramMean, term: NativeHistogram): Added | undefined {
  if (!canAdd(mean.sum, term)) return undefined;
  const count = mean.count + 1;
  let added: Added | undefined;
  if (!mean.isIncremental) {
    added = addUnlessOverflow(mean, term, (sum) => addToHistogramSum(sum, term));
    if (!mean.isIncremental) {
      mean.count = count;
      return added;
    }
    rescale(mean.sum, (cell) => cell / (count - 1));
  }
  const weight = (count - 1) / count;
  rescale(mean.sum, (cell) => cell * weight);
  const moved = addToHistogramSum(mean.sum, divided(term, count));
  mean.count = count;
  return added?.boundsReconciled === true ? RECONCILED : moved;
}

/** Adds all terms of another mean, which stays as it is. As `addToHistogramMean`. */
export function mergeHistogramMean(mean: HistogramMean, other: HistogramMean): Added | undefined {
  if (!canAdd(mean.sum, other.sum)) return undefined;
  const count = mean.count + other.count;
  const parts = partsOfHistogramSum(other.sum);
  if (!mean.isIncremental && !other.isIncremental) {
    const added = addUnlessOverflow(mean, parts.histogram, (sum) => mergeHistogramSum(sum, other.sum));
    if (!mean.isIncremental) {
      mean.count = count;
      return added;
    }
    rescale(mean.sum, (cell) => cell / mean.count);
  } else if (!mean.isIncremental) {
    rescale(mean.sum, (cell) => cell / mean.count);
    mean.isIncremental = true;
  }
  const weight = mean.count / count;
  rescale(mean.sum, (cell) => cell * weight);
  const otherWeight = other.isIncremental ? other.count / count : 1 / count;
  const otherSum = histogramSumOf({
    histogram: scaled(parts.histogram, otherWeight),
    compensation: parts.compensation && scaled(parts.compensation, otherWeight),
  });
  const added = mergeHistogramSum(mean.sum, otherSum);
  mean.count = count;
  return added;
}

/** The mean as a histogram; the state stays as it is. Empty buckets are kept. */
export function finishHistogramMean({ sum, count, isIncremental }: HistogramMean): NativeHistogram {
  if (isIncremental) return finishCells(sum, sum.cells.slice(), sum.lost);
  return finishCells(
    sum,
    sum.cells.map((cell) => cell / count),
    sum.lost?.map((cell) => cell / count),
  );
}

/**
 * Sums of numbers below this stay finite however many buckets are merged. What has larger ones is added in a copy first.
 */
const SAFE_MAGNITUDE = 2 ** 900;

/** Adds to the sum; or, where that would make it infinite, leaves it as it is and goes over to the incremental mean. */
function addUnlessOverflow(
  mean: HistogramMean,
  term: NativeHistogram,
  add: (sum: HistogramSum) => Added | undefined,
): Added | undefined {
  const { layout, cells } = mean.sum;
  if (isSafe(cells) && isSafe(layout.bounds) && isSafeTerm(term)) return add(mean.sum);
  const copy = histogramSumOf(partsOfHistogramSum(mean.sum));
  const added = add(copy);
  if (added === undefined) return undefined;
  if (hasOverflow(partsOfHistogramSum(copy).histogram)) mean.isIncremental = true;
  else mean.sum = copy;
  return added;
}

function isSafeTerm({ layout, count, sum, zeroCount, positive, negative }: NativeHistogram): boolean {
  return (
    isSmall(count) &&
    isSmall(sum) &&
    isSmall(zeroCount) &&
    isSafe(positive) &&
    isSafe(negative) &&
    isSafe(layout.bounds)
  );
}

function isSafe(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (!isSmall(values[i]!)) return false;
  return true;
}

/** NaN is none that is too large: what Prometheus looks for are infinities. */
function isSmall(value: number): boolean {
  return !(Math.abs(value) >= SAFE_MAGNITUDE);
}

function rescale(sum: HistogramSum, change: (cell: number) => number): void {
  sum.cells = sum.cells.map(change);
  sum.lost = sum.lost?.map(change);
}
