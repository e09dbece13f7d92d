import { dropLabels, dropMetricName, labelsKey, labelValue, type Labels } from '../model/labels.ts';
import { parseFloatStrict } from '../base/numbers.ts';
import { spend, type Usage } from './usage.ts';
import { anyPresent, type Row, type RowSink } from './rows.ts';

const LE: ReadonlySet<string> = new Set(['le']);

/**
 * `histogram_quantile` over classic histograms: series that differ only by `le` are the cumulative buckets of one
 * histogram, and the quantile is interpolated linearly within its bucket. Series whose `le` is no number are left out.
 *
 * @param phi the quantile at each step; below 0 gives -Inf, above 1 +Inf.
 */
export function histogramQuantileRows(phi: Float64Array, rows: readonly Row[], usage: Usage, sink: RowSink): void {
  const steps = phi.length;
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  for (const { labels, buckets } of groupBuckets(rows, usage)) {
    const counts = new Float64Array(buckets.length);
    const bounds = new Float64Array(buckets.length);
    for (let step = 0; step < steps; step++) {
      spend(usage, buckets.length);
      let filled = 0;
      for (const { bound, row } of buckets) {
        if (row.present[step] === 0) continue;
        bounds[filled] = bound;
        counts[filled] = row.values[step]!;
        filled++;
      }
      present[step] = filled > 0 ? 1 : 0;
      values[step] =
        filled > 0 ? bucketQuantile(phi[step]!, bounds.subarray(0, filled), counts.subarray(0, filled)) : 0;
    }
    if (anyPresent(present)) sink(labels, values, present, undefined);
  }
}

interface Bucket {
  readonly bound: number;
  readonly le: string;
  readonly row: Row;
}

function groupBuckets(rows: readonly Row[], usage: Usage): { labels: Labels; buckets: Bucket[] }[] {
  const histograms = new Map<string, { labels: Labels; buckets: Bucket[] }>();
  for (const row of rows) {
    spend(usage, GROUP_WORK);
    const le = labelValue(row.labels, 'le');
    const bound = parseFloatStrict(le);
    if (bound === undefined) continue;
    const rest = dropLabels(row.labels, LE);
    const key = labelsKey(rest);
    const histogram = histograms.get(key) ?? { labels: dropMetricName(rest), buckets: [] };
    histogram.buckets.push({ bound, le, row });
    histograms.set(key, histogram);
  }
  const list = [...histograms.values()];
  for (const { buckets } of list) {
    spend(usage, buckets.length * GROUP_WORK);
    // Where bounds say nothing of the order, that of the labels counts.
    buckets.sort((a, b) => (a.le < b.le ? -1 : 1)).sort(byBound);
  }
  return list;
}

/** What it takes to find the histogram of a row, or its bucket's place, in cells. */
const GROUP_WORK = 128;

/** A difference would be NaN for two infinities and for `le="NaN"`, which compares equal to everything in Go's sort. */
function byBound(a: Bucket, b: Bucket): number {
  if (a.bound < b.bound) return -1;
  return a.bound > b.bound ? 1 : 0;
}

/** The quantile of cumulative buckets in ascending order of bounds. Both columns are scratch and get changed. */
function bucketQuantile(phi: number, bounds: Float64Array, counts: Float64Array): number {
  if (Number.isNaN(phi)) return NaN;
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  if (bounds.at(-1) !== Infinity) return NaN;
  const n = joinEqualBounds(bounds, counts);
  forceMonotonic(counts, n);
  if (n < 2) return NaN;
  const observations = counts[n - 1]!;
  if (observations === 0) return NaN;
  let rank = phi * observations;
  const b = firstReaching(rank, counts, n - 1);
  if (b === n - 1) return bounds[n - 2]!;
  if (b === 0 && bounds[0]! <= 0) return bounds[0]!;
  const start = b === 0 ? 0 : bounds[b - 1]!;
  const before = b === 0 ? 0 : counts[b - 1]!;
  rank -= before;
  return start + (bounds[b]! - start) * (rank / (counts[b]! - before));
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

/** Adds up buckets whose bounds are equal though written differently ("1" and "1.0"); returns how many are left. */
function joinEqualBounds(bounds: Float64Array, counts: Float64Array): number {
  let last = 0;
  for (let i = 1; i < bounds.length; i++) {
    if (bounds[i] === bounds[last]) {
      counts[last]! += counts[i]!;
    } else {
      last++;
      bounds[last] = bounds[i]!;
      counts[last] = counts[i]!;
    }
  }
  return last + 1;
}

/** Relative difference below which two bucket counts are one count with a rounding error. */
const SMALL_DELTA = 1e-12;

/** Cumulative counts never fall; rates of buckets scraped apart, and rounding, can make them. */
function forceMonotonic(counts: Float64Array, n: number): void {
  let previous = counts[0]!;
  for (let i = 1; i < n; i++) {
    const count = counts[i]!;
    if (count < previous || nearlyEqual(previous, count)) counts[i] = previous;
    else previous = count;
  }
}

function nearlyEqual(a: number, b: number): boolean {
  if (a === b) return true;
  const sum = Math.abs(a) + Math.abs(b);
  if (a === 0 || b === 0 || sum < 2 ** -1022) return Math.abs(a - b) < SMALL_DELTA * 2 ** -1022;
  return Math.abs(a - b) / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA;
}
