import type { ColumnCache } from './column-cache.ts';
import { mergeStep, rewriteSeries, type CompactDeps, type Rewritten } from './compact.ts';
import type { Exemplars } from './exemplars.ts';
import { refOf, refsById, type Flush } from './flush.ts';
import type { HeadDb } from './head-db.ts';
import { IS_INPUT } from './head.ts';
import { hasRows } from './memtable.ts';
import { allTables, type Memtables } from './memtables.ts';
import { PARTITION_MS, type StoredChunk } from './partition-db.ts';
import type { Partitions } from './partitions-db.ts';
import { INPUT_SILENT_MS } from './plan-inputs.ts';
import { dropSeries, type SeriesTable } from './series-table.ts';
import { changePage, pageOf } from './state-page.ts';
import type { Tombstones } from './tombstones.ts';

/** The work that a store does by the way, in parts of some milliseconds. */
export interface Upkeep {
  /** Does a part; false when there was nothing to do. */
  step(): boolean;
  /** All that a compaction does, to be driven by `step`; the result is there when it is done. */
  compact(): Compacting;
}

export interface Compacting {
  readonly rewritten: Rewritten;
  isDone: boolean;
  /** Why it is done without being complete. */
  error?: unknown;
}

export interface Retention {
  /** Days that end before so long ago are removed. Undefined: none. */
  readonly timeMs: number | undefined;
  /** The oldest days are removed when all files take more. Undefined: none. */
  readonly bytes: number | undefined;
}

export interface UpkeepDeps {
  readonly table: SeriesTable;
  readonly tables: Memtables;
  readonly headDb: HeadDb;
  readonly partitions: Partitions;
  readonly tombstones: Tombstones;
  readonly exemplars: Exemplars;
  readonly cache: ColumnCache;
  readonly flush: Flush;
  readonly retention: Retention;
  /** Closes the active memtable where it has anything. */
  freeze(): void;
  bytes(): number;
  now(): number;
  onDamaged(seriesId: number, chunk: StoredChunk, error: unknown): void;
}

type Task = Generator<void, void>;

/** What is hidden is taken out of the files so long after a deletion, so that several are done in one go. */
const ERASE_AFTER_MS = 5 * 60 * 1000;

/** Chunks of the day at hand are merged after so many flushes: with a million series, each brings a handful of samples. */
const FLUSHES_BEFORE_MERGE = 12;

/** A day is merged for good so long after its end, when hardly anything comes for it any more. */
const CLOSED_AFTER_MS = 60 * 60 * 1000;

/** Days and deletions are looked at this often. */
const LOOK_MS = 10_000;

/** Series that a part of the work goes over. */
const SERIES_PER_STEP = 64;
const REMOVALS_PER_STEP = 1_024;

