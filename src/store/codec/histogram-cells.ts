import { cellsOf, COUNT_CELL, SUM_CELL, ZERO_COUNT_CELL, type HistogramLayout } from '../../model/histogram.ts';
import { claim, damaged, readByte, takeBytes, writeByte, type ByteReader, type ByteWriter } from './bytes.ts';
import { readColumn, writeColumn, writeSteppedColumn } from './columns.ts';
import { applyGain, bucketEnds, gainOf } from './histogram-steps.ts';
import { integersBits, readIntegers, writeIntegers } from './integers.ts';
import { scratchColumn } from './scratch.ts';
import { finishBits, planSparse, readSparse, writeSparse, type BitReader, type BitWriter } from './sparse-counts.ts';

/**
 * The cells of the histograms of one layout, as columns. Counts that are integers stand as what each histogram adds to the
 * one before it; the count of all observations is what the buckets add up to, unless some were NaN.
 */

/** The first byte. */
const INTEGERS = 1;
const COUNTS_DIFFER = 2;
const STEPPED_SUM = 4;
const KNOWN_FLAGS = INTEGERS | COUNTS_DIFFER | STEPPED_SUM;

/** Half a byte a bucket says how its increases stand: not at all, as integers, or sparse with a parameter. */
const NO_INCREASES = 0;
const AS_INTEGERS = 1;
const SPARSE = 2;

/** The magnitudes of a row's counts add up to less, so that every sum and difference of them is exact. */
const COUNT_LIMIT = 2 ** 51;

const column = scratchColumn();
const totals = scratchColumn();
const additions = scratchColumn();

/** Writes the cells of `rows` histograms of the layout, which begin at `starts`. */
export function writeCells(
  writer: ByteWriter,
  layout: HistogramLayout,
  cells: Float64Array,
  starts: Int32Array,
  rows: number,
): void {
  const width = cellsOf(layout);
  if (countsAreIntegers(cells, starts, rows, width)) {
    writeIntegerCells(writer, layout, cells, starts, rows);
    return;
  }
  writeByte(writer, 0);
  for (let cell = 0; cell < width; cell++) {
    writeColumn(writer, copyOf(cells, starts, rows, cell), rows);
  }
}

/** A column of cells with their bits, which a NaN may lose on its way through a register. */
function copyOf(cells: Float64Array, starts: Int32Array, rows: number, cell: number): Float64Array {
  for (let i = 0; i < rows; i++) {
    const at = starts[i]! + cell;
    const value = cells[at]!;
    if (value === value) column[i] = value;
    else column.set(cells.subarray(at, at + 1), i);
  }
  return column;
}

/** Fills `totals` with what the buckets of each row add up to, zero bucket included. */
function countsAreIntegers(cells: Float64Array, starts: Int32Array, rows: number, width: number): boolean {
  for (let i = 0; i < rows; i++) {
    const start = starts[i]!;
    let total = 0;
    let magnitude = Math.abs(cells[start + COUNT_CELL]!);
    if (!isCount(cells[start + COUNT_CELL]!)) return false;
    for (let at = start + ZERO_COUNT_CELL; at < start + width; at++) {
      const value = cells[at]!;
      if (!isCount(value)) return false;
      total += value;
      magnitude += Math.abs(value);
    }
    if (!(magnitude < COUNT_LIMIT)) return false;
    totals[i] = total;
  }
  return true;
}

function isCount(value: number): boolean {
  return Math.floor(value) === value && (value !== 0 || 1 / value > 0);
}

function writeIntegerCells(
  writer: ByteWriter,
  layout: HistogramLayout,
  cells: Float64Array,
  starts: Int32Array,
  rows: number,
): void {
  const width = cellsOf(layout);
  let countsDiffer = false;
  for (let i = 0; i < rows; i++) if (cells[starts[i]! + COUNT_CELL] !== totals[i]) countsDiffer = true;
  claim(writer, 1);
  const flagsAt = writer.at++;
  for (let cell = ZERO_COUNT_CELL; cell < width; cell++) column[cell - ZERO_COUNT_CELL] = cells[starts[0]! + cell]!;
  writeIntegers(writer, column, width - ZERO_COUNT_CELL);
  const ends = bucketEnds(layout);
  additions.fill(0, 0, rows);
  if (rows > 1) writeIncreases(writer, cells, starts, rows, width, ends);
  if (countsDiffer) {
    for (let i = 0; i < rows; i++) column[i] = cells[starts[i]! + COUNT_CELL]! - totals[i]!;
    writeColumn(writer, column, rows);
  }
  const stepped = writeSum(writer, cells, starts, rows);
  writer.bytes[flagsAt] = INTEGERS | (countsDiffer ? COUNTS_DIFFER : 0) | (stepped ? STEPPED_SUM : 0);
}

