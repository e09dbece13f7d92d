import { LIMITS } from '../base/limits.ts';
import { firstAfter } from '../model/series.ts';
import { encodeChunk, type ChunkColumns } from './codec/chunk.ts';
import { forgetLast } from './deletions.ts';
import type { HeadDb } from './head-db.ts';
import { IS_INPUT, type Head } from './head.ts';
import type { StoredExemplar } from './annotations-db.ts';
import type { FrozenGeneration, Memtables } from './memtables.ts';
import { hasRows, lateRunOf, runOf, type Memtable } from './memtable.ts';
import { dayOf, type Partitions } from './partitions-db.ts';
import { PARTITION_MS } from './partition-db.ts';
import { mergeRuns, sliceRun, type RunColumns } from './run.ts';
import { encodePage, pageOf } from './state-page.ts';
import type { Tombstones } from './tombstones.ts';

/** Turns frozen memtables into chunks, a part at a time, so that nothing waits for it long. */
export interface Flush {
  /** Whether there is something to do. */
  isDue(): boolean;
  /** Samples that were left out since the open, because they had been deleted. */
  readonly erased: number;
  /** Does a part. What it throws has lost nothing: the same part is done again the next time. */
  step(): void;
}

export interface FlushDeps {
  readonly headDb: HeadDb;
  readonly head: Head;
  readonly tables: Memtables;
  readonly partitions: Partitions;
  readonly tombstones: Tombstones;
  /** Samples that a part encodes. */
  readonly samplesPerStep: number;
}

/** How far the flush of the oldest frozen memtable is. */
interface Round {
  readonly frozen: FrozenGeneration;
  /** References in the order of their series' ids. */
  readonly refs: Uint32Array;
  stage: 'series' | 'exemplars' | 'chunks' | 'finish';
  lastSeriesId: number;
  exemplars: readonly [number, StoredExemplar][];
  /** How many of the exemplars are moved. */
  moved: number;
  /** How many of `refs` are done. */
  done: number;
}

/** A part takes some milliseconds: so many samples to encode, or so many series to write. */
export const SAMPLES_PER_STEP = 64 * 1024;
const SERIES_PER_STEP = 2_048;

/** More rows of a kind than a log can have. */
const ROWS_PER_LOG = 2 ** 28;

/** Rows of series and exemplars that a part moves. */
const ROWS_PER_STEP = 2_048;

/**
 * Samples of a full chunk: two hours at 15 s. A query of some hours reads few chunks and throws little of them away, and what
 * a chunk takes beside its samples is next to nothing.
 */
export const SAMPLES_PER_CHUNK = 480;

