import { bitLength } from './bit-packing.ts';
import { claim, damaged, type ByteReader, type ByteWriter } from './bytes.ts';
import { CHUNK_ROWS_MAX } from './scratch.ts';

/**
 * What the scrapes add to a bucket, where most add nothing: how many rows add nothing before one that does, then how much
 * that adds, and so on until the last row. The number of rows is a Golomb-Rice code: unary in units of 2^parameter, then the
 * rest in `parameter` bits (Golomb, 1966; Rice, 1979). What is added is unary, since mostly it is 1.
 */

/** Bits, the lowest of a byte first, that go on from one column to the next. */
export interface BitWriter {
  readonly writer: ByteWriter;
  pending: number;
  pendingBits: number;
}

/** `bit` counts from the reader's first byte; `end` is where the reader ends. */
export interface BitReader {
  readonly reader: ByteReader;
  bit: number;
  readonly end: number;
}

const PARAMETER_MAX = 13;

/** What is added is up to here as many bits; anything else is these many ones, its length in six bits and its bits. */
const UNARY_MAX = 15;
const LENGTH_BITS = 6;

/** Longer unary codes are damage: no gap is longer than a chunk. */
const ONES_MAX = CHUNK_ROWS_MAX + 1;

/** What a column takes. Reused. */
const plan = { parameter: 0, bits: 0 };

/** The parameter for about the least bits, and how many these are. At least one of the values is not 0. */
export function planSparse(values: Float64Array, count: number): { readonly parameter: number; readonly bits: number } {
  let increases = 0;
  let bits = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (value === 0) continue;
    increases++;
    bits += amountBitsOf(value);
  }
  // The best parameter of a geometric distribution is the logarithm of its median.
  const median = ((count - increases) / (increases + 1)) * Math.LN2;
  plan.parameter = Math.min(PARAMETER_MAX, bitLength(Math.floor(median)));
  bits += (increases + 1) * (plan.parameter + 1);
  let gap = 0;
  for (let i = 0; i < count; i++) {
    if (values[i] === 0) {
      gap++;
    } else {
      bits += gap >>> plan.parameter;
      gap = 0;
    }
  }
  plan.bits = bits + (gap >>> plan.parameter);
  return plan;
}

function amountBitsOf(value: number): number {
  if (value > 0 && value <= UNARY_MAX) return value;
  return UNARY_MAX + LENGTH_BITS + bitLength(folded(value));
}

/** A number other than 0 as one that is at least 0. */
function folded(value: number): number {
  return value < 0 ? value * -2 - 1 : value * 2;
}

export function writeSparse(bits: BitWriter, values: Float64Array, count: number, parameter: number): void {
  let gap = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i]!;
    if (value === 0) {
      gap++;
      continue;
    }
    writeGap(bits, gap, parameter);
    writeAmount(bits, value);
    gap = 0;
  }
  writeGap(bits, gap, parameter);
}

function writeGap(bits: BitWriter, gap: number, parameter: number): void {
  writeOnes(bits, gap >>> parameter);
  writeBits(bits, 0, 1);
  writeBits(bits, gap & ((1 << parameter) - 1), parameter);
}

function writeAmount(bits: BitWriter, value: number): void {
  if (value > 0 && value <= UNARY_MAX) {
    writeOnes(bits, value - 1);
    writeBits(bits, 0, 1);
    return;
  }
  writeOnes(bits, UNARY_MAX);
  const number = folded(value);
  const length = bitLength(number);
  writeBits(bits, length, LENGTH_BITS);
  let rest = number;
  for (let left = length; left > 0; left -= 8) {
    writeBits(bits, rest % 256, Math.min(left, 8));
    rest = Math.floor(rest / 256);
  }
}

function writeOnes(bits: BitWriter, count: number): void {
  for (let left = count; left > 0; left -= 16) {
    const ones = Math.min(left, 16);
    writeBits(bits, (1 << ones) - 1, ones);
  }
}

