import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ComityError, messageOf } from '../base/errors.ts';
import { decodeLeaf } from './canonical.ts';
import { readCheckpoint } from './checkpoint.ts';
import type { Leaf } from './leaf.ts';
import { openLedgerRows } from './ledger-db.ts';
import { EMPTY_ROOT, inclusionProof, leafHash, treeHasher } from './merkle.ts';
import { CHECKPOINT_FILE, decodeEntries, TILE_WIDTH, tileAt } from './tiles.ts';

/** A leaf as it is read. */
export interface Entry {
  readonly index: number;
  readonly leaf: Leaf;
  readonly bytes: Uint8Array;
}

/** A ledger's file, or an export of one. Nothing of it is verified: `verifyLedger` does that. */
export interface LedgerReader {
  readonly origin: string;
  readonly size: number;
  /** The last one: a signed note. */
  readonly checkpoint: string;
  /** The leaves from index `from` up to `to`; all when left out. Throws `bad_data` naming the first that is none. */
  entries(from?: number, to?: number): IterableIterator<Entry>;
  close(): void;
}

/** Opens a ledger: its SQLite file, or the folder of an export. Throws `bad_config` when it is neither. */
export function openLedgerReader(path: string): LedgerReader {
  return isFolder(path) ? openExport(path) : openFile(path);
}

/** Whether this is the folder of an export, rather than a file. Throws `bad_config` when there is nothing. */
export function isFolder(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new ComityError('bad_config', `there is no ledger at ${path}`);
  return stat.isDirectory();
}

/** A file of an export; `name` is its path in it. Throws `bad_data`. */
export function readExported(folder: string, name: string): Buffer {
  try {
    return readFileSync(join(folder, name));
  } catch (error) {
    throw new ComityError('bad_data', `${name} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** The hashes that lead from a leaf to the root of the whole log, worked out from its leaves alone. */
export function proveEntry(reader: LedgerReader, index: number): Uint8Array[] {
  const needed = new Map<string, Uint8Array>();
  const key = (level: number, position: number): string => `${level}/${position}`;
  // The first pass notes which subtrees the proof takes, so that only these are kept of all that there are.
  inclusionProof(index, reader.size, (level, position) => {
    needed.set(key(level, position), EMPTY_ROOT);
    return EMPTY_ROOT;
  });
  const tree = treeHasher((level, position, hash) => {
    if (needed.has(key(level, position))) needed.set(key(level, position), hash);
  });
  for (const { bytes } of reader.entries()) tree.add(leafHash(bytes));
  return inclusionProof(index, reader.size, (level, position) => needed.get(key(level, position))!);
}

function openFile(path: string): LedgerReader {
  const rows = openLedgerRows(path);
  const checkpoint = rows.lastCheckpoint();
  if (checkpoint === undefined) {
    rows.close();
    throw new ComityError('bad_config', `the ledger ${path} is empty`);
  }
  return {
    origin: readCheckpoint(checkpoint).origin,
    size: rows.size,
    checkpoint,
    *entries(from = 0, to = rows.size) {
      for (const { index, leaf } of rows.leaves(from, to)) yield entry(index, leaf);
    },
    close: () => rows.close(),
  };
}

function openExport(folder: string): LedgerReader {
  const checkpoint = readText(folder, CHECKPOINT_FILE);
  const { origin, size } = readCheckpoint(checkpoint);
  return {
    origin,
    size,
    checkpoint,
    *entries(from = 0, to = size) {
      const end = Math.min(to, size);
      for (let index = Math.max(from, 0); index < end;) {
        const { index: n, path } = tileAt('entries', Math.floor(index / TILE_WIDTH), size);
        let at = n * TILE_WIDTH;
        for (const leaf of decodeEntries(readExported(folder, path))) {
          if (at >= index && at < end) yield entry(at, leaf);
          at++;
        }
        if (at < Math.min((n + 1) * TILE_WIDTH, size))
          throw new ComityError('bad_data', `leaf ${at}: ${path} ends before it`);
        index = at;
      }
    },
    close() {},
  };
}

/** Text of an export. Throws `bad_data`. */
export function readText(folder: string, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readExported(folder, name));
  } catch (error) {
    throw new ComityError('bad_data', `${name}: ${messageOf(error)}`, { cause: error });
  }
}

function entry(index: number, bytes: Uint8Array | undefined): Entry {
  if (bytes === undefined) throw new ComityError('bad_data', `leaf ${index}: its file ends in the middle of it`);
  try {
    return { index, bytes, leaf: decodeLeaf(bytes) };
  } catch (error) {
    throw new ComityError('bad_data', `leaf ${index}: ${messageOf(error)}`, { cause: error });
  }
}
