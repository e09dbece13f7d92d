/** Memory for many columns of a kilobyte or so: allocating each by itself costs more than filling it. */
export interface ColumnSpace {
  /** Room for `cells` numbers, not cleared. */
  take(cells: number): Float64Array<ArrayBuffer>;
}

/** 512 KB: memory goes back when none of the columns in it is in use any more, so pieces must not be large. */
const PIECE_CELLS = 64 * 1024;

export function columnSpace(): ColumnSpace {
  let piece = new Float64Array(0);
  let used = 0;
  return {
    take(cells) {
      if (cells > PIECE_CELLS / 8) return new Float64Array(cells);
      if (used + cells > piece.length) {
        piece = new Float64Array(PIECE_CELLS);
        used = 0;
      }
      used += cells;
      return piece.subarray(used - cells, used);
    },
  };
}