/** At most 16 bits. */
function writeBits(bits: BitWriter, value: number, count: number): void {
  const { writer } = bits;
  claim(writer, 4);
  bits.pending |= value << bits.pendingBits;
  bits.pendingBits += count;
  while (bits.pendingBits >= 8) {
    writer.bytes[writer.at++] = bits.pending;
    bits.pending >>>= 8;
    bits.pendingBits -= 8;
  }
}

/** Fills up the last byte. */
export function finishBits(bits: BitWriter): void {
  if (bits.pendingBits > 0) {
    claim(bits.writer, 1);
    bits.writer.bytes[bits.writer.at++] = bits.pending;
  }
  bits.pending = 0;
  bits.pendingBits = 0;
}

/** Bits that one load of four bytes gives wherever within a byte it begins. */
const WINDOW_BITS = 25;

/** Reads `count` numbers into `target` from 0 on. */
export function readSparse(bits: BitReader, target: Float64Array, count: number, parameter: number): void {
  target.fill(0, 0, count);
  const { view } = bits.reader;
  const mask = (1 << parameter) - 1;
  for (let row = 0; ; row++) {
    // Nearly always a gap and what is added behind it are short enough for one load.
    const { bit } = bits;
    if (bit > bits.end) throw damaged('it ends too early');
    const window = view.getUint32(bit >>> 3, true) >>> (bit & 7);
    const ones = onesOf(window);
    const gapBits = ones + 1 + parameter;
    const amountOnes = gapBits < WINDOW_BITS ? onesOf(window >>> gapBits) : WINDOW_BITS;
    const isShort = gapBits + amountOnes < WINDOW_BITS && amountOnes < UNARY_MAX;
    row += isShort ? ones * (1 << parameter) + ((window >>> (ones + 1)) & mask) : readGap(bits, parameter);
    if (row >= count) {
      if (row > count) throw damaged(`a bucket has an increase in row ${row} of ${count}`);
      if (isShort) bits.bit = bit + gapBits;
      return;
    }
    if (isShort) {
      bits.bit = bit + gapBits + amountOnes + 1;
      target[row] = amountOnes + 1;
    } else {
      target[row] = readAmount(bits);
    }
  }
}

/** How many of the lowest bits are ones. */
function onesOf(window: number): number {
  const zeros = ~window;
  return zeros === 0 ? 32 : 31 - Math.clz32(zeros & -zeros);
}

function readGap(bits: BitReader, parameter: number): number {
  const units = readOnes(bits, ONES_MAX);
  bits.bit++;
  return units * (1 << parameter) + readBits(bits, parameter);
}

function readAmount(bits: BitReader): number {
  const ones = readOnes(bits, UNARY_MAX);
  if (ones < UNARY_MAX) {
    bits.bit++;
    return ones + 1;
  }
  const length = readBits(bits, LENGTH_BITS);
  let number = 0;
  let scale = 1;
  for (let left = length; left > 0; left -= 8) {
    number += readBits(bits, Math.min(left, 8)) * scale;
    scale *= 256;
  }
  if (number > Number.MAX_SAFE_INTEGER) throw damaged('an increase is too large');
  return number % 2 === 0 ? number / 2 : -(number + 1) / 2;
}

/** How many ones come next, `max` at most. The zero behind them is not passed over. */
function readOnes(bits: BitReader, max: number): number {
  let ones = 0;
  for (;;) {
    if (bits.bit > bits.end) throw damaged('it ends too early');
    const { bit } = bits;
    const window = bits.reader.view.getUint32(bit >>> 3, true) >>> (bit & 7);
    const here = Math.min(onesOf(window), WINDOW_BITS, max - ones);
    ones += here;
    bits.bit += here;
    if (here < WINDOW_BITS || ones === max) return ones;
  }
}

/** At most 16 bits. */
function readBits(bits: BitReader, count: number): number {
  const { bit } = bits;
  if (bit + count > bits.end) throw damaged('it ends too early');
  bits.bit = bit + count;
  return (bits.reader.view.getUint32(bit >>> 3, true) >>> (bit & 7)) & ((1 << count) - 1);
}
