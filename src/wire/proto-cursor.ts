import type { ComityError } from '../base/errors.ts';

/**
 * A place in a protobuf message. Every read takes the end of the message that it is in and throws the error that `fail`
 * makes where it would pass it.
 */
export interface ProtoCursor {
  readonly bytes: Buffer;
  /** Over the same bytes. */
  readonly view: DataView;
  /** What the format has to say of a reason that the byte `at` is not what it should be. */
  readonly fail: (at: number, reason: string) => ComityError;
  at: number;
  /** Halves of the 64-bit number that was read last. */
  low: number;
  high: number;
}

/** Wire types (https://protobuf.dev/programming-guides/encoding/#structure). */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const FIXED32 = 5;

export function protoCursor(body: Uint8Array, fail: ProtoCursor['fail']): ProtoCursor {
  const { buffer, byteOffset, length } = body;
  return {
    bytes: Buffer.from(buffer, byteOffset, length),
    view: new DataView(buffer, byteOffset, length),
    fail,
    at: 0,
    low: 0,
    high: 0,
  };
}

/** A field's tag: its number times eight and its wire type. */
export function readTag(cursor: ProtoCursor, end: number): number {
  const first = cursor.bytes[cursor.at]!;
  if (first < 0x80 && first >= 8 && cursor.at < end) {
    cursor.at++;
    return first;
  }
  readVarint(cursor, end);
  if (cursor.high !== 0 || cursor.low >>> 3 === 0) throw malformed(cursor, 'no field has this number');
  return cursor.low >>> 0;
}

/** As protobuf has it, a longer number is cut to its low 32 bits. */
export function readUint32(cursor: ProtoCursor, end: number): number {
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

/** A number whose sign is its last bit. */
export function readSint32(cursor: ProtoCursor, end: number): number {
  return zigZag(readUint32(cursor, end));
}

/** The signed number that a ZigZag-encoded one stands for. */
export function zigZag(value: number): number {
  return (value >>> 1) ^ -(value & 1);
}

/** Exact up to 2^53, then the nearest float. */
export function readUint64(cursor: ProtoCursor, end: number): number {
  readVarint(cursor, end);
  return (cursor.high >>> 0) * 2 ** 32 + (cursor.low >>> 0);
}

/** Exact up to 2^53, then the nearest float. */
export function readInt64(cursor: ProtoCursor, end: number): number {
  readVarint(cursor, end);
  return (cursor.high | 0) * 2 ** 32 + (cursor.low >>> 0);
}

/** A number whose sign is its last bit. Exact up to 2^53, then the nearest float. */
export function readSint64(cursor: ProtoCursor, end: number): number {
  readVarint(cursor, end);
  const { low, high } = cursor;
  const sign = -(low & 1);
  return ((high >>> 1) ^ sign) * 2 ** 32 + ((((low >>> 1) | (high << 31)) ^ sign) >>> 0);
}

export function readDouble(cursor: ProtoCursor, end: number): number {
  const { at } = cursor;
  if (at + 8 > end) throw malformed(cursor, 'a value is cut off');
  cursor.at = at + 8;
  return cursor.view.getFloat64(at, true);
}

/** Reads the length of a field of bytes and returns where they end; they start at the cursor. */
export function readEnd(cursor: ProtoCursor, end: number): number {
  const { at } = cursor;
  const length = readUint32(cursor, end);
  // Only a number of five bytes or more can have been cut.
  const isCut = cursor.at > at + 4 && cursor.high !== 0;
  if (isCut || length > end - cursor.at) {
    throw malformed(cursor, `a field of ${isCut ? '2^32 or more' : length} bytes reaches past its message`);
  }
  return cursor.at + length;
}

/** Passes by a field whose tag was read. */
export function skipField(cursor: ProtoCursor, tag: number, end: number): void {
  const wireType = tag & 7;
  if (wireType === VARINT) readVarint(cursor, end);
  else if (wireType === BYTES) cursor.at = readEnd(cursor, end);
  else if (wireType === FIXED64) advance(cursor, end, 8);
  else if (wireType === FIXED32) advance(cursor, end, 4);
  else if (wireType === START_GROUP) skipGroup(cursor, end);
  else throw malformed(cursor, `field ${tag >>> 3} has wire type ${wireType}, which does not exist or ends nothing`);
}

/** Groups left protobuf long ago, but decoders still pass by them. */
function skipGroup(cursor: ProtoCursor, end: number): void {
  for (let open = 1; open > 0;) {
    const tag = readTag(cursor, end);
    const wireType = tag & 7;
    if (wireType === START_GROUP) open++;
    else if (wireType === END_GROUP) open--;
    else skipField(cursor, tag, end);
  }
}

/** For a known field with a wire type that it cannot have. */
export function wrongWireType(cursor: ProtoCursor, message: string, tag: number): ComityError {
  return malformed(cursor, `field ${tag >>> 3} of ${message} has wire type ${tag & 7}`);
}

/** An error at the cursor. */
export function malformed(cursor: ProtoCursor, reason: string): ComityError {
  return cursor.fail(cursor.at, reason);
}

function advance(cursor: ProtoCursor, end: number, bytes: number): void {
  if (bytes > end - cursor.at) throw malformed(cursor, 'a value is cut off');
  cursor.at += bytes;
}

/** Leaves the number in `low` and `high`. */
function readVarint(cursor: ProtoCursor, end: number): void {
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
