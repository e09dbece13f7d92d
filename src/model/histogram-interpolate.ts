import { differenceOf, scaled, sumOf } from './histogram-arithmetic.ts';
import { resetBetween } from './histogram-compare.ts';
import type { NativeHistogram } from './histogram.ts';

/** A histogram between two samples; custom bounds may have had to be reconciled when subtracting or when adding. */
export interface Interpolated {
  readonly histogram: NativeHistogram;
  readonly subtractionReconciled: boolean;
  readonly additionReconciled: boolean;
}

/** A histogram sample and its time, in milliseconds. */
export interface TimedHistogram {
  readonly timeMs: number;
  readonly histogram: NativeHistogram;
}

/**
 * The histogram at a time between two samples (`smoothed`): as the counts rise in a line from one to the other, or, where a
 * counter was reset between them, from nothing to the later one. Undefined when one has exponential buckets and the other
 * custom ones and both are needed. Empty buckets are kept.
 */
export function interpolateHistogram(
  before: TimedHistogram,
  after: TimedHistogram,
  timeMs: number,
  isCounter: boolean,
): Interpolated | undefined {
  if (timeMs === before.timeMs) return plain(before.histogram);
  if (timeMs === after.timeMs) return plain(after.histogram);
  const fraction = (timeMs - before.timeMs) / (after.timeMs - before.timeMs);
  if (isCounter && resetBetween(before.histogram, after.histogram)) return plain(scaled(after.histogram, fraction));
  const rise = differenceOf(after.histogram, before.histogram);
  if (rise === undefined) return undefined;
  const sum = sumOf(scaled(rise.histogram, fraction), before.histogram);
  if (sum === undefined) return undefined;
  return {
    histogram: sum.histogram,
    subtractionReconciled: rise.boundsReconciled,
    additionReconciled: sum.boundsReconciled,
  };
}

function plain(histogram: NativeHistogram): Interpolated {
  return { histogram, subtractionReconciled: false, additionReconciled: false };
}
