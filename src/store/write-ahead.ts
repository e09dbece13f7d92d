import { crc32 } from 'node:zlib';
import { ComityError } from '../base/errors.ts';

/**
 * The samples that one append stores, in columns: row i belongs to the series with the row id `seriesIds[i]`. Values are
 * absolute (additions are done), so reading a record twice changes nothing. A row at its series' last time replaces the
 * last value.
 */
export interface RecordColumns {
  readonly seriesIds: Uint32Array;
  readonly times: Float64Array;
  readonly values: Float64Array;
}

/** Version of the record's bytes, see docs/formats.md. */
const RECORD_VERSION = 1;

const HEADER_BYTES = 16;
const ROW_BYTES = 20;
const CRC_AT = 4;
const CRC_FROM = 8;
const ROWS_AT = 8;

/** The bytes of one write-ahead record. Values keep their bits. */
export function encodeRecord(record: RecordColumns): Uint8Array {
  const rows = record.times.length;
  const bytes = new Uint8Array(HEADER_BYTES + rows * ROW_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, RECORD_VERSION);
  view.setUint32(ROWS_AT, rows, true);
  new Float64Array(bytes.buffer, HEADER_BYTES, rows).set(record.times);
  new Float64Array(bytes.buffer, HEADER_BYTES + rows * 8, rows).set(record.values);
  new Uint32Array(bytes.buffer, HEADER_BYTES + rows * 16, rows).set(record.seriesIds);
  view.setUint32(CRC_AT, crc32(bytes.subarray(CRC_FROM)), true);
  return bytes;
}

/** Reads a record; the columns are views into `bytes` where its alignment allows. Throws `internal` when it is damaged. */
export function decodeRecord(bytes: Uint8Array): RecordColumns {
  if (bytes.length < HEADER_BYTES) throw damaged(`${bytes.length} bytes are too few for its header`);
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.length);
  const version = view.getUint8(0);
  if (version !== RECORD_VERSION) throw damaged(`version ${version} is unknown`);
  const rows = view.getUint32(ROWS_AT, true);
  if (aligned.length !== HEADER_BYTES + rows * ROW_BYTES)
    throw damaged(`${aligned.length} bytes do not hold ${rows} rows`);
  if (view.getUint32(CRC_AT, true) !== crc32(aligned.subarray(CRC_FROM))) throw damaged('its checksum does not match');
  const at = aligned.byteOffset + HEADER_BYTES;
  return {
    times: new Float64Array(aligned.buffer, at, rows),
    values: new Float64Array(aligned.buffer, at + rows * 8, rows),
    seriesIds: new Uint32Array(aligned.buffer, at + rows * 16, rows),
  };
}

function damaged(reason: string): ComityError {
  return new ComityError('internal', `a write-ahead record is damaged: ${reason}`);
}
