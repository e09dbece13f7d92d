/** Rows of a chunk, at most: what a damaged one can make its reader take memory for. Usual chunks have up to a thousand. */
export const CHUNK_ROWS_MAX = 8_192;

/** Memory for a column that is used again: whatever is in it is good until the next chunk. */
export function scratchColumn(): Float64Array<ArrayBuffer> {
  return new Float64Array(CHUNK_ROWS_MAX);
}

/** The numbers of a column as words: the lower half of number i is word 2i. */
export function wordsOf(column: Float64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.length * 2);
}
