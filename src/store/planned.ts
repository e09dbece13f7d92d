import { longer } from '../base/columns.ts';
import {
  copyHistogram,
  extendHistograms,
  growingHistograms,
  putHistogram,
  type GrowingHistograms,
} from '../model/growing-histograms.ts';
import {
  FLOAT_ROW,
  histogramAt,
  isHistogramAt,
  sliceHistograms,
  type HistogramColumns,
  type NativeHistogram,
} from '../model/histogram.ts';
import { isStaleAt } from '../model/series.ts';
import { BASE_IS_HISTOGRAM, ENDS_STALE, IS_INPUT, LAST_DELETED, NO_ROW, type Head } from './head.ts';
import { putLate, putRow, takeLast, type Memtable } from './memtable.ts';
import { startsOf, UNKNOWN_START, type Starts } from './starts.ts';

/**
 * Rows that an append is about to store. The head tells of them at once, as if they were stored, so that each row is planned
 * after the ones before it; `rollback` takes that back when they cannot be made durable.
 */
export interface Planned {
  count: number;
  refs: Uint32Array;
  times: Float64Array;
  values: Float64Array;
  /** The row of the same series before it, if that is planned too; otherwise `NO_ROW`. Of late rows too. */
  previous: Int32Array;
  /** 1 where a row is older than its series' last sample. */
  late: Uint8Array;
  /** Undefined while no row has a start. */
  starts: Float64Array | undefined;
  /** Undefined while no row is a histogram. */
  histograms: GrowingHistograms | undefined;
  /** What the series' head was before each row. */
  firstTimes: Float64Array;
  lastTimes: Float64Array;
  bases: Float64Array;
  flags: Uint8Array;
  latestMs: number;
  /** The newest late row of each series that has one. */
  readonly lateRows: Map<number, number>;
  /** The rows of series that were looked for by their times, the newest at each. */
  readonly rowsByTime: Map<number, Map<number, number>>;
}

/** Memory for more rows than this is let go after its append. */
const ROWS_KEPT = 64 * 1024;
const CELLS_KEPT = 512 * 1024;
const FIRST_CAPACITY = 1024;

export function noRows(): Planned {
  return {
    count: 0,
    refs: new Uint32Array(0),
    times: new Float64Array(0),
    values: new Float64Array(0),
    previous: new Int32Array(0),
    late: new Uint8Array(0),
    starts: undefined,
    histograms: undefined,
    firstTimes: new Float64Array(0),
    lastTimes: new Float64Array(0),
    bases: new Float64Array(0),
    flags: new Uint8Array(0),
    latestMs: Number.NEGATIVE_INFINITY,
    lateRows: new Map(),
    rowsByTime: new Map(),
  };
}

/** Makes the next row one of a series at a time, which is its last from now on; the caller sets what it holds. */
export function addRow(head: Head, planned: Planned, ref: number, timeMs: number, startMs: number): number {
  const row = claimRow(head, planned, ref, timeMs, startMs);
  planned.late[row] = 0;
  planned.previous[row] = head.newest[ref]!;
  planned.firstTimes[row] = head.firstTimes[ref]!;
  planned.lastTimes[row] = head.lastTimes[ref]!;
  planned.bases[row] = head.bases[ref]!;
  planned.flags[row] = head.flags[ref]!;
  head.newest[ref] = row;
  head.lastTimes[ref] = timeMs;
  if (timeMs < head.firstTimes[ref]!) head.firstTimes[ref] = timeMs;
  if (timeMs > head.latestMs) head.latestMs = timeMs;
  return row;
}

/** Makes the next row one that is older than its series' last sample: `values[at]`, or a histogram. */
export function addLateRow(
  head: Head,
  planned: Planned,
  ref: number,
  timeMs: number,
  startMs: number,
  values: Float64Array,
  at: number,
  histograms: HistogramColumns | undefined,
): void {
  const row = claimRow(head, planned, ref, timeMs, startMs);
  planned.late[row] = 1;
  planned.previous[row] = planned.lateRows.get(ref) ?? NO_ROW;
  planned.firstTimes[row] = head.firstTimes[ref]!;
  planned.lateRows.set(ref, row);
  if (timeMs < head.firstTimes[ref]!) head.firstTimes[ref] = timeMs;
  if (isHistogramAt(histograms, at)) copyHistogram(histogramsOf(planned), row, histograms, at);
  planned.values.set(values.subarray(at, at + 1), row);
}

