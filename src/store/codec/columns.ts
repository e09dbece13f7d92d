import { makeRoomForApart, placeApart, readApart, writeApart, type Apart } from './apart.ts';
import { bitLength } from './bit-packing.ts';
import { damaged, readByte, readSigned, writeByte, writeSigned, type ByteReader, type ByteWriter } from './bytes.ts';
import { decimalsOf, isDecimal, readDifferences, readLevels, type Decimals } from './decimals.ts';
import { integersBits, writeIntegers } from './integers.ts';
import { patternsBits, patternsOf, readPatterns, writePatterns, type Patterns } from './patterns.ts';
import { CHUNK_ROWS_MAX } from './scratch.ts';

/** The first byte of a column: exponent, kind, whether floats stand apart, whether a byte with a shift follows. */
const EXPONENT_MASK = 15;
export const KIND_MASK = 0x30;
const LEVELS = 0x00;
const DIFFERENCES = 0x10;
/** Of times only. */
export const GRID = 0x20;
const PATTERNS = 0x30;
export const HAS_APART = 0x40;
const HAS_SHIFT = 0x80;

const SHIFT_MAX = 63;

const apartRows = new Int32Array(CHUNK_ROWS_MAX);

/** Writes `values[0, count)`, every bit of them. Nothing where there are none. */
export function writeColumn(writer: ByteWriter, values: Float64Array, count: number): void {
  if (count === 0) return;
  const decimals = decimalsOf(values, count);
  if (decimals.exponent === -1) writePatternColumn(writer, values, patternsOf(values, count, undefined));
  else writeDecimalColumn(writer, values, count, decimals);
}

/**
 * The same where `steps[i]` is what is likely to lie between float i and the one before it. Returns whether they were of use;
 * if so, reading needs them.
 */
export function writeSteppedColumn(
  writer: ByteWriter,
  values: Float64Array,
  count: number,
  steps: Float64Array,
): boolean {
  if (decimalsOf(values, count).exponent === -1) {
    const plain = patternsBits(patternsOf(values, count, undefined));
    const stepped = patternsOf(values, count, steps);
    if (patternsBits(stepped) < plain) {
      writePatternColumn(writer, values, stepped);
      return true;
    }
  }
  writeColumn(writer, values, count);
  return false;
}

function writeDecimalColumn(writer: ByteWriter, values: Float64Array, rows: number, decimals: Decimals): void {
  const { count, exponent, shift, integers, differences } = decimals;
  const kind = levelsAreLess(decimals) ? LEVELS : DIFFERENCES;
  const apart = count < rows;
  writeByte(writer, exponent | kind | (apart ? HAS_APART : 0) | (shift === 0 ? 0 : HAS_SHIFT));
  if (shift !== 0) writeByte(writer, shift);
  if (apart) {
    let apartCount = 0;
    for (let i = 0; i < rows; i++) if (!isDecimal(values[i]!, exponent)) apartRows[apartCount++] = i;
    writeApart(writer, values, apartRows, apartCount);
  }
  if (count === 0) return;
  if (kind === LEVELS) {
    writeIntegers(writer, integers, count);
  } else {
    writeSigned(writer, integers[0]!);
    writeIntegers(writer, differences, count - 1);
  }
}

/** Whether the integers themselves take fewer bits than their differences: those of noise and of flags do. */
function levelsAreLess({ count, integers, differences, range, differenceRange }: Decimals): boolean {
  if (count < 2 || bitLength(range) >= bitLength(differenceRange)) return false;
  return integersBits(integers, count) < integersBits(differences, count - 1);
}

function writePatternColumn(writer: ByteWriter, values: Float64Array, patterns: Patterns): void {
  const { shift, apart, apartCount } = patterns;
  writeByte(writer, PATTERNS | (apartCount > 0 ? HAS_APART : 0) | (shift === 0 ? 0 : HAS_SHIFT));
  if (shift !== 0) writeByte(writer, shift);
  if (apartCount > 0) writeApart(writer, values, apart, apartCount);
  writePatterns(writer, values, patterns);
}

/** Reads `count` floats into `target` from `at` on; with `steps` where `writeSteppedColumn` made use of them. */
export function readColumn(
  reader: ByteReader,
  count: number,
  target: Float64Array,
  at: number,
  steps?: Float64Array,
): void {
  if (count === 0) return;
  const header = readByte(reader);
  const shift = (header & HAS_SHIFT) === 0 ? 0 : readByte(reader);
  if (shift > SHIFT_MAX) throw damaged(`a column is shifted by ${shift} bits`);
  const apart = (header & HAS_APART) === 0 ? undefined : readApart(reader, count);
  const kind = header & KIND_MASK;
  if (kind === PATTERNS) {
    readPatternColumn(reader, count, shift, apart, target, at, steps);
    return;
  }
  if (kind === GRID) throw damaged('a column of other numbers is a grid of times');
  const rows = apart === undefined ? count : count - apart.count;
  const exponent = header & EXPONENT_MASK;
  if (kind === LEVELS) readLevels(reader, rows, exponent, shift, target, at);
  else if (rows > 0) readDifferences(reader, readSigned(reader), rows, exponent, shift, target, at);
  if (apart !== undefined) {
    makeRoomForApart(apart, count, target, at);
    placeApart(reader, apart, target, at);
  }
}

const isApart = new Uint8Array(CHUNK_ROWS_MAX);

function readPatternColumn(
  reader: ByteReader,
  count: number,
  shift: number,
  apart: Apart | undefined,
  target: Float64Array,
  at: number,
  steps: Float64Array | undefined,
): void {
  if (apart === undefined) {
    readPatterns(reader, count, shift, undefined, 0, target, at, steps);
    return;
  }
  placeApart(reader, apart, target, at);
  isApart.fill(0, 0, count);
  for (let run = 0; run < apart.runs; run++) {
    const start = apart.startOf[run]!;
    isApart.fill(1, start, start + apart.lengthOf[run]!);
  }
  readPatterns(reader, count, shift, isApart, apart.count, target, at, steps);
}
