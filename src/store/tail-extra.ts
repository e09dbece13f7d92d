import {
  BUCKET_CELLS,
  cellsOf,
  COUNT_CELL,
  FLOAT_ROW,
  histogramAt,
  layoutIndex,
  SUM_CELL,
  ZERO_COUNT_CELL,
  type HistogramColumns,
  type HistogramLayout,
  type NativeHistogram,
} from '../model/histogram.ts';
import { capacityFor, longer } from './growth.ts';
import type { Starts } from './starts.ts';

/** What only some tails have beside times and floats. */
export interface TailExtra {
  /** Where it is a column, its length is a capacity. */
  starts: Starts;
  histograms: TailHistograms | undefined;
  /** The last histogram before the tail, while no later sample than staleness markers has come. */
  baseHistogram: NativeHistogram | undefined;
}

/** As `HistogramColumns`, with room to grow; `used` cells are in use. */
interface TailHistograms extends HistogramColumns {
  layouts: HistogramLayout[];
  used: number;
}

/** The columns with row `at` set, the last one. Views of earlier rows stay as they are. */
export function withRow(columns: TailHistograms, at: number, histogram: NativeHistogram | undefined): TailHistograms {
  let { layoutOf, hints, starts, cells } = columns;
  // A row that is replaced may have been handed out, so it is written into copies.
  if (at >= layoutOf.length || layoutOf[at] !== NOT_SET) {
    const capacity = capacityFor(at + 1);
    layoutOf = longer(layoutOf.subarray(0, at), new Int32Array(capacity).fill(NOT_SET));
    for (let i = 0; i < at; i++) if (layoutOf[i] === NOT_SET) layoutOf[i] = FLOAT_ROW;
    hints = longer(hints.subarray(0, at), new Uint8Array(capacity));
    starts = longer(starts.subarray(0, at), new Uint32Array(capacity));
  }
  let { used } = columns;
  layoutOf[at] = FLOAT_ROW;
  if (histogram !== undefined) {
    const { layout } = histogram;
    const end = used + cellsOf(layout);
    if (end > cells.length) cells = longer(cells.subarray(0, used), new Float64Array(Math.max(end, cells.length * 2)));
    layoutOf[at] = layoutIndex(columns.layouts, layout);
    hints[at] = histogram.hint;
    starts[at] = used;
    setCellsOf(cells, used, histogram);
    used = end;
  }
  return { layouts: columns.layouts, layoutOf, hints, starts, cells, used };
}

/** A row that was never written; it stands behind the tail's last one. */
const NOT_SET = -2;

function setCellsOf(cells: Float64Array, at: number, histogram: NativeHistogram): void {
  cells[at + COUNT_CELL] = histogram.count;
  cells[at + SUM_CELL] = histogram.sum;
  cells[at + ZERO_COUNT_CELL] = histogram.zeroCount;
  cells.set(histogram.positive, at + BUCKET_CELLS);
  cells.set(histogram.negative, at + BUCKET_CELLS + histogram.positive.length);
}

/** Copies of the rows [from, to), without the layouts and cells that no row has. */
export function growable(columns: HistogramColumns | undefined, from: number, to: number): TailHistograms {
  let grown: TailHistograms = {
    layouts: [],
    layoutOf: new Int32Array(0),
    hints: new Uint8Array(0),
    starts: new Uint32Array(0),
    cells: new Float64Array(0),
    used: 0,
  };
  for (let row = from; row < to && columns !== undefined; row++) {
    const histogram = columns.layoutOf[row] === FLOAT_ROW ? undefined : histogramAt(columns, row);
    grown = withRow(grown, row - from, histogram);
  }
  return grown;
}

export function copyOf(histogram: NativeHistogram): NativeHistogram {
  return { ...histogram, positive: histogram.positive.slice(), negative: histogram.negative.slice() };
}

/** The row of the tail's last histogram; -1 when it has none. */
export function lastHistogramRow({ histograms }: TailExtra, count: number): number {
  if (histograms === undefined) return -1;
  for (let at = count - 1; at >= 0; at--) if (histograms.layoutOf[at]! >= 0) return at;
  return -1;
}
