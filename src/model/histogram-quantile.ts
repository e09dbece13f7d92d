import { fractionBelow, valueAt } from './histogram-scale.ts';
import { countAt, lowerAt, placesIn, upperAt } from './histogram-walk.ts';
import { CUSTOM_BUCKETS, type NativeHistogram } from './histogram.ts';

/** A number estimated from a histogram, and what observations of NaN, which are in no exponential bucket, did to it. */
export interface Estimate {
  readonly value: number;
  /** `result`: the estimate is NaN because of them. `skew`: it is off because of them. */
  readonly nan: 'none' | 'result' | 'skew';
}

/**
 * `histogram_quantile` of one native histogram (Prometheus 3.15, promql/quantile.go). Within a bucket the value is
 * interpolated: linearly in custom buckets and in the zero bucket, on the logarithmic scale elsewhere. The zero bucket
 * begins at 0 where there are only positive buckets, and ends there where there are only negative ones.
 */
export function histogramQuantile(q: number, histogram: NativeHistogram): Estimate {
  if (q < 0) return estimate(-Infinity);
  if (q > 1) return estimate(Infinity);
  if (histogram.count === 0 || Number.isNaN(q)) return estimate(NaN);

  // What observed NaN counts in no bucket, so that ranks from above would be too low.
  const mayHaveNaN = Number.isNaN(histogram.sum);
  const isAscending = mayHaveNaN || q < 0.5;
  const places = placesIn(histogram);
  const rank = (isAscending ? q : 1 - q) * histogram.count;
  let step = -1;
  let total = 0;
  while (step + 1 < places) {
    step++;
    total += countAt(histogram, isAscending ? step : places - 1 - step);
    if (total >= rank && countAt(histogram, isAscending ? step : places - 1 - step) !== 0) break;
  }
  const bucket = bucketAt(histogram, step < 0 ? -1 : isAscending ? step : places - 1 - step);
  const end = endWithoutInterpolation(histogram, bucket);
  if (end !== undefined) return estimate(end);
  boundZero(histogram, bucket);

  // Roundings may have given more than all.
  if (total > histogram.count) total = histogram.count;
  if (total < rank) return mayHaveNaN ? { value: NaN, nan: 'result' } : estimate(bucket.upper);
  const within = isAscending ? rank - (total - bucket.count) : total - rank;
  if (!mayHaveNaN) return estimate(valueWithin(histogram, bucket, within));

  // Prometheus looks at the buckets above to find out whether there was a NaN, and takes the last of them to interpolate in.
  let last = bucket;
  for (let place = step + 1; place < places; place++) total += countAt(histogram, place);
  if (step + 1 < places) last = bucketAt(histogram, places - 1);
  return { value: valueWithin(histogram, last, within), nan: total < histogram.count ? 'skew' : 'none' };
}

/**
 * `histogram_fraction` of one native histogram: which part of the observations is estimated to lie between the two values.
 * Interpolated as quantiles are.
 */
export function histogramFraction(lower: number, upper: number, histogram: NativeHistogram): Estimate {
  if (histogram.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return estimate(NaN);
  if (lower >= upper) return estimate(0);
  const places = placesIn(histogram);
  let total = 0;
  let rank = 0;
  let lowerRank: number | undefined;
  let upperRank: number | undefined;
  let place = 0;
  for (; place < places && (lowerRank === undefined || upperRank === undefined); place++) {
    const count = countAt(histogram, place);
    total += count;
    const bucket = boundedAt(histogram, place);
    lowerRank ??= rankWithin(bucket, rank, lower);
    upperRank ??= rankWithin(bucket, rank, upper);
    rank += count;
  }
  const mayHaveNaN = Number.isNaN(histogram.sum);
  for (; mayHaveNaN && place < places; place++) total += countAt(histogram, place);
  const highest = mayHaveNaN ? total : histogram.count;
  if (lowerRank === undefined || lowerRank > highest) lowerRank = highest;
  if (upperRank === undefined || upperRank > highest) upperRank = highest;
  const value = (upperRank - lowerRank) / histogram.count;
  return { value, nan: mayHaveNaN && total < histogram.count ? 'skew' : 'none' };
}

interface Bucket {
  lower: number;
  upper: number;
  readonly count: number;
}

function estimate(value: number): Estimate {
  return { value, nan: 'none' };
}

/** Before the first place, there is a bucket of nothing. */
function bucketAt(histogram: NativeHistogram, place: number): Bucket {
  if (place < 0) return { lower: 0, upper: 0, count: 0 };
  return { lower: lowerAt(histogram, place), upper: upperAt(histogram, place), count: countAt(histogram, place) };
}

/** Custom buckets without an end say no more than where they begin, but that a lowest one above 0 begins at 0. */
function endWithoutInterpolation({ layout }: NativeHistogram, bucket: Bucket): number | undefined {
  if (layout.schema !== CUSTOM_BUCKETS) return undefined;
  if (bucket.lower === -Infinity) {
    if (bucket.upper <= 0) return bucket.upper;
    bucket.lower = 0;
    return undefined;
  }
  return bucket.upper === Infinity ? bucket.lower : undefined;
}

function boundZero({ layout, positive, negative }: NativeHistogram, bucket: Bucket): void {
  if (layout.schema === CUSTOM_BUCKETS || !(bucket.lower < 0 && bucket.upper > 0)) return;
  if (negative.length === 0 && positive.length > 0) bucket.lower = 0;
  else if (positive.length === 0 && negative.length > 0) bucket.upper = 0;
}

function valueWithin({ layout }: NativeHistogram, { lower, upper, count }: Bucket, rank: number): number {
  const fraction = rank / count;
  if (layout.schema === CUSTOM_BUCKETS || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * fraction;
  return valueAt(lower, upper, fraction);
}

interface BoundedBucket extends Bucket {
  readonly isLinear: boolean;
}

/** The bucket at a place, with bounds as `boundZero` has them, but of custom buckets too. */
function boundedAt(histogram: NativeHistogram, place: number): BoundedBucket {
  const { layout, positive, negative } = histogram;
  let lower = lowerAt(histogram, place);
  let upper = upperAt(histogram, place);
  const holdsZero = lower <= 0 && upper >= 0;
  if (holdsZero && negative.length === 0 && positive.length > 0) lower = 0;
  else if (holdsZero && positive.length === 0 && negative.length > 0) upper = 0;
  const isLinear = holdsZero || layout.schema === CUSTOM_BUCKETS;
  return { lower, upper, count: countAt(histogram, place), isLinear };
}

/** How many observations lie up to the value, if that lies within the bucket or where it begins; `rank` lie below it. */
function rankWithin({ lower, upper, count, isLinear }: BoundedBucket, rank: number, value: number): number | undefined {
  if (lower >= value) return rank;
  if (!(lower < value && upper > value)) return undefined;
  // A part of an infinite width is none: nothing of the highest bucket lies below, and nothing of the lowest one above.
  if (isLinear && lower === -Infinity) return count;
  return rank + count * fractionBelow(lower, upper, value, isLinear);
}
