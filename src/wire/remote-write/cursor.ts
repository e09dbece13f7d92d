import { ComityError } from '../../base/errors.ts';

/**
 * A place in a protobuf message. Every read takes the end of the message that it is in and throws `bad_data` where it
 * would pass it, with the byte and the series that the cursor is at.
 */
export interface Cursor {
  readonly bytes: Buffer;
  readonly view: DataView;
  at: number;
  /** Index of the series that is being read, -1 outside of them: for messages. */
  series: number;
  /** Halves of the 64-bit number that was read last. */
  low: number;
  high: number;
}

/** Wire types (https://protobuf.dev/programming-guides/encoding/#structure). */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

export function cursorOf(body: Uint8Array): Cursor {
  const { buffer, byteOffset, length } = body;
  return {
    bytes: Buffer.from(buffer, byteOffset, length),
    view: new DataView(buffer, byteOffset, length),
    at: 0,
    series: -1,
    low: 0,
    high: 0,
  };
}

/** A field's tag: its number times eight and its wire type. */
export function readTag(cursor: Cursor, end: number): number {
  const first = cursor.bytes[cursor.at]!;
  if (first < 0x80 && cursor.at < end) {
    cursor.at++;
    return first;
  }
  return readUint32(cursor, end);
}

/** As protobuf has it, a longer number is cut to its low 32 bits. */
export function readUint32(cursor: Cursor, end: number): number {
  const { at, bytes } = cursor;
  const first = bytes[at]!;
  if (first < 0x80 && at < end) {
    cursor.at = at + 1;
    return first;
  }
  const second = bytes[at + 1]!;
  if (second < 0x80 && at + 1 < end) {
    cursor.at = at + 2;
    return (first & 0x7f) | (second << 7);
  }
  readVarint(cursor, end);
  return cursor.low >>> 0;
}

export function readSint32(cursor: Cursor, end: number): number {
  const zigzag = readUint32(cursor, end);
  return (zigzag >>> 1) ^ -(zigzag & 1);
}

/** Exact up to 2^53, then the nearest float. */
export function readUint64(cursor: Cursor, end: number): number {
  readVarint(cursor, end);
  return (cursor.high >>> 0) * 2 ** 32 + (cursor.low >>> 0);
}

/** Exact up to 2^53, then the nearest float. */
export function readInt64(cursor: Cursor, end: number): number {
  readVarint(cursor, end);
  return (cursor.high | 0) * 2 ** 32 + (cursor.low >>> 0);
}

/** Exact up to 2^53, then the nearest float. */
export function readSint64(cursor: Cursor, end: number): number {
  readVarint(cursor, end);
  const { low, high } = cursor;
  const sign = -(low & 1);
  return ((high >>> 1) ^ sign) * 2 ** 32 + ((((low >>> 1) | (high << 31)) ^ sign) >>> 0);
}

export function readDouble(cursor: Cursor, end: number): number {
  const { at } = cursor;
  if (at + 8 > end) throw malformed(cursor, 'a value is cut off');
  cursor.at = at + 8;
  return cursor.view.getFloat64(at, true);
}

/** Reads the length of a field of bytes and returns where they end; they start at the cursor. */
export function readEnd(cursor: Cursor, end: number): number {
  const length = readUint32(cursor, end);
  if (length > end - cursor.at) throw malformed(cursor, `a field of ${length} bytes is cut off`);
  return cursor.at + length;
}

/** Passes by a field whose tag was read. */
export function skipField(cursor: Cursor, tag: number, end: number): void {
  const wireType = tag & 7;
  if (tag >>> 3 === 0) throw malformed(cursor, 'a field has the number 0');
  if (wireType === VARINT) readVarint(cursor, end);
  else if (wireType === BYTES) cursor.at = readEnd(cursor, end);
  else if (wireType === FIXED64) advance(cursor, end, 8);
  else if (wireType === FIXED32) advance(cursor, end, 4);
  // Groups left protobuf long ago.
  else throw malformed(cursor, `field ${tag >>> 3} has wire type ${wireType}`);
}

/** For a known field with a wire type that it cannot have. */
export function wrongWireType(cursor: Cursor, message: string, tag: number): ComityError {
  return malformed(cursor, `field ${tag >>> 3} of ${message} has wire type ${tag & 7}`);
}

export function malformed(cursor: Cursor, reason: string): ComityError {
  const place = cursor.series < 0 ? '' : ` in timeseries[${cursor.series}]`;
  return new ComityError('bad_data', `malformed protobuf at byte ${cursor.at}${place}: ${reason}`);
}

function advance(cursor: Cursor, end: number, bytes: number): void {
  if (bytes > end - cursor.at) throw malformed(cursor, 'a value is cut off');
  cursor.at += bytes;
}

/** Leaves the number in `low` and `high`. */
function readVarint(cursor: Cursor, end: number): void {
  const { bytes } = cursor;
  let { at } = cursor;
  let low = 0;
  let high = 0;
  let byte = 0x80;
  // Past the end of the buffer there is no byte, which reads as 0 with more to follow: the check below sees it.
  for (let shift = 0; shift < 28 && byte >= 0x80; shift += 7) {
    byte = at < end ? bytes[at]! : NO_BYTE;
    low |= (byte & 0x7f) << shift;
    at++;
  }
  if (byte >= 0x80) {
    byte = at < end ? bytes[at]! : NO_BYTE;
    low |= (byte & 0x7f) << 28;
    high = (byte & 0x7f) >>> 4;
    at++;
  }
  for (let shift = 3; shift < 35 && byte >= 0x80; shift += 7) {
    byte = at < end ? bytes[at]! : NO_BYTE;
    high |= (byte & 0x7f) << shift;
    at++;
  }
  if (at > end) throw malformed(cursor, 'a number is cut off');
  if (byte >= 0x80) throw malformed(cursor, 'a number has more than ten bytes');
  cursor.at = at;
  cursor.low = low;
  cursor.high = high;
}

/** Stands for a byte that is not there: nothing, and more to follow. */
const NO_BYTE = 0x80;
