import { claim, takeBytes, type ByteReader, type ByteWriter } from './bytes.ts';

/** Wider integers are not packed: two loads of four bytes hold no more at every place within a byte. */
export const PACKED_BITS_MAX = 49;

/** How many bits of an integer one load of four bytes gives wherever within a byte it begins. */
const LOAD_BITS = 25;
export const SUMMED_BITS_MAX = LOAD_BITS;

/** Wider integers are packed and unpacked in two parts, of which this is the lower one's width. */
const LOW_BITS = 24;
const LOW_SIZE = 2 ** LOW_BITS;

/** How many bits an integer from 0 to 2^53 has. */
export function bitLength(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 64 - Math.clz32(value / 2 ** 32);
}

function packedBytes(count: number, width: number): number {
  return Math.ceil((count * width) / 8);
}

/**
 * Writes `values[from, to)` less `base` at `width` bits each, the lowest bit first, filled up to whole bytes. What does not
 * fit is written as 0.
 */
export function packBits(
  writer: ByteWriter,
  values: Float64Array,
  from: number,
  to: number,
  base: number,
  width: number,
): void {
  if (width === 0) return;
  claim(writer, packedBytes(to - from, width));
  const { bytes } = writer;
  let { at } = writer;
  const size = 2 ** width;
  let pending = 0;
  let pendingBits = 0;
  if (width <= LOW_BITS) {
    for (let i = from; i < to; i++) {
      let value = values[i]! - base;
      if (!(value >= 0 && value < size)) value = 0;
      pending |= value << pendingBits;
      pendingBits += width;
      while (pendingBits >= 8) {
        bytes[at++] = pending;
        pending >>>= 8;
        pendingBits -= 8;
      }
    }
  } else {
    for (let i = from; i < to; i++) {
      let value = values[i]! - base;
      if (!(value >= 0 && value < size)) value = 0;
      const high = Math.floor(value / LOW_SIZE);
      // At most seven bits are pending before either part.
      pending |= (value - high * LOW_SIZE) << pendingBits;
      for (let bits = LOW_BITS; bits > 0; bits -= 8) {
        bytes[at++] = pending;
        pending >>>= 8;
      }
      pending |= high << pendingBits;
      pendingBits += width - LOW_BITS;
      while (pendingBits >= 8) {
        bytes[at++] = pending;
        pending >>>= 8;
        pendingBits -= 8;
      }
    }
  }
  if (pendingBits > 0) bytes[at++] = pending;
  writer.at = at;
}

/*
 * Eight integers of `width` bits take `width` bytes, so in groups of eight each has its place and its shift once and for all.
 * That is a third faster than finding them for each integer, and these loops are most of what reading a chunk takes.
 */

/** Reads `count` integers of `width` bits, at most `PACKED_BITS_MAX`, into `target` from `at` on and adds `base` to each. */
export function unpackBits(
  reader: ByteReader,
  count: number,
  width: number,
  base: number,
  target: Float64Array,
  at: number,
): void {
  if (width === 0) {
    target.fill(base, at, at + count);
    return;
  }
  if (width > LOAD_BITS) {
    unpackWide(reader, count, width, base, target, at);
    return;
  }
  let byte = takeBytes(reader, packedBytes(count, width));
  const { view } = reader;
  const mask = 2 ** width - 1;
  const end = at + count;
  const at1 = width >>> 3;
  const at2 = width >>> 2;
  const at3 = (3 * width) >>> 3;
  const at4 = width >>> 1;
  const at5 = (5 * width) >>> 3;
  const at6 = (3 * width) >>> 2;
  const at7 = (7 * width) >>> 3;
  const by1 = width & 7;
  const by2 = (2 * width) & 7;
  const by3 = (3 * width) & 7;
  const by4 = (4 * width) & 7;
  const by5 = (5 * width) & 7;
  const by6 = (6 * width) & 7;
  const by7 = (7 * width) & 7;
  let i = at;
  for (; i + 8 <= end; i += 8) {
    target[i] = (view.getUint32(byte, true) & mask) + base;
    target[i + 1] = ((view.getUint32(byte + at1, true) >>> by1) & mask) + base;
    target[i + 2] = ((view.getUint32(byte + at2, true) >>> by2) & mask) + base;
    target[i + 3] = ((view.getUint32(byte + at3, true) >>> by3) & mask) + base;
    target[i + 4] = ((view.getUint32(byte + at4, true) >>> by4) & mask) + base;
    target[i + 5] = ((view.getUint32(byte + at5, true) >>> by5) & mask) + base;
    target[i + 6] = ((view.getUint32(byte + at6, true) >>> by6) & mask) + base;
    target[i + 7] = ((view.getUint32(byte + at7, true) >>> by7) & mask) + base;
    byte += width;
  }
  for (let bit = byte * 8; i < end; i++, bit += width) {
    target[i] = ((view.getUint32(bit >>> 3, true) >>> (bit & 7)) & mask) + base;
  }
}