function claimRow(head: Head, planned: Planned, ref: number, timeMs: number, startMs: number): number {
  if (planned.count === 0) planned.latestMs = head.latestMs;
  const row = planned.count++;
  if (row === planned.refs.length) grow(planned);
  planned.refs[row] = ref;
  planned.times[row] = timeMs;
  if (planned.rowsByTime.size > 0) planned.rowsByTime.get(ref)?.set(timeMs, row);
  if (startMs !== UNKNOWN_START) planned.starts ??= new Float64Array(planned.refs.length);
  if (planned.starts !== undefined) planned.starts[row] = startMs;
  if (planned.histograms !== undefined) planned.histograms.layoutOf[row] = FLOAT_ROW;
  return row;
}

/** Makes a row hold `values[at]`, a float that is no staleness marker. */
export function setFloat(head: Head, planned: Planned, row: number, values: Float64Array, at: number): void {
  const ref = planned.refs[row]!;
  const value = values[at]!;
  if (value === value) {
    planned.values[row] = value;
    head.bases[ref] = value;
  } else {
    // A NaN's payload may not survive a register, so its bytes are copied.
    planned.values.set(values.subarray(at, at + 1), row);
    head.bases.set(values.subarray(at, at + 1), ref);
  }
  head.flags[ref]! &= ~(ENDS_STALE | BASE_IS_HISTOGRAM | LAST_DELETED);
}

/** Makes a row hold the staleness marker that is `values[at]`. */
export function setStale(head: Head, planned: Planned, row: number, values: Float64Array, at: number): void {
  planned.values.set(values.subarray(at, at + 1), row);
  const ref = planned.refs[row]!;
  head.flags[ref] = (head.flags[ref]! & ~LAST_DELETED) | ENDS_STALE;
}

/** Makes a row hold a histogram. */
export function setHistogram(head: Head, planned: Planned, row: number, histogram: NativeHistogram): void {
  putHistogram(histogramsOf(planned), row, histogram);
  noteHistogram(head, planned, row);
}

/** Makes a row hold the histogram in row `fromRow` of other columns. */
export function setHistogramOf(
  head: Head,
  planned: Planned,
  row: number,
  from: HistogramColumns,
  fromRow: number,
): void {
  copyHistogram(histogramsOf(planned), row, from, fromRow);
  noteHistogram(head, planned, row);
}

function histogramsOf(planned: Planned): GrowingHistograms {
  planned.histograms ??= growingHistograms(planned.refs.length);
  return planned.histograms;
}

function noteHistogram(head: Head, planned: Planned, row: number): void {
  const ref = planned.refs[row]!;
  planned.values[row] = 0;
  head.bases[ref] = 0;
  head.flags[ref] = (head.flags[ref]! & ~(ENDS_STALE | LAST_DELETED)) | BASE_IS_HISTOGRAM;
}

/** A sample, staleness markers aside. */
export type Sample = number | NativeHistogram;

/** A sample with its time. */
export interface TimedSample {
  readonly timeMs: number;
  readonly sample: Sample;
}

/** The latest planned sample of a series before a time, staleness markers aside; undefined when there is none. */
export function plannedBefore(head: Head, planned: Planned, ref: number, beforeMs: number): TimedSample | undefined {
  const { histograms, lateRows, previous, times, values } = planned;
  let found = NO_ROW;
  for (const newest of [head.newest[ref]!, lateRows.get(ref) ?? NO_ROW]) {
    for (let row = newest; row !== NO_ROW; row = previous[row]!) {
      if (times[row]! >= beforeMs || (found !== NO_ROW && times[row]! <= times[found]!)) continue;
      if (!isHistogramAt(histograms, row) && isStaleAt(values, row)) continue;
      found = row;
      // Those in order come the latest first.
      if (planned.late[row] === 0) break;
    }
  }
  if (found === NO_ROW) return undefined;
  const sample = isHistogramAt(histograms, found) ? histogramAt(histograms, found) : values[found]!;
  return { timeMs: times[found]!, sample };
}

