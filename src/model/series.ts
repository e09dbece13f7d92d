import type { HistogramColumns } from './histogram.ts';
import type { Labels } from './labels.ts';

/**
 * One series in columns: `times` in milliseconds since the epoch, strictly ascending, and `values`, both of the same
 * length. A staleness marker is a value whose bits are `STALE_NAN`; read it with `isStaleAt` only, because JavaScript
 * engines may change a NaN's payload whenever a value passes through a register. Copy columns with `set`, `slice` or
 * `subarray`, which keep the bits.
 *
 * Where `histograms` says that a sample is a native histogram, its float says nothing. `startTimes` are when the counter
 * behind each sample started, in ms, 0 where that is unknown: one number where it is the same for all of them.
 */
export interface SeriesColumns {
  readonly labels: Labels;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly histograms?: HistogramColumns | undefined;
  readonly startTimes?: number | Float64Array | undefined;
}

/** The bits of Prometheus's staleness marker (model/value/value.go, StaleNaN), as two little-endian words. */
const STALE_LOW = 0x00000002;
const STALE_HIGH = 0x7ff00000;

/** Whether `values[index]` is a staleness marker. */
export function isStaleAt(values: Float64Array, index: number): boolean {
  const value = values[index]!;
  if (value === value) return false;
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  return words[0] === STALE_LOW && words[1] === STALE_HIGH;
}

/** Writes a staleness marker into a column. */
export function setStaleAt(values: Float64Array, index: number): void {
  const words = new Uint32Array(values.buffer, values.byteOffset + index * 8, 2);
  words[0] = STALE_LOW;
  words[1] = STALE_HIGH;
}

/** The first index in `times` (ascending) whose time is greater than `time`; `times.length` when there is none. */
export function firstAfter(times: Float64Array, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! > time) high = middle;
    else low = middle + 1;
  }
  return low;
}
