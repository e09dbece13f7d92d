import { stepTime, type StepGrid } from '../../model/grid.ts';
import { noMending, type Mending } from './bucket-quantile.ts';
import type { ClassicHistogram } from './mixed-histograms.ts';

/** A function of the buckets of a classic histogram at one step; both columns are scratch. */
export type BucketFunction = (step: number, bounds: Float64Array, counts: Float64Array, mending: Mending) => number;

/** What was mended of a histogram over all steps. */
export interface MendedSteps extends Omit<Mending, 'isForced'> {
  readonly fromMs: number;
  readonly toMs: number;
  readonly samples: number;
}

/**
 * Runs functions over a classic histogram at each step where it is present, one after the other over the same buckets as
 * they are left, and writes their values into the columns. Returns what was mended, if anything.
 */
export function classicColumns(
  { buckets, present }: ClassicHistogram,
  functions: readonly BucketFunction[],
  columns: readonly Float64Array[],
  grid: StepGrid,
): MendedSteps | undefined {
  const bounds = new Float64Array(buckets.length);
  const counts = new Float64Array(buckets.length);
  const mended = noMending();
  let samples = 0;
  let first = 0;
  let last = 0;
  for (let step = 0; step < grid.steps; step++) {
    if (present[step] === 0) continue;
    let filled = 0;
    for (const bucket of buckets) {
      if (bucket.present[step] === 0) continue;
      bounds[filled] = bucket.bound;
      counts[filled] = bucket.counts[step]!;
      filled++;
    }
    const isFull = filled === buckets.length;
    const stepBounds = isFull ? bounds : bounds.subarray(0, filled);
    const stepCounts = isFull ? counts : counts.subarray(0, filled);
    for (let f = 0; f < functions.length; f++) {
      mended.isForced = false;
      columns[f]![step] = functions[f]!(step, stepBounds, stepCounts, mended);
      if (!mended.isForced) continue;
      if (samples === 0) first = step;
      last = step;
      samples++;
    }
  }
  if (samples === 0) return undefined;
  const { leastBound, mostBound, mostDifference } = mended;
  return { leastBound, mostBound, mostDifference, fromMs: stepTime(grid, first), toMs: stepTime(grid, last), samples };
}
