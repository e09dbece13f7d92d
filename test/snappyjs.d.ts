/** The block format of Snappy (without frames), as remote-write carries it; the package brings no types. */
declare module 'snappyjs' {
  export function compress(input: Uint8Array): Uint8Array;
  /** Throws when the input is not Snappy or when its declared length is over `maxLength` bytes. */
  export function uncompress(input: Uint8Array, maxLength?: number): Uint8Array;
}