/** Returns whether the column is one of steps. */
function writeSum(writer: ByteWriter, cells: Float64Array, starts: Int32Array, rows: number): boolean {
  const sums = copyOf(cells, starts, rows, SUM_CELL);
  const gain = gainOf(cells, starts, rows, additions);
  if (gain >= 0) {
    const { at } = writer;
    writeByte(writer, gain);
    applyGain(additions, rows, gain);
    if (writeSteppedColumn(writer, sums, rows, additions)) return true;
    writer.at = at;
  }
  writeColumn(writer, sums, rows);
  return false;
}

/** Writes what each row adds to the buckets of the one before it, and fills `additions` with what that may be to the sum. */
function writeIncreases(
  writer: ByteWriter,
  cells: Float64Array,
  starts: Int32Array,
  rows: number,
  width: number,
  ends: Float64Array,
): void {
  const kinds = new Uint8Array(width - ZERO_COUNT_CELL);
  claim(writer, kinds.length);
  const kindsAt = writer.at;
  writer.at += Math.ceil(kinds.length / 2);
  for (let i = 0; i < kinds.length; i++) {
    const cell = i + ZERO_COUNT_CELL;
    fillIncreases(cells, starts, rows, cell);
    kinds[i] = kindOf(rows - 1);
    if (kinds[i] !== AS_INTEGERS) continue;
    addToSums(rows, ends[cell]!);
    writeIntegers(writer, column, rows - 1);
  }
  const bits: BitWriter = { writer, pending: 0, pendingBits: 0 };
  for (let i = 0; i < kinds.length; i++) {
    if (kinds[i]! < SPARSE) continue;
    const cell = i + ZERO_COUNT_CELL;
    fillIncreases(cells, starts, rows, cell);
    addToSums(rows, ends[cell]!);
    writeSparse(bits, column, rows - 1, kinds[i]! - SPARSE);
  }
  finishBits(bits);
  for (let i = 0; i < kinds.length; i += 2) {
    writer.bytes[kindsAt + i / 2] = kinds[i]! | (i + 1 < kinds.length ? kinds[i + 1]! << 4 : 0);
  }
}

function fillIncreases(cells: Float64Array, starts: Int32Array, rows: number, cell: number): void {
  let before = cells[starts[0]! + cell]!;
  for (let i = 1; i < rows; i++) {
    const value = cells[starts[i]! + cell]!;
    column[i - 1] = value - before;
    before = value;
  }
}

function kindOf(count: number): number {
  let increases = 0;
  for (let i = 0; i < count; i++) if (column[i] !== 0) increases++;
  if (increases === 0) return NO_INCREASES;
  const integers = integersBits(column, count);
  // An increase takes two bits at least.
  if (integers <= 2 * increases) return AS_INTEGERS;
  const { parameter, bits } = planSparse(column, count);
  return bits < integers ? SPARSE + parameter : AS_INTEGERS;
}

/** The order of the columns matters: floats do not add up to the same in another one. */
function addToSums(rows: number, end: number): void {
  if (end === 0) return;
  for (let i = 1; i < rows; i++) additions[i]! += column[i - 1]! * end;
}

/** Reads the cells of `rows` histograms of the layout into `cells` from `at` on, one histogram behind the other. */
export function readCells(
  reader: ByteReader,
  layout: HistogramLayout,
  rows: number,
  cells: Float64Array,
  at: number,
): void {
  const width = cellsOf(layout);
  const flags = readByte(reader);
  if ((flags & ~KNOWN_FLAGS) !== 0) throw damaged(`flags ${flags} of histograms are unknown`);
  if ((flags & INTEGERS) !== 0) {
    readIntegerCells(reader, layout, rows, cells, at, flags);
    return;
  }
  for (let cell = 0; cell < width; cell++) {
    readColumn(reader, rows, column, 0);
    spread(rows, cells, at + cell, width);
  }
}

