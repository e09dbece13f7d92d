import type { ChunkColumns } from './codec/chunk.ts';

/** The samples of a series in one stretch of time, decoded, merged and free of what was deleted. */
export interface CachedColumns {
  columns: ChunkColumns;
  readonly fromMs: number;
  /** Plus infinity where it holds whatever comes behind, as far as it has been looked at. */
  readonly toMs: number;
  /** The time of the last sample that was looked at; minus infinity when there was none. */
  lastMs: number;
  /** Generations of memtables before this one need not be looked at for what is newer. */
  generation: number;
  /** Where `columns` are a part of longer ones, that have room behind. */
  room: { times: Float64Array<ArrayBuffer>; values: Float64Array<ArrayBuffer> } | undefined;
  bytes: number;
}

/** Decoded columns by series, bounded in bytes. */
export interface ColumnCache {
  get(ref: number): CachedColumns | undefined;
  set(ref: number, entry: CachedColumns): void;
  delete(ref: number): void;
  clear(): void;
}

/** Part of the cache that one series may take. */
const ENTRY_PART = 1 / 16;

/**
 * Entries in two generations. When the young one has half of the bytes it becomes the old one and the former old one is
 * forgotten; what is asked for moves to the young one. So what was not used for long goes first, and no step costs more than
 * a look-up.
 */
export function columnCache(bytesMax: number): ColumnCache {
  let young = new Map<number, CachedColumns>();
  let old = new Map<number, CachedColumns>();
  let youngBytes = 0;
  const entryBytesMax = bytesMax * ENTRY_PART;

  function set(ref: number, entry: CachedColumns): void {
    remove(ref);
    entry.bytes = bytesOf(entry);
    if (entry.bytes > entryBytesMax) return;
    if (youngBytes + entry.bytes > bytesMax / 2) {
      old = young;
      young = new Map();
      youngBytes = 0;
    }
    young.set(ref, entry);
    youngBytes += entry.bytes;
  }

  function remove(ref: number): void {
    const entry = young.get(ref);
    if (entry !== undefined) youngBytes -= entry.bytes;
    young.delete(ref);
    old.delete(ref);
  }

  return {
    get(ref) {
      const entry = young.get(ref);
      if (entry !== undefined) return entry;
      const former = old.get(ref);
      if (former !== undefined) set(ref, former);
      return former;
    },
    set,
    delete: remove,
    clear() {
      young.clear();
      old.clear();
      youngBytes = 0;
    },
  };
}

/** The columns and about what V8 spends on the objects around them. */
function bytesOf({ columns, room }: CachedColumns): number {
  const { times, starts, histograms } = columns;
  let bytes = (room?.times ?? times).length * 16 + 768;
  if (typeof starts !== 'number') bytes += starts.byteLength;
  if (histograms === undefined) return bytes;
  bytes += histograms.cells.byteLength + times.length * 9;
  for (const { positive, negative, bounds } of histograms.layouts) {
    bytes += positive.byteLength + negative.byteLength + bounds.byteLength + 512;
  }
  return bytes;
}
