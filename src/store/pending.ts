import {
  copyHistogram,
  extendHistograms,
  growingHistograms,
  putHistogram,
  type GrowingHistograms,
} from '../model/growing-histograms.ts';
import {
  cellsOf,
  FLOAT_ROW,
  histogramAt,
  isHistogramAt,
  sliceHistograms,
  type HistogramColumns,
  type NativeHistogram,
} from '../model/histogram.ts';
import { isStaleAt } from '../model/series.ts';
import { longer } from '../base/columns.ts';
import { BASE_IS_HISTOGRAM, DIRTY, ENDS_STALE, NO_ROW, SAMPLE_BYTES, type Head } from './head.ts';
import { startsOf, UNKNOWN_START, type Starts } from './starts.ts';
import { lastTailHistogram, putTail, reserveTail, tailSampleBefore } from './tail.ts';

/**
 * Rows that are stored (in write-ahead records) or about to be, and not in their series' tails yet. Tails are scattered
 * over memory, so that moving several rows of a series at once costs little more than moving one.
 */
export interface Pending {
  count: number;
  refs: Uint32Array;
  times: Float64Array;
  values: Float64Array;
  /** The row of the same series before it, if that is pending too; otherwise `NO_ROW`. */
  previous: Int32Array;
  /** Undefined while no row has a start. */
  starts: Float64Array | undefined;
  /** Undefined while no row is a histogram. */
  histograms: GrowingHistograms | undefined;
  /** What the series' head was before each row. */
  lastTimes: Float64Array;
  bases: Float64Array;
  flags: Uint8Array;
  /** The rows of one series in order, while they are moved. */
  chain: Uint32Array;
}

/** A place to come back to: see `rollback`. */
export interface Mark {
  readonly row: number;
  readonly cells: number;
  readonly dirty: number;
  readonly dirtyBytes: number;
  readonly samples: number;
}

/** Rows are moved into tails from here on: some for each of 50,000 series, in 10 MB. */
const ROWS_MAX = 256 * 1024;
/** And so many numbers of histograms, 16 MB. */
const CELLS_MAX = 2 * 1024 * 1024;
const FIRST_CAPACITY = 1024;

export function noPending(): Pending {
  return {
    count: 0,
    refs: new Uint32Array(0),
    times: new Float64Array(0),
    values: new Float64Array(0),
    previous: new Int32Array(0),
    starts: undefined,
    histograms: undefined,
    lastTimes: new Float64Array(0),
    bases: new Float64Array(0),
    flags: new Uint8Array(0),
    chain: new Uint32Array(64),
  };
}

export function markOf(head: Head, pending: Pending): Mark {
  return {
    row: pending.count,
    cells: pending.histograms?.used ?? 0,
    dirty: head.dirty.length,
    dirtyBytes: head.dirtyBytes,
    samples: head.samples,
  };
}

/** Makes the next row one of a series at a time, which is its last from now on; the caller sets what it holds. */
export function addRow(head: Head, pending: Pending, ref: number, timeMs: number, startMs: number): number {
  const row = pending.count++;
  if (row === pending.refs.length) grow(pending);
  const flags = head.flags[ref]!;
  const last = head.lastTimes[ref]!;
  pending.refs[row] = ref;
  pending.times[row] = timeMs;
  pending.previous[row] = head.newest[ref]!;
  pending.lastTimes[row] = last;
  pending.bases[row] = head.bases[ref]!;
  pending.flags[row] = flags;
  if (startMs !== UNKNOWN_START) pending.starts ??= new Float64Array(pending.refs.length);
  if (pending.starts !== undefined) {
    pending.starts[row] = startMs;
    head.dirtyBytes += 8;
  }
  if (pending.histograms !== undefined) pending.histograms.layoutOf[row] = FLOAT_ROW;
  head.newest[ref] = row;
  head.lastTimes[ref] = timeMs;
  if ((flags & DIRTY) === 0) {
    head.flags[ref] = flags | DIRTY;
    head.dirty.push(ref);
    head.dirtyBytes += head.counts[ref]! * SAMPLE_BYTES;
  }
  if (timeMs !== last) {
    head.samples++;
    head.dirtyBytes += SAMPLE_BYTES;
  }
  return row;
}

/** Makes a row hold `values[at]`, a float that is no staleness marker. */
export function setFloat(head: Head, pending: Pending, row: number, values: Float64Array, at: number): void {
  const ref = pending.refs[row]!;
  const value = values[at]!;
  if (value === value) {
    pending.values[row] = value;
    head.bases[ref] = value;
  } else {
    // A NaN's payload may not survive a register, so its bytes are copied.
    pending.values.set(values.subarray(at, at + 1), row);
    head.bases.set(values.subarray(at, at + 1), ref);
  }
  head.flags[ref]! &= ~(ENDS_STALE | BASE_IS_HISTOGRAM);
}

/** Makes a row hold the staleness marker that is `values[at]`. */
export function setStale(head: Head, pending: Pending, row: number, values: Float64Array, at: number): void {
  pending.values.set(values.subarray(at, at + 1), row);
  head.flags[pending.refs[row]!]! |= ENDS_STALE;
}

/** Makes a row hold a histogram. */
export function setHistogram(head: Head, pending: Pending, row: number, histogram: NativeHistogram): void {
  putHistogram(histogramsOf(pending), row, histogram);
  noteHistogram(head, pending, row);
}

/** Makes a row hold the histogram in row `fromRow` of other columns. */
export function setHistogramOf(
  head: Head,
  pending: Pending,
  row: number,
  from: HistogramColumns,
  fromRow: number,
): void {
  copyHistogram(histogramsOf(pending), row, from, fromRow);
  noteHistogram(head, pending, row);
}

