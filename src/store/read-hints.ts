import {
  BUCKET_CELLS,
  COUNT_CELL,
  FLOAT_ROW,
  GAUGE,
  NOT_RESET,
  RESET,
  RESET_UNKNOWN,
  ZERO_COUNT_CELL,
  type HistogramColumns,
  type HistogramLayout,
} from '../model/histogram.ts';
import type { ChunkColumns } from './codec/chunk.ts';

/** How far back a sample is looked for that the first one of a range may continue. */
export const HINT_LOOKBACK_MS = 60 * 60 * 1000;

/**
 * Samples with the reset hints that Prometheus's own storage answers with: `NOT_RESET` where a histogram continues the one
 * right before it, `RESET_UNKNOWN` where it does not (a reset, other buckets, a float or nothing in between), and gauges as
 * they are. What a sender hinted shows in its buckets, or is not told; PromQL looks at the buckets where nothing is told.
 *
 * Rows before `from` have their hints already.
 */
export function withReadHints<Columns extends Pick<ChunkColumns, 'histograms'>>(columns: Columns, from = 0): Columns {
  const { histograms } = columns;
  if (histograms === undefined) return columns;
  const { layoutOf } = histograms;
  const hints = histograms.hints.slice();
  for (let row = from; row < hints.length; row++) {
    if (layoutOf[row] === FLOAT_ROW || hints[row] === GAUGE) continue;
    const isSaid = histograms.hints[row] === RESET;
    hints[row] = !isSaid && row > 0 && continues(histograms, hints, row) ? NOT_RESET : RESET_UNKNOWN;
  }
  return { ...columns, histograms: { ...histograms, hints } };
}

/** Whether the histogram of a row has the kind of buckets of the row before, and counts at least as much in each. */
function continues({ layouts, layoutOf, starts, cells }: HistogramColumns, hints: Uint8Array, row: number): boolean {
  const before = layoutOf[row - 1]!;
  if (before === FLOAT_ROW || hints[row - 1] === GAUGE) return false;
  const layout = layouts[layoutOf[row]!]!;
  const layoutBefore = layouts[before]!;
  const at = starts[row]!;
  const atBefore = starts[row - 1]!;
  if (falls(cells, atBefore + COUNT_CELL, at + COUNT_CELL)) return false;
  if (layout !== layoutBefore && !isSameKind(layout, layoutBefore)) return false;
  if (falls(cells, atBefore + ZERO_COUNT_CELL, at + ZERO_COUNT_CELL)) return false;
  const positive = BUCKET_CELLS;
  if (!sideContinues(layoutBefore.positive, atBefore + positive, layout.positive, at + positive, cells)) return false;
  const negative = BUCKET_CELLS + layout.positive.length;
  const negativeBefore = BUCKET_CELLS + layoutBefore.positive.length;
  return sideContinues(layoutBefore.negative, atBefore + negativeBefore, layout.negative, at + negative, cells);
}

function falls(cells: Float64Array, before: number, now: number): boolean {
  return cells[now]! < cells[before]!;
}

function isSameKind(a: HistogramLayout, b: HistogramLayout): boolean {
  if (a.schema !== b.schema || a.zeroThreshold !== b.zeroThreshold || a.bounds.length !== b.bounds.length) return false;
  return a.bounds.every((bound, i) => bound === b.bounds[i]);
}

/** Every bucket that was filled before is there and has not less. */
function sideContinues(
  before: Int32Array,
  beforeAt: number,
  now: Int32Array,
  nowAt: number,
  cells: Float64Array,
): boolean {
  let j = 0;
  for (let i = 0; i < before.length; i++) {
    while (j < now.length && now[j]! < before[i]!) j++;
    const count = j < now.length && now[j] === before[i] ? cells[nowAt + j]! : 0;
    if (count < cells[beforeAt + i]!) return false;
  }
  return true;
}