export function upkeep(deps: UpkeepDeps): Upkeep {
  const { table, tables, headDb, partitions, tombstones, exemplars, cache, flush, retention, now } = deps;
  const { head } = table;
  let task: Task | undefined;
  const asked: Task[] = [];
  let lookedAt = Number.NEGATIVE_INFINITY;

  function nextTask(): Task | undefined {
    const wanted = asked.shift();
    if (wanted !== undefined) return wanted;
    const nowMs = now();
    if (nowMs - lookedAt < LOOK_MS && nowMs >= lookedAt) return undefined;
    lookedAt = nowMs;
    if (daysPast().length > 0) return retain();
    const oldest = Math.min(...headDb.deletions().flatMap(({ erasedMs, atMs }) => (erasedMs === null ? [atMs] : [])));
    if (nowMs - oldest >= ERASE_AFTER_MS) return erase(newRewritten());
    if (silentInputs().length > 0) return removeSeries(silentInputs(), isSilent);
    const dayMs = partitions.days().find(isMergeDue);
    return dayMs === undefined ? undefined : mergeDay(dayMs, newRewritten());
  }

  function isMergeDue(dayMs: number): boolean {
    const { written, merged } = partitions.generations(dayMs);
    return written - merged >= (isClosed(dayMs) ? 1 : FLUSHES_BEFORE_MERGE);
  }

  function compacting(): CompactDeps {
    const refs = refsById(head.ids.subarray(0, head.size));
    const ids = head.ids.slice(0, head.size);
    const refOfSeries = (id: number): number | undefined => {
      const ref = refOf(refs, ids, id);
      return ref !== undefined && head.ids[ref] === id ? ref : undefined;
    };
    return {
      generation: tables.flushed,
      isThere: (id) => refOfSeries(id) !== undefined,
      visible(id, run) {
        const ref = refOfSeries(id);
        return ref === undefined ? [] : tombstones.visible(ref, run);
      },
      onDamaged: deps.onDamaged,
    };
  }

  function* mergeDay(dayMs: number, total: Rewritten): Task {
    const merging = compacting();
    let after: number | undefined = -1;
    while (after !== undefined) {
      const from: number = after;
      after = partitions.update(dayMs, undefined, (db) => mergeStep(db, from, merging, total));
      yield;
    }
    if (partitions.days().includes(dayMs)) partitions.write(dayMs, (writer) => writer.noteMerged(merging.generation));
    // The room that a day's chunks leave is for the next ones, as long as some come.
    if (isClosed(dayMs)) yield* shrink(dayMs);
  }

  function* shrink(dayMs: number): Task {
    while (partitions.read(dayMs, false, (db) => db.shrink())) yield;
  }

  function isClosed(dayMs: number): boolean {
    return head.latestMs > dayMs + PARTITION_MS + CLOSED_AFTER_MS;
  }

  /** Takes what is hidden out of the files, with all that is known of series which have nothing left. */
  function* erase(total: Rewritten): Task {
    const compact = compacting();
    const pending = headDb.deletions().filter(({ erasedMs }) => erasedMs === null);
    if (pending.length === 0) return;
    const done = new Set(pending.map(({ id }) => id));
    const refs: number[] = [];
    for (const ref of tombstones.refs()) {
      const own = tombstones.of(ref);
      // A deletion is done when all that it hides is in chunks.
      for (const { deletionId, generation } of own) if (generation > compact.generation) done.delete(deletionId);
      refs.push(ref);
    }
    const touchedDays = new Set<number>();
    let looked = 0;
    for (const ref of refs) {
      const id = head.ids[ref]!;
      for (const dayMs of partitions.days()) {
        if (!tombstones.of(ref).some(({ fromMs, toMs }) => fromMs < dayMs + PARTITION_MS && toMs >= dayMs)) continue;
        partitions.update(dayMs, undefined, (db) => rewriteSeries(db, id, compact, total));
        touchedDays.add(dayMs);
      }
      if (++looked % SERIES_PER_STEP === 0) yield;
    }
    const ids = refs.map((ref) => head.ids[ref]!);
    const isDone = (ref: number): boolean => tombstones.of(ref).every(({ deletionId }) => done.has(deletionId));
    // Before the deletions are called erased, for labels are data too.
    yield* removeSeries(refs.filter((ref) => isDone(ref) && !hasSamples(ref)));
    headDb.write((writer) => {
      writer.eraseDeletions([...done], now());
      writer.dropQuarantined(ids);
    });
    partitions.dropDamaged();
    tombstones.removeDeletions(done);
    for (const dayMs of touchedDays) {
      partitions.read(dayMs, undefined, (db) => db.settle());
      yield;
    }
    headDb.settle();
  }

  function hasSamples(ref: number): boolean {
    for (const memtable of allTables(tables)) if (hasRows(memtable, ref)) return true;
    const id = head.ids[ref]!;
    return partitions.days().some((dayMs) => partitions.read(dayMs, false, (db) => db.has(id)));
  }

  function daysPast(): readonly number[] {
    const days = partitions.days();
    const { timeMs, bytes } = retention;
    const past = timeMs === undefined ? [] : days.filter((dayMs) => dayMs + PARTITION_MS < now() - timeMs);
    if (past.length > 0 || bytes === undefined || days.length < 2 || deps.bytes() <= bytes) return past;
    return days.slice(0, 1);
  }

  function* retain(): Task {
    for (const dayMs of daysPast()) {
      partitions.drop(dayMs);
      yield;
    }
    cache.clear();
    const oldestMs = partitions.days()[0] ?? Number.POSITIVE_INFINITY;
    const gone: number[] = [];
    for (let ref = 0; ref < head.size; ref++) {
      if (head.ids[ref] === 0 || isInputAt(ref)) continue;
      if (head.lastTimes[ref]! < oldestMs && !hasSamples(ref)) gone.push(ref);
    }
    yield* removeSeries(gone);
  }

  /** Inputs go by a time of their own: they have no samples to begin with. */
  function isInputAt(ref: number): boolean {
    return (head.flags[ref]! & IS_INPUT) !== 0;
  }

  /** Inputs that were not heard for long. */
  function silentInputs(): readonly number[] {
    return table.inputs.size === 0 ? [] : [...table.inputs.refs()].filter(isSilent);
  }

  /** What chunks still have of an input goes when they are merged; a memtable would take it for that of another series. */
  function isSilent(ref: number): boolean {
    if (head.lastTimes[ref]! >= head.latestMs - INPUT_SILENT_MS) return false;
    for (const memtable of allTables(tables)) if (hasRows(memtable, ref)) return false;
    return true;
  }

  /** Removes those of some series that have no samples left. */
  function* removeSeries(refs: readonly number[], isGone = (ref: number) => !hasSamples(ref)): Task {
    const removed: number[] = [];
    for (let at = 0; at < refs.length; at += REMOVALS_PER_STEP) {
      // Samples may have come for some in the meantime.
      const gone = refs.slice(at, at + REMOVALS_PER_STEP).filter((ref) => head.ids[ref] !== 0 && isGone(ref));
      headDb.write((writer) => {
        writer.removeSeries(gone.map((ref) => head.ids[ref]!));
        writer.setValue('next_series_id', table.nextId);
      });
      for (const ref of gone) removed.push(head.ids[ref]!);
      exemplars.remove(new Set(gone), Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
      for (const ref of gone) {
        tombstones.removeSeries(ref);
        cache.delete(ref);
      }
      dropSeries(table, gone);
      yield;
    }
    forgetEnds(removed);
  }

  /** Where removed series ended. */
  function forgetEnds(ids: readonly number[]): void {
    if (ids.length === 0) return;
    const gone = new Set(ids);
    // A page with none of its series left would stay for good.
    const empty = new Set(ids.map(pageOf));
    const pages = [...empty];
    for (let ref = 0; ref < head.size; ref++) if (head.ids[ref] !== 0) empty.delete(pageOf(head.ids[ref]!));
    headDb.write((writer) => {
      writer.removeStates(empty);
      for (const page of pages) {
        const body = headDb.state(page);
        const left = body && changePage(body, (rows, row) => (gone.has(rows.ids[row]!) ? 'gone' : 'same'));
        if (left !== undefined) writer.putState(page, left);
      }
    });
  }

  function* compactAll(total: Rewritten): Task {
    const erasedBefore = flush.erased;
    deps.freeze();
    // Which `step` does before all else.
    while (flush.isDue()) yield;
    total.samplesErased += flush.erased - erasedBefore;
    yield* erase(total);
    for (const dayMs of partitions.days()) {
      const { written, merged } = partitions.generations(dayMs);
      if (merged < written) yield* mergeDay(dayMs, total);
      yield* shrink(dayMs);
      partitions.read(dayMs, undefined, (db) => db.settle());
      yield;
    }
  }

  function* reporting(compaction: Compacting): Task {
    try {
      yield* compactAll(compaction.rewritten);
    } catch (error) {
      compaction.error = error;
      throw error;
    } finally {
      compaction.isDone = true;
    }
  }

  return {
    step() {
      // Before all else, for samples come in all the time.
      if (flush.isDue()) {
        flush.step();
        return true;
      }
      task ??= nextTask();
      if (task === undefined) return false;
      try {
        if (task.next().done === true) task = undefined;
        return true;
      } catch (error) {
        // Begun again from the start the next time: each part is complete in itself.
        task = undefined;
        throw error;
      }
    },
    compact() {
      const compaction: Compacting = { rewritten: newRewritten(), isDone: false };
      asked.push(reporting(compaction));
      return compaction;
    },
  };
}

function newRewritten(): Rewritten {
  return { chunks: 0, samplesErased: 0 };
}
