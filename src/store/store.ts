import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Durability } from '../base/sqlite.ts';
import type { Appended, Batch } from '../model/batch.ts';
import { labelsKey, type Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/series.ts';
import type { Source } from '../model/source.ts';
import { checkpointSeries, tailBytes } from './checkpoint.ts';
import { chunkReader } from './chunk-reader.ts';
import { headSeries, mayOverlap, putSample, type HeadSeries } from './head.ts';
import { loadSeries, replayRecords } from './load.ts';
import { planAppend } from './plan-append.ts';
import { seriesIndex } from './series-index.ts';
import { openStoreDb, type RowKind } from './store-db.ts';
import { encodeRecord, type RecordColumns } from './write-ahead.ts';

/** The raw samples of one agent (or of one of its shards), durable in one SQLite file. All calls are synchronous. */
export interface Store extends Source {
  /**
   * Stores what the batch's row rules admit (see `planAppend`) and says what happened to each row. When it returns the
   * samples survive the end of the process; when it throws nothing was stored. Throws `bad_data` for columns that do not
   * fit together and `unavailable` when the database cannot be written.
   */
  append(batch: Batch): Appended;
  stats(): StoreStats;
  /** Moves the samples of the write-ahead records into chunks. `append` does so by itself when enough has gathered. */
  checkpoint(): void;
  /** Closes the database. What is in write-ahead records is read again at the next open. */
  close(): void;
}

export interface StoreStats {
  readonly series: number;
  readonly samples: number;
  /** Bytes on disk: the database and SQLite's own log. */
  readonly bytes: number;
  /** Rows that could not be read, ever: kept in the database's table `quarantine`. */
  readonly quarantined: number;
}

/** Something that the store could not read or write and went on without. */
export interface StoreProblem {
  readonly kind: RowKind | 'checkpoint';
  readonly message: string;
}

export interface StoreOptions {
  /** The database file; its folder must exist. `:memory:` keeps nothing. */
  readonly path: string;
  /** Default `process`. */
  readonly durability?: Durability;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly onProblem?: (problem: StoreProblem) => void;
  /** Bytes of decoded chunks kept in memory. */
  readonly cacheBytes?: number;
  /** Series that the store takes; `LIMITS.seriesPerDomain` when left out. */
  readonly seriesLimit?: number;
}

/**
 * A checkpoint is due when the write-ahead records reach this many bytes, so that an open reads little back. A record
 * counts for at least `RECORD_BYTES_LEAST`, which makes 2,000 small ones as heavy.
 */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;
const RECORD_BYTES_LEAST = 4 * 1024;

/**
 * With many series, though, the records must also reach this part of what the checkpoint would write: each rewrites the
 * whole tail of every series it touches, and doing so for a handful of new samples would wear the disk out.
 */
const RECORDS_PER_REWRITE = 0.25;

/** An hour of 10,000 series at 15 s fits twice over; the half that was used last is always kept. */
const CACHE_BYTES = 128 * 1024 * 1024;

/**
 * Opens or creates a store. Damaged rows are put into quarantine and reported through `onProblem`; the rest serves.
 * Throws `bad_config`, and changes nothing, for a file that is no store, is newer than this program or is in use.
 */
export function openStore(options: StoreOptions): Store {
  const { path, now = Date.now, onProblem = () => {}, seriesLimit = LIMITS.seriesPerDomain } = options;
  const db = openStoreDb(path, options.durability ?? 'process');
  const index = seriesIndex();
  const reader = chunkReader(db, options.cacheBytes ?? CACHE_BYTES, (series, chunkId, error) =>
    quarantine('chunk', chunkId, series.id, error),
  );
  /** By the index's reference. */
  let head: HeadSeries[] = [];
  let dirty: HeadSeries[] = [];
  let dirtyBytes = 0;
  let recordBytes = 0;
  let checkpointAtBytes = CHECKPOINT_BYTES;
  let samples = 0;
  let nextId = 1;
  let open = true;

  try {
    load();
  } catch (error) {
    db.close();
    throw new ComityError('bad_config', `cannot read the store at ${path}: ${messageOf(error)}`, { cause: error });
  }

  return {
    append,
    select(matchers, fromMs, toMs) {
      checkOpen();
      return columnsOf(index.match(matchers), fromMs, toMs);
    },
    series(matchers, fromMs, toMs) {
      checkOpen();
      const refs = index.match(matchers).filter((ref) => mayOverlap(head[ref]!, fromMs, toMs));
      return refs.map((ref) => index.labels(ref));
    },
    stats() {
      checkOpen();
      return { series: index.size, samples, bytes: db.bytes(), quarantined: db.quarantined() };
    },
    checkpoint() {
      checkOpen();
      checkpoint();
    },
    close() {
      open = false;
      db.close();
    },
  };

  function load(): void {
    const loaded = loadSeries(db, index, quarantine);
    head = loaded.head;
    samples = db.samples();
    const replayed = replayRecords(db, loaded, reader, put, quarantine);
    nextId = replayed.nextId;
    for (const bytes of replayed.recordSizes) recordBytes += Math.max(bytes, RECORD_BYTES_LEAST);
  }

  function append(batch: Batch): Appended {
    checkOpen();
    const newcomers: Newcomers = { byKey: new Map(), labels: new Map() };
    const plan = planAppend(batch, now(), (labels) => resolve(labels, newcomers));
    if (plan.seriesOf.length === 0) return plan.appended;
    const added = withSamples(plan.series, plan.seriesOf).filter((series) => newcomers.labels.has(series));
    const record = encodeRecord(plan.record);
    try {
      db.append(
        added.map((series) => ({ id: series.id, labels: JSON.stringify(newcomers.labels.get(series)) })),
        record,
      );
    } catch (error) {
      throw new ComityError('unavailable', `the store cannot write to ${path}: ${messageOf(error)}`, { cause: error });
    }
    // The samples are durable: from here on nothing may fail.
    for (const series of added) {
      index.insert(newcomers.labels.get(series)!);
      head.push(series);
      nextId = Math.max(nextId, series.id + 1);
    }
    for (let row = 0; row < plan.seriesOf.length; row++) put(plan.series[plan.seriesOf[row]!]!, plan.record, row);
    recordBytes += Math.max(record.length, RECORD_BYTES_LEAST);
    if (recordBytes >= Math.max(checkpointAtBytes, dirtyBytes * RECORDS_PER_REWRITE)) tryCheckpoint();
    return plan.appended;
  }

  /**
   * The series of a label set with its tail loaded; a new one is not in the index before the append is durable. Undefined
   * for a new one past a limit: those that are stored go on being fed.
   */
  function resolve(labels: Labels, newcomers: Newcomers): HeadSeries | undefined {
    const ref = index.find(labels);
    if (ref !== undefined) {
      const series = head[ref]!;
      reader.loadTail(series);
      return series;
    }
    const key = labelsKey(labels);
    let series = newcomers.byKey.get(key);
    if (series === undefined) {
      const added = newcomers.labels.size;
      if (added >= LIMITS.newSeriesPerRequest || index.size + added >= seriesLimit) return undefined;
      series = headSeries(nextId + added);
      newcomers.byKey.set(key, series);
      newcomers.labels.set(series, labels);
    }
    return series;
  }

  function put(series: HeadSeries, record: RecordColumns, row: number): void {
    if (!series.dirty) {
      series.dirty = true;
      dirty.push(series);
      dirtyBytes += tailBytes(series.count);
    }
    const added = putSample(series, record.times, record.values, row);
    samples += added;
    dirtyBytes += tailBytes(added);
  }

  function* columnsOf(refs: readonly number[], fromMs: number, toMs: number): Iterable<SeriesColumns> {
    for (const ref of refs) {
      const { times, values } = reader.read(head[ref]!, fromMs, toMs);
      yield { labels: index.labels(ref), times, values };
    }
  }

  function checkpoint(): void {
    checkpointSeries(db, dirty);
    dirty = [];
    dirtyBytes = 0;
    recordBytes = 0;
    checkpointAtBytes = CHECKPOINT_BYTES;
  }

  /** A checkpoint that fails loses nothing, so the append that set it off has still succeeded. */
  function tryCheckpoint(): void {
    try {
      checkpoint();
    } catch (error) {
      checkpointAtBytes = recordBytes + CHECKPOINT_BYTES;
      onProblem({
        kind: 'checkpoint',
        message: `write-ahead records stay, the next try is later: ${messageOf(error)}`,
      });
    }
  }

  function quarantine(kind: RowKind, id: number, seriesId: number, error: unknown): void {
    const reason = messageOf(error);
    try {
      samples -= db.quarantine(kind, id, seriesId, reason, now());
      onProblem({ kind, message: `${kind} ${id} was put into quarantine: ${reason}` });
    } catch (failure) {
      onProblem({
        kind,
        message: `${kind} ${id} is left out: ${reason}; not put into quarantine: ${messageOf(failure)}`,
      });
    }
  }

  function checkOpen(): void {
    if (!open) throw new ComityError('unavailable', `the store at ${path} is closed`);
  }
}

/** The series that a batch would add. */
interface Newcomers {
  readonly byKey: Map<string, HeadSeries>;
  readonly labels: Map<HeadSeries, Labels>;
}

/** The series that at least one sample belongs to, in the order of `series`. */
function withSamples(series: readonly HeadSeries[], seriesOf: Uint32Array): HeadSeries[] {
  const used = new Uint8Array(series.length);
  for (const slot of seriesOf) used[slot] = 1;
  return series.filter((_, slot) => used[slot] === 1);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
