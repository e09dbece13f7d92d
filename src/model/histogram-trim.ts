import { accumulatorOf, compact, histogramOf } from './histogram-accumulator.ts';
import { bucketBound } from './histogram-bounds.ts';
import { fractionBelow } from './histogram-scale.ts';
import {
  BUCKET_CELLS,
  COUNT_CELL,
  CUSTOM_BUCKETS,
  SUM_CELL,
  ZERO_COUNT_CELL,
  type NativeHistogram,
} from './histogram.ts';

/**
 * The histogram without what is estimated to lie below `bound` (`lower`) or above it (`upper`): the operators `>/` and
 * `</` of PromQL (Prometheus 3.15, TrimBuckets). A bucket that holds the bound is divided by interpolation, linear in
 * custom buckets and in the zero bucket, logarithmic elsewhere. When any bucket changes, the count and the sum are those
 * estimated from what is left, and empty buckets are dropped.
 */
export function trimmed(histogram: NativeHistogram, bound: number, side: 'lower' | 'upper'): NativeHistogram {
  const result = accumulatorOf(histogram);
  const { layout, cells } = result;
  const isUpper = side === 'upper';
  const isCustom = layout.schema === CUSTOM_BUCKETS;
  let count = 0;
  let sum = 0;
  let isChanged = false;

  function keep(cell: number, kept: Kept): void {
    count += kept.count;
    sum += kept.middle * kept.count;
    if (cells[cell] === kept.count) return;
    cells[cell] = kept.count;
    isChanged = true;
  }

  let cell = BUCKET_CELLS;
  let hasPositive = false;
  for (let i = 0; i < layout.positive.length; i++, cell++) {
    if (cells[cell] === 0) continue;
    hasPositive = true;
    const index = layout.positive[i]!;
    const bucket = { lower: bucketBound(layout, index - 1), upper: bucketBound(layout, index), count: cells[cell]! };
    keep(cell, keptOf(bucket, bound, isUpper, isCustom, 1));
  }
  let hasNegative = false;
  for (let i = 0; i < layout.negative.length; i++, cell++) {
    if (cells[cell] === 0) continue;
    hasNegative = true;
    const index = layout.negative[i]!;
    const bucket = { lower: -bucketBound(layout, index), upper: -bucketBound(layout, index - 1), count: cells[cell]! };
    keep(cell, keptOf(bucket, bound, isUpper, isCustom, -1));
  }
  const zeroCount = cells[ZERO_COUNT_CELL]!;
  if (zeroCount > 0) {
    const zero = {
      lower: hasPositive && !hasNegative ? 0 : -layout.zeroThreshold,
      upper: hasNegative && !hasPositive ? 0 : layout.zeroThreshold,
      count: zeroCount,
    };
    keep(ZERO_COUNT_CELL, keptOfZero(zero, bound, isUpper));
  }
  if (isChanged) {
    cells[COUNT_CELL] = count;
    cells[SUM_CELL] = sum;
    compact(result);
  }
  return histogramOf(result.layout, result.hint, result.cells);
}

interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** How many observations of a bucket are kept, and the value that each of them is estimated to have. */
interface Kept {
  readonly count: number;
  readonly middle: number;
}

const NOTHING: Kept = { count: 0, middle: 0 };

function keptOf(bucket: Bucket, bound: number, isUpper: boolean, isCustom: boolean, sign: number): Kept {
  const { lower, upper, count } = bucket;
  if (isUpper ? upper <= bound : lower >= bound) return { count, middle: middleOf(lower, upper, isCustom, sign) };
  if (!(isUpper ? lower < bound : upper > bound)) return NOTHING;
  if (lower === -Infinity) return isUpper ? keptBelowOfLowest(bucket, bound) : keptAboveOfLowest(bucket, bound);
  // How a bucket without an end is populated is not known: what may lie above the bound is above, and of what may lie
  // below it nothing is known to.
  if (upper === Infinity)
    return isUpper || bound < lower ? { count: 0, middle: orZero(lower) } : { count, middle: bound };
  const below = countBelow(bucket, bound, isCustom);
  if (isUpper) return { count: below, middle: middleOf(lower, bound, isCustom, sign) };
  return { count: count - below, middle: middleOf(bound, upper, isCustom, sign) };
}

/** Of a bucket that begins at minus infinity, taken to begin at 0 where it ends above. */
function keptBelowOfLowest({ upper, count }: Bucket, bound: number): Kept {
  if (bound >= upper) return { count, middle: 0 };
  if (bound > 0 && upper > 0 && upper !== Infinity) return { count: (count * bound) / upper, middle: bound / 2 };
  if (upper <= 0) return { count, middle: bound };
  return { count: 0, middle: orZero(upper) };
}

function keptAboveOfLowest({ lower, upper, count }: Bucket, bound: number): Kept {
  if (bound <= lower) return { count, middle: 0 };
  if (bound >= 0 && upper > bound && upper !== Infinity) {
    return { count: count * (1 - bound / upper), middle: (bound + upper) / 2 };
  }
  return { count: 0, middle: orZero(upper) };
}

function keptOfZero({ lower, upper, count }: Bucket, bound: number, isUpper: boolean): Kept {
  if (isUpper ? bound >= upper && bound > lower : bound <= lower) return { count, middle: (lower + upper) / 2 };
  if (isUpper ? bound <= lower : bound >= upper) return NOTHING;
  const width = upper - lower;
  if (isUpper) return { count: count * ((bound - lower) / width), middle: (lower + bound) / 2 };
  return { count: count * ((upper - bound) / width), middle: (bound + upper) / 2 };
}

function countBelow({ lower, upper, count }: Bucket, bound: number, isCustom: boolean): number {
  if (bound <= lower) return 0;
  if (bound >= upper) return count;
  return count * fractionBelow(lower, upper, bound, isCustom);
}

/** The middle of an interval: the arithmetic one of custom buckets, otherwise the geometric one on its side of zero. */
function middleOf(lower: number, upper: number, isCustom: boolean, sign: number): number {
  const hasLower = Number.isFinite(lower) || Number.isNaN(lower);
  const hasUpper = Number.isFinite(upper) || Number.isNaN(upper);
  if (!hasLower && !hasUpper) return 0;
  if (!hasLower) return upper > 0 ? upper / 2 : upper;
  if (!hasUpper) return lower;
  return isCustom ? (lower + upper) / 2 : sign * Math.sqrt(Math.abs(lower * upper));
}

function orZero(value: number): number {
  return Number.isFinite(value) ? value : 0;
}
