import { setImmediate } from 'node:timers/promises';
import { ComityError, messageOf, toComityError } from '../base/errors.ts';
import type { Appended, Batch, Metadata, SeriesExemplars } from '../model/batch.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { SeriesColumns } from '../model/series.ts';
import type { Source } from '../model/source.ts';
import { appendBatches } from './append.ts';
import { backupStore } from './backup.ts';
import { deletionsIn, hide, type Deletion } from './deletions.ts';
import { HAS_TOMBSTONES, mayOverlap } from './head.ts';
import { withoutInputs } from './inputs.ts';
import { allTables, freeze, type Memtables } from './memtables.ts';
import { openParts, type StoreParts } from './open-parts.ts';
import { readSize, type ReadSize } from './read-size.ts';
import type { StoreOptions } from './store-options.ts';

export type { Deletion } from './deletions.ts';
export type { StoreOptions, StoreProblem, StoreProgress } from './store-options.ts';
export { openVersion2, type Version2 } from './version-2.ts';

/**
 * The raw samples of one agent, or of one of its shards, durable in a folder of its own. All calls but the long ones, which
 * return promises and let others have their turn, are synchronous.
 */
export interface Store extends Source {
  /**
   * Stores what the batch's row rules admit (see `planBatch`) and says what happened to its points. When it returns, what
   * was stored survives as the durability says; when it throws nothing was stored. Throws `bad_data` for columns that do
   * not fit together and `unavailable` when the database cannot be written.
   */
  append(batch: Batch): Appended;
  /**
   * As `append`, one batch after the other, in one commit: all of them are stored or none. `settledUntilMs` is the watermark
   * that others were told; see `Appended.late`.
   */
  appendAll(batches: readonly Batch[], settledUntilMs?: number): readonly Appended[];
  /** Whether a handle's reference and id are those of a series that there is, so that its labels are not needed. */
  knows(ref: number, id: number): boolean;
  /**
   * The series that satisfy all matchers and have exemplars with times in [fromMs, toMs], each with these in order of time.
   * Throws `bad_data` for a regular expression that is not RE2.
   */
  exemplars(matchers: readonly Matcher[], fromMs: number, toMs: number): Iterable<SeriesExemplars>;
  /** How much `select` would find, from the index and the chunks' headers. Throws as `select`. */
  size(matchers: readonly Matcher[], fromMs: number, toMs: number): ReadSize;
  /** What is known of the metric families. */
  metadata(): Iterable<Metadata>;
  stats(): StoreStats;
  /**
   * Hides the samples in [fromMs, toMs] of the series that satisfy all matchers: at once from all reading, durably, and for
   * good from the files with the next compaction. What is stored later, at whatever time, is not hidden.
   */
  delete(matchers: readonly Matcher[], fromMs: number, toMs: number): Deletion;
  /** The latest deletions, the oldest first. */
  deletions(): readonly Deletion[];
  /** Does a part of what is to be done by the way, some milliseconds; false when there was nothing to do. */
  upkeep(): boolean;
  /** Moves what is in memory into chunks, merges small chunks, takes what is deleted out of the files. */
  compact(): Promise<Compaction>;
  /** Copies the store into a folder that there is not yet. Throws `bad_config` where that cannot be made. */
  backup(folder: string): Promise<{ readonly bytes: number }>;
  /** Moves what is in memory into chunks, all at once. Throws `unavailable` during a backup. */
  flush(): void;
  /** Closes the files. What is in write-ahead logs is read again at the next open. */
  close(): void;
}

export interface StoreStats {
  readonly series: number;
  /** Series of which only the last sample is kept, since they are joined with others; not among `series`. */
  readonly inputs: number;
  readonly samples: number;
  /** Bytes on disk. */
  readonly bytes: number;
  /** Bodies and files that could not be read and were put aside. */
  readonly quarantined: number;
}

