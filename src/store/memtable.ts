import { longer } from '../base/columns.ts';
import {
  copyHistogram,
  extendHistograms,
  growingHistograms,
  type GrowingHistograms,
} from '../model/growing-histograms.ts';
import { isHistogramAt, type HistogramColumns } from '../model/histogram.ts';
import { lateRowAt, lateRows, putLateRow, settleRows, type LateRows } from './late-rows.ts';
import type { RunColumns } from './run.ts';
import { startsOf, UNKNOWN_START } from './starts.ts';

/**
 * The samples of a stretch of write-ahead records, by series. Those of a series lie in a chain of small blocks, cut from slabs
 * that all series share: arrays of its own would cost a series more than its samples do, and blocks that grow would leave as
 * much memory unused as they take.
 */
export interface Memtable {
  readonly generation: number;
  /** By reference: the first and the last block of the series; 0 where it has none. */
  first: Uint32Array;
  last: Uint32Array;
  counts: Uint32Array;
  readonly slabs: Slab[];
  /** Where the last slab is free. */
  cut: number;
  /** The histograms of all series, in the order in which they came. */
  readonly histograms: GrowingHistograms;
  histogramRows: number;
  /** Samples that came out of order. */
  readonly late: Map<number, LateRows>;
  /** The block that was looked into last for one row, whose it is and when it begins. */
  readonly lookedAt: { ref: number; block: number; fromMs: number };
  samples: number;
}

interface Slab {
  readonly cells: Float64Array<ArrayBuffer>;
  /** The same memory as words, for values: a NaN's payload may not survive a register of floats. */
  readonly words: Int32Array<ArrayBuffer>;
}

/** Of a block's address, the bits that say where in its slab it starts. */
const OFFSET_BITS = 16;
const SLAB_CELLS = 1 << OFFSET_BITS;
const OFFSET_MASK = SLAB_CELLS - 1;

/** Rows of a block: a series with few samples leaves half of one free on average, one with many pays a sixth for headers. */
const ROWS = 8;

/** Cells of a block: where the next one is, rows in use, whether there are the columns of a wide one, then the columns. */
const NEXT = 0;
const USED = 1;
const IS_WIDE = 2;
const TIMES = 3;
const VALUES = TIMES + ROWS;
const STARTS = VALUES + ROWS;
/** Rows of `histograms`, or `NO_HISTOGRAM`. */
const HISTOGRAMS = STARTS + ROWS;
const NARROW_CELLS = STARTS;
const WIDE_CELLS = HISTOGRAMS + ROWS;

const NO_BLOCK = 0;
const NO_HISTOGRAM = -1;
const FIRST_HISTOGRAMS = 64;
const FIRST_SERIES = 64;

export function memtable(generation: number, series: number): Memtable {
  return {
    generation,
    first: new Uint32Array(series),
    last: new Uint32Array(series),
    counts: new Uint32Array(series),
    slabs: [],
    cut: SLAB_CELLS,
    histograms: growingHistograms(0),
    histogramRows: 0,
    late: new Map(),
    lookedAt: { ref: -1, block: NO_BLOCK, fromMs: 0 },
    samples: 0,
  };
}

/** Puts row `row` of some columns, at a time of its own, behind the series' samples. */
export function putRow(
  table: Memtable,
  ref: number,
  timeMs: number,
  values: Float64Array,
  row: number,
  startMs: number,
  histograms: HistogramColumns | undefined,
): void {
  if (ref >= table.counts.length) growSeries(table, ref + 1);
  const isHistogram = isHistogramAt(histograms, row);
  const block = blockWithRoom(table, ref, isHistogram || startMs !== UNKNOWN_START);
  const { cells, words } = table.slabs[block >>> OFFSET_BITS]!;
  const at = block & OFFSET_MASK;
  const used = cells[at + USED]!;
  cells[at + USED] = used + 1;
  cells[at + TIMES + used] = timeMs;
  const value = values[row]!;
  if (value === value) cells[at + VALUES + used] = value;
  else copyBits(values, row, words, at + VALUES + used);
  if (cells[at + IS_WIDE] === 1) {
    cells[at + STARTS + used] = startMs;
    cells[at + HISTOGRAMS + used] = isHistogram ? keepHistogram(table, histograms, row) : NO_HISTOGRAM;
  }
  table.counts[ref]!++;
  table.samples++;
}

/** Takes the series' last sample out where it is at this time; false where it is not. */
export function takeLast(table: Memtable, ref: number, timeMs: number): boolean {
  const block = table.last[ref] ?? NO_BLOCK;
  if (block === NO_BLOCK) return false;
  const { cells } = table.slabs[block >>> OFFSET_BITS]!;
  const at = block & OFFSET_MASK;
  const used = cells[at + USED]!;
  if (used === 0 || cells[at + TIMES + used - 1] !== timeMs) return false;
  cells[at + USED] = used - 1;
  table.counts[ref]!--;
  table.samples--;
  return true;
}

