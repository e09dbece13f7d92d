import { histogramAt, isHistogramAt } from '../model/histogram.ts';
import { firstAfter, isStaleAt } from '../model/series.ts';
import { chunkRows, decodeChunk, decodeChunkInto, type ChunkColumns } from './codec/chunk.ts';
import type { CachedColumns, ColumnCache } from './column-cache.ts';
import { columnSpace } from './column-space.ts';
import { BASE_IS_HISTOGRAM, CACHED, HAS_TOMBSTONES, type Head } from './head.ts';
import { lateRunOf, rowsAt, runOf } from './memtable.ts';
import { allTables, isInChunks, type Memtables } from './memtables.ts';
import { PARTITION_MS, seriesIdOf, type StoredChunk } from './partition-db.ts';
import type { Partitions } from './partitions-db.ts';
import type { TimedSample } from './planned.ts';
import type { Past } from './repetition.ts';
import { HINT_LOOKBACK_MS, withReadHints } from './read-hints.ts';
import { concatRuns, mergeRuns, sliceRun, trimRun, type RunColumns } from './run.ts';
import { UNKNOWN_START, type Starts } from './starts.ts';
import type { Tombstones } from './tombstones.ts';

/** Puts the samples of a series together from wherever they are. */
export interface Reader extends Past {
  /** The samples in [fromMs, toMs]: views that stay as they are until the store is next written to. */
  read(ref: number, fromMs: number, toMs: number): ChunkColumns;
  /** Fetches the chunks of some series that are about to be read in [fromMs, toMs], where one look-up for all pays. */
  prefetch(refs: Uint32Array, fromMs: number, toMs: number): void;
  /** The samples in [fromMs, toMs] of chunks and memtables, hidden ones left out, in runs that may overlap. */
  runs(ref: number, fromMs: number, toMs: number): RunColumns[];
  /** Forgets decoded columns of a series. */
  forget(ref: number): void;
}

export interface ReaderDeps {
  /** As in `StoreOptions`; of what `read` gives. */
  readonly findsHints: boolean;
  readonly head: Head;
  readonly tables: Memtables;
  readonly partitions: Partitions;
  readonly tombstones: Tombstones;
  readonly cache: ColumnCache;
  /** Told of a chunk that cannot be read; it must not be found again. */
  onDamaged(dayMs: number, seriesId: number, chunk: StoredChunk, error: unknown): void;
}

const NO_SAMPLES: ChunkColumns = {
  times: new Float64Array(0),
  values: new Float64Array(0),
  starts: UNKNOWN_START,
  histograms: undefined,
};

/** Cached columns that go on get room for this many more samples. */
const ROOM = 64;

/** Chunks that were fetched for several series at once. */
interface Fetched {
  readonly byId: ReadonlyMap<number, readonly DayChunk[]>;
  readonly fromMs: number;
  readonly toMs: number;
  /** Of the partitions then, and the generation that was in chunks. */
  readonly version: number;
  readonly flushed: number;
}

interface DayChunk {
  readonly dayMs: number;
  readonly chunk: StoredChunk;
}

/** Series are looked up together where at least this part of the ids in their range are theirs. */
const DENSE = 1 / 4;

