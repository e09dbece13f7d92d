import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { ComityError, messageOf } from './errors.ts';

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
  /**
   * Bytes of SQLite's own log after which it is written back into the file, and to which the log is cut back then; infinite
   * for a file that goes as a whole before that would pay.
   */
  readonly logBytes?: number;
  /** Overwrites with zeros whatever is deleted. Default false. */
  readonly secureDelete?: boolean;
  /** Lets `giveBack` shorten the file; takes effect when the file is created. Default false. */
  readonly shrinks?: boolean;
  /** Memory for pages, in KB; SQLite's own default when left out. */
  readonly cacheKilobytes?: number;
}

/** The header of SQLite's file format. */
const HEADER_BYTES = 100;

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
    // A file whose making was cut short is rolled back, which takes a connection that can write.
    if (fileBytes(path) > 0 && !existsSync(journalOf(path))) probe(path, options);
    db = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    if (options.exclusive === true) db.pragma('locking_mode = EXCLUSIVE');
    if (options.pageBytes !== undefined) db.pragma(`page_size = ${options.pageBytes}`);
    // In a file that there is it would be written anew, a refused one included.
    if (options.shrinks === true && fileBytes(path) === 0) db.pragma('auto_vacuum = INCREMENTAL');
    db.pragma('journal_mode = WAL');
    db.pragma(`synchronous = ${options.durability === 'fsync' ? 'FULL' : 'NORMAL'}`);
    db.pragma('foreign_keys = ON');
    if (options.secureDelete === true) db.pragma('secure_delete = ON');
    if (options.cacheKilobytes !== undefined) db.pragma(`cache_size = -${options.cacheKilobytes}`);
    if (options.logBytes === Number.POSITIVE_INFINITY) db.pragma('wal_autocheckpoint = 0');
    else if (options.logBytes !== undefined) {
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

/** Opens a database and makes something of it; where that fails it is closed again. */
export function openDatabaseFor<T>(path: string, options: DatabaseOptions, make: (db: SqliteDatabase) => T): T {
  const db = openDatabase(path, options);
  try {
    return make(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Bytes that the database takes on disk: the file and SQLite's own log beside it. A database in memory counts its pages. */
export function databaseBytes(db: SqliteDatabase): number {
  if (db.memory) return pragmaNumber(db, 'page_count') * pragmaNumber(db, 'page_size');
  return fileBytes(db.name) + fileBytes(`${db.name}-wal`);
}

/** Whether an error says that a file is damaged, rather than missing, in use or without room. */
export function isDamage(error: unknown): boolean {
  const cause = error instanceof ComityError && error.cause !== undefined ? error.cause : error;
  if (!(cause instanceof Database.SqliteError)) return false;
  // A schema that is not the one that was made.
  if (cause.code === 'SQLITE_ERROR') return /no such (table|column)|has no column/.test(cause.message);
  return /^SQLITE_(CORRUPT|NOTADB)/.test(cause.code);
}

/** Whether a file is long enough for a database; SQLite takes a shorter one for a new one, and its log for nobody's. */
export function hasHeader(path: string): boolean {
  return fileBytes(path) >= HEADER_BYTES;
}

/** Writes SQLite's own log back into the file and cuts it to nothing, so that what was deleted is in neither. */
export function truncateLog(db: SqliteDatabase): void {
  db.pragma('wal_checkpoint(TRUNCATE)');
}

/** Gives up to so many unused pages back to the disk; false when there are none. The file is shorter once its log is written back. */
export function giveBack(db: SqliteDatabase, pages: number): boolean {
  if (pragmaNumber(db, 'freelist_count') === 0) return false;
  db.pragma(`incremental_vacuum(${pages})`);
  return true;
}

/** The end of the name of a file that is being made. */
export const UNFINISHED = '.new';

/**
 * Makes a database where there is none. It appears under its name when it is whole, so that one that is not was damaged later.
 * `make` is given the path at which to make and close it.
 */
export function makeDatabase(path: string, make: (path: string) => void): void {
  if (existsSync(path)) return;
  const unfinished = `${path}${UNFINISHED}`;
  removeDatabase(unfinished);
  make(unfinished);
  renameDatabase(unfinished, path);
}

/** Removes a database's files. */
export function removeDatabase(path: string): void {
  for (const file of databaseFiles(path)) rmSync(file, { force: true });
}

/** Moves a closed database's files. */
export function renameDatabase(path: string, to: string): void {
  const targets = databaseFiles(to);
  for (const [i, file] of databaseFiles(path).entries()) if (existsSync(file)) renameSync(file, targets[i]!);
}

/** The file itself goes last where order matters: without it the others mean nothing. */
function databaseFiles(path: string): readonly string[] {
  return [`${path}-wal`, `${path}-shm`, journalOf(path), path];
}

/** SQLite's journal of a file that is being made; later there is a write-ahead log instead. */
function journalOf(path: string): string {
  return `${path}-journal`;
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
  const reason = messageOf(error);
  return `cannot open the database at ${path}: ${reason}`;
}