/** Puts a row among those that came out of order; none of them is at its time. */
export function putLate(
  table: Memtable,
  ref: number,
  timeMs: number,
  values: Float64Array,
  row: number,
  startMs: number,
  histograms: HistogramColumns | undefined,
): void {
  let late = table.late.get(ref);
  if (late === undefined) table.late.set(ref, (late = lateRows()));
  const histogram = isHistogramAt(histograms, row) ? keepHistogram(table, histograms, row) : NO_HISTOGRAM;
  putLateRow(late, timeMs, values, row, startMs, histogram);
  table.samples++;
}

/** Whether there are samples of a series. */
export function hasRows({ counts, late }: Memtable, ref: number): boolean {
  return (counts[ref] ?? 0) > 0 || late.has(ref);
}

/** How many samples of a series have times in [fromMs, toMs]. */
export function rowsWithin(table: Memtable, ref: number, fromMs: number, toMs: number): number {
  let rows = 0;
  const late = table.late.get(ref);
  for (let i = 0; i < (late?.count ?? 0); i++) if (late!.times[i]! >= fromMs && late!.times[i]! <= toMs) rows++;
  let block = (table.counts[ref] ?? 0) === 0 ? NO_BLOCK : table.first[ref]!;
  while (block !== NO_BLOCK) {
    const { cells } = table.slabs[block >>> OFFSET_BITS]!;
    const at = block & OFFSET_MASK;
    const used = cells[at + USED]!;
    // They came in order: mostly all of a block counts, or nothing.
    if (used > 0 && cells[at + TIMES]! >= fromMs && cells[at + TIMES + used - 1]! <= toMs) rows += used;
    else if (used > 0 && cells[at + TIMES]! <= toMs && cells[at + TIMES + used - 1]! >= fromMs) {
      for (let i = at + TIMES; i < at + TIMES + used; i++) if (cells[i]! >= fromMs && cells[i]! <= toMs) rows++;
    }
    block = cells[at + NEXT]!;
  }
  return rows;
}

/**
 * A copy of the samples of a series that came in order; undefined where there is none. Of those before `fromMs` most are left
 * out.
 */
export function runOf(table: Memtable, ref: number, fromMs = -Infinity): RunColumns | undefined {
  let count = table.counts[ref] ?? 0;
  let first = count === 0 ? NO_BLOCK : table.first[ref]!;
  while (first !== NO_BLOCK) {
    const { cells } = table.slabs[first >>> OFFSET_BITS]!;
    const at = first & OFFSET_MASK;
    const used = cells[at + USED]!;
    if (used > 0 && cells[at + TIMES + used - 1]! >= fromMs) break;
    count -= used;
    first = cells[at + NEXT]!;
  }
  if (count === 0) return undefined;
  const times = new Float64Array(count);
  const values = new Float64Array(count);
  const words = new Int32Array(values.buffer);
  let starts: Float64Array | undefined;
  let histograms: Float64Array | undefined;
  let row = 0;
  for (let block = first; block !== NO_BLOCK;) {
    const slab = table.slabs[block >>> OFFSET_BITS]!;
    const at = block & OFFSET_MASK;
    const used = slab.cells[at + USED]!;
    for (let i = 0; i < used; i++) times[row + i] = slab.cells[at + TIMES + i]!;
    const from = (at + VALUES) * 2;
    for (let i = 0; i < used * 2; i++) words[row * 2 + i] = slab.words[from + i]!;
    if (slab.cells[at + IS_WIDE] === 1) {
      starts ??= new Float64Array(count);
      histograms ??= new Float64Array(count).fill(NO_HISTOGRAM);
      for (let i = 0; i < used; i++) {
        starts[row + i] = slab.cells[at + STARTS + i]!;
        histograms[row + i] = slab.cells[at + HISTOGRAMS + i]!;
      }
    }
    row += used;
    block = slab.cells[at + NEXT]!;
  }
  return {
    generation: table.generation,
    times,
    values,
    starts: starts === undefined ? UNKNOWN_START : startsOf(starts),
    histograms: histograms === undefined ? undefined : histogramsOf(table, histograms),
  };
}

/** A copy of the samples of a series that came out of order; undefined where there is none. */
export function lateRunOf(table: Memtable, ref: number): RunColumns | undefined {
  const late = table.late.get(ref);
  if (late === undefined) return undefined;
  settleRows(late);
  return lateSlice(table, late, 0, late.count);
}

