import { LIMITS } from '../base/limits.ts';
import { databaseBytes, openDatabase, type Durability } from '../base/sqlite.ts';
import { ANNOTATION_SCHEMA, annotationTables, type Annotations, type AnnotationTables } from './annotations-db.ts';
import { TAIL_CHUNK } from './head.ts';

/** What `quarantine` holds: rows that could not be read, kept for people to look at. */
export type RowKind = 'series' | 'record' | 'chunk' | 'exemplar';

/** The store's tables. Every write is one transaction; a method that throws has changed nothing. */
export interface StoreDb {
  /** `[id, labels as JSON]` in order of id. */
  series(): Iterable<[number, string]>;
  /** `[id, series id, first time, last time]` of the sealed chunks, by series and time. */
  chunks(): Iterable<[number, number, number, number]>;
  /** `[series id, first time, last time]` of the stored tails. */
  tails(): Iterable<[number, number, number]>;
  /** Samples in sealed chunks and stored tails of the series that there are. */
  samples(): number;
  /** `[id, bytes]` of the write-ahead records in the order in which they were written. */
  records(): readonly [number, number][];
  record(id: number): Uint8Array;
  /** The bytes of a sealed chunk, or of the series' stored tail for `TAIL_CHUNK`. */
  chunk(id: number, seriesId: number): Uint8Array | undefined;
  readonly annotations: Pick<AnnotationTables, 'exemplars' | 'deliveries' | 'metadata'>;
  append(newSeries: readonly SeriesRow[], record: Uint8Array | undefined, annotations: Annotations): void;
  /** The id of the newest write-ahead record; zero when there is none. */
  lastRecord(): number;
  /** Runs `write`. */
  checkpoint(write: (writer: ChunkWriter) => void): void;
  /** Moves a row into the quarantine; returns how many samples of chunks are lost with it. */
  quarantine(kind: RowKind, id: number, seriesId: number, reason: string, nowMs: number): number;
  quarantined(): number;
  /** Bytes on disk. */
  bytes(): number;
  close(): void;
}

export interface SeriesRow {
  readonly id: number;
  /** The label set as JSON, which keeps any string whole, lone surrogates too. */
  readonly labels: string;
}

export interface ChunkRow {
  readonly seriesId: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly samples: number;
  readonly body: Uint8Array;
}

export interface ChunkWriter {
  /** Adds a sealed chunk and returns its id. */
  seal(chunk: ChunkRow): number;
  /** Writes or replaces the series' tail. */
  tail(chunk: ChunkRow): void;
  /** Removes the write-ahead records up to an id, and all but the latest exemplars and deliveries. */
  finish(lastRecord: number): void;
}

/**
 * Larger than SQLite's 4,096 because records and chunks are blobs of kilobytes: four full chunks fill one page to 94 %.
 */
const PAGE_BYTES = 16 * 1024;

/** 32 MB of SQLite's log: more than one round of write-ahead records, most of which then never reach the file itself. */
const LOG_BYTES = 32 * 1024 * 1024;

/**
 * A sealed chunk is never written again; a tail is one row per series, rewritten in place. The index covers what an open
 * needs to know of the chunks, so that their bodies stay unread.
 */
const SCHEMA_1 = `
  CREATE TABLE series (id INTEGER PRIMARY KEY, labels TEXT NOT NULL) STRICT;
  CREATE TABLE record (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE chunk (
    id INTEGER PRIMARY KEY, series_id INTEGER NOT NULL, start_ms REAL NOT NULL, end_ms REAL NOT NULL,
    samples INTEGER NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX chunk_range ON chunk (series_id, start_ms, end_ms, samples);
  CREATE TABLE tail (
    series_id INTEGER PRIMARY KEY, start_ms REAL NOT NULL, end_ms REAL NOT NULL,
    samples INTEGER NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, row_id INTEGER NOT NULL, series_id INTEGER NOT NULL,
    reason TEXT NOT NULL, at_ms REAL NOT NULL, body BLOB
  ) STRICT;
`;

const MIGRATIONS = [SCHEMA_1, ANNOTATION_SCHEMA];

