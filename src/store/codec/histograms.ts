import { cellsOf, FLOAT_ROW, type HistogramColumns, type HistogramLayout } from '../../model/histogram.ts';
import { damaged, readCount, writeVarint, type ByteReader, type ByteWriter } from './bytes.ts';
import { readCells, writeCells } from './histogram-cells.ts';
import { readIntegers, writeIntegers } from './integers.ts';
import { readLayout, writeLayout } from './layouts.ts';
import { CHUNK_ROWS_MAX, scratchColumn } from './scratch.ts';

const numbers = scratchColumn();
const layoutNumbers = scratchColumn();
const starts = new Int32Array(CHUNK_ROWS_MAX);

/** How many rows are histograms. */
export function countHistograms(histograms: HistogramColumns | undefined, rows: number): number {
  let count = 0;
  if (histograms !== undefined) for (let i = 0; i < rows; i++) if (histograms.layoutOf[i] !== FLOAT_ROW) count++;
  return count;
}

/** Writes the `count` histograms, at least one, of a chunk of `rows` rows: which rows they are, layouts, hints, cells. */
export function writeHistograms(writer: ByteWriter, columns: HistogramColumns, rows: number, count: number): void {
  writeVarint(writer, count);
  if (count < rows) writeRows(writer, columns, rows, count);
  const layouts = writeLayouts(writer, columns, rows, count);
  fill(columns, rows, (row) => columns.hints[row]!);
  writeIntegers(writer, numbers, count);
  for (const index of layouts) {
    let group = 0;
    for (let row = 0; row < rows; row++) {
      if (columns.layoutOf[row] === index) starts[group++] = columns.starts[row]!;
    }
    writeCells(writer, columns.layouts[index]!, columns.cells, starts, group);
  }
}

/** How many floats there are before each histogram and behind the one before it. */
function writeRows(writer: ByteWriter, columns: HistogramColumns, rows: number, count: number): void {
  let before = -1;
  fill(columns, rows, (row) => {
    const floats = row - before - 1;
    before = row;
    return floats;
  });
  writeIntegers(writer, numbers, count);
}

/** The layouts that there are, in the order of their first rows, and which one each histogram has. Returns their indexes. */
function writeLayouts(writer: ByteWriter, columns: HistogramColumns, rows: number, count: number): readonly number[] {
  const used: number[] = [];
  const placeOf = new Int32Array(columns.layouts.length).fill(-1);
  fill(columns, rows, (row) => {
    const index = columns.layoutOf[row]!;
    if (placeOf[index] === -1) placeOf[index] = used.push(index) - 1;
    return placeOf[index]!;
  });
  writeVarint(writer, used.length);
  if (used.length > 1) writeIntegers(writer, numbers, count);
  for (const index of used) writeLayout(writer, columns.layouts[index]!);
  return used;
}

/** Fills `numbers` with one for each histogram. */
function fill(columns: HistogramColumns, rows: number, numberOf: (row: number) => number): void {
  let at = 0;
  for (let row = 0; row < rows; row++) if (columns.layoutOf[row] !== FLOAT_ROW) numbers[at++] = numberOf(row);
}

/** Reads the histograms of a chunk of `rows` rows. */
export function readHistograms(reader: ByteReader, rows: number): { columns: HistogramColumns; count: number } {
  const count = readCount(reader, rows, 'histograms');
  if (count === 0) throw damaged('none of its rows is a histogram');
  const columns = {
    layouts: [] as HistogramLayout[],
    layoutOf: new Int32Array(rows).fill(FLOAT_ROW),
    hints: new Uint8Array(rows),
    starts: new Uint32Array(rows),
  };
  if (count < rows) readIntegers(reader, count, numbers, 0);
  else numbers.fill(0, 0, count);
  const layoutCount = readCount(reader, count, 'layouts');
  if (layoutCount === 0) throw damaged('its histograms have no layout');
  if (layoutCount > 1) readIntegers(reader, count, layoutNumbers, 0);
  else layoutNumbers.fill(0, 0, count);
  placeRows(columns.layoutOf, rows, count, layoutCount);
  for (let i = 0; i < layoutCount; i++) columns.layouts.push(readLayout(reader));
  readIntegers(reader, count, numbers, 0);
  let at = 0;
  for (let row = 0; row < rows; row++) if (columns.layoutOf[row] !== FLOAT_ROW) columns.hints[row] = numbers[at++]!;
  return { columns: { ...columns, cells: readGroups(reader, columns, rows) }, count };
}

/** `numbers` are the floats before each histogram, and `layoutNumbers` their layouts. */
function placeRows(layoutOf: Int32Array, rows: number, count: number, layoutCount: number): void {
  let row = -1;
  for (let i = 0; i < count; i++) {
    row += numbers[i]! + 1;
    const layout = layoutNumbers[i]!;
    if (!(numbers[i]! >= 0 && row < rows)) throw damaged(`histogram ${i} is in row ${row} of ${rows}`);
    if (!(layout >= 0 && layout < layoutCount)) throw damaged(`histogram ${i} has layout ${layout} of ${layoutCount}`);
    layoutOf[row] = layout;
  }
}

/** Reads the cells, those of a layout's histograms behind one another. */
function readGroups(
  reader: ByteReader,
  { layouts, layoutOf, starts: startOf }: Omit<HistogramColumns, 'cells' | 'hints'>,
  rows: number,
): Float64Array<ArrayBuffer> {
  const groups = new Uint32Array(layouts.length);
  for (let row = 0; row < rows; row++) if (layoutOf[row] !== FLOAT_ROW) groups[layoutOf[row]!]!++;
  let cellCount = 0;
  for (const [index, layout] of layouts.entries()) {
    const width = cellsOf(layout);
    // Each bucket's column takes half a byte at least, so that a few bytes cannot make much memory be taken.
    if (groups[index]! > 1 && width > 2 * (reader.end - reader.at)) throw damaged('it ends too early');
    cellCount += groups[index]! * width;
  }
  const cells = new Float64Array(cellCount);
  let at = 0;
  for (const [index, layout] of layouts.entries()) {
    const width = cellsOf(layout);
    readCells(reader, layout, groups[index]!, cells, at);
    let next = at;
    for (let row = 0; row < rows; row++) {
      if (layoutOf[row] !== index) continue;
      startOf[row] = next;
      next += width;
    }
    at = next;
  }
  return cells;
}
