import { growingHistograms } from '../model/growing-histograms.ts';
import {
  FLOAT_ROW,
  histogramAt,
  isHistogramAt,
  type HistogramColumns,
  type NativeHistogram,
} from '../model/histogram.ts';
import { firstAfter, isStaleAt } from '../model/series.ts';
import type { ChunkColumns } from './chunk.ts';
import { longer } from '../base/columns.ts';
import { capacityFor } from './growth.ts';
import { BASE_IS_HISTOGRAM, EXTRA, type Head } from './head.ts';
import { sliceStarts, startsOf, UNKNOWN_START, type Starts } from './starts.ts';
import { copyOf, growable, lastHistogramRow, setRow, type TailExtra } from './tail-extra.ts';

export function tailTimes(head: Head, ref: number): Float64Array<ArrayBuffer> {
  return head.cells[ref]!.subarray(0, head.counts[ref]);
}

export function tailValues(head: Head, ref: number): Float64Array<ArrayBuffer> {
  const cells = head.cells[ref]!;
  const half = cells.length / 2;
  return cells.subarray(half, half + head.counts[ref]!);
}

export function tailStarts(head: Head, ref: number): Starts {
  const extra = extraOf(head, ref);
  return extra === undefined ? UNKNOWN_START : sliceStarts(extra.starts, 0, head.counts[ref]!);
}

export function tailHistograms(head: Head, ref: number): HistogramColumns | undefined {
  const histograms = extraOf(head, ref)?.histograms;
  if (histograms === undefined) return undefined;
  const { layouts, layoutOf, hints, starts, cells } = histograms;
  const count = head.counts[ref]!;
  return {
    layouts,
    layoutOf: layoutOf.subarray(0, count),
    hints: hints.subarray(0, count),
    starts: starts.subarray(0, count),
    cells,
  };
}

/** The last histogram of the series that is no pending row; undefined when it has none in or right before its tail. */
export function lastTailHistogram(head: Head, ref: number): NativeHistogram | undefined {
  const extra = extraOf(head, ref);
  if (extra === undefined) return undefined;
  const at = lastHistogramRow(extra, head.counts[ref]!);
  return at < 0 ? extra.baseHistogram : histogramAt(extra.histograms!, at);
}

/** The last sample of the tail before a time, staleness markers aside; undefined when there is none. */
export function tailSampleBefore(head: Head, ref: number, timeMs: number): number | NativeHistogram | undefined {
  const at = tailIndexBefore(head, ref, timeMs);
  if (at < 0) return undefined;
  const histograms = extraOf(head, ref)?.histograms;
  return isHistogramAt(histograms, at) ? histogramAt(histograms, at) : tailValues(head, ref)[at]!;
}

/** Where in the tail that sample is; -1 when there is none. */
export function tailIndexBefore(head: Head, ref: number, timeMs: number): number {
  const values = tailValues(head, ref);
  const histograms = extraOf(head, ref)?.histograms;
  let at = head.counts[ref]! - 1;
  while (at >= 0 && (head.cells[ref]![at]! >= timeMs || (!isHistogramAt(histograms, at) && isStaleAt(values, at))))
    at--;
  return at;
}

/** Makes room for `samples` more, so that they are put without copying the tail again and again. */
export function reserveTail(head: Head, ref: number, samples: number): void {
  const needed = head.counts[ref]! + samples;
  if (needed * 2 > head.cells[ref]!.length) setCells(head, ref, capacityFor(needed), 0);
}

/**
 * Puts row `row` of the columns behind the tail, or in the place of the tail's last sample when the times are equal.
 * There must be room; see `reserveTail`.
 */
export function putTail(
  head: Head,
  ref: number,
  times: Float64Array,
  values: Float64Array,
  row: number,
  startMs: number,
  histograms: HistogramColumns | undefined,
): void {
  const cells = head.cells[ref]!;
  const time = times[row]!;
  const count = head.counts[ref]!;
  const at = count > 0 && cells[count - 1] === time ? count - 1 : count;
  const valueAt = cells.length / 2 + at;
  cells[at] = time;
  const value = values[row]!;
  if (value === value) cells[valueAt] = value;
  // A NaN's payload may not survive a register, so its bytes are copied.
  else cells.set(values.subarray(row, row + 1), valueAt);
  head.counts[ref] = at + 1;
  if (startMs !== UNKNOWN_START || isHistogramAt(histograms, row) || (head.flags[ref]! & EXTRA) !== 0) {
    putExtra(head, ref, at, at < count, startMs, histograms, row);
  }
}

/** Makes a stored tail the series' tail. */
export function setTail(head: Head, ref: number, chunk: ChunkColumns): void {
  const { times, values, starts, histograms, baseHistogram } = chunk;
  const capacity = capacityFor(times.length);
  const cells = new Float64Array(capacity * 2);
  cells.set(times, 0);
  cells.set(values, capacity);
  head.cells[ref] = cells;
  head.counts[ref] = times.length;
  setExtra(head, ref, {
    starts: typeof starts === 'number' ? starts : starts.slice(),
    histograms: histograms === undefined ? undefined : growable(histograms, 0, times.length),
    baseHistogram,
  });
}