export function flushing({ headDb, head, tables, partitions, tombstones, samplesPerStep }: FlushDeps): Flush {
  let round: Round | undefined;
  let erased = 0;

  function begin(frozen: FrozenGeneration): Round {
    const { generation } = frozen.table;
    const isResumed = headDb.value('flushed_generation') === generation - 1 && headDb.value('flushed_series_id') > 0;
    const refs = refsById(frozen.ends.ids);
    let done = 0;
    if (isResumed) {
      const nextId = headDb.value('flushed_series_id');
      while (done < refs.length && frozen.ends.ids[refs[done]!]! < nextId) done++;
    }
    return { frozen, refs, stage: 'series', lastSeriesId: 0, exemplars: [], moved: 0, done };
  }

  /** New series first: without them chunks would belong to nobody. */
  function moveSeries(under: Round): void {
    const rows = under.frozen.log.series(under.lastSeriesId, ROWS_PER_STEP);
    if (rows.length > 0) {
      // One that was deleted meanwhile must not come back.
      const kept = rows.filter(({ id }) => isThere(under, id));
      headDb.write((writer) => writer.putSeries(kept));
      under.lastSeriesId = rows.at(-1)!.id;
      return;
    }
    const { log, table } = under.frozen;
    const metadata = log.annotations.metadata();
    const deliveries = numbered(table.generation, log.annotations.deliveries(LIMITS.deliveries));
    headDb.write((writer) => writer.putAnnotations({ exemplars: [], metadata, deliveries }));
    under.exemplars = numbered(table.generation, log.annotations.exemplars(LIMITS.exemplars));
    under.stage = 'exemplars';
  }

  function isKept({ refs, frozen }: Round, { seriesId, timeMs }: StoredExemplar): boolean {
    const ref = refOf(refs, frozen.ends.ids, seriesId);
    if (ref === undefined || head.ids[ref] !== seriesId) return false;
    return !tombstones.hides(ref, timeMs, frozen.table.generation);
  }

  function isThere({ refs, frozen }: Round, id: number): boolean {
    const ref = refOf(refs, frozen.ends.ids, id);
    return ref !== undefined && head.ids[ref] === id;
  }

  function moveExemplars(under: Round): void {
    const part = under.exemplars.slice(under.moved, under.moved + ROWS_PER_STEP);
    const exemplars = part.filter(([, exemplar]) => isKept(under, exemplar));
    if (exemplars.length > 0)
      headDb.write((writer) => writer.putAnnotations({ exemplars, metadata: [], deliveries: [] }));
    under.moved += part.length;
    if (under.moved < under.exemplars.length) return;
    under.exemplars = [];
    under.stage = 'chunks';
  }

  function writeChunks(under: Round): void {
    const { frozen, refs } = under;
    const { table, ends } = frozen;
    const chunks = new Map<number, EncodedChunk[]>();
    const pages = new Map<number, Uint8Array>();
    let end = under.done;
    let samples = 0;
    let series = 0;
    while (end < refs.length && samples < samplesPerStep && series < SERIES_PER_STEP) {
      const page = pageOf(ends.ids[refs[end]!]!);
      const first = end;
      let changed = false;
      for (; end < refs.length && pageOf(ends.ids[refs[end]!]!) === page; end++) {
        const ref = refs[end]!;
        // All of them may be deleted by now; where the series ended is to be known nevertheless.
        if (!hasRows(table, ref)) {
          // Of an input that is all that there is.
          changed ||= (ends.flags[ref]! & IS_INPUT) !== 0;
          continue;
        }
        samples += addChunks(chunks, ref, ends.ids[ref]!, table);
        series++;
        changed = true;
      }
      if (changed) pages.set(page, pageBody(refs.subarray(first, end), under.frozen));
    }
    for (const [dayMs, list] of chunks) {
      partitions.write(dayMs, (writer) => {
        for (const { seriesId, startMs, endMs, rows, body } of list) {
          writer.add(seriesId, startMs, endMs, table.generation, rows, body);
        }
      });
    }
    headDb.write((writer) => {
      for (const [page, body] of pages) writer.putState(page, body);
      // Behind the last series too: its state is not to meet the records that it comes from again.
      if (end > under.done) writer.setValue('flushed_series_id', ends.ids[refs[end - 1]!]! + 1);
    });
    frozen.samplesFlushed += samples;
    under.done = end;
    if (end === refs.length) under.stage = 'finish';
  }

  /** Encodes what the memtable has of a series; returns the number of samples. */
  function addChunks(chunks: Map<number, EncodedChunk[]>, ref: number, seriesId: number, table: Memtable): number {
    // The place may have become another series' since.
    if (head.ids[ref] !== seriesId) return 0;
    const runs: RunColumns[] = [];
    for (const run of [lateRunOf(table, ref), runOf(table, ref)]) {
      if (run === undefined) continue;
      erased += run.times.length;
      for (const part of tombstones.visible(ref, run)) {
        erased -= part.times.length;
        runs.push(part);
      }
    }
    if (runs.length === 0) return 0;
    const columns = mergeRuns(runs);
    for (const part of chunksOf(columns)) {
      const startMs = part.times[0]!;
      const dayMs = dayOf(startMs);
      let list = chunks.get(dayMs);
      if (list === undefined) chunks.set(dayMs, (list = []));
      list.push({
        seriesId,
        startMs,
        endMs: part.times.at(-1)!,
        rows: part.times.length,
        body: encodeChunk(part).slice(),
      });
    }
    return columns.times.length;
  }

  /** The states of some series at the end of a memtable, free of what was deleted since. */
  function pageBody(refs: Uint32Array, { table, ends }: FrozenGeneration): Uint8Array {
    const left = [...refs].filter(
      (ref) => head.ids[ref] === ends.ids[ref] && ends.lastTimes[ref]! > Number.NEGATIVE_INFINITY,
    );
    for (const ref of left) {
      for (const one of tombstones.of(ref)) if (one.generation >= table.generation) forgetLast(ends, ref, one);
    }
    return encodePage(left, ends).slice();
  }

  function finish({ frozen }: Round): void {
    const { generation } = frozen.table;
    headDb.write((writer) => {
      writer.prune();
      writer.setValue('flushed_generation', generation);
      writer.setValue('flushed_series_id', 0);
    });
    tables.flushed = generation;
    tables.flushedBelowId = 0;
    tables.frozen.shift();
    round = undefined;
    frozen.log.remove();
  }

  return {
    get erased() {
      return erased;
    },
    isDue: () => tables.frozen.length > 0,
    step() {
      const [frozen] = tables.frozen;
      if (frozen === undefined) return;
      round ??= begin(frozen);
      if (round.stage === 'series') moveSeries(round);
      else if (round.stage === 'exemplars') moveExemplars(round);
      else if (round.stage === 'chunks') writeChunks(round);
      else finish(round);
    },
  };
}

