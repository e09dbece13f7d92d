/*
 * Quantiles and fractions of the cumulative buckets of a classic histogram, at one step. Both columns are scratch: they are
 * put in order, joined and mended in place, and stay so for the next quantile of the same step.
 */

/** What was done about counts that fall with rising bounds. */
export interface Mending {
  isForced: boolean;
  leastBound: number;
  mostBound: number;
  mostDifference: number;
}

export function noMending(): Mending {
  return { isForced: false, leastBound: Infinity, mostBound: -Infinity, mostDifference: 0 };
}

/**
 * The phi-quantile, interpolated linearly within its bucket; the lowest one begins at 0 where its bound is above. NaN without
 * observations, without a bucket of +Inf or with no other, -Inf for phi below 0 and +Inf for phi above 1. What was mended is
 * added to `mending`.
 */
export function bucketQuantile(phi: number, bounds: Float64Array, counts: Float64Array, mending: Mending): number {
  if (Number.isNaN(phi)) return NaN;
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  sortByBound(bounds, counts);
  if (bounds[bounds.length - 1] !== Infinity) return NaN;
  const n = joinEqualBounds(bounds, counts);
  forceMonotonic(bounds, counts, n, mending);
  if (n < 2) return NaN;
  const observations = counts[n - 1]!;
  if (observations === 0) return NaN;
  const rank = phi * observations;
  const b = firstReaching(rank, counts, n - 1);
  if (b === n - 1) return bounds[n - 2]!;
  if (b === 0 && bounds[0]! <= 0) return bounds[0]!;
  const start = b === 0 ? 0 : bounds[b - 1]!;
  const before = b === 0 ? 0 : counts[b - 1]!;
  return start + (bounds[b]! - start) * ((rank - before) / (counts[b]! - before));
}

/**
 * Which part of the observations lies between two values, interpolated linearly within the buckets. NaN without
 * observations, without a bucket of +Inf, and for a value that is NaN.
 */
export function bucketFraction(lower: number, upper: number, bounds: Float64Array, counts: Float64Array): number {
  sortByBound(bounds, counts);
  if (bounds[bounds.length - 1] !== Infinity) return NaN;
  const n = joinEqualBounds(bounds, counts);
  const observations = counts[n - 1]!;
  if (observations === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return NaN;
  if (lower >= upper) return 0;
  return (countBelow(upper, bounds, counts, n) - countBelow(lower, bounds, counts, n)) / observations;
}

/** How many observations lie below a value. */
function countBelow(value: number, bounds: Float64Array, counts: Float64Array, n: number): number {
  const observations = counts[n - 1]!;
  let start = bounds[0]! <= 0 ? -Infinity : 0;
  let before = 0;
  for (let b = 0; b < n; b++) {
    const end = bounds[b]!;
    if (start >= value) return smallerOf(before, observations);
    if (end > value) {
      // Of a bucket that begins at -Inf no part can be told, so all of it counts.
      if (start === -Infinity) return smallerOf(counts[b]!, observations);
      return smallerOf(before + ((counts[b]! - before) * (value - start)) / (end - start), observations);
    }
    before = counts[b]!;
    start = end;
  }
  return observations;
}

/** NaN stays, unlike in a comparison the other way round. */
function smallerOf(count: number, most: number): number {
  return count > most ? most : count;
}

/** Buckets mostly come in order; what was joined before leaves a tail that does not. */
function sortByBound(bounds: Float64Array, counts: Float64Array): void {
  for (let i = 1; i < bounds.length; i++) {
    const bound = bounds[i]!;
    if (!(bound < bounds[i - 1]!)) continue;
    const count = counts[i]!;
    let at = i;
    for (; at > 0 && bound < bounds[at - 1]!; at--) {
      bounds[at] = bounds[at - 1]!;
      counts[at] = counts[at - 1]!;
    }
    bounds[at] = bound;
    counts[at] = count;
  }
}

/** Adds up buckets whose bounds are equal though written differently ("1" and "1.0"); returns how many are left. */
function joinEqualBounds(bounds: Float64Array, counts: Float64Array): number {
  let last = 0;
  for (let i = 1; i < bounds.length; i++) {
    if (bounds[i] === bounds[last]) {
      counts[last]! += counts[i]!;
    } else if (++last !== i) {
      bounds[last] = bounds[i]!;
      counts[last] = counts[i]!;
    }
  }
  return last + 1;
}

/** Relative difference below which two bucket counts are one count with a rounding error. */
const SMALL_DELTA = 1e-12;

/** Cumulative counts never fall; rates of buckets scraped apart, and rounding, can make them. */
function forceMonotonic(bounds: Float64Array, counts: Float64Array, n: number, mending: Mending): void {
  let previous = counts[0]!;
  for (let i = 1; i < n; i++) {
    const count = counts[i]!;
    if (count === previous) continue;
    if (isNearly(previous, count)) {
      counts[i] = previous;
    } else if (count < previous) {
      counts[i] = previous;
      mending.isForced = true;
      mending.leastBound = Math.min(mending.leastBound, bounds[i]!);
      mending.mostBound = Math.max(mending.mostBound, bounds[i]!);
      if (previous - count > mending.mostDifference) mending.mostDifference = previous - count;
    } else {
      previous = count;
    }
  }
}

const NORMAL_MIN = 2 ** -1022;

function isNearly(a: number, b: number): boolean {
  const difference = Math.abs(a - b);
  const sum = Math.abs(a) + Math.abs(b);
  if (a === 0 || b === 0 || sum < NORMAL_MIN) return difference < SMALL_DELTA * NORMAL_MIN;
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA;
}

/** By bisection, as in Prometheus: where NaN breaks the order of the counts, the way there decides what is found. */
function firstReaching(rank: number, counts: Float64Array, n: number): number {
  let low = 0;
  let high = n;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (counts[middle]! >= rank) high = middle;
    else low = middle + 1;
  }
  return low;
}
