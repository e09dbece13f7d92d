import type { ChunkColumns } from './chunk.ts';

/** Decoded chunks by key, bounded in bytes. */
export interface ChunkCache {
  get(key: number): ChunkColumns | undefined;
  set(key: number, chunk: ChunkColumns): void;
  delete(key: number): void;
}

/**
 * Chunks by key in two generations. When the young one has half of the bytes it becomes the old one and the former old
 * one is forgotten; a chunk that is asked for moves to the young one. So what was not used for long goes first, and no
 * step costs more than a look-up.
 */
export function chunkCache(bytesMax: number): ChunkCache {
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
function bytesOf({ times, starts, histograms }: ChunkColumns): number {
  let bytes = times.length * 16 + 512;
  if (typeof starts !== 'number') bytes += starts.byteLength;
  if (histograms === undefined) return bytes;
  bytes += histograms.cells.byteLength + times.length * 9;
  for (const { positive, negative, bounds } of histograms.layouts) {
    bytes += positive.byteLength + negative.byteLength + bounds.byteLength + 512;
  }
  return bytes;
}
