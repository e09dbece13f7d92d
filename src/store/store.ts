import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Durability } from '../base/sqlite.ts';
import type { Appended, Batch, Metadata, SeriesExemplars } from '../model/batch.ts';
import type { Matcher } from '../model/matcher.ts';
import type { SeriesColumns } from '../model/series.ts';
import type { Source } from '../model/source.ts';
import { appendBatches, type AppendState } from './append.ts';
import { checkpoints } from './checkpoint.ts';
import { chunkReader } from './chunk-reader.ts';
import { deliveryList } from './deliveries.ts';
import { exemplarRing } from './exemplars.ts';
import { emptyHead, mayOverlap } from './head.ts';
import { loadExemplars, loadSeries, replayRecords } from './load.ts';
import { metadataTable } from './metadata.ts';
import { noPending, settle } from './pending.ts';
import { seriesIndex } from './series-index.ts';
import type { SeriesTable } from './series-table.ts';
import { openStoreDb, type RowKind } from './store-db.ts';

/** The raw samples of one agent (or of one of its shards), durable in one SQLite file. All calls are synchronous. */
export interface Store extends Source {
  /**
   * Stores what the batch's row rules admit (see `planBatch`) and says what happened to its points. When it returns, what
   * was stored survives as the durability says; when it throws nothing was stored. Throws `bad_data` for columns that do
   * not fit together and `unavailable` when the database cannot be written.
   */
  append(batch: Batch): Appended;
  /** As `append`, one batch after the other, in one commit: all of them are stored or none. */
  appendAll(batches: readonly Batch[]): readonly Appended[];
  /**
   * The series that satisfy all matchers and have exemplars with times in [fromMs, toMs], in the order of
   * `compareLabels`, each with these in order of time. Throws `bad_data` for a regular expression that is not RE2.
   */
  exemplars(matchers: readonly Matcher[], fromMs: number, toMs: number): Iterable<SeriesExemplars>;
  /** What is known of the metric families. */
  metadata(): Iterable<Metadata>;
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

/** How far an open is: `done` of `total` bytes of write-ahead records are read back. */
export interface StoreProgress {
  readonly kind: 'replay';
  readonly done: number;
  readonly total: number;
}

export interface StoreOptions {
  /** The database file; its folder must exist. `:memory:` keeps nothing. */
  readonly path: string;
  /** Default `process`. */
  readonly durability?: Durability;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly onProblem?: (problem: StoreProblem) => void;
  /** Told at the beginning and the end of an open, and four times a second in between. */
  readonly onProgress?: (progress: StoreProgress) => void;
  /** Bytes of decoded chunks kept in memory. */
  readonly cacheBytes?: number;
  /** Bytes of write-ahead records that make a checkpoint due; 8 MB when left out. */
  readonly checkpointBytes?: number;
  /** Series that the store takes; `LIMITS.seriesPerDomain` when left out. */
  readonly seriesLimit?: number;
  /** Series of one metric name; `LIMITS.seriesPerMetric` when left out. */
  readonly metricSeriesLimit?: number;
}

/** An hour of 10,000 series at 15 s fits twice over; the half that was used last is always kept. */
const CACHE_BYTES = 128 * 1024 * 1024;

/**
 * Records that no checkpoint could remove may reach this many bytes, which an open reads back in some seconds; then
 * nothing is appended before one has succeeded.
 */
const RECORD_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Opens or creates a store. Damaged rows are put into quarantine and reported through `onProblem`; the rest serves.
 * Throws `bad_config`, and changes nothing, for a file that is no store, is newer than this program or is in use.
 */
export function openStore(options: StoreOptions): Store {
  const { path, now = Date.now, onProblem = () => {}, onProgress = () => {} } = options;
  const db = openStoreDb(path, options.durability ?? 'process');
  const head = emptyHead();
  const index = seriesIndex();
  const pending = noPending();
  const reader = chunkReader(db, head, pending, options.cacheBytes ?? CACHE_BYTES, (ref, chunkId, error) =>
    quarantine('chunk', chunkId, head.ids[ref]!, error),
  );
  const table: SeriesTable = {
    head,
    index,
    seriesLimit: options.seriesLimit ?? LIMITS.seriesPerDomain,
    metricSeriesLimit: options.metricSeriesLimit ?? LIMITS.seriesPerMetric,
    nextId: 1,
    loadTail: reader.loadTail,
  };
  const checkpointing = checkpoints(db, head, pending, options.checkpointBytes);
  const state = loadState();
  let open = true;

  return {
    append: (batch) => appendAll([batch])[0]!,
    appendAll,
    select(matchers, fromMs, toMs) {
      checkOpen();
      return columnsOf(index.match(matchers), fromMs, toMs);
    },
    series(matchers, fromMs, toMs) {
      checkOpen();
      const refs = index.match(matchers).filter((ref) => {
        settle(head, pending, ref);
        return mayOverlap(head, ref, fromMs, toMs);
      });
      return refs.map((ref) => index.labels(ref));
    },
    exemplars(matchers, fromMs, toMs) {
      checkOpen();
      const refs = index.match(matchers);
      const within = state.exemplars.within(fromMs, toMs);
      const found: SeriesExemplars[] = [];
      for (const ref of refs) {
        const exemplars = within.get(ref);
        if (exemplars !== undefined) found.push({ labels: index.labels(ref), exemplars });
      }
      return found;
    },
    metadata() {
      checkOpen();
      return state.metadata.all();
    },
    stats() {
      checkOpen();
      return { series: index.size, samples: head.samples, bytes: db.bytes(), quarantined: db.quarantined() };
    },
    checkpoint() {
      checkOpen();
      runCheckpoint();
    },
    close() {
      open = false;
      db.close();
    },
  };

  function loadState(): AppendState {
    try {
      loadSeries(db, table, quarantine);
      const progress = (done: number, total: number): void => onProgress({ kind: 'replay', done, total });
      const sizes = replayRecords(db, table, pending, quarantine, progress);
      for (const bytes of sizes) checkpointing.stored(bytes);
      return {
        db,
        table,
        pending,
        exemplars: exemplarRing(loadExemplars(db, head, quarantine)),
        metadata: metadataTable(db.annotations.metadata()),
        deliveries: deliveryList(db.annotations.deliveries(LIMITS.deliveries)),
        batches: 0,
      };
    } catch (error) {
      db.close();
      throw new ComityError('bad_config', `cannot read the store at ${path}: ${messageOf(error)}`, { cause: error });
    }
  }

  function appendAll(batches: readonly Batch[]): readonly Appended[] {
    checkOpen();
    if (checkpointing.recordBytes > RECORD_BYTES_MAX) runCheckpoint();
    const { appended, bytes } = appendBatches(state, batches, now());
    if (bytes > 0) checkpointing.stored(bytes);
    tryCheckpoint();
    return appended;
  }

  function runCheckpoint(): void {
    try {
      checkpointing.run();
    } catch (error) {
      const message = `the store at ${path} cannot move what it has gathered into chunks: ${messageOf(error)}`;
      throw new ComityError('unavailable', message, { cause: error });
    }
  }

  function* columnsOf(refs: readonly number[], fromMs: number, toMs: number): Iterable<SeriesColumns> {
    for (const ref of refs) yield { labels: index.labels(ref), ...reader.read(ref, fromMs, toMs) };
  }

  /** A checkpoint that fails loses nothing, so the append that set it off has still succeeded. */
  function tryCheckpoint(): void {
    try {
      checkpointing.step();
    } catch (error) {
      onProblem({
        kind: 'checkpoint',
        message: `write-ahead records stay, the next try is later: ${messageOf(error)}`,
      });
    }
  }

  function quarantine(kind: RowKind, id: number, seriesId: number, error: unknown): void {
    const reason = messageOf(error);
    try {
      head.samples -= db.quarantine(kind, id, seriesId, reason, now());
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
