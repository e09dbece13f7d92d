import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ComityError, messageOf } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import {
  databaseBytes,
  hasHeader,
  openDatabaseFor,
  truncateLog,
  type Durability,
  type SqliteDatabase,
} from '../base/sqlite.ts';
import {
  ANNOTATION_SCHEMA,
  annotationTables,
  type AnnotationTables,
  type NumberedAnnotations,
} from './annotations-db.ts';
import type { SeriesRow } from './log-db.ts';

/** What `quarantine` holds: bodies that could not be read, kept for people to look at, and files that were put aside. */
export type QuarantineKind = 'series' | 'state' | 'record' | 'chunk' | 'exemplar' | 'partition' | 'log';

/** What a store holds beside samples: which series there are, where each ends, and what is known of them. */
export interface HeadDb {
  /** `[id, labels as JSON]` in order of id. */
  series(): Iterable<[number, Uint8Array]>;
  /** `[page, body]`: see `state-page.ts`. */
  states(): Iterable<[number, Uint8Array]>;
  state(page: number): Uint8Array | undefined;
  readonly annotations: Pick<AnnotationTables, 'exemplars' | 'deliveries' | 'metadata'>;
  tombstones(): readonly TombstoneRow[];
  deletions(): readonly DeletionRow[];
  value(name: MetaName): number;
  /** Runs `change`, all of it or nothing. */
  write(change: (writer: HeadWriter) => void): void;
  quarantined(): number;
  bytes(): number;
  /** Writes SQLite's log back, so that what was deleted is gone from all files. */
  settle(): void;
  copyTo(path: string): Promise<void>;
  close(): void;
}

/**
 * Numbers that are kept: an id above all series that there ever were; the generation up to which memtables are in chunks; of
 * the next one, the id up to which its series are.
 */
export type MetaName = 'next_series_id' | 'flushed_generation' | 'flushed_series_id';

export interface HeadWriter {
  putSeries(rows: readonly SeriesRow[]): void;
  /** Removes series with all that is known of them, in the quarantine too. */
  removeSeries(ids: readonly number[]): void;
  putState(page: number, body: Uint8Array): void;
  removeStates(pages: Iterable<number>): void;
  putAnnotations(rows: NumberedAnnotations): void;
  /** Removes all but the latest exemplars and deliveries. */
  prune(): void;
  removeExemplars(seriesId: number, fromMs: number, toMs: number): void;
  setValue(name: MetaName, value: number): void;
  /** Returns its id. */
  addDeletion(
    deletion: Omit<DeletionRow, 'id' | 'erasedMs'>,
    tombstones: readonly Omit<TombstoneRow, 'deletionId'>[],
  ): number;
  /** Notes that what deletions hid is gone from the files, and drops their tombstones. */
  eraseDeletions(ids: readonly number[], atMs: number): void;
  quarantine(row: QuarantineRow): void;
  /** Takes a row that is in quarantine out of where it was. */
  removeDamaged(kind: 'series' | 'state' | 'exemplar', rowId: number): void;
  /** Removes what was put aside of some series, and all of which nobody knows whose it is. */
  dropQuarantined(seriesIds: readonly number[]): void;
}

export interface TombstoneRow {
  readonly deletionId: number;
  readonly seriesId: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** What is stored under later generations is not hidden. */
  readonly generation: number;
}

/** A deletion; it says nothing of what it matched, which could be personal. */
export interface DeletionRow {
  readonly id: number;
  readonly atMs: number;
  readonly series: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly erasedMs: number | null;
}

export interface QuarantineRow {
  readonly kind: QuarantineKind;
  readonly rowId: number;
  readonly seriesId: number;
  readonly reason: string;
  readonly atMs: number;
  readonly body: Uint8Array | undefined;
}

const LOG_BYTES = 16 * 1024 * 1024;

/** The latest reports of deletions that are kept. */
const DELETIONS_KEPT = 1_000;

export const HEAD_FILE = 'head.sqlite';

