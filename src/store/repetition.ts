import { LIMITS } from '../base/limits.ts';
import { addHistograms, canAdd, limitBuckets } from '../model/histogram-add.ts';
import {
  histogramAt,
  isHistogramAt,
  sameHistogram,
  type HistogramColumns,
  type NativeHistogram,
} from '../model/histogram.ts';
import { BASE_IS_HISTOGRAM, ENDS_STALE, type Head } from './head.ts';
import { plannedAt, plannedBefore, type Planned, type Sample, type TimedSample } from './planned.ts';
import type { ChunkColumns } from './codec/chunk.ts';

/** What was stored of a series before. */
export interface Past {
  /** The sample at a time, the only row of the columns; undefined when there is none. */
  at(ref: number, timeMs: number): ChunkColumns | undefined;
  /** The latest sample before a time, staleness markers aside; undefined when there is none. */
  before(ref: number, timeMs: number): TimedSample | undefined;
}

/** All that planning looks back at. */
export interface Lookback {
  readonly head: Head;
  readonly planned: Planned;
  readonly past: Past;
}

/** The last histogram of a series whose last sample, staleness markers aside, is one. */
export function lastHistogram(lookback: Lookback, ref: number): NativeHistogram | undefined {
  const last = sampleBefore(lookback, ref, Number.POSITIVE_INFINITY);
  return typeof last === 'object' ? last : undefined;
}

function sampleBefore({ head, planned, past }: Lookback, ref: number, timeMs: number): Sample | undefined {
  const fresh = plannedBefore(head, planned, ref, timeMs);
  // What is planned is newer than what is stored, but for late rows.
  if (fresh !== undefined && !planned.lateRows.has(ref)) return fresh.sample;
  const stored = past.before(ref, timeMs);
  if (fresh === undefined || stored === undefined) return (fresh ?? stored)?.sample;
  return stored.timeMs > fresh.timeMs ? stored.sample : fresh.sample;
}

/** Whether a float, or a staleness marker, is the series' last sample bit for bit. */
export function repeatsFloat(head: Head, ref: number, values: Float64Array, row: number, stale: boolean): boolean {
  const flags = head.flags[ref]!;
  if (stale || (flags & ENDS_STALE) !== 0) return stale && (flags & ENDS_STALE) !== 0;
  return (flags & BASE_IS_HISTOGRAM) === 0 && sameBits(values, row, head.bases, ref);
}

/** Whether a histogram is the series' last sample. */
export function repeatsHistogram(lookback: Lookback, ref: number, histogram: NativeHistogram): boolean {
  if ((lookback.head.flags[ref]! & (ENDS_STALE | BASE_IS_HISTOGRAM)) !== BASE_IS_HISTOGRAM) return false;
  const last = lastHistogram(lookback, ref);
  return last !== undefined && sameHistogram(last, histogram);
}

/** Whether the series' last sample, which is no staleness marker, is what adding `value` made of the sample before it. */
export function madeLastFloat(lookback: Lookback, ref: number, value: number): boolean {
  const { head } = lookback;
  if ((head.flags[ref]! & BASE_IS_HISTOGRAM) !== 0) return false;
  const before = sampleBefore(lookback, ref, head.lastTimes[ref]!);
  return typeof before === 'number' && before + value === head.bases[ref];
}

/** The same for a histogram. */
export function madeLastHistogram(lookback: Lookback, ref: number, delta: NativeHistogram): boolean {
  const { head } = lookback;
  if ((head.flags[ref]! & BASE_IS_HISTOGRAM) === 0) return false;
  const last = lastHistogram(lookback, ref);
  const before = sampleBefore(lookback, ref, head.lastTimes[ref]!);
  const own = addendOf(delta);
  if (last === undefined || typeof before !== 'object' || own === undefined || !canAdd(before, own)) return false;
  const sum = sumOf(before, own);
  return sum !== undefined && sameHistogram(sum, last);
}

/** How a row older than its series' last sample compares with what is stored or planned at its time. */
export function compareLate(
  { head, planned, past }: Lookback,
  ref: number,
  timeMs: number,
  values: Float64Array,
  row: number,
  histograms: HistogramColumns | undefined,
): 'new' | 'same' | 'different' {
  const at = plannedAt(head, planned, ref, timeMs);
  if (at !== undefined) return sameRow(planned, at, values, row, histograms) ? 'same' : 'different';
  const stored = past.at(ref, timeMs);
  if (stored === undefined) return 'new';
  return sameRow(stored, 0, values, row, histograms) ? 'same' : 'different';
}

function sameRow(
  known: Pick<ChunkColumns, 'values' | 'histograms'>,
  at: number,
  values: Float64Array,
  row: number,
  histograms: HistogramColumns | undefined,
): boolean {
  if (isHistogramAt(known.histograms, at)) {
    return (
      isHistogramAt(histograms, row) && sameHistogram(histogramAt(known.histograms, at), histogramAt(histograms, row))
    );
  }
  return !isHistogramAt(histograms, row) && sameBits(known.values, at, values, row);
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
