/*
 * The files of an exported log (https://c2sp.org/tlog-tiles): `checkpoint`, hashes of complete subtrees of 256^level leaves
 * in `tile/<level>/<n>`, 256 to a file, and the leaves in `tile/entries/<n>`, each after its length in two bytes, big-endian.
 * The last file of each row may be partial: `<n>.p/<width>`.
 */

/** Hashes or leaves in a whole tile. */
export const TILE_WIDTH = 256;

/** Levels of the tree between two levels of tiles. */
export const TILE_HEIGHT = 8;

export const CHECKPOINT_FILE = 'checkpoint';

/** Checkpoints that witnesses have cosigned, by size; not part of the specification. */
export const WITNESSED_FOLDER = 'witnessed';

/** One file of an export. */
export interface Tile {
  readonly level: number | 'entries';
  readonly index: number;
  /** 1 to 256. */
  readonly width: number;
  /** From the export's folder, with `/`. */
  readonly path: string;
}

/** Every tile of a log of this size, leaves first. */
export function* tilesOf(size: number): IterableIterator<Tile> {
  yield* row('entries', size);
  for (let level = 0, width = size; width > 0; level++, width = Math.floor(width / TILE_WIDTH))
    yield* row(level, width);
}

/** The tile of one level, of a log of this size; of `entries` when level is that. */
export function tileAt(level: Tile['level'], index: number, size: number): Tile {
  const count = level === 'entries' ? size : Math.floor(size / TILE_WIDTH ** level);
  const width = Math.min(TILE_WIDTH, count - index * TILE_WIDTH);
  return { level, index, width, path: pathOf(level, index, width) };
}

/** A file of leaves. */
export function encodeEntries(leaves: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    leaves.flatMap((leaf) => {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt16BE(leaf.length);
      return [length, leaf];
    }),
  );
}

const LENGTH_BYTES = 2;

/** The leaves of a file one by one; what cannot be one any more is undefined, and the last. */
export function* decodeEntries(bytes: Uint8Array): IterableIterator<Uint8Array | undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    if (at + LENGTH_BYTES > bytes.length) return yield undefined;
    const end = at + LENGTH_BYTES + view.getUint16(at);
    if (end > bytes.length) return yield undefined;
    yield bytes.subarray(at + LENGTH_BYTES, end);
    at = end;
  }
}

function* row(level: Tile['level'], count: number): IterableIterator<Tile> {
  for (let index = 0; index * TILE_WIDTH < count; index++) {
    const width = Math.min(TILE_WIDTH, count - index * TILE_WIDTH);
    yield { level, index, width, path: pathOf(level, index, width) };
  }
}

/** 1234067 is `x001/x234/067`, so that no folder has more than 1,000 names and no file has a folder's. */
function pathOf(level: Tile['level'], index: number, width: number): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.{3}/g)!;
  const name = groups.map((group, i) => (i === groups.length - 1 ? group : `x${group}`)).join('/');
  return `tile/${level}/${name}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}
