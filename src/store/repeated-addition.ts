import { LIMITS } from '../base/limits.ts';
import { addHistograms, canAdd, limitBuckets } from '../model/histogram-add.ts';
import { sameHistogram, type NativeHistogram } from '../model/histogram.ts';
import { BASE_IS_HISTOGRAM, type Head } from './head.ts';
import { lastHistogram, sampleBeforeLast, type Pending } from './pending.ts';

/** Whether the series' last sample, which is no staleness marker, is what adding `value` made of the sample before it. */
export function madeLastFloat(head: Head, pending: Pending, ref: number, value: number): boolean {
  if ((head.flags[ref]! & BASE_IS_HISTOGRAM) !== 0) return false;
  const before = sampleBeforeLast(head, pending, ref);
  return typeof before === 'number' && before + value === head.bases[ref];
}

/** The same for a histogram. */
export function madeLastHistogram(head: Head, pending: Pending, ref: number, delta: NativeHistogram): boolean {
  if ((head.flags[ref]! & BASE_IS_HISTOGRAM) === 0) return false;
  const last = lastHistogram(head, pending, ref);
  const before = sampleBeforeLast(head, pending, ref);
  const own = addendOf(delta);
  if (last === undefined || typeof before !== 'object' || own === undefined || !canAdd(before, own)) return false;
  const sum = sumOf(before, own);
  return sum !== undefined && sameHistogram(sum, last);
}

/** What of a histogram is added: no sum that is not finite. Undefined where no schema has few enough buckets. */
export function addendOf(delta: NativeHistogram): NativeHistogram | undefined {
  return limitBuckets(Number.isFinite(delta.sum) ? delta : { ...delta, sum: 0 }, LIMITS.bucketsPerHistogram);
}

/** Undefined where no schema has few enough buckets. */
export function sumOf(a: NativeHistogram, b: NativeHistogram): NativeHistogram | undefined {
  return limitBuckets(addHistograms(a, b), LIMITS.bucketsPerHistogram);
}