/**
 * Opens or makes the head of a store; `folder` undefined: in memory. `isOther` tells files that mean nothing without it, whose
 * ids a new one would give to other series. Throws `bad_config`, and changes nothing, where it cannot be read.
 */
export function openHeadIn(
  folder: string | undefined,
  durability: Durability,
  isOther: (file: string) => boolean,
): HeadDb {
  if (folder === undefined) return openHeadDb(':memory:', durability);
  const path = join(folder, HEAD_FILE);
  const other = hasHeader(path) ? undefined : readdirSync(folder).find(isOther);
  if (other !== undefined) {
    throw new ComityError(
      'bad_config',
      `${path} is not there or too short for a database, but ${other} is there. Put a backup of the whole folder in its place, ` +
        'or name another path; nothing was changed',
    );
  }
  try {
    return openHeadDb(path, durability);
  } catch (error) {
    if (error instanceof ComityError) throw error;
    const reason = messageOf(error);
    const message = `cannot read ${path}: ${reason}. Put a backup of the whole folder in its place, or name another path`;
    throw new ComityError('bad_config', message, { cause: error });
  }
}

const SCHEMA = `
  CREATE TABLE series (id INTEGER PRIMARY KEY, labels TEXT NOT NULL) STRICT;
  CREATE TABLE state (page INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  ${ANNOTATION_SCHEMA}
  CREATE INDEX exemplar_series ON exemplar (series_id);
  CREATE TABLE deletion (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms REAL NOT NULL, series INTEGER NOT NULL,
    from_ms REAL NOT NULL, to_ms REAL NOT NULL, erased_ms REAL
  ) STRICT;
  CREATE TABLE tombstone (
    deletion_id INTEGER NOT NULL, series_id INTEGER NOT NULL, from_ms REAL NOT NULL, to_ms REAL NOT NULL,
    generation INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, row_id INTEGER NOT NULL, series_id INTEGER NOT NULL,
    reason TEXT NOT NULL, at_ms REAL NOT NULL, body BLOB
  ) STRICT;
  CREATE INDEX quarantine_series ON quarantine (series_id);
`;

function openHeadDb(path: string, durability: Durability): HeadDb {
  return openDatabaseFor(
    path,
    {
      durability,
      kind: 'CmHd',
      migrations: [SCHEMA],
      exclusive: true,
      logBytes: LOG_BYTES,
      secureDelete: true,
    },
    (db) => headDb(db),
  );
}

