import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ComityError } from '../base/errors.ts';
import { readSignatureLine } from './checkpoint.ts';
import { openLedgerRows, type LedgerRows } from './ledger-db.ts';
import {
  CHECKPOINT_FILE,
  encodeEntries,
  TILE_HEIGHT,
  TILE_WIDTH,
  tilesOf,
  WITNESSED_FOLDER,
  type Tile,
} from './tiles.ts';

/**
 * Writes a ledger's file as a folder of tiles, which anybody can verify who has its key; salts stay behind. Gives the size.
 * Throws `bad_config` when there is no ledger, it is empty, or the folder has something in it.
 */
export function exportLedger(
  path: string,
  folder: string,
  onProgress: (done: number, all: number) => void = () => {},
): number {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new ComityError('bad_config', `${folder} is not empty: export into a new folder`);
  }
  const rows = openLedgerRows(path);
  try {
    const note = rows.lastCheckpoint();
    if (note === undefined) throw new ComityError('bad_config', `the ledger ${path} is empty`);
    const write = (name: string, bytes: Uint8Array | string): void => {
      const file = join(folder, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes, { flag: 'wx' });
    };
    for (const tile of tilesOf(rows.size)) {
      write(tile.path, tile.level === 'entries' ? entriesOf(tile, rows) : hashesOf(tile, tile.level, rows));
      if (tile.level === 'entries') onProgress(tile.index * TILE_WIDTH + tile.width, rows.size);
    }
    for (const [size, witnessed] of lastWitnessed(rows)) write(`${WITNESSED_FOLDER}/${size}`, witnessed);
    // Last: with it the export is whole.
    write(CHECKPOINT_FILE, note);
    return rows.size;
  } finally {
    rows.close();
  }
}

function entriesOf({ index, width }: Tile, rows: LedgerRows): Uint8Array {
  const start = index * TILE_WIDTH;
  return encodeEntries([...rows.leaves(start, start + width)].map(({ leaf }) => leaf));
}

function hashesOf({ index, width }: Tile, level: number, rows: LedgerRows): Uint8Array {
  const start = index * TILE_WIDTH;
  return Buffer.concat(Array.from({ length: width }, (_, i) => rows.read(level * TILE_HEIGHT, start + i)));
}

/** The last checkpoint that each witness has cosigned, with the cosignatures on it. */
function lastWitnessed(rows: LedgerRows): ReadonlyMap<number, string> {
  const last = new Map<string, number>();
  const lines = new Map<number, string[]>();
  for (const { size, line } of rows.cosignatures()) {
    const { name, id } = readSignatureLine(line.trimEnd());
    last.set(`${name}+${id}`, size);
    lines.set(size, [...(lines.get(size) ?? []), line]);
  }
  const wanted = new Set(last.values());
  const notes = new Map<number, string>();
  for (const { size, note } of rows.checkpoints()) {
    if (wanted.has(size)) notes.set(size, note + lines.get(size)!.join(''));
  }
  return notes;
}
