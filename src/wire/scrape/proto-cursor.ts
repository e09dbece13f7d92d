import { ComityError } from '../../base/errors.ts';

/** A place in a protobuf message, which ends at `end`. Reading past that throws `bad_data`. */
export interface ProtoCursor {
  readonly bytes: Buffer;
  at: number;
  end: number;
  /** The halves of the varint that was read last. */
  low: number;
  high: number;
}

/** Wire types (https://protobuf.dev/programming-guides/encoding/). */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const FIXED32 = 5;

export function protoCursor(bytes: Buffer): ProtoCursor {
  return { bytes, at: 0, end: bytes.length, low: 0, high: 0 };
}

export function protoError(cursor: ProtoCursor, problem: string): ComityError {
  return new ComityError('bad_data', `byte ${cursor.at} of the protobuf exposition: ${problem}`);
}

/** The field number and wire type of the next field, as on the wire: `number << 3 | type`. */
export function readTag(cursor: ProtoCursor): number {
  readVarint(cursor);
  if (cursor.high !== 0 || cursor.low >>> 3 === 0) throw protoError(cursor, 'no field has this number');
  return cursor.low >>> 0;
}

/** An unsigned number of 32 bits, such as a length; larger ones throw. */
export function readUint32(cursor: ProtoCursor): number {
  readVarint(cursor);
  if (cursor.high !== 0) throw protoError(cursor, 'a number is larger than its field allows');
  return cursor.low >>> 0;
}

/** Exact up to 2^53, rounded beyond. */
export function readUint64(cursor: ProtoCursor): number {
  readVarint(cursor);
  return (cursor.high >>> 0) * 2 ** 32 + (cursor.low >>> 0);
}

export function readInt64(cursor: ProtoCursor): number {
  readVarint(cursor);
  return (cursor.high | 0) * 2 ** 32 + (cursor.low >>> 0);
}

/** A number whose sign is its last bit. */
export function readSint64(cursor: ProtoCursor): number {
  readVarint(cursor);
  const sign = -(cursor.low & 1);
  const low = ((cursor.low >>> 1) | (cursor.high << 31)) ^ sign;
  const high = (cursor.high >>> 1) ^ sign;
  return high * 2 ** 32 + (low >>> 0);
}

export function readSint32(cursor: ProtoCursor): number {
  readVarint(cursor);
  return (cursor.low >>> 1) ^ -(cursor.low & 1);
}

/** Any NaN is the plain one: a target cannot send a staleness marker. */
export function readDouble(cursor: ProtoCursor): number {
  const { at } = cursor;
  if (at + 8 > cursor.end) throw protoError(cursor, 'the message ends within a number');
  cursor.at = at + 8;
  const value = cursor.bytes.readDoubleLE(at);
  return value !== value ? NaN : value;
}

/** The end of the length-delimited field at the cursor, which is moved to its start. */
export function readLength(cursor: ProtoCursor): number {
  const length = readUint32(cursor);
  if (length > cursor.end - cursor.at) throw protoError(cursor, `a field of ${length} bytes reaches past its message`);
  return cursor.at + length;
}

export function expectType(cursor: ProtoCursor, tag: number, wireType: number): void {
  if ((tag & 7) !== wireType) throw protoError(cursor, `field ${tag >>> 3} has wire type ${tag & 7}, not ${wireType}`);
}

/** Reads the message at the cursor with `read`, which must not look behind its end. */
export function within(cursor: ProtoCursor, tag: number, read: () => void): void {
  expectType(cursor, tag, BYTES);
  const { end } = cursor;
  cursor.end = readLength(cursor);
  read();
  cursor.end = end;
}

export function doubleField(cursor: ProtoCursor, tag: number): number {
  expectType(cursor, tag, FIXED64);
  return readDouble(cursor);
}

export function uint64Field(cursor: ProtoCursor, tag: number): number {
  expectType(cursor, tag, VARINT);
  return readUint64(cursor);
}

/** Reads the numbers of a repeated field, packed or not. */
export function readRepeated(
  cursor: ProtoCursor,
  tag: number,
  wireType: number,
  read: (cursor: ProtoCursor) => number,
  into: number[],
): void {
  if ((tag & 7) !== BYTES) {
    expectType(cursor, tag, wireType);
    into.push(read(cursor));
    return;
  }
  const end = readLength(cursor);
  while (cursor.at < end) into.push(read(cursor));
  if (cursor.at > end) throw protoError(cursor, 'a number reaches past its field');
}

/** Passes over a field that is not known here. */
export function skipField(cursor: ProtoCursor, tag: number): void {
  let groups = 0;
  for (let wireType = tag & 7; ; wireType = readTag(cursor) & 7) {
    if (wireType === VARINT) readVarint(cursor);
    else if (wireType === FIXED64) cursor.at += 8;
    else if (wireType === BYTES) cursor.at = readLength(cursor);
    else if (wireType === START_GROUP) groups++;
    else if (wireType === END_GROUP && groups > 0) groups--;
    else if (wireType === FIXED32) cursor.at += 4;
    else throw protoError(cursor, `field ${tag >>> 3} has wire type ${wireType}, which does not exist or ends nothing`);
    if (cursor.at > cursor.end) throw protoError(cursor, `field ${tag >>> 3} reaches past its message`);
    if (groups === 0) return;
  }
}

function readVarint(cursor: ProtoCursor): void {
  const { bytes } = cursor;
  let byte = nextByte(cursor, bytes);
  let low = byte & 0x7f;
  let high = 0;
  for (let shift = 7; byte >= 0x80; shift += 7) {
    if (shift > 63) throw protoError(cursor, 'a number of more than ten bytes');
    byte = nextByte(cursor, bytes);
    const bits = byte & 0x7f;
    if (shift < 32) low |= bits << shift;
    if (shift === 28) high = bits >>> 4;
    else if (shift > 28) high |= bits << (shift - 32);
  }
  cursor.low = low;
  cursor.high = high;
}

function nextByte(cursor: ProtoCursor, bytes: Buffer): number {
  if (cursor.at >= cursor.end) throw protoError(cursor, 'the message ends within a number');
  return bytes[cursor.at++]!;
}
