import { damaged, takeBytes, writeBytes, type ByteReader, type ByteWriter } from './bytes.ts';
import { INTEGER_LIMIT, readIntegers, writeIntegers, integersBits } from './integers.ts';
import { scratchColumn, wordsOf } from './scratch.ts';

/**
 * Floats that are no decimals, by their bits: each as the integer that its 64 bits are less that of a prediction, in units of
 * 2^shift. A prediction is the float before, plus a step where the caller knows what is likely to have been added.
 */
export interface Patterns {
  /** Bits that are zero at the end of every float; 0 where there are steps. */
  readonly shift: number;
  /** Rows that stand apart, ascending: too far from their prediction, NaNs and infinities. */
  readonly apart: Int32Array;
  readonly apartCount: number;
  /** The row whose bits are written in full; -1 where all stand apart. */
  readonly first: number;
  /** Of the rows behind `first` that do not stand apart. Good until the next call. */
  readonly differences: Float64Array;
  readonly count: number;
}

const TWO_32 = 2 ** 32;

const differences = scratchColumn();
const apart = new Int32Array(differences.length);
const found = { shift: 0, apart, apartCount: 0, first: -1, differences, count: 0 };

/** Room for one float whose bits are needed. */
const cell = new Float64Array(1);
const cellWords = wordsOf(cell);

/** `steps[i]` is what is likely to lie between row i and the finite float before it. */
export function patternsOf(values: Float64Array, rows: number, steps: Float64Array | undefined): Patterns {
  const words = wordsOf(values);
  found.shift = steps === undefined ? shiftOf(values, words, rows) : 0;
  found.apartCount = 0;
  found.first = -1;
  found.count = 0;
  const unit = 2 ** found.shift;
  let before = -1;
  for (let i = 0; i < rows; i++) {
    const value = values[i]!;
    if (value - value !== 0) {
      apart[found.apartCount++] = i;
      continue;
    }
    if (before === -1) {
      found.first = i;
    } else {
      predict(values, words, before, steps === undefined ? 0 : steps[i]!);
      const difference = differenceOf(words[2 * i + 1]!, words[2 * i]!) / unit;
      if (difference < INTEGER_LIMIT && difference > -INTEGER_LIMIT) differences[found.count++] = difference;
      else apart[found.apartCount++] = i;
    }
    before = i;
  }
  return found;
}

/** About how many bits `writePatterns` and what stands apart take. */
export function patternsBits(patterns: Patterns): number {
  return patterns.apartCount * APART_BITS + integersBits(patterns.differences, patterns.count);
}

const APART_BITS = 80;

function shiftOf(values: Float64Array, words: Uint32Array, rows: number): number {
  let low = 0;
  let high = 0;
  for (let i = 0; i < rows; i++) {
    const value = values[i]!;
    if (value - value !== 0) continue;
    low |= words[2 * i]!;
    high |= words[2 * i + 1]!;
    if ((low & 1) !== 0) return 0;
  }
  if (low !== 0) return 31 - Math.clz32(low & -low);
  return high === 0 ? 0 : 63 - Math.clz32(high & -high);
}

/** Puts the prediction's bits into the cell. */
function predict(values: Float64Array, words: Uint32Array, before: number, step: number): void {
  const prediction = values[before]! + step;
  // The bits of a NaN are not the same on every machine.
  if (step !== 0 && prediction - prediction === 0) {
    cell[0] = prediction;
  } else {
    cellWords[0] = words[2 * before]!;
    cellWords[1] = words[2 * before + 1]!;
  }
}

/** What these bits are above those in the cell, between -2^63 and 2^63; exact where it matters, which is below 2^53 units. */
function differenceOf(high: number, low: number): number {
  return ((high - cellWords[1]!) | 0) * TWO_32 + (low - cellWords[0]!);
}

/** Writes the first row's bits and the differences; not what stands apart. */
export function writePatterns(writer: ByteWriter, values: Float64Array, patterns: Patterns): void {
  if (patterns.first === -1) return;
  writeBytes(writer, new Uint8Array(values.buffer, values.byteOffset + patterns.first * 8, 8));
  writeIntegers(writer, patterns.differences, patterns.count);
}

/**
 * Reads `rows` floats into `target` from `at` on, where those that stand apart are already, as `apartRows` says for each row,
 * and `apartCount` counts.
 */
export function readPatterns(
  reader: ByteReader,
  rows: number,
  shift: number,
  apartRows: Uint8Array | undefined,
  apartCount: number,
  target: Float64Array,
  at: number,
  steps: Float64Array | undefined,
): void {
  if (apartCount === rows) return;
  if (apartCount > rows) throw damaged(`${apartCount} of ${rows} floats stand apart`);
  const firstAt = takeBytes(reader, 8);
  readIntegers(reader, rows - apartCount - 1, differences, 0);
  const unit = 2 ** shift;
  const words = wordsOf(target);
  let next = -1;
  let high = 0;
  let low = 0;
  for (let i = 0; i < rows; i++) {
    const word = 2 * (at + i);
    if (apartRows !== undefined && apartRows[i] === 1) {
      const value = target[at + i]!;
      if (next >= 0 && value - value === 0) {
        low = words[word]!;
        high = words[word + 1]!;
      }
      continue;
    }
    if (next === -1) {
      low = reader.view.getUint32(firstAt, true);
      high = reader.view.getUint32(firstAt + 4, true);
    } else {
      if (steps !== undefined && steps[i] !== 0) {
        cellWords[0] = low;
        cellWords[1] = high;
        const prediction = cell[0]! + steps[i]!;
        if (prediction - prediction === 0) {
          cell[0] = prediction;
          low = cellWords[0]!;
          high = cellWords[1]!;
        }
      }
      const difference = differences[next]! * unit;
      const above = Math.floor(difference / TWO_32);
      low += difference - above * TWO_32;
      if (low >= TWO_32) {
        low -= TWO_32;
        high += 1;
      }
      high = (high + above) >>> 0;
    }
    next++;
    words[word] = low;
    words[word + 1] = high;
  }
}
