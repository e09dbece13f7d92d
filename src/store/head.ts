import { longer } from '../base/columns.ts';
import type { TailExtra } from './tail-extra.ts';

/**
 * What is known of every series in memory, in columns by the series' reference (its place in the index): a row of a batch
 * touches few lines of memory, which is what an append costs. The columns are replaced when they grow.
 *
 * A series' samples lie in sealed chunks (in the database), then in its tail, then among the pending rows, which have not
 * been moved into tails yet. Its last sample is never in a sealed chunk, because an addition at the same time replaces it.
 */
export interface Head {
  size: number;
  /** Row ids in the database, ascending. */
  ids: Uint32Array;
  /** The time of the last sample; minus infinity when there is none. */
  lastTimes: Float64Array;
  /** The last float that is no staleness marker, to which additions are made; zero at first, and behind a histogram. */
  bases: Float64Array;
  flags: Uint8Array;
  /** The number of the batch that wrote the last sample or repeated it; tells repetitions within a batch. */
  stamps: Uint32Array;
  /** The newest pending row; `NO_ROW` when there is none. */
  newest: Int32Array;
  /** Samples in the tail. */
  counts: Uint32Array;
  /** Times in the first half and values in the second, `counts` of each in use. */
  readonly cells: Float64Array<ArrayBuffer>[];
  /** What only some tails have; those with the flag `EXTRA`. */
  readonly extras: Map<number, TailExtra>;
  /** Stored chunks in order of time: three numbers each, see `chunkCount`. */
  readonly chunks: number[][];
  /** The series whose tails hold samples, or wait for pending ones, that are in no stored chunk: those with `DIRTY`. */
  dirty: number[];
  /** About what a checkpoint of the dirty series writes. */
  dirtyBytes: number;
  /** Samples of all series. */
  samples: number;
}

export const DIRTY = 1;
/** The last sample is a staleness marker. */
export const ENDS_STALE = 2;
/** The last sample that is no staleness marker is a native histogram. */
export const BASE_IS_HISTOGRAM = 4;
/** The tail waits in the database, to be loaded before anything is appended. */
export const COLD = 8;
export const EXTRA = 16;

export const NO_ROW = -1;

/** The chunk id that stands for the series' stored tail while it is not loaded. Row ids of chunks start at 1. */
export const TAIL_CHUNK = 0;

/** Bytes of a float sample in a tail, in memory and stored. */
export const SAMPLE_BYTES = 16;

const NO_CELLS = new Float64Array(0);
const NO_CHUNKS: number[] = [];
const REF_NUMBERS = 3;
const FIRST_CAPACITY = 64;

export function emptyHead(): Head {
  return {
    size: 0,
    ids: new Uint32Array(0),
    lastTimes: new Float64Array(0),
    bases: new Float64Array(0),
    flags: new Uint8Array(0),
    stamps: new Uint32Array(0),
    newest: new Int32Array(0),
    counts: new Uint32Array(0),
    cells: [],
    extras: new Map(),
    chunks: [],
    dirty: [],
    dirtyBytes: 0,
    samples: 0,
  };
}

/** Adds a series without samples and returns its reference. */
export function addSeries(head: Head, id: number): number {
  const ref = head.size++;
  if (ref === head.ids.length) grow(head, Math.max(FIRST_CAPACITY, ref * 2));
  head.ids[ref] = id;
  head.lastTimes[ref] = Number.NEGATIVE_INFINITY;
  head.bases[ref] = 0;
  head.flags[ref] = 0;
  head.stamps[ref] = 0;
  head.newest[ref] = NO_ROW;
  head.counts[ref] = 0;
  head.cells.push(NO_CELLS);
  head.chunks.push(NO_CHUNKS);
  return ref;
}

/** Forgets the newest series, of which nothing was stored, down to `size`. */
export function truncateHead(head: Head, size: number): void {
  head.size = size;
  head.cells.length = size;
  head.chunks.length = size;
}

/** The reference of the series with a row id; undefined when there is none. */
export function refOfId(head: Head, id: number): number | undefined {
  // Without damage the ids are 1, 2, 3, ….
  if (id <= head.size && head.ids[id - 1] === id) return id - 1;
  let low = 0;
  let high = head.size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (head.ids[middle]! < id) low = middle + 1;
    else high = middle;
  }
  return low < head.size && head.ids[low] === id ? low : undefined;
}

export function addChunk(head: Head, ref: number, chunkId: number, startMs: number, endMs: number): void {
  if (head.chunks[ref] === NO_CHUNKS) head.chunks[ref] = [];
  head.chunks[ref]!.push(chunkId, startMs, endMs);
}

export function dropChunk(head: Head, ref: number, chunkId: number): void {
  for (let at = 0; at < chunkCount(head, ref); at++) {
    if (chunkIdAt(head, ref, at) === chunkId) {
      head.chunks[ref]!.splice(at * REF_NUMBERS, REF_NUMBERS);
      return;
    }
  }
}

export function chunkCount(head: Head, ref: number): number {
  return head.chunks[ref]!.length / REF_NUMBERS;
}

export function chunkIdAt(head: Head, ref: number, at: number): number {
  return head.chunks[ref]![at * REF_NUMBERS]!;
}

export function chunkStartAt(head: Head, ref: number, at: number): number {
  return head.chunks[ref]![at * REF_NUMBERS + 1]!;
}

export function chunkEndAt(head: Head, ref: number, at: number): number {
  return head.chunks[ref]![at * REF_NUMBERS + 2]!;
}

/** The first chunk that ends at or after `fromMs`; `chunkCount` when there is none. */
export function firstChunkFrom(head: Head, ref: number, fromMs: number): number {
  let low = 0;
  let high = chunkCount(head, ref);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (chunkEndAt(head, ref, middle) >= fromMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Whether the series may have a sample in chunks or tail in [fromMs, toMs]; exact but for holes between samples. */
export function mayOverlap(head: Head, ref: number, fromMs: number, toMs: number): boolean {
  const at = firstChunkFrom(head, ref, fromMs);
  if (at < chunkCount(head, ref) && chunkStartAt(head, ref, at) <= toMs) return true;
  const count = head.counts[ref]!;
  const cells = head.cells[ref]!;
  return count > 0 && cells[0]! <= toMs && cells[count - 1]! >= fromMs;
}

function grow(head: Head, capacity: number): void {
  head.ids = longer(head.ids, new Uint32Array(capacity));
  head.lastTimes = longer(head.lastTimes, new Float64Array(capacity));
  head.bases = longer(head.bases, new Float64Array(capacity));
  head.flags = longer(head.flags, new Uint8Array(capacity));
  head.stamps = longer(head.stamps, new Uint32Array(capacity));
  head.newest = longer(head.newest, new Int32Array(capacity));
  head.counts = longer(head.counts, new Uint32Array(capacity));
}
