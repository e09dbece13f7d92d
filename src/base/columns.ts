/** Copies a column to the beginning of a longer one. */
export function longer<T extends Float64Array | Uint32Array | Int32Array | Uint8Array>(column: T, target: T): T {
  target.set(column);
  return target;
}