export function openStoreDb(path: string, durability: Durability): StoreDb {
  const db = openDatabase(path, {
    durability,
    kind: 'CmSt',
    migrations: MIGRATIONS,
    exclusive: true,
    pageBytes: PAGE_BYTES,
    logBytes: LOG_BYTES,
  });
  const annotations = annotationTables(db);
  const insertSeries = db.prepare('INSERT INTO series (id, labels) VALUES (?, ?)');
  const insertRecord = db.prepare('INSERT INTO record (body) VALUES (?)');
  const insertChunk = db.prepare(
    'INSERT INTO chunk (series_id, start_ms, end_ms, samples, body) VALUES (?, ?, ?, ?, ?)',
  );
  const replaceTail = db.prepare(
    'INSERT OR REPLACE INTO tail (series_id, start_ms, end_ms, samples, body) VALUES (?, ?, ?, ?, ?)',
  );
  const readRecord = db.prepare('SELECT body FROM record WHERE id = ?').pluck();
  const readChunk = db.prepare('SELECT body FROM chunk WHERE id = ?').pluck();
  const readTail = db.prepare('SELECT body FROM tail WHERE series_id = ?').pluck();
  const insertQuarantine = {
    series: db.prepare(quarantineSql('series', 'labels', 'id')),
    record: db.prepare(quarantineSql('record', 'body', 'id')),
    chunk: db.prepare(quarantineSql('chunk', 'body', 'id')),
    tail: db.prepare(quarantineSql('tail', 'body', 'series_id')),
    exemplar: db.prepare(quarantineSql('exemplar', 'labels', 'id')),
  };
  const remove = {
    series: db.prepare('DELETE FROM series WHERE id = ?'),
    record: db.prepare('DELETE FROM record WHERE id = ?'),
    chunk: db.prepare('DELETE FROM chunk WHERE id = ?'),
    tail: db.prepare('DELETE FROM tail WHERE series_id = ?'),
    exemplar: db.prepare('DELETE FROM exemplar WHERE id = ?'),
  };
  const samplesOf = {
    chunk: db.prepare('SELECT samples FROM chunk WHERE id = ?').pluck(),
    tail: db.prepare('SELECT samples FROM tail WHERE series_id = ?').pluck(),
  };
  const removeRecords = db.prepare('DELETE FROM record WHERE id <= ?');

  const writer: ChunkWriter = {
    seal: (row) => Number(insertChunk.run(row.seriesId, row.startMs, row.endMs, row.samples, row.body).lastInsertRowid),
    tail: (row) => void replaceTail.run(row.seriesId, row.startMs, row.endMs, row.samples, row.body),
    finish(lastRecord) {
      removeRecords.run(lastRecord);
      annotations.prune(LIMITS.exemplars, LIMITS.deliveries);
    },
  };

  return {
    series: () => rows<[number, string]>('SELECT id, labels FROM series ORDER BY id'),
    chunks: () =>
      rows<[number, number, number, number]>(
        'SELECT id, series_id, start_ms, end_ms FROM chunk ORDER BY series_id, start_ms',
      ),
    tails: () => rows<[number, number, number]>('SELECT series_id, start_ms, end_ms FROM tail'),
    samples: () =>
      number(`SELECT total(samples) FROM (SELECT series_id, samples FROM chunk UNION ALL SELECT series_id, samples FROM tail)
        WHERE series_id IN (SELECT id FROM series)`),
    records: () => db.prepare<[], [number, number]>('SELECT id, length(body) FROM record ORDER BY id').raw().all(),
    record: (id) => readRecord.get(id) as Uint8Array,
    chunk: (id, seriesId) => (id === TAIL_CHUNK ? readTail.get(seriesId) : readChunk.get(id)) as Uint8Array | undefined,
    annotations,
    append: db.transaction((newSeries: readonly SeriesRow[], record: Uint8Array | undefined, beside: Annotations) => {
      for (const row of newSeries) insertSeries.run(row.id, row.labels);
      if (record !== undefined) insertRecord.run(record);
      annotations.insert(beside);
    }),
    lastRecord: () => number('SELECT max(id) FROM record'),
    checkpoint: db.transaction((write: (writer: ChunkWriter) => void) => write(writer)),
    quarantine: db.transaction((kind: RowKind, id: number, seriesId: number, reason: string, nowMs: number) => {
      const isTail = kind === 'chunk' && id === TAIL_CHUNK;
      const table = isTail ? 'tail' : kind;
      const key = isTail ? seriesId : id;
      const samples = table === 'tail' || table === 'chunk' ? Number(samplesOf[table].get(key) ?? 0) : 0;
      insertQuarantine[table].run(table, seriesId, reason, nowMs, key);
      remove[table].run(key);
      return samples;
    }),
    quarantined: () => number('SELECT count(*) FROM quarantine'),
    bytes: () => databaseBytes(db),
    close: () => void db.close(),
  };

  function rows<T extends unknown[]>(sql: string): Iterable<T> {
    return db.prepare<[], T>(sql).raw().iterate() as Iterable<T>;
  }

  function number(sql: string): number {
    return Number(db.prepare(sql).pluck().get());
  }
}

function quarantineSql(table: string, body: string, key: string): string {
  return `INSERT INTO quarantine (kind, row_id, series_id, reason, at_ms, body)
    SELECT ?, ${key}, ?, ?, ?, CAST(${body} AS BLOB) FROM ${table} WHERE ${key} = ?`;
}