export function reader({ findsHints, head, tables, partitions, tombstones, cache, onDamaged }: ReaderDeps): Reader {
  const space = columnSpace();
  let fetched: Fetched | undefined;

  function chunksOf(ref: number, fromMs: number, toMs: number): readonly DayChunk[] {
    const id = head.ids[ref]!;
    const known = isCurrent(fetched, fromMs, toMs) ? fetched.byId.get(id) : undefined;
    if (known !== undefined) return known;
    const found: DayChunk[] = [];
    forEachDay(fromMs, toMs, (dayMs) => {
      for (const chunk of partitions.read(dayMs, [], (db) => db.chunks(id, fromMs, toMs))) {
        if (isSettled(chunk)) found.push({ dayMs, chunk });
      }
    });
    return found;
  }

  /** A memtable is whole until all of it is in chunks, so that what is there of it already does not count. */
  function isSettled({ generation, key }: StoredChunk): boolean {
    return isInChunks(tables, generation, seriesIdOf(key));
  }

  function forEachDay(fromMs: number, toMs: number, visit: (dayMs: number) => void): void {
    for (const dayMs of partitions.days()) if (dayMs <= toMs && dayMs + PARTITION_MS > fromMs) visit(dayMs);
  }

  function prefetch(refs: Uint32Array, fromMs: number, toMs: number): void {
    const byId = new Map<number, DayChunk[]>();
    let firstId = Number.POSITIVE_INFINITY;
    let lastId = 0;
    for (const ref of refs) {
      if ((head.flags[ref]! & CACHED) !== 0 && cached(ref, fromMs, toMs) !== undefined) continue;
      const id = head.ids[ref]!;
      byId.set(id, []);
      firstId = Math.min(firstId, id);
      lastId = Math.max(lastId, id);
    }
    fetched = undefined;
    if (byId.size < (lastId - firstId + 1) * DENSE) return;
    forEachDay(fromMs, toMs, (dayMs) => {
      for (const chunk of partitions.read(dayMs, [], (db) => db.chunksOfAll(firstId, lastId, fromMs, toMs))) {
        if (isSettled(chunk)) byId.get(seriesIdOf(chunk.key))?.push({ dayMs, chunk });
      }
    });
    fetched = { byId, fromMs, toMs, version: partitions.version, flushed: tables.flushed };
  }

  function isCurrent(ahead: Fetched | undefined, fromMs: number, toMs: number): ahead is Fetched {
    if (ahead === undefined || ahead.fromMs !== fromMs || ahead.toMs !== toMs) return false;
    return ahead.version === partitions.version && ahead.flushed === tables.flushed;
  }

  function cached(ref: number, fromMs: number, toMs: number): CachedColumns | undefined {
    const entry = cache.get(ref);
    return entry === undefined || entry.fromMs > fromMs || entry.toMs < toMs ? undefined : entry;
  }

  function decode(ref: number, dayMs: number, chunk: StoredChunk): RunColumns | undefined {
    try {
      return { generation: chunk.generation, ...decodeChunk(chunk.body) };
    } catch (error) {
      onDamaged(dayMs, head.ids[ref]!, chunk, error);
      return undefined;
    }
  }

  function addRun(runs: RunColumns[], ref: number, run: RunColumns | undefined, fromMs: number, toMs: number): void {
    const within = run === undefined ? undefined : trimRun(run, fromMs, toMs);
    if (within !== undefined) runs.push(...tombstones.visible(ref, within));
  }

  function storedRuns(ref: number, fromMs: number, toMs: number): RunColumns[] {
    const runs: RunColumns[] = [];
    for (const { dayMs, chunk } of chunksOf(ref, fromMs, toMs))
      addRun(runs, ref, decode(ref, dayMs, chunk), fromMs, toMs);
    return runs;
  }

  function memoryRuns(ref: number, fromMs: number, toMs: number): RunColumns[] {
    const runs: RunColumns[] = [];
    for (const table of allTables(tables)) {
      addRun(runs, ref, lateRunOf(table, ref), fromMs, toMs);
      addRun(runs, ref, runOf(table, ref, fromMs), fromMs, toMs);
    }
    return runs;
  }

  function runs(ref: number, fromMs: number, toMs: number): RunColumns[] {
    return [...storedRuns(ref, fromMs, toMs), ...memoryRuns(ref, fromMs, toMs)];
  }

  function build(ref: number, fromMs: number, toMs: number): CachedColumns {
    const goesOn = toMs >= head.lastTimes[ref]!;
    return {
      columns: floatsInOrder(ref, fromMs, toMs) ?? mergedRuns(ref, fromMs, toMs),
      fromMs,
      toMs: goesOn ? Number.POSITIVE_INFINITY : toMs,
      lastMs: head.lastTimes[ref]!,
      generation: tables.flushed + 1,
      room: undefined,
      bytes: 0,
    };
  }

  function mergedRuns(ref: number, fromMs: number, toMs: number): ChunkColumns {
    const all = runs(ref, fromMs, toMs);
    if (all.length === 0) return NO_SAMPLES;
    if (!findsHints || !all.some(({ histograms }) => histograms !== undefined)) return mergeRuns(all);
    // The first histogram may continue one that lies before the range.
    const wider = mergeRuns(runs(ref, fromMs - HINT_LOOKBACK_MS, toMs));
    return trimRun(withReadHints(wider), fromMs, toMs) ?? NO_SAMPLES;
  }

  /** The samples of a series that is like most: all floats of one start, nothing out of order, nothing hidden. */
  function floatsInOrder(ref: number, fromMs: number, toMs: number): ChunkColumns | undefined {
    if ((head.flags[ref]! & (HAS_TOMBSTONES | BASE_IS_HISTOGRAM)) !== 0) return undefined;
    const chunks = chunksOf(ref, fromMs, toMs);
    if (chunks.length === 0) return undefined;
    const inMemory = memoryRuns(ref, fromMs, toMs);
    let rows = 0;
    for (const run of inMemory) rows += run.times.length;
    try {
      for (const { chunk } of chunks) rows += chunkRows(chunk.body);
      const times = space.take(rows);
      const values = space.take(rows);
      let at = 0;
      let starts: Starts | undefined;
      for (const { chunk } of chunks) {
        const rest = decodeChunkInto(chunk.body, times, values, at);
        if (rest.histograms !== undefined || typeof rest.starts !== 'number') return undefined;
        if (starts !== undefined && starts !== rest.starts) return undefined;
        starts = rest.starts;
        if (at > 0 && times[at]! <= times[at - 1]!) return undefined;
        at += chunkRows(chunk.body);
      }
      for (const run of inMemory) {
        if (run.histograms !== undefined || run.starts !== starts || run.times[0]! <= times[at - 1]!) return undefined;
        times.set(run.times, at);
        values.set(run.values, at);
        at += run.times.length;
      }
      return trimRun({ times, values, starts: starts!, histograms: undefined }, fromMs, toMs) ?? NO_SAMPLES;
    } catch {
      // One of them is damaged, which is found out again, and said, on the other way.
      return undefined;
    }
  }

  /** Puts what came since behind cached columns. */
  function extend(ref: number, entry: CachedColumns): void {
    const { lastMs } = entry;
    // What is in chunks since then was in a memtable before.
    const fresh = (entry.generation > tables.flushed ? memoryRuns : runs)(ref, lastMs, Infinity).flatMap((run) => {
      const start = firstAfter(run.times, lastMs);
      return start === run.times.length ? [] : [sliceRun(run, start, run.times.length)];
    });
    if (fresh.length > 0) appendTo(entry, mergeRuns(fresh), findsHints);
    entry.lastMs = head.lastTimes[ref]!;
    entry.generation = tables.flushed + 1;
  }

  return {
    read(ref, fromMs, toMs) {
      let entry = (head.flags[ref]! & CACHED) === 0 ? undefined : cached(ref, fromMs, toMs);
      if (entry !== undefined && entry.toMs === Infinity && entry.lastMs < Math.min(toMs, head.lastTimes[ref]!)) {
        extend(ref, entry);
        cache.set(ref, entry);
      }
      if (entry === undefined) {
        entry = build(ref, fromMs, toMs);
        head.flags[ref]! |= CACHED;
        cache.set(ref, entry);
      }
      return trimRun(entry.columns, fromMs, toMs) ?? NO_SAMPLES;
    },
    prefetch,
    runs,
    forget: (ref) => cache.delete(ref),
    at(ref, timeMs) {
      const found = storedRuns(ref, timeMs, timeMs);
      for (const table of allTables(tables)) {
        for (const row of rowsAt(table, ref, timeMs)) found.push(...tombstones.visible(ref, row));
      }
      return found.length === 0 ? undefined : mergeRuns(found);
    },
    before(ref, timeMs) {
      let found = lastBefore(memoryRuns(ref, -Infinity, timeMs), timeMs);
      for (const dayMs of partitions.days().toReversed()) {
        if (dayMs >= timeMs) continue;
        if (found !== undefined && found.timeMs >= dayMs + PARTITION_MS) break;
        const stored = lastBefore(storedRuns(ref, dayMs, Math.min(timeMs, dayMs + PARTITION_MS)), timeMs);
        if (stored === undefined) continue;
        if (found === undefined || stored.timeMs > found.timeMs) found = stored;
        break;
      }
      return found;
    },
  };
}