function unpackWide(
  reader: ByteReader,
  count: number,
  width: number,
  base: number,
  target: Float64Array,
  at: number,
): void {
  let bit = takeBytes(reader, packedBytes(count, width)) * 8;
  const { view } = reader;
  const mask = 2 ** (width - LOW_BITS) - 1;
  for (let i = at; i < at + count; i++) {
    const byte = bit >>> 3;
    const shift = bit & 7;
    const low = (view.getUint32(byte, true) >>> shift) & (LOW_SIZE - 1);
    target[i] = ((view.getUint32(byte + 3, true) >>> shift) & mask) * LOW_SIZE + low + base;
    bit += width;
  }
}

/**
 * The same, but row i becomes the sum of the integers up to it and of `sum`, divided by `power`, for widths from 1 to
 * `SUMMED_BITS_MAX`. Returns the last sum.
 */
export function unpackSums(
  reader: ByteReader,
  count: number,
  width: number,
  base: number,
  target: Float64Array,
  at: number,
  sum: number,
  power: number,
): number {
  let byte = takeBytes(reader, packedBytes(count, width));
  const { view } = reader;
  const mask = 2 ** width - 1;
  const end = at + count;
  const at1 = width >>> 3;
  const at2 = width >>> 2;
  const at3 = (3 * width) >>> 3;
  const at4 = width >>> 1;
  const at5 = (5 * width) >>> 3;
  const at6 = (3 * width) >>> 2;
  const at7 = (7 * width) >>> 3;
  const by1 = width & 7;
  const by2 = (2 * width) & 7;
  const by3 = (3 * width) & 7;
  const by4 = (4 * width) & 7;
  const by5 = (5 * width) & 7;
  const by6 = (6 * width) & 7;
  const by7 = (7 * width) & 7;
  let i = at;
  for (; i + 8 <= end; i += 8) {
    const sum0 = sum + ((view.getUint32(byte, true) & mask) + base);
    const sum1 = sum0 + (((view.getUint32(byte + at1, true) >>> by1) & mask) + base);
    const sum2 = sum1 + (((view.getUint32(byte + at2, true) >>> by2) & mask) + base);
    const sum3 = sum2 + (((view.getUint32(byte + at3, true) >>> by3) & mask) + base);
    const sum4 = sum3 + (((view.getUint32(byte + at4, true) >>> by4) & mask) + base);
    const sum5 = sum4 + (((view.getUint32(byte + at5, true) >>> by5) & mask) + base);
    const sum6 = sum5 + (((view.getUint32(byte + at6, true) >>> by6) & mask) + base);
    sum = sum6 + (((view.getUint32(byte + at7, true) >>> by7) & mask) + base);
    target[i] = sum0 / power;
    target[i + 1] = sum1 / power;
    target[i + 2] = sum2 / power;
    target[i + 3] = sum3 / power;
    target[i + 4] = sum4 / power;
    target[i + 5] = sum5 / power;
    target[i + 6] = sum6 / power;
    target[i + 7] = sum / power;
    byte += width;
  }
  for (let bit = byte * 8; i < end; i++, bit += width) {
    sum += ((view.getUint32(bit >>> 3, true) >>> (bit & 7)) & mask) + base;
    target[i] = sum / power;
  }
  return sum;
}