/** Copies the column to every `width`th cell, with its bits. */
function spread(rows: number, cells: Float64Array, at: number, width: number): void {
  for (let i = 0; i < rows; i++) {
    const value = column[i]!;
    if (value === value) cells[at + i * width] = value;
    else cells.set(column.subarray(i, i + 1), at + i * width);
  }
}

function readIntegerCells(
  reader: ByteReader,
  layout: HistogramLayout,
  rows: number,
  cells: Float64Array,
  at: number,
  flags: number,
): void {
  const width = cellsOf(layout);
  const stepped = (flags & STEPPED_SUM) !== 0;
  readIntegers(reader, width - ZERO_COUNT_CELL, cells, at + ZERO_COUNT_CELL);
  totals.fill(0, 0, rows);
  if (stepped) additions.fill(0, 0, rows);
  if (rows > 1) readIncreases(reader, layout, rows, cells, at, stepped);
  else for (let cell = ZERO_COUNT_CELL; cell < width; cell++) totals[0]! += cells[at + cell]!;
  if ((flags & COUNTS_DIFFER) !== 0) {
    readColumn(reader, rows, column, 0);
    for (let i = 0; i < rows; i++) totals[i]! += column[i]!;
  }
  for (let i = 0; i < rows; i++) cells[at + i * width + COUNT_CELL] = totals[i]!;
  if (stepped) applyGain(additions, rows, readByte(reader));
  readColumn(reader, rows, column, 0, stepped ? additions : undefined);
  spread(rows, cells, at + SUM_CELL, width);
}

function readIncreases(
  reader: ByteReader,
  layout: HistogramLayout,
  rows: number,
  cells: Float64Array,
  at: number,
  stepped: boolean,
): void {
  const width = cellsOf(layout);
  const buckets = width - ZERO_COUNT_CELL;
  const kindsAt = takeBytes(reader, Math.ceil(buckets / 2));
  const ends = stepped ? bucketEnds(layout) : undefined;
  const kindAt = (i: number): number => (reader.bytes[kindsAt + (i >>> 1)]! >>> ((i & 1) * 4)) & 15;
  for (let i = 0; i < buckets; i++) {
    const kind = kindAt(i);
    if (kind === NO_INCREASES) {
      repeat(rows, cells, at + i + ZERO_COUNT_CELL, width);
    } else if (kind === AS_INTEGERS) {
      readIntegers(reader, rows - 1, column, 0);
      addUp(rows, cells, at + i + ZERO_COUNT_CELL, width);
      if (ends !== undefined) addToSums(rows, ends[i + ZERO_COUNT_CELL]!);
    }
  }
  const bits: BitReader = { reader, bit: reader.at * 8, end: reader.end * 8 };
  for (let i = 0; i < buckets; i++) {
    const kind = kindAt(i);
    if (kind < SPARSE) continue;
    readSparse(bits, column, rows - 1, kind - SPARSE);
    addUp(rows, cells, at + i + ZERO_COUNT_CELL, width);
    if (ends !== undefined) addToSums(rows, ends[i + ZERO_COUNT_CELL]!);
  }
  takeBytes(reader, Math.ceil(bits.bit / 8) - reader.at);
}

/** Makes the column of increases that of the counts. */
function addUp(rows: number, cells: Float64Array, at: number, width: number): void {
  let value = cells[at]!;
  totals[0]! += value;
  for (let i = 1, to = at + width; i < rows; i++, to += width) {
    value += column[i - 1]!;
    cells[to] = value;
    totals[i]! += value;
  }
}

function repeat(rows: number, cells: Float64Array, at: number, width: number): void {
  const value = cells[at]!;
  for (let i = 1, to = at + width; i < rows; i++, to += width) cells[to] = value;
  if (value !== 0) for (let i = 0; i < rows; i++) totals[i]! += value;
}
