import { ComityError } from '../../base/errors.ts';

/*
 * Blocks of numbers as proto/federation.proto has them. Every reader is told how many numbers there must be and throws
 * `bad_data` for a block that has more, or fewer, or one that is none; nothing is allocated for what is not there.
 */

/** How many numbers of 64 bits and rows an answer may still take in memory, over all its fragments. */
export interface DecodeBudget {
  rows: number;
  cells: number;
}

export function spendCells(budget: DecodeBudget, cells: number): void {
  budget.cells -= cells;
  if (!(budget.cells >= 0)) throw broken('too many cells');
}

export function broken(what: string): ComityError {
  return new ComityError('bad_data', `malformed Columns: ${what}`);
}

/** Each byte of the masks is 0 or 1. */
export function packBits(masks: readonly Uint8Array[]): Uint8Array {
  const total = masks.reduce((bits, mask) => bits + mask.length, 0);
  const bytes = new Uint8Array(Math.ceil(total / 8));
  let at = 0;
  let byte = 0;
  let bits = 0;
  for (const mask of masks) {
    for (let i = 0; i < mask.length; i++) {
      byte |= mask[i]! << bits;
      if (++bits < 8) continue;
      bytes[at++] = byte;
      byte = 0;
      bits = 0;
    }
  }
  if (bits > 0) bytes[at] = byte;
  return bytes;
}

export function countOnes(mask: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < mask.length; i++) count += mask[i]!;
  return count;
}

/** Throws unless the block has this many bits, with nothing after them. */
export function assertBits(block: Uint8Array, count: number, what: string): void {
  const spare = count & 7;
  if (block.length !== Math.ceil(count / 8) || (spare !== 0 && block.at(-1)! >> spare !== 0)) throw broken(what);
}

export function bitAt(block: Uint8Array, bit: number): number {
  return (block[bit >> 3]! >> (bit & 7)) & 1;
}

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Little-endian; where this machine is too, a view of the values. */
export function packFloats(values: Float64Array): Uint8Array {
  if (IS_LITTLE_ENDIAN) return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bytes = new Uint8Array(values.length * 8);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat64(i * 8, values[i]!, true);
  return bytes;
}

/** As `packFloats`, and empty where all are +0. */
export function packUnlessZero(values: Float64Array): Uint8Array {
  return values.every((value) => Object.is(value, 0)) ? new Uint8Array(0) : packFloats(values);
}

/** All floats of a block. */
export function readFloats(block: Uint8Array, what: string): Float64Array {
  if (block.length % 8 !== 0) throw broken(what);
  const values = new Float64Array(block.length / 8);
  if (IS_LITTLE_ENDIAN) {
    new Uint8Array(values.buffer).set(block);
    return values;
  }
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  for (let i = 0; i < values.length; i++) values[i] = view.getFloat64(i * 8, true);
  return values;
}

/** The floats of a block of `count`, which may be empty for zeros; whoever calls has spent them. */
export function readUnlessZero(block: Uint8Array, count: number, what: string): Float64Array {
  if (block.length === 0) return new Float64Array(count);
  if (block.length !== count * 8) throw broken(what);
  return readFloats(block, what);
}

/** Reads the floats of a block that may be empty for zeros, some at a time. */
export interface FloatReader {
  /** Writes the next `count` to `into` from `at` on. */
  read(into: Float64Array, at: number, count: number): void;
  /** Throws unless all were read. */
  end(): void;
}

export function floatReader(block: Uint8Array, what: string): FloatReader {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  let used = 0;
  return {
    read(into, at, count) {
      if (block.length === 0) return;
      if (used + count * 8 > block.length) throw broken(what);
      for (let i = 0; i < count; i++, used += 8) into[at + i] = view.getFloat64(used, true);
    },
    end() {
      if (used !== block.length) throw broken(what);
    },
  };
}

/** Whole numbers from 0 to 2^53. */
export interface VarintWriter {
  push(value: number): void;
  bytes(): Uint8Array;
}

export function varintWriter(): VarintWriter {
  let bytes = new Uint8Array(64);
  let used = 0;
  return {
    push(value) {
      if (used + VARINT_BYTES > bytes.length) {
        const more = new Uint8Array(bytes.length * 2);
        more.set(bytes);
        bytes = more;
      }
      let rest = value;
      for (; rest > 127; rest = Math.floor(rest / 128)) bytes[used++] = (rest % 128) | 128;
      bytes[used++] = rest;
    },
    bytes: () => bytes.slice(0, used),
  };
}

/** Reads varints one after the other. */
export interface VarintReader {
  /** The next one, which must be from `least` to `most`. */
  next(least: number, most: number): number;
  /** Throws unless all were read. */
  end(): void;
}

export function varintReader(block: Uint8Array, what: string): VarintReader {
  let at = 0;
  return {
    next(least, most) {
      let value = 0;
      let scale = 1;
      for (let length = 1; ; length++) {
        // Of the ways to write a number only the shortest is one.
        const byte = block[at++];
        if (byte === undefined || length > VARINT_BYTES || (byte === 0 && length > 1)) throw broken(what);
        value += (byte & 127) * scale;
        if (byte < 128) break;
        scale *= 128;
      }
      if (value < least || value > most) throw broken(what);
      return value;
    },
    end() {
      if (at !== block.length) throw broken(what);
    },
  };
}

/** How many varints there are in a block, if it is one. */
export function countVarints(block: Uint8Array): number {
  let count = 0;
  for (const byte of block) if (byte < 128) count++;
  return count;
}

/** Whole numbers of 32 bits with a sign as such without. */
export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** A number of 53 bits takes eight. */
const VARINT_BYTES = 8;
