import { readFrame, writeFrame, type Framed } from './framed.ts';

/** The columns of a chunk: `times` in ms, strictly ascending, and `values`, of the same length. */
export interface ChunkColumns {
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** The last value up to the chunk's end that is no staleness marker; zero when there is none. */
  readonly base: number;
}

const CHUNK: Framed = { name: 'chunk', version: 1, headerBytes: 24, rowBytes: 16 };
const BASE_AT = 16;

/** The bytes of one chunk. Values keep their bits. */
export function encodeChunk(chunk: ChunkColumns): Uint8Array {
  return writeFrame(CHUNK, chunk.times.length, ({ view, rows, at }) => {
    view.setFloat64(BASE_AT, chunk.base, true);
    new Float64Array(view.buffer, at, rows).set(chunk.times);
    new Float64Array(view.buffer, at + rows * 8, rows).set(chunk.values);
  });
}

/** Reads a chunk; the columns are views into `bytes` where its alignment allows. Throws `internal` when it is damaged. */
export function decodeChunk(bytes: Uint8Array): ChunkColumns {
  const { view, rows, at } = readFrame(CHUNK, bytes);
  return {
    times: new Float64Array(view.buffer, at, rows),
    values: new Float64Array(view.buffer, at + rows * 8, rows),
    base: view.getFloat64(BASE_AT, true),
  };
}
