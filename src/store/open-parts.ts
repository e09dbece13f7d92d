import { existsSync, mkdirSync, statSync } from 'node:fs';
import { ComityError, messageOf } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { AppendState } from './append.ts';
import { columnCache } from './column-cache.ts';
import { rowsOf } from './compact.ts';
import { deliveryList } from './deliveries.ts';
import { exemplarRing } from './exemplars.ts';
import { flushing, SAMPLES_PER_STEP, type Flush } from './flush.ts';
import { HEAD_FILE, openHeadIn, type HeadDb, type HeadWriter, type QuarantineRow } from './head-db.ts';
import { emptyHead } from './head.ts';
import { seriesIndex } from './index/series-index.ts';
import { noInputs } from './inputs.ts';
import { findInputs, loadHead, loadLogSeries, loadTombstones, restorePages, type DamagedRow } from './load.ts';
import type { LogDb } from './log-db.ts';
import { isLogFile, logFiles } from './logs-db.ts';
import { freeze, type Memtables } from './memtables.ts';
import { metadataTable } from './metadata.ts';
import { openLogs, readLogs } from './open-logs.ts';
import { isDayFile, partitionsIn, type Partitions } from './partitions-db.ts';
import type { StoredChunk } from './partition-db.ts';
import type { PlanTimes } from './plan-append.ts';
import { noRows } from './planned.ts';
import { reader, type Reader } from './reader.ts';
import type { SeriesTable } from './series-table.ts';
import type { StoreOptions } from './store-options.ts';
import { tombstones, type Tombstones } from './tombstones.ts';
import { upkeep, type Upkeep } from './upkeep.ts';

/** Everything that an open store is made of. */
export interface StoreParts {
  readonly table: SeriesTable;
  readonly tables: Memtables;
  readonly append: AppendState;
  readonly headDb: HeadDb;
  readonly partitions: Partitions;
  readonly tombstones: Tombstones;
  readonly reader: Reader;
  readonly flush: Flush;
  readonly upkeep: Upkeep;
  /** Whether the active memtable is due to be closed. */
  isFull(): boolean;
  openLog(generation: number): LogDb;
  planTimes(nowMs: number, settledUntilMs: number): PlanTimes;
  bytes(): number;
  /** The files by their names in the folder. */
  files(): Iterable<StoreFile>;
  close(): void;
}

export interface StoreFile {
  readonly name: string;
  copyTo(path: string): Promise<void>;
}

/** An hour of 10,000 series at 15 s fits twice over; the half that was used last is always kept. */
const CACHE_BYTES = 128 * 1024 * 1024;

const OUT_OF_ORDER_MS = 30 * 60 * 1000;

/**
 * A memtable is closed when its log has an hour of samples at 15 s for each series, but within bounds: an open reads some
 * hundred MB a second back, and each series' samples are a row in the database then, however few they are.
 */
const LOG_BYTES_A_SERIES = 240 * 24;
const LOG_BYTES_LEAST = 16 * 1024 * 1024;
const LOG_BYTES_MOST = 128 * 1024 * 1024;
/** With very many series the log may be longer, so that there are some samples of each. */
const LOG_BYTES_A_SERIES_LEAST = 256;

const MEMORY = ':memory:';

