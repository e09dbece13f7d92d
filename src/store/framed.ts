import { crc32 } from 'node:zlib';
import { ComityError } from '../base/errors.ts';

/** A kind of stored bytes: a header, then `rowBytes` for each row. See docs/formats.md. */
export interface Framed {
  /** What it is called in errors. */
  readonly name: string;
  readonly version: number;
  readonly headerBytes: number;
  readonly rowBytes: number;
}

/** The bytes of a frame, or of what was read of one. */
export interface Frame {
  readonly view: DataView<ArrayBuffer>;
  readonly rows: number;
  /** Where the rows begin in the view's buffer: a multiple of eight. */
  readonly at: number;
}

const CRC_AT = 4;
const CRC_FROM = 8;
const ROWS_AT = 8;

/** Makes a frame of this many rows that `fill` writes. */
export function writeFrame(kind: Framed, rows: number, fill: (frame: Frame) => void): Uint8Array {
  const bytes = new Uint8Array(kind.headerBytes + rows * kind.rowBytes);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind.version);
  view.setUint32(ROWS_AT, rows, true);
  fill({ view, rows, at: kind.headerBytes });
  view.setUint32(CRC_AT, crc32(bytes.subarray(CRC_FROM)), true);
  return bytes;
}

/** Checks a frame; it is a view into `bytes` where their alignment allows. Throws `internal` when it is damaged. */
export function readFrame(kind: Framed, bytes: Uint8Array): Frame {
  const damaged = (reason: string): ComityError => new ComityError('internal', `a ${kind.name} is damaged: ${reason}`);
  if (bytes.length < kind.headerBytes) throw damaged(`${bytes.length} bytes are too few for its header`);
  const aligned = (bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)) as Uint8Array<ArrayBuffer>;
  const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.length);
  const version = view.getUint8(0);
  if (version !== kind.version) throw damaged(`version ${version} is unknown`);
  const rows = view.getUint32(ROWS_AT, true);
  if (aligned.length !== kind.headerBytes + rows * kind.rowBytes)
    throw damaged(`${aligned.length} bytes do not hold ${rows} rows`);
  if (view.getUint32(CRC_AT, true) !== crc32(aligned.subarray(CRC_FROM))) throw damaged('its checksum does not match');
  return { view, rows, at: aligned.byteOffset + kind.headerBytes };
}