function headDb(db: SqliteDatabase): HeadDb {
  const annotations = annotationTables(db);
  const statements = {
    putSeries: db.prepare('INSERT OR REPLACE INTO series (id, labels) VALUES (?, ?)'),
    putState: db.prepare('INSERT OR REPLACE INTO state (page, body) VALUES (?, ?)'),
    putMeta: db.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)'),
    meta: db.prepare<[string], number>('SELECT value FROM meta WHERE name = ?').pluck(),
    removeExemplars: db.prepare('DELETE FROM exemplar WHERE series_id = ? AND time_ms BETWEEN ? AND ?'),
    quarantined: db.prepare<[], number>('SELECT count(*) FROM quarantine').pluck(),
    quarantine: db.prepare(
      'INSERT INTO quarantine (kind, row_id, series_id, reason, at_ms, body) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    addDeletion: db.prepare('INSERT INTO deletion (at_ms, series, from_ms, to_ms) VALUES (?, ?, ?, ?)'),
    addTombstone: db.prepare(
      'INSERT INTO tombstone (deletion_id, series_id, from_ms, to_ms, generation) VALUES (?, ?, ?, ?, ?)',
    ),
    eraseDeletion: db.prepare('UPDATE deletion SET erased_ms = ? WHERE id = ?'),
    removeTombstones: db.prepare('DELETE FROM tombstone WHERE deletion_id = ?'),
    dropQuarantined: db.prepare('DELETE FROM quarantine WHERE series_id = ?'),
    dropMixed: db.prepare(
      "DELETE FROM quarantine WHERE kind NOT IN ('chunk', 'exemplar') OR series_id NOT IN (SELECT id FROM series)",
    ),
    state: db.prepare<[number], Uint8Array>('SELECT body FROM state WHERE page = ?').pluck(),
    removeDamaged: {
      series: db.prepare('DELETE FROM series WHERE id = ?'),
      state: db.prepare('DELETE FROM state WHERE page = ?'),
      exemplar: db.prepare('DELETE FROM exemplar WHERE id = ?'),
    },
    pruneDeletions: db.prepare(
      'DELETE FROM deletion WHERE erased_ms IS NOT NULL AND id <= (SELECT max(id) FROM deletion) - ?',
    ),
  };
  const removals = ['series WHERE id', 'exemplar WHERE series_id', 'quarantine WHERE series_id'].map((of) =>
    db.prepare(`DELETE FROM ${of} = ?`),
  );

  const writer: HeadWriter = {
    putSeries(rows) {
      for (const { id, labels } of rows) statements.putSeries.run(id, labels);
    },
    removeSeries(ids) {
      for (const id of ids) for (const removal of removals) removal.run(id);
    },
    putState: (page, body) => void statements.putState.run(page, body),
    removeStates(pages) {
      for (const page of pages) statements.removeDamaged.state.run(page);
    },
    putAnnotations: (rows) => annotations.takeOver(rows),
    prune: () => annotations.prune(LIMITS.exemplars, LIMITS.deliveries),
    removeExemplars: (seriesId, fromMs, toMs) => void statements.removeExemplars.run(seriesId, fromMs, toMs),
    setValue: (name, value) => void statements.putMeta.run(name, value),
    addDeletion({ atMs, series, fromMs, toMs }, tombstones) {
      const id = Number(statements.addDeletion.run(atMs, series, fromMs, toMs).lastInsertRowid);
      for (const one of tombstones) {
        statements.addTombstone.run(id, one.seriesId, one.fromMs, one.toMs, one.generation);
      }
      return id;
    },
    eraseDeletions(ids, atMs) {
      for (const id of ids) {
        statements.eraseDeletion.run(atMs, id);
        statements.removeTombstones.run(id);
      }
      statements.pruneDeletions.run(DELETIONS_KEPT);
    },
    quarantine: ({ kind, rowId, seriesId, reason, atMs, body }) =>
      void statements.quarantine.run(kind, rowId, seriesId, reason, atMs, body ?? null),
    removeDamaged: (kind, rowId) => void statements.removeDamaged[kind].run(rowId),
    dropQuarantined(seriesIds) {
      statements.dropMixed.run();
      for (const id of seriesIds) statements.dropQuarantined.run(id);
    },
  };
  const transaction = db.transaction((change: (writer: HeadWriter) => void) => change(writer));

  return {
    series: () => rows<[number, Uint8Array]>('SELECT id, CAST(labels AS BLOB) FROM series ORDER BY id'),
    states: () => rows<[number, Uint8Array]>('SELECT page, body FROM state ORDER BY page'),
    state: (page) => statements.state.get(page),
    annotations,
    tombstones: () =>
      db
        .prepare(
          `SELECT deletion_id AS deletionId, series_id AS seriesId, from_ms AS fromMs, to_ms AS toMs, generation
          FROM tombstone`,
        )
        .all() as TombstoneRow[],
    deletions: () =>
      db
        .prepare(
          `SELECT id, at_ms AS atMs, series, from_ms AS fromMs, to_ms AS toMs, erased_ms AS erasedMs
          FROM deletion ORDER BY id`,
        )
        .all() as DeletionRow[],
    value: (name) => statements.meta.get(name) ?? 0,
    write: (change) => transaction(change),
    quarantined: () => statements.quarantined.get() ?? 0,
    bytes: () => databaseBytes(db),
    settle: () => truncateLog(db),
    copyTo: async (target) => void (await db.backup(target)),
    close: () => void db.close(),
  };

  function rows<T extends unknown[]>(sql: string): Iterable<T> {
    return db.prepare<[], T>(sql).raw().iterate() as Iterable<T>;
  }
}
