import { statSync } from 'node:fs';
import { ComityError, messageOf } from '../base/errors.ts';
import { verifierOf, type NoteSigner } from '../base/note-key.ts';
import { isDamage, openDatabaseFor, type SqliteDatabase } from '../base/sqlite.ts';
import { openCheckpoint, signCheckpoint } from './checkpoint.ts';
import {
  consistencyProof,
  inclusionProof,
  isEqual,
  leafHash,
  rootOf,
  subtreeIndex,
  subtreesCompletedBy,
  subtreesOf,
  type ReadSubtree,
} from './merkle.ts';
import type { ConsistencyChain, Head, Inclusion, LeafExtra } from './ledger.ts';

/** A leaf that waits for its commit. */
export interface LeafToAppend {
  readonly leaf: Uint8Array;
  readonly extra?: LeafExtra | undefined;
}

/** The log in its file, in the thread that calls. Everything throws what SQLite throws. */
export interface LedgerFile {
  /** Writes leaves and one checkpoint over all of them in one transaction, which is on disk when this returns. */
  append(leaves: readonly LeafToAppend[]): { readonly inclusions: readonly Inclusion[]; readonly head: Head };
  head(): Head;
  consistency(sizes: readonly number[]): ConsistencyChain;
  bytesOf(day: string): number;
  /** The last leaf that was appended as this kind. */
  latest(kind: string): Uint8Array | undefined;
  addCosignature(size: number, line: string): void;
  close(): void;
}

interface LeafRow {
  readonly index: number;
  readonly leaf: Uint8Array;
}

/** What is read of a ledger without writing to it. */
export interface LedgerRows {
  readonly size: number;
  leaves(from: number, to: number): IterableIterator<LeafRow>;
  /** The places of `subtreeIndex`, in order. */
  subtrees(): IterableIterator<{ readonly place: number; readonly hash: Uint8Array }>;
  readonly read: ReadSubtree;
  /** Every checkpoint that was given out, from the smallest. */
  checkpoints(): IterableIterator<{ readonly size: number; readonly note: string }>;
  /** Signature lines of witnesses, from the smallest size. */
  cosignatures(): IterableIterator<{ readonly size: number; readonly line: string }>;
  /** The note of the largest checkpoint; undefined where there is none. */
  lastCheckpoint(): string | undefined;
  close(): void;
}

/*
 * `subtree` holds the hash of every complete subtree at the place that `subtreeIndex` names: rows are only ever added at the
 * end. Salts are in a table of their own that nothing exports: without them a commitment tells nothing of what was asked.
 * `latest` and `released` repeat what leaves say, so that a start need not read them all.
 */
