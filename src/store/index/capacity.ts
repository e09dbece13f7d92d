import { longer } from '../../base/columns.ts';

/**
 * A column with room for `size` entries: the one given, or a copy that is a quarter longer. Doubling would leave a quarter
 * of all memory unused on average; copying five times as much costs next to nothing beside filling the column.
 */
export function roomIn(column: Uint32Array, size: number): Uint32Array {
  return size <= column.length ? column : longer(column, new Uint32Array(roomFor(size)));
}

function roomFor(size: number): number {
  return size + (size >>> 2) + 16;
}