/** The planned row of a series at a time, in order or not; undefined when there is none. */
export function plannedAt(head: Head, planned: Planned, ref: number, timeMs: number): number | undefined {
  let rows = planned.rowsByTime.get(ref);
  if (rows === undefined) {
    planned.rowsByTime.set(ref, (rows = new Map()));
    for (const newest of [head.newest[ref]!, planned.lateRows.get(ref) ?? NO_ROW]) {
      for (let row = newest; row !== NO_ROW; row = planned.previous[row]!) {
        const known = rows.get(planned.times[row]!);
        if (known === undefined || known < row) rows.set(planned.times[row]!, row);
      }
    }
  }
  return rows.get(timeMs);
}

/** All rows as the columns of a record. */
export function plannedColumns(planned: Planned): {
  times: Float64Array;
  values: Float64Array;
  starts: Starts;
  histograms: HistogramColumns | undefined;
} {
  const { count, times, values, starts, histograms } = planned;
  return {
    times: times.subarray(0, count),
    values: values.subarray(0, count),
    starts: starts === undefined ? UNKNOWN_START : startsOf(starts.subarray(0, count)),
    histograms: histograms === undefined ? undefined : sliceHistograms(histograms, 0, count),
  };
}

/** Undoes all rows. */
export function rollback(head: Head, planned: Planned): void {
  if (planned.count === 0) return;
  for (let row = planned.count - 1; row >= 0; row--) {
    const ref = planned.refs[row]!;
    head.firstTimes[ref] = planned.firstTimes[row]!;
    if (planned.late[row] === 1) continue;
    head.newest[ref] = planned.previous[row]!;
    head.lastTimes[ref] = planned.lastTimes[row]!;
    head.bases[ref] = planned.bases[row]!;
    head.flags[ref] = planned.flags[row]!;
  }
  head.latestMs = planned.latestMs;
  clear(planned);
}

/** Moves all rows into the memtable; `changed` is told of each series of which a sample that was there before is not the same. */
export function apply(head: Head, planned: Planned, table: Memtable, changed: (ref: number) => void): void {
  const { count, refs, times, values, late, lastTimes, starts, histograms } = planned;
  for (let row = 0; row < count; row++) {
    const ref = refs[row]!;
    const timeMs = times[row]!;
    const startMs = starts === undefined ? UNKNOWN_START : starts[row]!;
    if (late[row] === 1) {
      putLate(table, ref, timeMs, values, row, startMs, histograms);
      changed(ref);
      continue;
    }
    head.newest[ref] = NO_ROW;
    if (head.hasInputs && (head.flags[ref]! & IS_INPUT) !== 0) {
      // What is kept of an input are its time and value in the head; a histogram has no room there.
      if (!isHistogramAt(histograms, row)) continue;
      takeLast(table, ref, lastTimes[row]!);
    } else if (timeMs === lastTimes[row]) {
      changed(ref);
      takeLast(table, ref, timeMs);
    }
    putRow(table, ref, timeMs, values, row, startMs, histograms);
  }
  clear(planned);
}

function clear(planned: Planned): void {
  planned.count = 0;
  planned.starts = undefined;
  planned.lateRows.clear();
  planned.rowsByTime.clear();
  if (planned.histograms !== undefined) {
    planned.histograms.layouts = [];
    planned.histograms.used = 0;
  }
  if (planned.refs.length > ROWS_KEPT || (planned.histograms?.cells.length ?? 0) > CELLS_KEPT) {
    Object.assign(planned, { ...noRows(), lateRows: planned.lateRows, rowsByTime: planned.rowsByTime });
  }
}

function grow(planned: Planned): void {
  const capacity = Math.max(FIRST_CAPACITY, planned.refs.length * 2);
  planned.refs = longer(planned.refs, new Uint32Array(capacity));
  planned.times = longer(planned.times, new Float64Array(capacity));
  planned.values = longer(planned.values, new Float64Array(capacity));
  planned.previous = longer(planned.previous, new Int32Array(capacity));
  planned.late = longer(planned.late, new Uint8Array(capacity));
  planned.firstTimes = longer(planned.firstTimes, new Float64Array(capacity));
  planned.lastTimes = longer(planned.lastTimes, new Float64Array(capacity));
  planned.bases = longer(planned.bases, new Float64Array(capacity));
  planned.flags = longer(planned.flags, new Uint8Array(capacity));
  if (planned.starts !== undefined) planned.starts = longer(planned.starts, new Float64Array(capacity));
  if (planned.histograms !== undefined) extendHistograms(planned.histograms, capacity);
}
