import { ComityError } from '../../base/errors.ts';
import {
  BYTES,
  FIXED64,
  malformed,
  protoCursor,
  readDouble,
  readEnd,
  readInt64,
  readUint64,
  VARINT,
  type ProtoCursor,
} from '../proto-cursor.ts';

/** A cursor whose errors name the byte of the exposition. */
export function expositionCursor(bytes: Uint8Array): ProtoCursor {
  return protoCursor(bytes, (at, problem) => {
    return new ComityError('bad_data', `byte ${at} of the protobuf exposition: ${problem}`);
  });
}

/** The end of a field of bytes, text or a message, whose tag was read; it starts at the cursor. */
export function bytesField(cursor: ProtoCursor, end: number, tag: number): number {
  expectType(cursor, tag, BYTES);
  return readEnd(cursor, end);
}

/** Any NaN is the plain one: a target cannot send a staleness marker. */
export function doubleField(cursor: ProtoCursor, end: number, tag: number): number {
  expectType(cursor, tag, FIXED64);
  const value = readDouble(cursor, end);
  return value === value ? value : NaN;
}

export function uint64Field(cursor: ProtoCursor, end: number, tag: number): number {
  expectType(cursor, tag, VARINT);
  return readUint64(cursor, end);
}

export function int64Field(cursor: ProtoCursor, end: number, tag: number): number {
  expectType(cursor, tag, VARINT);
  return readInt64(cursor, end);
}

/** Throws `bad_data` for a field with a wire type that it cannot have. */
export function expectType(cursor: ProtoCursor, tag: number, wireType: number): void {
  if ((tag & 7) !== wireType) {
    throw malformed(cursor, `field ${tag >>> 3} has wire type ${tag & 7}, not ${wireType}`);
  }
}
