import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { NoteVerifier } from '../base/note-key.ts';
import { isEqual, HASH_BYTES, leafHash, treeHasher } from './merkle.ts';
import { readExported, readText } from './reader.ts';
import {
  CHECKPOINT_FILE,
  decodeEntries,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileAt,
  tilesOf,
  WITNESSED_FOLDER,
  type Tile,
} from './tiles.ts';
import {
  bad,
  checkLeaf,
  checkpointVerifier,
  named,
  PROGRESS_LEAVES,
  type VerifiedLedger,
  type VerifyOptions,
} from './verify-parts.ts';

/** The first place where tiles and leaves do not say the same; which of them is wrong the checkpoint tells. */
interface Mismatch {
  readonly leaf: string;
  readonly tile: string;
}

/** `verifyLedger` of the folder of an export: every file must be there, as it has to be, and no other. */
export function verifyExport(folder: string, keys: readonly NoteVerifier[], options: VerifyOptions): VerifiedLedger {
  const note = readChecked(folder, CHECKPOINT_FILE, CHECKPOINT_FILE);
  const verifier = checkpointVerifier(note, keys, options);
  const last = verifier.open(note, CHECKPOINT_FILE);
  const { origin, size } = last;
  const files = listed(folder, size);
  const witnessed = files
    .filter((path) => path.startsWith(`${WITNESSED_FOLDER}/`))
    .map((path) => ({ path, name: `checkpoint ${path}` }))
    .map(({ path, name }) => ({ path: name, ...verifier.open(readChecked(folder, path, name), name) }));

  const tiles = tileReader(folder, size);
  let mismatch: Mismatch | undefined;
  let index = 0;
  const roots = new Map<number, Uint8Array>();
  const sizes = new Set(witnessed.map((one) => one.size));
  const tree = treeHasher((level, position, hash) => {
    if (level % TILE_HEIGHT !== 0 || mismatch !== undefined) return;
    const { path, hashes } = tiles.read(level / TILE_HEIGHT, Math.floor(position / TILE_WIDTH));
    const at = (position % TILE_WIDTH) * HASH_BYTES;
    if (isEqual(hashes.subarray(at, at + HASH_BYTES), hash)) return;
    mismatch = { leaf: `leaf ${index}`, tile: `tile ${path}` };
  });
  for (const tile of tilesOf(size)) {
    if (tile.level !== 'entries') continue;
    const end = tile.index * TILE_WIDTH + tile.width;
    for (const leaf of decodeEntries(readExported(folder, tile.path))) {
      if (leaf === undefined) throw bad(mismatch?.leaf ?? `leaf ${index}`, `it goes past the end of ${tile.path}`);
      if (index === end) throw bad(mismatch?.leaf ?? `leaf ${index - 1}`, `${tile.path} has more after it`);
      tree.add(leafHash(leaf));
      if (mismatch === undefined) checkLeaf(leaf, index, origin);
      index++;
      if (sizes.has(index)) roots.set(index, tree.root());
      if (index % PROGRESS_LEAVES === 0) options.onProgress?.(index, size);
    }
    if (index < end) throw bad(mismatch?.leaf ?? `leaf ${index}`, `${tile.path} ends before it`);
  }

  const root = tree.root();
  const isRoot = isEqual(root, last.root);
  if (mismatch !== undefined) {
    if (isRoot) throw bad(mismatch.tile, 'it has not the hashes of the leaves, which are those of the checkpoint');
    throw bad(
      mismatch.leaf,
      `it has not the hash that ${mismatch.tile} says, nor is the checkpoint's root that of the leaves`,
    );
  }
  if (!isRoot) throw bad(CHECKPOINT_FILE, 'its root is not that of the leaves');
  for (const one of witnessed) {
    if (one.path !== `checkpoint ${WITNESSED_FOLDER}/${one.size}`) throw bad(one.path, `it is of ${one.size} leaves`);
    const of = roots.get(one.size);
    if (of === undefined || !isEqual(of, one.root)) throw bad(one.path, 'its root is not that of the leaves');
  }
  const { key } = verifier;
  const checkpoints = 1 + witnessed.length;
  return { origin, key: key.vkey, size, root, witnesses: verifier.witnesses(), checkpoints };
}

/** Every file of the export. Throws `bad_data` for one that is missing, or that no log of this size has. */
function listed(folder: string, size: number): readonly string[] {
  const found = new Set(walk(folder, ''));
  for (const { path, level } of tilesOf(size)) {
    const what = level === 'entries' ? 'leaves' : 'tile';
    if (!found.delete(path)) throw bad(`tile ${path}`, `the ${what} of this file are missing`);
  }
  found.delete(CHECKPOINT_FILE);
  for (const path of found) {
    if (/^witnessed\/(0|[1-9][0-9]{0,15})$/.test(path)) continue;
    throw bad(`tile ${path}`, `a log of ${size} leaves has no such file`);
  }
  return [...found];
}

function* walk(folder: string, under: string): IterableIterator<string> {
  for (const item of named('tile', () => readdirSync(join(folder, under), { withFileTypes: true }))) {
    const path = under === '' ? item.name : `${under}/${item.name}`;
    // Links are followed by nobody: what they lead to is no part of the export.
    if (item.isDirectory()) yield* walk(folder, path);
    else yield path;
  }
}

/** The tiles of hashes; the last of each level is kept, since hashes come in order. */
function tileReader(folder: string, size: number) {
  const kept = new Map<number, Tile & { readonly hashes: Buffer }>();
  return {
    read(level: number, index: number): Tile & { readonly hashes: Buffer } {
      const before = kept.get(level);
      if (before?.index === index) return before;
      const tile = tileAt(level, index, size);
      const hashes = readExported(folder, tile.path);
      if (hashes.length !== tile.width * HASH_BYTES) {
        throw bad(`tile ${tile.path}`, `it has ${hashes.length} bytes instead of ${tile.width * HASH_BYTES}`);
      }
      const read = { ...tile, hashes };
      kept.set(level, read);
      return read;
    },
  };
}

function readChecked(folder: string, path: string, name: string): string {
  return named(name, () => readText(folder, path));
}
