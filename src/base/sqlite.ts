import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { ComityError } from './errors.ts';

export type SqliteDatabase = Database.Database;

/**
 * What a commit survives: `process` the end of this process (kill -9 included), `fsync` the end of the machine as well,
 * at the price of one disk flush a commit. The write-ahead log keeps the file whole either way.
 */
export type Durability = 'process' | 'fsync';

export interface DatabaseOptions {
  readonly durability: Durability;
  /** Four ASCII characters that name what the file holds; written into its header as the application id. */
  readonly kind: string;
  /** The scripts that lead from one schema version to the next; the version is how many of them have run. */
  readonly migrations: readonly string[];
  /** Keeps every other process out until `close`, for owners that hold state in memory. Default false. */
  readonly exclusive?: boolean;
  /** Bytes of a page; takes effect when the file is created. */
  readonly pageBytes?: number;
  /** Bytes of SQLite's own log after which it is written back into the file, and to which the log is cut back then. */
  readonly logBytes?: number;
}

/** How long an open or a write waits for another process's lock before it gives up. */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * Opens or creates a database and brings its schema up to date; the only place that opens SQLite.
 * Throws `bad_config`, and leaves the file as it is, when it is no SQLite file, holds something else, was written by a
 * newer version or is in use by a process that keeps others out.
 */
export function openDatabase(path: string, options: DatabaseOptions): SqliteDatabase {
  let db: SqliteDatabase | undefined;
  try {
    if (fileBytes(path) > 0) probe(path, options);
    db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    if (options.exclusive === true) db.pragma('locking_mode = EXCLUSIVE');
    if (options.pageBytes !== undefined) db.pragma(`page_size = ${options.pageBytes}`);
    db.pragma('journal_mode = WAL');
    db.pragma(`synchronous = ${options.durability === 'fsync' ? 'FULL' : 'NORMAL'}`);
    db.pragma('foreign_keys = ON');
    if (options.logBytes !== undefined) {
      db.pragma(`wal_autocheckpoint = ${Math.ceil(options.logBytes / pragmaNumber(db, 'page_size'))}`);
      db.pragma(`journal_size_limit = ${options.logBytes}`);
    }
    migrate(db, options);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof ComityError) throw error;
    throw new ComityError('bad_config', openFailure(path, error), { cause: error });
  }
}

/** Bytes that the database takes on disk: the file and SQLite's own log beside it. A database in memory counts its pages. */
export function databaseBytes(db: SqliteDatabase): number {
  if (db.memory) return pragmaNumber(db, 'page_count') * pragmaNumber(db, 'page_size');
  return fileBytes(db.name) + fileBytes(`${db.name}-wal`);
}

/** Looks at an existing file through a connection that cannot write, so that a refused file keeps every byte. */
function probe(path: string, options: DatabaseOptions): void {
  const db = new Database(path, { readonly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    checkKind(db, path, options);
  } finally {
    db.close();
  }
}

function checkKind(db: SqliteDatabase, path: string, options: DatabaseOptions): void {
  const version = pragmaNumber(db, 'user_version');
  const tables = Number(db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get());
  if (version === 0 && tables === 0) return;
  if (pragmaNumber(db, 'application_id') !== applicationId(options.kind)) {
    throw new ComityError(
      'bad_config',
      `${path} is a database of another kind. Name another path; nothing was changed`,
    );
  }
  if (version > options.migrations.length) {
    throw new ComityError(
      'bad_config',
      `${path} has schema version ${version}, but this program knows versions up to ${options.migrations.length}. ` +
        'Start the newer program that wrote it, or name another path; nothing was changed',
    );
  }
}

function migrate(db: SqliteDatabase, options: DatabaseOptions): void {
  const run = db.transaction(() => {
    // Read again under the write lock: another process may have migrated since the probe.
    checkKind(db, db.name, options);
    for (const script of options.migrations.slice(pragmaNumber(db, 'user_version'))) db.exec(script);
    db.pragma(`application_id = ${applicationId(options.kind)}`);
    db.pragma(`user_version = ${options.migrations.length}`);
  });
  if (db.memory || pragmaNumber(db, 'user_version') !== options.migrations.length) run.immediate();
}

function applicationId(kind: string): number {
  return Buffer.from(kind.padEnd(4), 'latin1').readInt32BE(0);
}

function pragmaNumber(db: SqliteDatabase, name: string): number {
  return Number(db.pragma(name, { simple: true }));
}

function fileBytes(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function openFailure(path: string, error: unknown): string {
  const code = error instanceof Database.SqliteError ? error.code : '';
  if (code === 'SQLITE_NOTADB') return `${path} is not a database. Name another path; nothing was changed`;
  if (code.startsWith('SQLITE_BUSY'))
    return `${path} is in use by another process. Stop that one, or name another path`;
  const reason = error instanceof Error ? error.message : String(error);
  return `cannot open the database at ${path}: ${reason}`;
}