/** The samples of a series at a time, each the only row of its columns: one that came out of order, one that came in order. */
export function rowsAt(table: Memtable, ref: number, timeMs: number): RunColumns[] {
  const found: RunColumns[] = [];
  const late = table.late.get(ref);
  const lateRow = late === undefined ? undefined : lateRowAt(late, timeMs);
  if (lateRow !== undefined) found.push(lateSlice(table, late!, lateRow, lateRow + 1));
  const { lookedAt } = table;
  let block = (table.counts[ref] ?? 0) === 0 ? NO_BLOCK : table.first[ref]!;
  // Those that are asked for mostly come one after the other.
  if (block !== NO_BLOCK && lookedAt.ref === ref && lookedAt.fromMs <= timeMs) ({ block } = lookedAt);
  while (block !== NO_BLOCK) {
    const slab = table.slabs[block >>> OFFSET_BITS]!;
    const { cells } = slab;
    const at = block & OFFSET_MASK;
    const used = cells[at + USED]!;
    if (used > 0) {
      const fromMs = cells[at + TIMES]!;
      if (fromMs > timeMs) break;
      lookedAt.ref = ref;
      lookedAt.block = block;
      lookedAt.fromMs = fromMs;
      for (let i = 0; i < used; i++) {
        if (cells[at + TIMES + i] === timeMs) found.push(blockRow(table, slab, at, i));
      }
    }
    block = cells[at + NEXT]!;
  }
  return found;
}

/** Row `i` of the block at `at` of a slab. */
function blockRow(table: Memtable, { cells, words }: Slab, at: number, i: number): RunColumns {
  const values = new Float64Array(1);
  const from = (at + VALUES + i) * 2;
  new Int32Array(values.buffer).set(words.subarray(from, from + 2));
  const isWide = cells[at + IS_WIDE] === 1;
  const histogram = at + HISTOGRAMS + i;
  return {
    generation: table.generation,
    times: cells.slice(at + TIMES + i, at + TIMES + i + 1),
    values,
    starts: isWide ? cells[at + STARTS + i]! : UNKNOWN_START,
    histograms: isWide ? histogramsOf(table, cells.subarray(histogram, histogram + 1)) : undefined,
  };
}

function lateSlice(table: Memtable, late: LateRows, from: number, to: number): RunColumns {
  return {
    generation: table.generation,
    times: late.times.slice(from, to),
    values: late.values.slice(from, to),
    starts: startsOf(late.starts.slice(from, to)),
    histograms: histogramsOf(table, late.histograms.subarray(from, to)),
  };
}

/** The series' last block where it has room, and the columns that are needed; otherwise a new one. */
function blockWithRoom(table: Memtable, ref: number, needsWide: boolean): number {
  const last = table.last[ref]!;
  let isWide = needsWide;
  if (last !== NO_BLOCK) {
    const { cells } = table.slabs[last >>> OFFSET_BITS]!;
    const at = last & OFFSET_MASK;
    const lastIsWide = cells[at + IS_WIDE] === 1;
    if (cells[at + USED]! < ROWS && (lastIsWide || !needsWide)) return last;
    isWide ||= lastIsWide;
  }
  const block = newBlock(table, isWide);
  if (last === NO_BLOCK) table.first[ref] = block;
  else table.slabs[last >>> OFFSET_BITS]!.cells[(last & OFFSET_MASK) + NEXT] = block;
  table.last[ref] = block;
  return block;
}

function newBlock(table: Memtable, isWide: boolean): number {
  const size = isWide ? WIDE_CELLS : NARROW_CELLS;
  if (table.cut + size > SLAB_CELLS) {
    const cells = new Float64Array(SLAB_CELLS);
    table.slabs.push({ cells, words: new Int32Array(cells.buffer) });
    // No block starts at address 0, which stands for none.
    table.cut = table.slabs.length === 1 ? 1 : 0;
  }
  const at = table.cut;
  table.cut += size;
  table.slabs.at(-1)!.cells[at + IS_WIDE] = isWide ? 1 : 0;
  return (table.slabs.length - 1) * SLAB_CELLS + at;
}

function copyBits(values: Float64Array, row: number, words: Int32Array, cell: number): void {
  const from = new Int32Array(values.buffer, values.byteOffset + row * 8, 2);
  words[cell * 2] = from[0]!;
  words[cell * 2 + 1] = from[1]!;
}

function keepHistogram(table: Memtable, from: HistogramColumns, row: number): number {
  const { histograms } = table;
  const at = table.histogramRows++;
  if (at === histograms.layoutOf.length) extendHistograms(histograms, Math.max(FIRST_HISTOGRAMS, at * 2));
  copyHistogram(histograms, at, from, row);
  return at;
}

/** The histograms that the rows of a series name, in columns of their own; undefined where they name none. */
function histogramsOf(table: Memtable, rows: Float64Array): HistogramColumns | undefined {
  let own: GrowingHistograms | undefined;
  for (let i = 0; i < rows.length; i++) {
    if (rows[i] === NO_HISTOGRAM) continue;
    own ??= growingHistograms(rows.length);
    copyHistogram(own, i, table.histograms, rows[i]!);
  }
  return own;
}

function growSeries(table: Memtable, least: number): void {
  const capacity = Math.max(least, table.counts.length * 2, FIRST_SERIES);
  table.first = longer(table.first, new Uint32Array(capacity));
  table.last = longer(table.last, new Uint32Array(capacity));
  table.counts = longer(table.counts, new Uint32Array(capacity));
}