/** The last sample of some runs before a time, staleness markers aside. */
function lastBefore(runs: readonly RunColumns[], timeMs: number): TimedSample | undefined {
  if (runs.length === 0) return undefined;
  const { times, values, histograms } = mergeRuns(runs);
  for (let at = times.length - 1; at >= 0; at--) {
    if (times[at]! >= timeMs) continue;
    if (isHistogramAt(histograms, at)) return { timeMs: times[at]!, sample: histogramAt(histograms, at) };
    if (!isStaleAt(values, at)) return { timeMs: times[at]!, sample: values[at]! };
  }
  return undefined;
}

/** Floats of one start go behind in place, where there is room; earlier views stay as they are. */
function appendTo(entry: CachedColumns, fresh: ChunkColumns, findsHints: boolean): void {
  const { columns } = entry;
  const inPlace =
    columns.histograms === undefined &&
    fresh.histograms === undefined &&
    typeof columns.starts === 'number' &&
    columns.starts === fresh.starts;
  if (!inPlace) {
    entry.room = undefined;
    const joined = concatRuns([columns, fresh]);
    entry.columns = findsHints ? withReadHints(joined, columns.times.length) : joined;
    return;
  }
  const count = columns.times.length;
  const total = count + fresh.times.length;
  let { room } = entry;
  if (room === undefined || room.times.length < total) {
    const capacity = Math.ceil(total * 1.25) + ROOM;
    room = { times: new Float64Array(capacity), values: new Float64Array(capacity) };
    room.times.set(columns.times);
    room.values.set(columns.values);
    entry.room = room;
  }
  const { times, values } = room;
  times.set(fresh.times, count);
  values.set(fresh.values, count);
  entry.columns = { ...columns, times: times.subarray(0, total), values: values.subarray(0, total) };
}
