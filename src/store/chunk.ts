import { crc32 } from 'node:zlib';
import { ComityError } from '../base/errors.ts';

/** The columns of a chunk: `times` in ms, strictly ascending, and `values`, of the same length. */
export interface ChunkColumns {
  readonly times: Float64Array;
  readonly values: Float64Array;
  /** The last value up to the chunk's end that is no staleness marker; zero when there is none. */
  readonly base: number;
}

/** Version of the chunk's bytes, see docs/formats.md. */
const CHUNK_VERSION = 1;

const HEADER_BYTES = 24;
const CRC_AT = 4;
const CRC_FROM = 8;
const SAMPLES_AT = 8;
const BASE_AT = 16;

/** The bytes of one chunk. Values keep their bits. */
export function encodeChunk(chunk: ChunkColumns): Uint8Array {
  const samples = chunk.times.length;
  const bytes = new Uint8Array(HEADER_BYTES + samples * 16);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, CHUNK_VERSION);
  view.setUint32(SAMPLES_AT, samples, true);
  view.setFloat64(BASE_AT, chunk.base, true);
  new Float64Array(bytes.buffer, HEADER_BYTES, samples).set(chunk.times);
  new Float64Array(bytes.buffer, HEADER_BYTES + samples * 8, samples).set(chunk.values);
  view.setUint32(CRC_AT, crc32(bytes.subarray(CRC_FROM)), true);
  return bytes;
}

/** Reads a chunk; the columns are views into `bytes` where its alignment allows. Throws `internal` when it is damaged. */
export function decodeChunk(bytes: Uint8Array): ChunkColumns {
  if (bytes.length < HEADER_BYTES) throw damaged(`${bytes.length} bytes are too few for its header`);
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.length);
  const version = view.getUint8(0);
  if (version !== CHUNK_VERSION) throw damaged(`version ${version} is unknown`);
  const samples = view.getUint32(SAMPLES_AT, true);
  if (aligned.length !== HEADER_BYTES + samples * 16)
    throw damaged(`${aligned.length} bytes do not hold ${samples} samples`);
  if (view.getUint32(CRC_AT, true) !== crc32(aligned.subarray(CRC_FROM))) throw damaged('its checksum does not match');
  const timesAt = aligned.byteOffset + HEADER_BYTES;
  return {
    times: new Float64Array(aligned.buffer, timesAt, samples),
    values: new Float64Array(aligned.buffer, timesAt + samples * 8, samples),
    base: view.getFloat64(BASE_AT, true),
  };
}

function damaged(reason: string): ComityError {
  return new ComityError('internal', `a chunk is damaged: ${reason}`);
}
