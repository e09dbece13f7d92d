import { ComityError } from '../../base/errors.ts';

/** Bytes that grow, `at` of them written. */
export interface ByteWriter {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  at: number;
}

/** Bytes up to `end`, behind which there are at least `SPARE_BYTES` more that mean nothing. `at` is what is read next. */
export interface ByteReader {
  bytes: Uint8Array<ArrayBuffer>;
  view: DataView<ArrayBuffer>;
  at: number;
  end: number;
}

/** Packed bits are read and written four bytes at a time, so a loop may touch bytes behind the last one that it needs. */
const SPARE_BYTES = 16;

const FIRST_BYTES = 16 * 1024;

export function byteWriter(): ByteWriter {
  const bytes = new Uint8Array(FIRST_BYTES);
  return { bytes, view: new DataView(bytes.buffer), at: 0 };
}

/** Makes room for `count` bytes behind `at`, and spare ones. */
export function claim(writer: ByteWriter, count: number): void {
  const needed = writer.at + count + SPARE_BYTES;
  if (needed <= writer.bytes.length) return;
  const bytes = new Uint8Array(Math.max(needed, writer.bytes.length * 2));
  bytes.set(writer.bytes.subarray(0, writer.at));
  writer.bytes = bytes;
  writer.view = new DataView(bytes.buffer);
}

export function writeByte(writer: ByteWriter, value: number): void {
  claim(writer, 1);
  writer.bytes[writer.at++] = value;
}

const VARINT_BYTES_MAX = 8;

/** An integer from 0 to 2^53 - 1, seven bits a byte, the lowest first; the high bit of a byte says that more follow. */
export function writeVarint(writer: ByteWriter, value: number): void {
  claim(writer, VARINT_BYTES_MAX);
  const { bytes } = writer;
  let { at } = writer;
  let rest = value;
  while (rest >= 2 ** 31) {
    bytes[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  rest |= 0;
  for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128;
  bytes[at++] = rest;
  writer.at = at;
}

/** An integer of a magnitude below 2^52 as a varint: 0, -1, 1, -2, … become 0, 1, 2, 3, …. */
export function writeSigned(writer: ByteWriter, value: number): void {
  writeVarint(writer, value < 0 ? value * -2 - 1 : value * 2);
}

/** Raw bytes of eight-byte numbers. */
export function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  claim(writer, bytes.length);
  writer.bytes.set(bytes, writer.at);
  writer.at += bytes.length;
}

export function byteReader(): ByteReader {
  const bytes = new Uint8Array(FIRST_BYTES);
  return { bytes, view: new DataView(bytes.buffer), at: 0, end: 0 };
}

/**
 * Copies `bytes` into the reader: its memory has the spare bytes, and hot loops see one kind of array only, whatever the
 * caller has.
 */
export function openReader(reader: ByteReader, bytes: Uint8Array, at: number): void {
  if (bytes.length + SPARE_BYTES > reader.bytes.length) {
    reader.bytes = new Uint8Array((bytes.length + SPARE_BYTES) * 2);
    reader.view = new DataView(reader.bytes.buffer);
  }
  reader.bytes.set(bytes);
  reader.at = at;
  reader.end = bytes.length;
}

export function readByte(reader: ByteReader): number {
  if (reader.at >= reader.end) throw damaged('it ends too early');
  return reader.bytes[reader.at++]!;
}

/** What `writeVarint` wrote; at most 2^53 - 1. */
export function readVarint(reader: ByteReader): number {
  const { bytes, end } = reader;
  let { at } = reader;
  let value = 0;
  let scale = 1;
  for (;;) {
    if (at >= end) throw damaged('it ends too early');
    const byte = bytes[at++]!;
    value += (byte & 127) * scale;
    if (byte < 128) break;
    scale *= 128;
    if (scale >= 2 ** 56) throw damaged('an integer is too long');
  }
  if (value > Number.MAX_SAFE_INTEGER) throw damaged('an integer is too large');
  reader.at = at;
  return value;
}

/** A varint that counts something of which there are at most `max`. */
export function readCount(reader: ByteReader, max: number, what: string): number {
  const count = readVarint(reader);
  if (count > max) throw damaged(`it has ${count} ${what}, and ${max} are the most`);
  return count;
}

export function readSigned(reader: ByteReader): number {
  const value = readVarint(reader);
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Where the next `count` bytes begin, which are then read. Throws where the chunk ends before. */
export function takeBytes(reader: ByteReader, count: number): number {
  const { at } = reader;
  if (!(count <= reader.end - at)) throw damaged('it ends too early');
  reader.at = at + count;
  return at;
}

export function damaged(reason: string): ComityError {
  return new ComityError('internal', `a chunk is damaged: ${reason}`);
}