const MIGRATIONS = [
  `CREATE TABLE leaf (id INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT;
   CREATE TABLE subtree (place INTEGER PRIMARY KEY, hash BLOB NOT NULL) STRICT;
   CREATE TABLE salt (leaf INTEGER PRIMARY KEY, request BLOB NOT NULL, answer BLOB NOT NULL) STRICT;
   CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
   CREATE TABLE cosignature (size INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (size, line)) STRICT, WITHOUT ROWID;
   CREATE TABLE latest (kind TEXT PRIMARY KEY, leaf INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE released (day TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
];

const OPTIONS = { durability: 'fsync', kind: 'COML', migrations: MIGRATIONS } as const;

/**
 * Opens or creates a log. Throws `bad_config` when it is another log's, was signed with another key, or its parts do not
 * fit together.
 */
export function openLedgerFile(path: string, origin: string, signer: NoteSigner): LedgerFile {
  return openDatabaseFor(path, OPTIONS, (db) => {
    checkWhole(db, origin, signer);
    return ledgerFile(db, origin, signer);
  });
}

/** Opens the file of a log to read it. Throws `bad_config` when there is none. */
export function openLedgerRows(path: string): LedgerRows {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) {
    throw new ComityError('bad_config', `there is no ledger at ${path}`);
  }
  return openDatabaseFor(path, OPTIONS, (db) => {
    // What is appended meanwhile is not seen: everything read is of one moment.
    db.exec('BEGIN');
    const size = sizeOf(db);
    return {
      size,
      *leaves(from, to) {
        const sql = 'SELECT id AS "index", leaf FROM leaf WHERE id >= ? ORDER BY id';
        for (const row of paged<LeafRow>(db, sql, [from], ({ index }) => [index + 1])) {
          if (row.index >= to) return;
          yield row;
        }
      },
      subtrees: () =>
        paged(db, 'SELECT place, hash FROM subtree WHERE place > ? ORDER BY place', [-1], ({ place }) => [place]),
      read: readSubtrees(db),
      checkpoints: () =>
        paged(db, 'SELECT size, note FROM checkpoint WHERE size > ? ORDER BY size', [-1], ({ size }) => [size]),
      cosignatures: () =>
        paged(
          db,
          'SELECT size, line FROM cosignature WHERE (size, line) > (?, ?) ORDER BY size, line',
          [-1, ''],
          ({ size, line }) => [size, line],
        ),
      lastCheckpoint: () => lastNote(db),
      close: () => db.close(),
    };
  });
}

/** What is wrong with the file itself where that is why something failed. */
export function damageOf(error: unknown): string | undefined {
  return isDamage(error) ? messageOf(error) : undefined;
}

function ledgerFile(db: SqliteDatabase, origin: string, signer: NoteSigner): LedgerFile {
  const insertLeaf = db.prepare('INSERT INTO leaf (id, leaf) VALUES (?, ?)');
  const insertSubtree = db.prepare('INSERT INTO subtree (place, hash) VALUES (?, ?)');
  const insertSalt = db.prepare('INSERT INTO salt (leaf, request, answer) VALUES (?, ?, ?)');
  const insertCheckpoint = db.prepare('INSERT INTO checkpoint (size, note) VALUES (?, ?)');
  const setLatest = db.prepare('INSERT OR REPLACE INTO latest (kind, leaf) VALUES (?, ?)');
  const addReleased = db.prepare(
    'INSERT INTO released (day, bytes) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET bytes = bytes + excluded.bytes',
  );
  const readReleased = db.prepare('SELECT bytes FROM released WHERE day = ?').pluck();
  const readLatest = db
    .prepare('SELECT leaf.leaf FROM latest JOIN leaf ON leaf.id = latest.leaf WHERE kind = ?')
    .pluck();
  const insertCosignature = db.prepare('INSERT OR IGNORE INTO cosignature (size, line) VALUES (?, ?)');
  const read = readSubtrees(db);

  function headOf(size: number): Head {
    const root = rootOf(size, read);
    return { size, root, checkpoint: signCheckpoint({ origin, size, root }, signer) };
  }

  const appendAll = db.transaction((leaves: readonly LeafToAppend[]) => {
    const start = sizeOf(db);
    for (const [i, { leaf, extra }] of leaves.entries()) {
      const index = start + i;
      insertLeaf.run(index, leaf);
      for (const [level, hash] of subtreesCompletedBy(index, leafHash(leaf), read).entries()) {
        insertSubtree.run(subtreeIndex(level, Math.floor(index / 2 ** level)), hash);
      }
      if (extra?.salts !== undefined) insertSalt.run(index, extra.salts.request, extra.salts.answer);
      if (extra?.released !== undefined) addReleased.run(extra.released.day, extra.released.bytes);
      if (extra?.kind !== undefined) setLatest.run(extra.kind, index);
    }
    const head = headOf(start + leaves.length);
    insertCheckpoint.run(head.size, head.checkpoint);
    const inclusions = leaves.map((_leaf, i): Inclusion => ({
      index: start + i,
      checkpoint: head.checkpoint,
      proof: inclusionProof(start + i, head.size, read),
    }));
    return { inclusions, head };
  });

  return {
    // Takes the write lock first, so that nobody appends between the reading of the size and the writing.
    append: (leaves) => appendAll.immediate(leaves),
    head: () => headOf(sizeOf(db)),
    consistency(sizes) {
      const size = sizeOf(db);
      const proofs = [...sizes, size].slice(1).map((to, i) => {
        const from = sizes[i]!;
        if (!Number.isSafeInteger(from) || from < 0 || !(from <= to && to <= size)) {
          throw new ComityError('bad_data', `sizes must ascend and be at most ${size}, that of the ledger`);
        }
        return { from, to, proof: consistencyProof(from, to, read) };
      });
      return { checkpoint: headOf(size).checkpoint, proofs };
    },
    bytesOf: (day) => Number(readReleased.get(day) ?? 0),
    latest: (kind) => readLatest.get(kind) as Uint8Array | undefined,
    addCosignature: (size, line) => void insertCosignature.run(size, line),
    close: () => db.close(),
  };
}

/** What would be missed later only: whether the parts of the file belong together. `comity ledger verify` reads it all. */
function checkWhole(db: SqliteDatabase, origin: string, signer: NoteSigner): void {
  const size = sizeOf(db);
  const subtrees = Number(db.prepare('SELECT coalesce(max(place) + 1, 0) FROM subtree').pluck().get());
  const note = lastNote(db);
  if (size === 0 && subtrees === 0 && note === undefined) return;
  const refuse = (fault: string, cause?: unknown): ComityError =>
    new ComityError('bad_config', `the ledger ${db.name} ${fault}`, { cause });
  if (note === undefined || subtrees !== subtreesOf(size)) throw refuse('is damaged: restore it, or name another file');
  let last;
  try {
    last = openCheckpoint(note, verifierOf(signer.vkey));
  } catch (error) {
    throw refuse(`was signed with another key than ${signer.vkey}: restore that key, or name another file`, error);
  }
  if (last.origin !== origin) throw refuse(`is that of ${last.origin}, not of ${origin}: name another file`);
  if (last.size !== size || !isEqual(last.root, rootOf(size, readSubtrees(db)))) {
    throw refuse('is damaged: its last checkpoint is not that of its leaves. Restore it, or name another file');
  }
}

function readSubtrees(db: SqliteDatabase): ReadSubtree {
  const statement = db.prepare('SELECT hash FROM subtree WHERE place = ?').pluck();
  return (level, position) => {
    const hash = statement.get(subtreeIndex(level, position));
    if (hash === undefined) throw new ComityError('unavailable', `the ledger ${db.name} is damaged: a hash is missing`);
    return hash as Uint8Array;
  };
}

function sizeOf(db: SqliteDatabase): number {
  return Number(db.prepare('SELECT coalesce(max(id) + 1, 0) FROM leaf').pluck().get());
}

function lastNote(db: SqliteDatabase): string | undefined {
  return db.prepare('SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1').pluck().get() as string | undefined;
}

/** Rows in pages: no statement stays open between them, so the file can be closed at any time. `last` has the keys of a row. */
function* paged<T extends object>(
  db: SqliteDatabase,
  sql: string,
  first: readonly (number | string)[],
  last: (row: T) => readonly (number | string)[],
): IterableIterator<T> {
  const statement = db.prepare(`${sql} LIMIT ${PAGE_ROWS}`);
  for (let after = first; ;) {
    const rows = statement.all(...after) as T[];
    yield* rows;
    if (rows.length < PAGE_ROWS) return;
    after = last(rows.at(-1)!);
  }
}

const PAGE_ROWS = 500;
