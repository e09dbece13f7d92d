import { firstAfter, isStaleAt } from '../model/series.ts';

/**
 * One series in memory: where its sealed chunks lie and, as columns, its tail, which is every sample not in a sealed
 * chunk. The last sample is always in the tail, because an addition at the same time replaces it.
 *
 * `cells` holds both columns in one allocation: times in its first half, values in its second, `count` of each in use.
 */
export interface HeadSeries {
  readonly id: number;
  /** Stored chunks in order of time: three numbers each, see `chunkCount`. */
  chunks: number[];
  cells: Float64Array;
  count: number;
  /** The last value that is no staleness marker: what an addition adds to. Zero at first. */
  base: number;
  /** Whether the tail holds samples that are in no stored chunk yet. */
  dirty: boolean;
  /** This series' place in the batch that is being planned; -1 outside of planning. */
  slot: number;
}

/** The chunk id that stands for the series' stored tail while it is not loaded. Row ids of chunks start at 1. */
export const TAIL_CHUNK = 0;

const NO_CELLS = new Float64Array(0);
const FIRST_CAPACITY = 8;
const REF_NUMBERS = 3;

export function headSeries(id: number): HeadSeries {
  return { id, chunks: [], cells: NO_CELLS, count: 0, base: 0, dirty: false, slot: -1 };
}

export function addChunk(series: HeadSeries, chunkId: number, startMs: number, endMs: number): void {
  series.chunks.push(chunkId, startMs, endMs);
}

export function dropChunk(series: HeadSeries, chunkId: number): void {
  for (let at = 0; at < chunkCount(series); at++) {
    if (chunkIdAt(series, at) === chunkId) {
      series.chunks.splice(at * REF_NUMBERS, REF_NUMBERS);
      return;
    }
  }
}

export function chunkCount(series: HeadSeries): number {
  return series.chunks.length / REF_NUMBERS;
}

export function chunkIdAt(series: HeadSeries, at: number): number {
  return series.chunks[at * REF_NUMBERS]!;
}

export function chunkStartAt(series: HeadSeries, at: number): number {
  return series.chunks[at * REF_NUMBERS + 1]!;
}

function chunkEndAt(series: HeadSeries, at: number): number {
  return series.chunks[at * REF_NUMBERS + 2]!;
}

/** The first chunk that ends at or after `fromMs`; `chunkCount` when there is none. */
export function firstChunkFrom(series: HeadSeries, fromMs: number): number {
  let low = 0;
  let high = chunkCount(series);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (chunkEndAt(series, middle) >= fromMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whether the tail waits in the database, to be loaded before anything is appended. */
export function tailIsCold(series: HeadSeries): boolean {
  const chunks = chunkCount(series);
  return chunks > 0 && chunkIdAt(series, chunks - 1) === TAIL_CHUNK;
}

/** The time of the last sample; minus infinity when there is none. */
export function lastTime(series: HeadSeries): number {
  if (series.count > 0) return series.cells[series.count - 1]!;
  const chunks = chunkCount(series);
  return chunks > 0 ? chunkEndAt(series, chunks - 1) : Number.NEGATIVE_INFINITY;
}

/** Whether the series may have a sample in [fromMs, toMs]; exact but for holes inside a chunk or between tail samples. */
export function mayOverlap(series: HeadSeries, fromMs: number, toMs: number): boolean {
  const at = firstChunkFrom(series, fromMs);
  if (at < chunkCount(series) && chunkStartAt(series, at) <= toMs) return true;
  return series.count > 0 && series.cells[0]! <= toMs && series.cells[series.count - 1]! >= fromMs;
}

export function tailTimes(series: HeadSeries): Float64Array {
  return series.cells.subarray(0, series.count);
}

export function tailValues(series: HeadSeries): Float64Array {
  const half = series.cells.length / 2;
  return series.cells.subarray(half, half + series.count);
}

/** Replaces the tail by copies of these columns. Views that were handed out earlier stay as they are. */
export function setTail(series: HeadSeries, times: Float64Array, values: Float64Array): void {
  const capacity = capacityFor(times.length);
  const cells = new Float64Array(capacity * 2);
  cells.set(times, 0);
  cells.set(values, capacity);
  series.cells = cells;
  series.count = times.length;
}

/**
 * Puts sample `row` of the columns behind the tail, or in the place of the tail's last sample when the times are equal.
 * Returns the samples that were added: 1 or 0. A time before the last one is left out: it is stored already.
 */
export function putSample(series: HeadSeries, times: Float64Array, values: Float64Array, row: number): number {
  const time = times[row]!;
  const last = lastTime(series);
  let at = series.count;
  if (!(time > last)) {
    if (time !== last || at === 0) return 0;
    at--;
  }
  if (at * 2 === series.cells.length) setCapacity(series, capacityFor(at + 1));
  const cells = series.cells;
  const valueAt = cells.length / 2 + at;
  cells[at] = time;
  const value = values[row]!;
  if (value === value) {
    cells[valueAt] = value;
    series.base = value;
  } else {
    // A NaN's payload may not survive a register, so its bytes are copied.
    cells.set(values.subarray(row, row + 1), valueAt);
    if (!isStaleAt(values, row)) series.base = value;
  }
  const added = at + 1 - series.count;
  series.count = at + 1;
  return added;
}

/** Drops the first `samples` of the tail. Views that were handed out earlier stay as they are. */
export function dropFromTail(series: HeadSeries, samples: number): void {
  setTail(series, tailTimes(series).subarray(samples), tailValues(series).subarray(samples));
}

/** The part of ascending `times` in [fromMs, toMs] as a pair of indexes, the second one exclusive. */
export function rangeWithin(times: Float64Array, fromMs: number, toMs: number): [number, number] {
  const end = times.length > 0 && times[times.length - 1]! <= toMs ? times.length : firstAfter(times, toMs);
  if (times.length === 0 || times[0]! >= fromMs) return [0, end];
  const before = firstAfter(times, fromMs);
  const start = before > 0 && times[before - 1] === fromMs ? before - 1 : before;
  return [Math.min(start, end), end];
}

function setCapacity(series: HeadSeries, capacity: number): void {
  const cells = new Float64Array(capacity * 2);
  cells.set(tailTimes(series), 0);
  cells.set(tailValues(series), capacity);
  series.cells = cells;
}

function capacityFor(samples: number): number {
  let capacity = FIRST_CAPACITY;
  while (capacity < samples) capacity *= 2;
  return capacity;
}
