import { longer } from '../base/columns.ts';
import {
  BUCKET_CELLS,
  cellsOf,
  COUNT_CELL,
  FLOAT_ROW,
  layoutIndex,
  SUM_CELL,
  ZERO_COUNT_CELL,
  type HistogramColumns,
  type HistogramLayout,
  type NativeHistogram,
} from './histogram.ts';

/** Histogram columns that grow row by row. The columns are replaced when they do, so that earlier views stay as they are. */
export interface GrowingHistograms extends HistogramColumns {
  layouts: HistogramLayout[];
  layoutOf: Int32Array;
  hints: Uint8Array;
  starts: Uint32Array;
  cells: Float64Array;
  /** How many of the cells are in use. */
  used: number;
}

const FIRST_CELLS = 64;

/** A loop is faster than a view and a copy of memory up to about this many numbers. */
const LOOP_CELLS = 64;

/** Columns of `rows` rows, all of them floats. */
export function growingHistograms(rows: number): GrowingHistograms {
  return {
    layouts: [],
    layoutOf: new Int32Array(rows).fill(FLOAT_ROW),
    hints: new Uint8Array(rows),
    starts: new Uint32Array(rows),
    cells: new Float64Array(0),
    used: 0,
  };
}

/** Replaces the columns by such as are `rows` long, which is no less; the new rows are floats. */
export function extendHistograms(columns: GrowingHistograms, rows: number): void {
  const { layoutOf, hints, starts } = columns;
  columns.layoutOf = longer(layoutOf, new Int32Array(rows).fill(FLOAT_ROW, layoutOf.length));
  columns.hints = longer(hints, new Uint8Array(rows));
  columns.starts = longer(starts, new Uint32Array(rows));
}

/** Makes row `row`, which there must be, a histogram; what it was before keeps its cells. */
export function putHistogram(columns: GrowingHistograms, row: number, histogram: NativeHistogram): void {
  const { layout, positive, negative } = histogram;
  const at = claimCells(columns, row, layout, histogram.hint);
  const { cells } = columns;
  cells[at + COUNT_CELL] = histogram.count;
  cells[at + SUM_CELL] = histogram.sum;
  cells[at + ZERO_COUNT_CELL] = histogram.zeroCount;
  copyNumbers(positive, 0, layout.positive.length, cells, at + BUCKET_CELLS);
  copyNumbers(negative, 0, layout.negative.length, cells, at + BUCKET_CELLS + layout.positive.length);
}

/** Makes row `row`, which there must be, the histogram in row `fromRow` of other columns. */
export function copyHistogram(columns: GrowingHistograms, row: number, from: HistogramColumns, fromRow: number): void {
  const layout = from.layouts[from.layoutOf[fromRow]!]!;
  const at = claimCells(columns, row, layout, from.hints[fromRow]!);
  const start = from.starts[fromRow]!;
  copyNumbers(from.cells, start, start + cellsOf(layout), columns.cells, at);
}

/** Where the cells of a histogram in this row are to be written. */
function claimCells(columns: GrowingHistograms, row: number, layout: HistogramLayout, hint: number): number {
  const at = columns.used;
  const end = at + cellsOf(layout);
  if (end > columns.cells.length) {
    columns.cells = longer(columns.cells, new Float64Array(Math.max(end, columns.cells.length * 2, FIRST_CELLS)));
  }
  columns.layoutOf[row] = layoutIndex(columns.layouts, layout);
  columns.hints[row] = hint;
  columns.starts[row] = at;
  columns.used = end;
  return at;
}

function copyNumbers(from: Float64Array, start: number, end: number, to: Float64Array, at: number): void {
  if (end - start > LOOP_CELLS) to.set(from.subarray(start, end), at);
  else for (let i = start; i < end; i++) to[at + i - start] = from[i]!;
}

/** Collects histograms row by row, floats in between; equal layouts become one. */
export interface HistogramBuilder {
  /** Sets row `row`, which must be higher than any before it; the rows in between are floats. */
  set(row: number, histogram: NativeHistogram): void;
  /** The columns over rows [0, rows), or undefined when no row is a histogram. */
  build(rows: number): HistogramColumns | undefined;
}

/** `capacity`: the rows that are likely. */
export function histogramBuilder(capacity = 0): HistogramBuilder {
  let columns: GrowingHistograms | undefined;
  return {
    set(row, histogram) {
      columns ??= growingHistograms(Math.max(capacity, row + 1));
      if (row >= columns.layoutOf.length) extendHistograms(columns, Math.max(row + 1, columns.layoutOf.length * 2));
      putHistogram(columns, row, histogram);
    },
    build(rows) {
      if (columns === undefined) return undefined;
      if (rows > columns.layoutOf.length) extendHistograms(columns, rows);
      const { layouts, layoutOf, hints, starts, cells, used } = columns;
      return {
        layouts,
        layoutOf: layoutOf.subarray(0, rows),
        hints: hints.subarray(0, rows),
        starts: starts.subarray(0, rows),
        cells: cells.subarray(0, used),
      };
    },
  };
}