export function openParts(options: StoreOptions): StoreParts {
  const { path, durability = 'process', now = Date.now, onProblem = () => {}, onProgress = () => {} } = options;
  const folder = path === MEMORY ? undefined : path;
  if (folder !== undefined) makeFolder(folder);
  const headDb = openHeadIn(folder, durability, (file) => isLogFile(file) || isDayFile(file));
  const head = emptyHead();
  const index = seriesIndex();
  const table: SeriesTable = {
    head,
    index,
    inputs: noInputs(),
    seriesLimit: options.seriesLimit ?? LIMITS.seriesPerDomain,
    metricSeriesLimit: options.metricSeriesLimit ?? LIMITS.seriesPerMetric,
    nextId: 1,
    openedAtMs: Number.NEGATIVE_INFINITY,
    added: [],
  };
  const hidden = tombstones(head);
  const files = logFiles(folder, durability);
  const opened: { close(): void }[] = [headDb];

  try {
    const partitions = partitionsIn(folder, durability, (dayMs, file, error) => {
      quarantine({ kind: 'partition', rowId: dayMs, seriesId: 0, body: undefined }, error, `${file} was put aside`);
    });
    opened.push(partitions);
    const damagedPages = loadHead(headDb, table, onDamagedRow);
    const generations = openLogs({
      headDb,
      table,
      files,
      onOpened: (log) => opened.push(log),
      onLost: (generation, error) =>
        quarantine(
          { kind: 'log', rowId: generation, seriesId: 0, body: undefined },
          error,
          `what log ${generation} held is lost`,
        ),
    });
    for (const { log } of generations) loadLogSeries(log, table, onDamagedRow);
    findInputs(table);
    loadTombstones(headDb, head, hidden);
    const tables: Memtables = {
      active: generations.at(-1)!,
      frozen: [],
      flushed: headDb.value('flushed_generation'),
      flushedBelowId: headDb.value('flushed_series_id'),
    };
    const withoutLogs = reader({
      findsHints: false,
      head,
      tables,
      partitions,
      tombstones: hidden,
      cache: columnCache(0),
      onDamaged: dropChunk,
    });
    restorePages(damagedPages, table, headDb, (ref) => withoutLogs.read(ref, -Infinity, Infinity));
    const { exemplars, deliveries } = readLogs({
      headDb,
      table,
      tombstones: hidden,
      tables,
      generations,
      onDamaged: onDamagedRow,
      onProgress,
    });

    table.openedAtMs = head.latestMs;
    const cache = columnCache(options.cacheBytes ?? CACHE_BYTES);
    const findsHints = options.findsHints === true;
    const readBack = reader({ findsHints, head, tables, partitions, tombstones: hidden, cache, onDamaged: dropChunk });
    const flush = flushing({
      headDb,
      head,
      tables,
      partitions,
      tombstones: hidden,
      samplesPerStep: options.samplesPerStep ?? SAMPLES_PER_STEP,
    });
    const append: AppendState = {
      table,
      tables,
      lookback: { head, planned: noRows(), past: readBack },
      exemplars: exemplarRing(exemplars),
      metadata: metadataTable([headDb, ...logsOf(tables)].flatMap(({ annotations }) => annotations.metadata())),
      deliveries: deliveryList(deliveries),
      changed: readBack.forget,
      batches: 0,
    };
    const bytes = (): number => {
      let all = headDb.bytes() + partitions.bytes();
      for (const log of logsOf(tables)) all += log.bytes();
      return all;
    };
    const logLimit = (): number =>
      options.logBytes ??
      Math.max(
        Math.min(Math.max(index.size * LOG_BYTES_A_SERIES, LOG_BYTES_LEAST), LOG_BYTES_MOST),
        index.size * LOG_BYTES_A_SERIES_LEAST,
      );

    return {
      table,
      tables,
      append,
      headDb,
      partitions,
      tombstones: hidden,
      reader: readBack,
      flush,
      upkeep: upkeep({
        table,
        tables,
        headDb,
        partitions,
        tombstones: hidden,
        exemplars: append.exemplars,
        cache,
        flush,
        retention: { timeMs: options.retentionMs, bytes: options.retentionBytes },
        freeze() {
          if (!tables.active.log.isEmpty) freeze(tables, head, files.begin);
        },
        bytes,
        now,
        onDamaged: keepChunk,
      }),
      isFull: () => tables.active.log.recordBytes >= logLimit(),
      openLog: files.begin,
      planTimes: (nowMs, settledUntilMs) => ({
        nowMs,
        outOfOrderMs: options.outOfOrderMs ?? OUT_OF_ORDER_MS,
        oldestMs: options.retentionMs === undefined ? Number.NEGATIVE_INFINITY : nowMs - options.retentionMs,
        settledUntilMs,
      }),
      bytes,
      *files() {
        yield { name: HEAD_FILE, copyTo: headDb.copyTo };
        // Only now: a deletion that the copy of the head has may have closed a log, and what came before it be in the next.
        for (const {
          log,
          table: { generation },
        } of [...tables.frozen, tables.active]) {
          yield { name: files.nameOf(generation), copyTo: log.copyTo };
        }
        yield* partitions.files();
      },
      close() {
        for (const one of [...logsOf(tables), partitions, headDb]) one.close();
      },
    };

    function dropChunk(dayMs: number, seriesId: number, chunk: StoredChunk, error: unknown): void {
      keepChunk(seriesId, chunk, error);
      partitions.write(dayMs, (writer) => writer.remove(chunk.key, rowsOf(chunk.body)));
    }
  } catch (error) {
    for (const one of opened) one.close();
    if (error instanceof ComityError) throw error;
    const reason = messageOf(error);
    throw new ComityError('bad_config', `cannot read the store at ${path}: ${reason}`, { cause: error });
  }

  function keepChunk(seriesId: number, chunk: StoredChunk, error: unknown): void {
    onDamagedRow({ kind: 'chunk', rowId: chunk.key, seriesId, body: chunk.body }, error);
  }

  function onDamagedRow(row: Parameters<DamagedRow>[0], error: unknown, log?: LogDb): void {
    const { kind, rowId } = row;
    quarantine(row, error, `${kind} ${rowId} was put into quarantine`, (writer) => {
      // No new series may get the id of a lost one: there may be chunks of it.
      if (kind === 'series') writer.setValue('next_series_id', Math.max(table.nextId, rowId + 1));
      if (log === undefined && (kind === 'series' || kind === 'state' || kind === 'exemplar')) {
        writer.removeDamaged(kind, rowId);
      }
    });
    if (kind === 'series' || kind === 'record' || kind === 'exemplar') log?.removeDamaged(kind, rowId);
  }

  function quarantine(
    row: Omit<QuarantineRow, 'reason' | 'atMs'>,
    error: unknown,
    what: string,
    beside: (writer: HeadWriter) => void = () => {},
  ): void {
    const reason = messageOf(error);
    headDb.write((writer) => {
      writer.quarantine({ ...row, reason, atMs: now() });
      beside(writer);
    });
    onProblem({ kind: row.kind, message: `${what}: ${reason}` });
  }
}

function logsOf({ frozen, active }: Memtables): readonly LogDb[] {
  return [...frozen, active].map(({ log }) => log);
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const reason = existsSync(folder) && !statSync(folder).isDirectory() ? 'it is a file' : String(error);
    throw new ComityError('bad_config', `${folder} cannot be a store's folder: ${reason}. Name another path`);
  }
}