/** What a compaction has come to. */
export interface Compaction {
  readonly chunksMerged: number;
  readonly samplesErased: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** Memtables that wait to become chunks; then an append does the next part of that itself. */
const FROZEN_MAX = 2;

/** With so many nothing more is taken until they become fewer: they are all in memory. */
const FROZEN_LIMIT = 8;

/** Series whose chunks are fetched together: a hundred kilobytes or so. */
const PREFETCH = 128;

/**
 * Opens or creates a store. Damaged parts are put into quarantine and reported through `onProblem`; the rest serves.
 * Throws `bad_config`, and changes nothing, for a folder that is no store's, is newer than this program or is in use.
 */
export function openStore(options: StoreOptions): Store {
  const { path, onProblem = () => {}, now = Date.now } = options;
  const parts = openParts(options);
  const { table, tables, reader, upkeep, headDb } = parts;
  const { head, index, inputs } = table;
  let open = true;
  let isPaused = false;

  function appendAll(batches: readonly Batch[], settledUntilMs = Number.NEGATIVE_INFINITY): readonly Appended[] {
    checkOpen();
    if (tables.frozen.length > FROZEN_LIMIT && !isPaused) {
      orUnavailable('the store cannot write its chunks, nothing was stored', () => parts.flush.step());
    }
    const appended = appendBatches(parts.append, batches, parts.planTimes(now(), settledUntilMs));
    if (parts.isFull() && !isPaused) tryTo('freeze', () => freeze(tables, head, parts.openLog));
    if (tables.frozen.length > FROZEN_MAX && !isPaused) tryTo('flush', () => parts.flush.step());
    return appended;
  }

  /** Says of what the disk refuses that nothing has come of it. */
  function orUnavailable<T>(what: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof ComityError) throw error;
      const message = `${what}: ${messageOf(error)}. Make room on the store's disk, and try again`;
      throw new ComityError('unavailable', message, { cause: error });
    }
  }

  /** What fails here loses nothing, so the append that set it off has still succeeded. */
  function tryTo(kind: 'freeze' | 'flush' | 'upkeep', work: () => boolean | void): boolean {
    try {
      return work() ?? true;
    } catch (error) {
      onProblem({ kind, message: `${messageOf(error)}; the next try is later` });
      return false;
    }
  }

  function* columnsOf(refs: Uint32Array, fromMs: number, toMs: number): Iterable<SeriesColumns> {
    for (let at = 0; at < refs.length; at++) {
      if (at % PREFETCH === 0) reader.prefetch(refs.subarray(at, at + PREFETCH), fromMs, toMs);
      const ref = refs[at]!;
      const { times, values, starts, histograms } = reader.read(ref, fromMs, toMs);
      yield { labels: index.labels(ref), times, values, startTimes: starts, histograms };
    }
  }

  function* labelsOf(refs: Uint32Array, fromMs: number, toMs: number): Iterable<Labels> {
    for (const ref of refs) if (mayHave(ref, fromMs, toMs)) yield index.labels(ref);
  }

  function mayHave(ref: number, fromMs: number, toMs: number): boolean {
    if (!mayOverlap(head, ref, fromMs, toMs)) return false;
    return (head.flags[ref]! & HAS_TOMBSTONES) === 0 || reader.runs(ref, fromMs, toMs).length > 0;
  }

  /** The series that satisfy all matchers, but for inputs, which nobody is to see. */
  function match(matchers: readonly Matcher[]): Uint32Array {
    return withoutInputs(head, index.match(matchers));
  }

  function flushAll(): void {
    freezeIfAny(tables, parts);
    while (parts.flush.isDue()) parts.flush.step();
  }

  return {
    append: (batch) => appendAll([batch])[0]!,
    appendAll,
    knows: (ref, id) => id !== 0 && head.ids[ref] === id,
    select(matchers, fromMs, toMs) {
      checkOpen();
      return columnsOf(match(matchers), fromMs, toMs);
    },
    series(matchers, fromMs, toMs) {
      checkOpen();
      return labelsOf(match(matchers), fromMs, toMs);
    },
    size(matchers, fromMs, toMs) {
      checkOpen();
      return readSize(match(matchers), fromMs, toMs, { head, tables, partitions: parts.partitions });
    },
    exemplars(matchers, fromMs, toMs) {
      checkOpen();
      const within = parts.append.exemplars.within(fromMs, toMs);
      const found: SeriesExemplars[] = [];
      for (const ref of match(matchers)) {
        const exemplars = within.get(ref);
        if (exemplars !== undefined) found.push({ labels: index.labels(ref), exemplars });
      }
      return found;
    },
    metadata() {
      checkOpen();
      return parts.append.metadata.all();
    },
    stats() {
      checkOpen();
      let samples = parts.partitions.samples();
      for (const { samplesFlushed } of tables.frozen) samples -= samplesFlushed;
      for (const memtable of allTables(tables)) samples += memtable.samples;
      return {
        series: index.size - inputs.size,
        inputs: inputs.size,
        samples,
        bytes: parts.bytes(),
        quarantined: headDb.quarantined(),
      };
    },
    delete(matchers, fromMs, toMs) {
      checkOpen();
      const found = match(matchers);
      const exemplars = parts.append.exemplars.within(fromMs, toMs);
      const { deletion, refs } = orUnavailable('nothing was deleted', () => {
        // What a backup copies must not hold what comes after a deletion that it does not hold.
        if (isPaused) freeze(tables, head, parts.openLog);
        else freezeIfAny(tables, parts);
        // What comes from now on belongs to the active memtable, which is empty.
        const range = { fromMs, toMs, generation: tables.active.table.generation - 1, nowMs: now() };
        return hide({ head, headDb, tombstones: parts.tombstones }, found, (ref) => exemplars.has(ref), range);
      });
      parts.append.exemplars.remove(new Set(refs), fromMs, toMs);
      for (const ref of refs) reader.forget(ref);
      // Each deletion closes a memtable, and many of them are not to wait.
      while (tables.frozen.length > FROZEN_MAX && !isPaused && tryTo('flush', () => parts.flush.step()));
      return deletion;
    },
    deletions() {
      checkOpen();
      return deletionsIn(headDb);
    },
    upkeep: () => open && !isPaused && tryTo('upkeep', () => upkeep.step()),
    async compact() {
      checkOpen();
      const bytesBefore = parts.bytes();
      const compaction = upkeep.compact();
      while (!compaction.isDone) {
        checkOpen();
        if (!isPaused) upkeep.step();
        await setImmediate();
      }
      if (compaction.error !== undefined) throw toComityError(compaction.error);
      const { chunks, samplesErased } = compaction.rewritten;
      return { chunksMerged: chunks, samplesErased, bytesBefore, bytesAfter: parts.bytes() };
    },
    async backup(folder) {
      checkOpen();
      if (isPaused) throw new ComityError('unavailable', 'another backup of this store is under way');
      // Nothing moves from one file to another while they are copied.
      isPaused = true;
      try {
        return await backupStore(parts, folder);
      } finally {
        isPaused = false;
      }
    },
    flush() {
      checkOpen();
      if (isPaused) throw new ComityError('unavailable', 'a backup of this store is under way; flush it afterwards');
      orUnavailable('the store cannot write its chunks', flushAll);
    },
    close() {
      open = false;
      parts.close();
    },
  };

  function checkOpen(): void {
    if (!open) throw new ComityError('unavailable', `the store at ${path} is closed`);
  }
}

function freezeIfAny(tables: Memtables, { table, openLog }: StoreParts): void {
  if (!tables.active.log.isEmpty) freeze(tables, table.head, openLog);
}
