import { decodeChunk, type ChunkColumns } from './chunk.ts';
import {
  chunkCount,
  chunkIdAt,
  chunkStartAt,
  dropChunk,
  firstChunkFrom,
  rangeWithin,
  setTail,
  TAIL_CHUNK,
  tailIsCold,
  tailTimes,
  tailValues,
  type HeadSeries,
} from './head.ts';
import type { StoreDb } from './store-db.ts';

/** Reads stored chunks when they are asked for, and keeps the latest ones in memory. */
export interface ChunkReader {
  /** The samples of a series in [fromMs, toMs]; views where they lie in one piece. */
  read(series: HeadSeries, fromMs: number, toMs: number): { times: Float64Array; values: Float64Array };
  /** Brings the stored tail into the head, which must be done before anything is appended. */
  loadTail(series: HeadSeries): void;
}

/** Called with a chunk that cannot be read, after it was taken out of its series. */
export type DamagedChunk = (series: HeadSeries, chunkId: number, error: unknown) => void;

const NO_SAMPLES = new Float64Array(0);

export function chunkReader(db: StoreDb, cacheBytes: number, onDamaged: DamagedChunk): ChunkReader {
  const cache = chunkCache(cacheBytes);

  /** The chunk, or undefined when it is damaged; then it is no longer one of the series' chunks. */
  function chunkOf(series: HeadSeries, chunkId: number): ChunkColumns | undefined {
    const key = chunkId === TAIL_CHUNK ? -series.id : chunkId;
    const known = cache.get(key);
    if (known !== undefined) return known;
    try {
      const chunk = decodeChunk(db.chunk(chunkId, series.id) ?? NO_BYTES);
      cache.set(key, chunk);
      return chunk;
    } catch (error) {
      dropChunk(series, chunkId);
      onDamaged(series, chunkId, error);
      return undefined;
    }
  }

  return {
    read(series, fromMs, toMs) {
      const times: Float64Array[] = [];
      const values: Float64Array[] = [];
      const add = (allTimes: Float64Array, allValues: Float64Array): void => {
        const [start, end] = rangeWithin(allTimes, fromMs, toMs);
        if (start === end) return;
        times.push(allTimes.subarray(start, end));
        values.push(allValues.subarray(start, end));
      };
      let at = firstChunkFrom(series, fromMs);
      while (at < chunkCount(series) && chunkStartAt(series, at) <= toMs) {
        const chunk = chunkOf(series, chunkIdAt(series, at));
        // A damaged chunk has left the list, so the next one stands in its place.
        if (chunk === undefined) continue;
        add(chunk.times, chunk.values);
        at++;
      }
      if (series.count > 0) add(tailTimes(series), tailValues(series));
      return { times: concatenate(times), values: concatenate(values) };
    },
    loadTail(series) {
      if (!tailIsCold(series)) return;
      const tail = chunkOf(series, TAIL_CHUNK);
      if (tail === undefined) {
        series.base = baseOfLastChunk(series);
        return;
      }
      dropChunk(series, TAIL_CHUNK);
      cache.delete(-series.id);
      setTail(series, tail.times, tail.values);
      series.base = tail.base;
    },
  };

  function baseOfLastChunk(series: HeadSeries): number {
    const last = chunkCount(series) - 1;
    return last < 0 ? 0 : (chunkOf(series, chunkIdAt(series, last))?.base ?? 0);
  }
}

const NO_BYTES = new Uint8Array(0);

function concatenate(pieces: readonly Float64Array[]): Float64Array {
  if (pieces.length <= 1) return pieces[0] ?? NO_SAMPLES;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const all = new Float64Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

interface ChunkCache {
  get(key: number): ChunkColumns | undefined;
  set(key: number, chunk: ChunkColumns): void;
  delete(key: number): void;
}

/**
 * Chunks by key in two generations. When the young one has half of the bytes it becomes the old one and the former old
 * one is forgotten; a chunk that is asked for moves to the young one. So what was not used for long goes first, and no
 * step costs more than a look-up.
 */
function chunkCache(bytesMax: number): ChunkCache {
  let young = new Map<number, ChunkColumns>();
  let old = new Map<number, ChunkColumns>();
  let youngBytes = 0;

  function set(key: number, chunk: ChunkColumns): void {
    const bytes = bytesOf(chunk);
    if (youngBytes + bytes > bytesMax / 2) {
      old = young;
      young = new Map();
      youngBytes = 0;
    }
    if (bytes > bytesMax / 2) return;
    young.set(key, chunk);
    youngBytes += bytes;
  }

  return {
    get(key) {
      const chunk = young.get(key);
      if (chunk !== undefined) return chunk;
      const former = old.get(key);
      if (former !== undefined) {
        old.delete(key);
        set(key, former);
      }
      return former;
    },
    set,
    delete(key) {
      const chunk = young.get(key);
      if (chunk !== undefined) youngBytes -= bytesOf(chunk);
      young.delete(key);
      old.delete(key);
    },
  };
}

/** The columns and about what V8 spends on the objects around them. */
function bytesOf(chunk: ChunkColumns): number {
  return chunk.times.length * 16 + 512;
}