/** Rows of a log under numbers that no other log's rows have. */
export function numbered<T>(generation: number, rows: readonly [number, T][]): readonly [number, T][] {
  return rows.map(([id, row]) => [generation * ROWS_PER_LOG + id, row]);
}

/** The generation of a row that is numbered so. */
export function generationOf(id: number): number {
  return Math.floor(id / ROWS_PER_LOG);
}

interface EncodedChunk {
  readonly seriesId: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly rows: number;
  readonly body: Uint8Array;
}

/** Some columns cut into chunks: none crosses a day, none is longer than a chunk may be, and none is much shorter than others. */
export function* chunksOf<T extends ChunkColumns>(columns: T): Iterable<T> {
  const { times } = columns;
  for (let start = 0; start < times.length;) {
    const dayEndMs = dayOf(times[start]!) + PARTITION_MS;
    let end = times.length;
    if (times[end - 1]! >= dayEndMs) {
      end = firstAfter(times, dayEndMs);
      if (times[end - 1] === dayEndMs) end--;
    }
    const parts = Math.ceil((end - start) / SAMPLES_PER_CHUNK);
    for (let part = 0; part < parts; part++) {
      const from = start + Math.floor(((end - start) * part) / parts);
      const to = start + Math.floor(((end - start) * (part + 1)) / parts);
      yield from === 0 && to === times.length ? columns : sliceRun(columns, from, to);
    }
    start = end;
  }
}

/** The references of series, in the order of their ids. */
export function refsById(ids: Uint32Array): Uint32Array {
  const refs = new Uint32Array(ids.length);
  let count = 0;
  let isSorted = true;
  for (let ref = 0; ref < ids.length; ref++) {
    if (ids[ref] === 0) continue;
    if (count > 0 && ids[refs[count - 1]!]! > ids[ref]!) isSorted = false;
    refs[count++] = ref;
  }
  const there = refs.subarray(0, count);
  return isSorted ? there : there.sort((a, b) => ids[a]! - ids[b]!);
}

/** Among references in the order of their ids. */
export function refOf(refs: Uint32Array, ids: Uint32Array, id: number): number | undefined {
  let low = 0;
  let high = refs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[refs[middle]!]! < id) low = middle + 1;
    else high = middle;
  }
  return low < refs.length && ids[refs[low]!] === id ? refs[low] : undefined;
}