/** Makes a histogram before the tail, which is empty, what additions go on from. */
export function setBaseHistogram(head: Head, ref: number, histogram: NativeHistogram): void {
  setExtra(head, ref, { starts: UNKNOWN_START, histograms: undefined, baseHistogram: copyOf(histogram) });
}

/** Drops the first `samples` of the tail. Views that were handed out earlier stay as they are. */
export function dropFromTail(head: Head, ref: number, samples: number): void {
  const count = head.counts[ref]!;
  const extra = extraOf(head, ref);
  if (extra !== undefined) {
    const { starts, histograms } = extra;
    const last = lastHistogramRow(extra, count);
    const isBase = (head.flags[ref]! & BASE_IS_HISTOGRAM) !== 0;
    const dropsBase = isBase && last >= 0 && last < samples;
    setExtra(head, ref, {
      starts: typeof starts === 'number' ? starts : startsOf(starts.slice(samples, count)),
      histograms: histograms === undefined || last < samples ? undefined : growable(histograms, samples, count),
      baseHistogram: dropsBase ? copyOf(histogramAt(histograms!, last)) : isBase ? extra.baseHistogram : undefined,
    });
  }
  setCells(head, ref, capacityFor(count - samples), samples);
  head.counts[ref] = count - samples;
}

/** The last of the values that is no staleness marker and no histogram; zero when there is none. */
export function lastFloat(values: Float64Array, histograms: HistogramColumns | undefined): number {
  for (let i = values.length - 1; i >= 0; i--) {
    if (histograms !== undefined && histograms.layoutOf[i] !== FLOAT_ROW) return 0;
    if (!isStaleAt(values, i)) return values[i]!;
  }
  return 0;
}

/** The part of ascending `times` in [fromMs, toMs] as a pair of indexes, the second one exclusive. */
export function rangeWithin(times: Float64Array, fromMs: number, toMs: number): [number, number] {
  const end = times.length > 0 && times[times.length - 1]! <= toMs ? times.length : firstAfter(times, toMs);
  if (times.length === 0 || times[0]! >= fromMs) return [0, end];
  const before = firstAfter(times, fromMs);
  const start = before > 0 && times[before - 1] === fromMs ? before - 1 : before;
  return [Math.min(start, end), end];
}

function extraOf(head: Head, ref: number): TailExtra | undefined {
  return (head.flags[ref]! & EXTRA) === 0 ? undefined : head.extras.get(ref);
}

function setExtra(head: Head, ref: number, extra: TailExtra): void {
  if (extra.starts === UNKNOWN_START && extra.histograms === undefined && extra.baseHistogram === undefined) {
    head.extras.delete(ref);
    head.flags[ref]! &= ~EXTRA;
  } else {
    head.extras.set(ref, extra);
    head.flags[ref]! |= EXTRA;
  }
}

/** Notes the start of the sample at `at`, which is the tail's last, and the histogram in row `row` if that is one. */
function putExtra(
  head: Head,
  ref: number,
  at: number,
  replaces: boolean,
  startMs: number,
  histograms: HistogramColumns | undefined,
  row: number,
): void {
  let extra = extraOf(head, ref);
  if (extra === undefined) {
    extra = { starts: UNKNOWN_START, histograms: undefined, baseHistogram: undefined };
    head.extras.set(ref, extra);
    head.flags[ref]! |= EXTRA;
  }
  if (at === 0 && typeof extra.starts === 'number') extra.starts = startMs;
  if (extra.starts !== startMs) {
    const column = typeof extra.starts === 'number' ? new Float64Array(0) : extra.starts;
    const grown = at < column.length ? column : longer(column, new Float64Array(capacityFor(at + 1)));
    if (typeof extra.starts === 'number') grown.fill(extra.starts, 0, at);
    grown[at] = startMs;
    extra.starts = grown;
  }
  if (isHistogramAt(histograms, row)) extra.histograms ??= growingHistograms(capacityFor(at + 1));
  if (extra.histograms !== undefined) setRow(extra.histograms, at, replaces, histograms, row);
}

/** Moves the tail, without its first `dropped` samples, into cells of their own. */
function setCells(head: Head, ref: number, capacity: number, dropped: number): void {
  const before = head.cells[ref]!;
  const half = before.length / 2;
  const count = head.counts[ref]!;
  const cells = new Float64Array(capacity * 2);
  if (dropped === 0 && count > 0) {
    cells.set(before);
    cells.copyWithin(capacity, half, half + count);
  } else {
    cells.set(before.subarray(dropped, count), 0);
    cells.set(before.subarray(half + dropped, half + count), capacity);
  }
  head.cells[ref] = cells;
}
