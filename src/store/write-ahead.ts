import { readFrame, writeFrame, type Framed } from './framed.ts';

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

const RECORD: Framed = { name: 'write-ahead record', version: 1, headerBytes: 16, rowBytes: 20 };

/** The bytes of one write-ahead record. Values keep their bits. */
export function encodeRecord(record: RecordColumns): Uint8Array {
  return writeFrame(RECORD, record.times.length, ({ view, rows, at }) => {
    new Float64Array(view.buffer, at, rows).set(record.times);
    new Float64Array(view.buffer, at + rows * 8, rows).set(record.values);
    new Uint32Array(view.buffer, at + rows * 16, rows).set(record.seriesIds);
  });
}

/** Reads a record; the columns are views into `bytes` where its alignment allows. Throws `internal` when it is damaged. */
export function decodeRecord(bytes: Uint8Array): RecordColumns {
  const { view, rows, at } = readFrame(RECORD, bytes);
  return {
    times: new Float64Array(view.buffer, at, rows),
    values: new Float64Array(view.buffer, at + rows * 8, rows),
    seriesIds: new Uint32Array(view.buffer, at + rows * 16, rows),
  };
}
