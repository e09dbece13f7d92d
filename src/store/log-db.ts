import {
  databaseBytes,
  openDatabaseFor,
  removeDatabase,
  type Durability,
  type SqliteDatabase,
} from '../base/sqlite.ts';
import { ANNOTATION_SCHEMA, annotationTables, type Annotations, type AnnotationTables } from './annotations-db.ts';

/**
 * The write-ahead log of one memtable: what its appends stored, each in one transaction. The file goes as a whole when the
 * memtable is in chunks, so nothing but what is damaged is ever deleted in it.
 */
export interface LogDb {
  append(newSeries: readonly SeriesRow[], record: Uint8Array | undefined, annotations: Annotations): void;
  /** `[id, bytes]` of the records in the order in which they were written. */
  records(): readonly [number, number][];
  record(id: number): Uint8Array;
  /** Series that were new, by id: at most `count` of those behind `afterId`. */
  series(afterId: number, count: number): readonly SeriesRow[];
  readonly annotations: Pick<AnnotationTables, 'exemplars' | 'deliveries' | 'metadata'>;
  /** What an open would read back. */
  readonly recordBytes: number;
  /** Whether it holds neither samples nor exemplars. */
  readonly isEmpty: boolean;
  /** Takes out a row that could not be read. */
  removeDamaged(kind: 'record' | 'series' | 'exemplar', id: number): void;
  bytes(): number;
  /** Copies the whole log into a new file. */
  copyTo(path: string): Promise<void>;
  close(): void;
  /** Closes it and removes its files. */
  remove(): void;
}

export interface SeriesRow {
  readonly id: number;
  /** The label set as JSON, which keeps any string whole, lone surrogates too. */
  readonly labels: string;
}

/** Larger than SQLite's 4,096, for records are blobs of many kilobytes. */
const PAGE_BYTES = 16 * 1024;

/** A record counts for at least this, its row being more than its bytes: many small ones become as heavy as a few large. */
const RECORD_BYTES_LEAST = 1024;

/** About what an exemplar weighs in the database. */
const EXEMPLAR_BYTES = 256;

const SCHEMA = `
  CREATE TABLE record (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE series (id INTEGER PRIMARY KEY, labels TEXT NOT NULL) STRICT;
  ${ANNOTATION_SCHEMA}
`;

export function openLogDb(path: string, durability: Durability): LogDb {
  return openDatabaseFor(
    path,
    {
      durability,
      kind: 'CmLg',
      migrations: [SCHEMA],
      exclusive: true,
      pageBytes: PAGE_BYTES,
      logBytes: Number.POSITIVE_INFINITY,
    },
    (db) => logDb(db, path),
  );
}

function logDb(db: SqliteDatabase, path: string): LogDb {
  const annotations = annotationTables(db);
  const insertSeries = db.prepare('INSERT INTO series (id, labels) VALUES (?, ?)');
  const insertRecord = db.prepare('INSERT INTO record (body) VALUES (?)');
  const readRecord = db.prepare('SELECT body FROM record WHERE id = ?').pluck();
  const readSeries = db.prepare('SELECT id, labels FROM series WHERE id > ? ORDER BY id LIMIT ?');

  let recordBytes = Number(
    db.prepare('SELECT total(max(length(body), ?)) FROM record').pluck().get(RECORD_BYTES_LEAST),
  );
  let isEmpty =
    db.prepare('SELECT NOT EXISTS (SELECT 1 FROM record) AND NOT EXISTS (SELECT 1 FROM exemplar)').pluck().get() === 1;
  const append = db.transaction(
    (newSeries: readonly SeriesRow[], record: Uint8Array | undefined, beside: Annotations) => {
      for (const row of newSeries) insertSeries.run(row.id, row.labels);
      if (record !== undefined) insertRecord.run(record);
      annotations.insert(beside);
    },
  );

  return {
    append(newSeries, record, beside) {
      append(newSeries, record, beside);
      if (record !== undefined || beside.exemplars.length > 0) isEmpty = false;
      recordBytes += Math.max(record?.length ?? 0, RECORD_BYTES_LEAST) + beside.exemplars.length * EXEMPLAR_BYTES;
    },
    get recordBytes() {
      return recordBytes;
    },
    get isEmpty() {
      return isEmpty;
    },
    removeDamaged: (kind, id) => void db.prepare(`DELETE FROM ${kind} WHERE id = ?`).run(id),
    records: () => db.prepare<[], [number, number]>('SELECT id, length(body) FROM record ORDER BY id').raw().all(),
    record: (id) => readRecord.get(id) as Uint8Array,
    series: (afterId, count) => readSeries.all(afterId, count) as SeriesRow[],
    annotations,
    bytes: () => databaseBytes(db),
    copyTo: async (target) => void (await db.backup(target)),
    close: () => void db.close(),
    remove() {
      // Closing would write the log back into a file that goes at once.
      db.close();
      if (!db.memory) removeDatabase(path);
    },
  };
}
