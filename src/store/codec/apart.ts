import { damaged, readCount, readVarint, takeBytes, writeBytes, writeVarint } from './bytes.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CHUNK_ROWS_MAX, wordsOf } from './scratch.ts';

/**
 * Floats that stand apart from a column's integers, with all their bits: staleness markers, other NaNs, infinities, floats of
 * another magnitude. They stand in runs of equal ones, since a series that is NaN mostly stays so.
 */

/** The floats of the ascending `rows[0, count)`. */
export function writeApart(writer: ByteWriter, values: Float64Array, rows: Int32Array, count: number): void {
  const words = wordsOf(values);
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  let runs = 0;
  for (let i = 0; i < count; i = runEnd(words, rows, i, count)) runs++;
  writeVarint(writer, runs);
  let end = 0;
  for (let i = 0; i < count;) {
    const next = runEnd(words, rows, i, count);
    const row = rows[i]!;
    writeVarint(writer, row - end);
    writeVarint(writer, next - i);
    writeBytes(writer, bytes.subarray(row * 8, row * 8 + 8));
    end = row + next - i;
    i = next;
  }
}

function runEnd(words: Uint32Array, rows: Int32Array, start: number, count: number): number {
  const row = rows[start]!;
  let i = start + 1;
  while (i < count && rows[i] === row + i - start && sameBits(words, row, rows[i]!)) i++;
  return i;
}

function sameBits(words: Uint32Array, a: number, b: number): boolean {
  return words[2 * a] === words[2 * b] && words[2 * a + 1] === words[2 * b + 1];
}

/** Floats that stand apart. Reused: good until the next ones are read. */
export interface Apart {
  readonly runs: number;
  readonly startOf: Int32Array;
  readonly lengthOf: Int32Array;
  /** Where in the reader the bits of each run are. */
  readonly bitsAt: Int32Array;
  /** How many floats there are in all. */
  readonly count: number;
}

const RUN_COLUMNS = {
  startOf: new Int32Array(CHUNK_ROWS_MAX),
  lengthOf: new Int32Array(CHUNK_ROWS_MAX),
  bitsAt: new Int32Array(CHUNK_ROWS_MAX),
};
const found = { ...RUN_COLUMNS, runs: 0, count: 0 };

export function readApart(reader: ByteReader, rows: number): Apart {
  found.runs = readCount(reader, rows, 'runs of floats that stand apart');
  found.count = 0;
  let end = 0;
  for (let run = 0; run < found.runs; run++) {
    const start = end + readVarint(reader);
    const length = readVarint(reader);
    end = start + length;
    if (length === 0 || end > rows) throw damaged(`floats of rows ${start} to ${end} stand apart, and it has ${rows}`);
    found.startOf[run] = start;
    found.lengthOf[run] = length;
    found.bitsAt[run] = takeBytes(reader, 8);
    found.count += length;
  }
  return found;
}

/** Puts the floats into their rows of a column that begins in `target` at `at`. */
export function placeApart(reader: ByteReader, apart: Apart, target: Float64Array, at: number): void {
  const words = wordsOf(target);
  for (let run = 0; run < apart.runs; run++) {
    const low = reader.view.getUint32(apart.bitsAt[run]!, true);
    const high = reader.view.getUint32(apart.bitsAt[run]! + 4, true);
    const start = at + apart.startOf[run]!;
    for (let i = start; i < start + apart.lengthOf[run]!; i++) {
      words[2 * i] = low;
      words[2 * i + 1] = high;
    }
  }
}

/** Moves the other floats, which begin at `at` one behind the other, to their rows of `rows`. */
export function makeRoomForApart(apart: Apart, rows: number, target: Float64Array, at: number): void {
  let left = rows - apart.count;
  let end = rows;
  for (let run = apart.runs - 1; run >= 0; run--) {
    const from = apart.startOf[run]! + apart.lengthOf[run]!;
    target.copyWithin(at + from, at + left - (end - from), at + left);
    left -= end - from;
    end = apart.startOf[run]!;
  }
}
