/** Columns one after the other in one buffer, each beginning at a multiple of eight bytes. What was there before stays. */
export interface BufferRoom {
  readonly buffer: ArrayBuffer;
  doubles(length: number): Float64Array<ArrayBuffer>;
  words(length: number): Uint32Array<ArrayBuffer>;
  integers(length: number): Int32Array<ArrayBuffer>;
  bytes(length: number): Uint8Array<ArrayBuffer>;
}

export function bufferRoom(buffer: ArrayBuffer): BufferRoom {
  let used = 0;
  const take = (bytes: number): number => {
    const at = used;
    used += (bytes + 7) & ~7;
    return at;
  };
  return {
    buffer,
    doubles: (length) => new Float64Array(buffer, take(length * 8), length),
    words: (length) => new Uint32Array(buffer, take(length * 4), length),
    integers: (length) => new Int32Array(buffer, take(length * 4), length),
    bytes: (length) => new Uint8Array(buffer, take(length), length),
  };
}

/** The column with the numbers of another; `set` keeps the bits of a staleness marker. */
export function filled<T extends Float64Array | Uint32Array | Uint8Array>(column: T, from: ArrayLike<number>): T {
  column.set(from);
  return column;
}