function histogramsOf(pending: Pending): GrowingHistograms {
  pending.histograms ??= growingHistograms(pending.refs.length);
  return pending.histograms;
}

function noteHistogram(head: Head, pending: Pending, row: number): void {
  const { layouts, layoutOf } = pending.histograms!;
  const ref = pending.refs[row]!;
  pending.values[row] = 0;
  head.dirtyBytes += cellsOf(layouts[layoutOf[row]!]!) * 8;
  head.bases[ref] = 0;
  head.flags[ref] = (head.flags[ref]! & ~ENDS_STALE) | BASE_IS_HISTOGRAM;
}

/** The last histogram of a series; undefined when it is not at hand. */
export function lastHistogram(head: Head, pending: Pending, ref: number): NativeHistogram | undefined {
  const { histograms, previous } = pending;
  for (let row = head.newest[ref]!; row !== NO_ROW; row = previous[row]!) {
    if (isHistogramAt(histograms, row)) return histogramAt(histograms, row);
  }
  return lastTailHistogram(head, ref);
}

/** The sample that the last one of a series came after, staleness markers aside; undefined when it is not at hand. */
export function sampleBeforeLast(head: Head, pending: Pending, ref: number): number | NativeHistogram | undefined {
  const { histograms, previous, times, values } = pending;
  const lastMs = head.lastTimes[ref]!;
  for (let row = head.newest[ref]!; row !== NO_ROW; row = previous[row]!) {
    // The last sample, or what it took the place of.
    if (times[row] === lastMs) continue;
    if (isHistogramAt(histograms, row)) return histogramAt(histograms, row);
    if (!isStaleAt(values, row)) return values[row]!;
  }
  return tailSampleBefore(head, ref, lastMs);
}

/** The rows from a mark on as the columns of a record. */
export function rowsFrom(
  pending: Pending,
  { row: from }: Mark,
): { times: Float64Array; values: Float64Array; starts: Starts; histograms: HistogramColumns | undefined } {
  const { count, times, values, starts, histograms } = pending;
  return {
    times: times.subarray(from, count),
    values: values.subarray(from, count),
    starts: starts === undefined ? UNKNOWN_START : startsOf(starts.subarray(from, count)),
    histograms: histograms === undefined ? undefined : sliceHistograms(histograms, from, count),
  };
}

/** Undoes the rows from a mark on. */
export function rollback(head: Head, pending: Pending, mark: Mark): void {
  for (let row = pending.count - 1; row >= mark.row; row--) {
    const ref = pending.refs[row]!;
    head.newest[ref] = pending.previous[row]!;
    head.lastTimes[ref] = pending.lastTimes[row]!;
    head.bases[ref] = pending.bases[row]!;
    head.flags[ref] = pending.flags[row]!;
  }
  pending.count = mark.row;
  if (pending.histograms !== undefined) pending.histograms.used = mark.cells;
  head.dirty.length = mark.dirty;
  head.dirtyBytes = mark.dirtyBytes;
  head.samples = mark.samples;
}

/** Moves a series' rows into its tail. */
export function settle(head: Head, pending: Pending, ref: number): void {
  const newest = head.newest[ref]!;
  if (newest === NO_ROW) return;
  let rows = 0;
  for (let row = newest; row !== NO_ROW; row = pending.previous[row]!) rows++;
  reserveTail(head, ref, rows);
  if (rows > pending.chain.length) pending.chain = new Uint32Array(Math.max(rows, pending.chain.length * 2));
  const { times, values, starts, histograms, chain } = pending;
  let at = rows;
  for (let row = newest; row !== NO_ROW; row = pending.previous[row]!) chain[--at] = row;
  for (; at < rows; at++) {
    const row = chain[at]!;
    putTail(head, ref, times, values, row, starts === undefined ? UNKNOWN_START : starts[row]!, histograms);
  }
  head.newest[ref] = NO_ROW;
}

/** Moves all rows into tails when many have gathered. */
export function settleMany(head: Head, pending: Pending): void {
  if (pending.count >= ROWS_MAX || (pending.histograms?.used ?? 0) >= CELLS_MAX) settleAll(head, pending);
}

function settleAll(head: Head, pending: Pending): void {
  for (let row = 0; row < pending.count; row++) settle(head, pending, pending.refs[row]!);
  pending.count = 0;
  pending.starts = undefined;
  if (pending.histograms !== undefined) {
    pending.histograms.layouts = [];
    pending.histograms.used = 0;
  }
  if (pending.refs.length > ROWS_MAX * 2 || (pending.histograms?.cells.length ?? 0) > CELLS_MAX * 2) {
    Object.assign(pending, noPending());
  }
}

function grow(pending: Pending): void {
  const capacity = Math.max(FIRST_CAPACITY, pending.refs.length * 2);
  pending.refs = longer(pending.refs, new Uint32Array(capacity));
  pending.times = longer(pending.times, new Float64Array(capacity));
  pending.values = longer(pending.values, new Float64Array(capacity));
  pending.previous = longer(pending.previous, new Int32Array(capacity));
  pending.lastTimes = longer(pending.lastTimes, new Float64Array(capacity));
  pending.bases = longer(pending.bases, new Float64Array(capacity));
  pending.flags = longer(pending.flags, new Uint8Array(capacity));
  if (pending.starts !== undefined) pending.starts = longer(pending.starts, new Float64Array(capacity));
  if (pending.histograms !== undefined) extendHistograms(pending.histograms, capacity);
}
