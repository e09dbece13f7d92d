import { LIMITS } from '../base/limits.ts';
import { addHistograms, canAdd, limitBuckets } from '../model/histogram-add.ts';
import { sameHistogram, type NativeHistogram } from '../model/histogram.ts';
import { BASE_IS_HISTOGRAM, ENDS_STALE, type Head } from './head.ts';
import { lastHistogram, sampleBeforeLast, type Pending } from './pending.ts';

/** Whether a float, or a staleness marker, is the series' last sample bit for bit. */
export function repeatsFloat(head: Head, ref: number, values: Float64Array, row: number, stale: boolean): boolean {
  const flags = head.flags[ref]!;
  if (stale || (flags & ENDS_STALE) !== 0) return stale && (flags & ENDS_STALE) !== 0;
  return (flags & BASE_IS_HISTOGRAM) === 0 && sameBits(values, row, head.bases, ref);
}

/** Whether a histogram is the series' last sample. */
export function repeatsHistogram(head: Head, pending: Pending, ref: number, histogram: NativeHistogram): boolean {
  if ((head.flags[ref]! & (ENDS_STALE | BASE_IS_HISTOGRAM)) !== BASE_IS_HISTOGRAM) return false;
  const last = lastHistogram(head, pending, ref);
  return last !== undefined && sameHistogram(last, histogram);
}

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

/** Whether two values have the same bits: zeros of different sign differ, and so do NaNs of different payload. */
function sameBits(a: Float64Array, at: number, b: Float64Array, bt: number): boolean {
  const left = a[at]!;
  const right = b[bt];
  if (left === left || right === right) return Object.is(left, right);
  const x = new BigUint64Array(a.buffer, a.byteOffset + at * 8, 1);
  const y = new BigUint64Array(b.buffer, b.byteOffset + bt * 8, 1);
  return x[0] === y[0];
}
