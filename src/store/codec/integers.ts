import { PACKED_BITS_MAX, packBits, SUMMED_BITS_MAX, unpackBits, unpackSums } from './bit-packing.ts';
import { planBlock } from './block-plan.ts';
import {
  claim,
  damaged,
  readByte,
  readSigned,
  writeByte,
  writeSigned,
  type ByteReader,
  type ByteWriter,
} from './bytes.ts';

/**
 * Columns of integers, cut into blocks. The integers of a block are packed at one width as what they are above a base;
 * those that would make it wider stand apart as exceptions ("patched frame of reference", Zukowski et al., ICDE 2006).
 */

/** Integers in a column lie between this and its negative, both excluded: twice as much is still exact. */
export const INTEGER_LIMIT = 2 ** 52;

/** Few enough for a place within a block to be a byte. */
const BLOCK_ROWS_MAX = 256;

/** The first byte of a block: the width, and whether there are a base (0 otherwise) and exceptions. */
const WIDTH_MASK = 63;
const HAS_EXCEPTIONS = 64;
const HAS_BASE = 128;

/** Rows of a block, the last one being shorter where it does not work out evenly. */
function blockRows(count: number): number {
  return Math.ceil(count / Math.ceil(count / BLOCK_ROWS_MAX));
}

/** About how many bits `writeIntegers` takes. */
export function integersBits(values: Float64Array, count: number): number {
  let bits = 0;
  const rows = blockRows(count);
  for (let from = 0; from < count; from += rows) bits += planBlock(values, from, Math.min(count, from + rows)).bits;
  return bits;
}

/** Writes `values[0, count)`. How many there are is not written. */
export function writeIntegers(writer: ByteWriter, values: Float64Array, count: number): void {
  const rows = blockRows(count);
  for (let from = 0; from < count; from += rows) writeBlock(writer, values, from, Math.min(count, from + rows));
}

function writeBlock(writer: ByteWriter, values: Float64Array, from: number, to: number): void {
  const { base, width, exceptions } = planBlock(values, from, to);
  writeByte(writer, width | (exceptions ? HAS_EXCEPTIONS : 0) | (base === 0 ? 0 : HAS_BASE));
  if (base !== 0) writeSigned(writer, base);
  if (exceptions) writeExceptions(writer, values, from, to, base, 2 ** width);
  packBits(writer, values, from, to, base, width);
}

function writeExceptions(
  writer: ByteWriter,
  values: Float64Array,
  from: number,
  to: number,
  base: number,
  size: number,
): void {
  claim(writer, 1);
  const countAt = writer.at++;
  let count = 0;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    if (value >= base && value - base < size) continue;
    count++;
    writeByte(writer, i - from);
    writeSigned(writer, value);
  }
  writer.bytes[countAt] = count;
}

/** The exceptions of the block that is being read. */
const exceptionAt = new Int32Array(BLOCK_ROWS_MAX);
const exceptionValue = new Float64Array(BLOCK_ROWS_MAX);

/** Reads `count` integers into `target` from `at` on. */
export function readIntegers(reader: ByteReader, count: number, target: Float64Array, at: number): void {
  const rows = blockRows(count);
  for (let from = 0; from < count; from += rows) {
    readBlock(reader, Math.min(rows, count - from), target, at + from);
  }
}

function readBlock(reader: ByteReader, rows: number, target: Float64Array, at: number): void {
  const block = readHeader(reader, rows);
  unpackBits(reader, rows, block.width, block.base, target, at);
  for (let i = 0; i < block.exceptions; i++) target[at + exceptionAt[i]!] = exceptionValue[i]!;
}

/**
 * Reads `count` integers as what they and `sum` add up to row by row, times `size`, divided by `power`, into `target` from
 * `at` on.
 */
export function readSums(
  reader: ByteReader,
  count: number,
  target: Float64Array,
  at: number,
  sum: number,
  size: number,
  power: number,
): void {
  const rows = blockRows(count);
  for (let from = 0; from < count; from += rows) {
    const blockLength = Math.min(rows, count - from);
    const { width, base, exceptions } = readHeader(reader, blockLength);
    const start = at + from;
    if (exceptions === 0 && size === 1 && width > 0 && width <= SUMMED_BITS_MAX) {
      sum = unpackSums(reader, blockLength, width, base, target, start, sum, power);
      continue;
    }
    unpackBits(reader, blockLength, width, base, target, start);
    for (let i = 0; i < exceptions; i++) target[start + exceptionAt[i]!] = exceptionValue[i]!;
    sum = addUp(target, start, start + blockLength, sum, size, power);
  }
}

function addUp(target: Float64Array, from: number, to: number, sum: number, size: number, power: number): number {
  if (size === 1 && power === 1) {
    for (let i = from; i < to; i++) target[i] = sum += target[i]!;
    return sum;
  }
  for (let i = from; i < to; i++) {
    sum += target[i]!;
    target[i] = (sum * size) / power;
  }
  return sum;
}

/** The header of the block that is being read. Reused. */
const header = { width: 0, base: 0, exceptions: 0 };

function readHeader(reader: ByteReader, rows: number): { width: number; base: number; exceptions: number } {
  const first = readByte(reader);
  header.width = first & WIDTH_MASK;
  if (header.width > PACKED_BITS_MAX) throw damaged(`integers of ${header.width} bits are too wide`);
  header.base = (first & HAS_BASE) === 0 ? 0 : readSigned(reader);
  header.exceptions = (first & HAS_EXCEPTIONS) === 0 ? 0 : readExceptions(reader, rows);
  return header;
}

function readExceptions(reader: ByteReader, rows: number): number {
  const count = readByte(reader);
  for (let i = 0; i < count; i++) {
    const place = readByte(reader);
    if (place >= rows) throw damaged(`an exception is in row ${place} of ${rows}`);
    exceptionAt[i] = place;
    exceptionValue[i] = readSigned(reader);
  }
  return count;
}
