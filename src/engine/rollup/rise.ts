import {
  BUCKET_CELLS,
  COUNT_CELL,
  CUSTOM_BUCKETS,
  GAUGE,
  SUM_CELL,
  ZERO_COUNT_CELL,
  type HistogramColumns,
  type HistogramLayout,
  type NativeHistogram,
} from '../../model/histogram.ts';
import { hidesBuckets } from '../../model/histogram-combine.ts';
import type { HistogramSamples } from './mixed.ts';

/** A histogram whose numbers are written anew by whoever gave it. */
export interface ScratchHistogram extends NativeHistogram {
  layout: HistogramLayout;
  count: number;
  sum: number;
  zeroCount: number;
}

/**
 * The rise over histograms of one layout, the usual case: as subtracting and adding them one by one, but in place. `resets`
 * are the indices before which the counters started again. Undefined where layouts differ or hide buckets. The result has no empty buckets
 * and is valid until the next call.
 */
export function risesOfLayout(
  { columns, rows }: HistogramSamples,
  resets: readonly number[],
): (from: number, to: number) => ScratchHistogram | undefined {
  const sameSince = layoutRuns(columns, rows);
  const { cells, starts, layouts, layoutOf } = columns;
  const hides = layouts.map((layout) => layout.schema !== CUSTOM_BUCKETS && hidesBuckets(layout));
  const compacted = startCompacted();
  let nextReset = 0;
  let scratch = new Float64Array(0);

  return (from, to) => {
    const lastRow = rows[to - 1]!;
    const layout = layouts[layoutOf[lastRow]!]!;
    while (nextReset < resets.length && resets[nextReset]! <= from) nextReset++;
    const startsOver = resets[nextReset] === from + 1;
    // What came before a reset right after the first sample plays no part.
    if (hides[layoutOf[lastRow]!] === true || sameSince[to - 1]! > (startsOver ? from + 1 : from)) return undefined;
    const length = BUCKET_CELLS + layout.positive.length + layout.negative.length;
    if (scratch.length < length) scratch = new Float64Array(length);
    const last = starts[lastRow]!;
    const first = starts[rows[from]!]!;
    if (startsOver) for (let k = 0; k < length; k++) scratch[k] = cells[last + k]!;
    else for (let k = 0; k < length; k++) scratch[k] = cells[last + k]! - cells[first + k]!;
    for (let r = startsOver ? nextReset + 1 : nextReset; r < resets.length && resets[r]! < to; r++) {
      const before = starts[rows[resets[r]! - 1]!]!;
      for (let k = 0; k < length; k++) scratch[k]! += cells[before + k]!;
    }
    if (layout.schema === CUSTOM_BUCKETS) scratch[ZERO_COUNT_CELL] = 0;
    return compacted(layout, scratch);
  };
}

/** Multiplies all numbers in place. */
export function scaleInPlace(histogram: ScratchHistogram, factor: number): void {
  const { layout, positive, negative } = histogram;
  histogram.count *= factor;
  histogram.sum *= factor;
  histogram.zeroCount *= factor;
  for (let i = 0; i < layout.positive.length; i++) positive[i]! *= factor;
  for (let i = 0; i < layout.negative.length; i++) negative[i]! *= factor;
}

/** For each histogram the index since which the layout has been the same. */
export function layoutRuns({ layoutOf }: HistogramColumns, rows: Uint32Array): Uint32Array {
  const since = new Uint32Array(rows.length);
  for (let i = 1; i < rows.length; i++) since[i] = layoutOf[rows[i]!] === layoutOf[rows[i - 1]!] ? since[i - 1]! : i;
  return since;
}

/** Makes histograms of cells without their empty buckets. Which ones are empty seldom changes, so the layout is kept. */
function startCompacted(): (layout: HistogramLayout, cells: Float64Array) => ScratchHistogram {
  let indexes = new Int32Array(0);
  let result: ScratchHistogram | undefined;

  /** Moves the buckets that are not empty to `counts` and their indexes to `indexes` from `at` on; returns how many. */
  function move(cells: Float64Array, from: number, own: Int32Array, counts: Float64Array, at: number): number {
    let kept = 0;
    for (let i = 0; i < own.length; i++) {
      const count = cells[from + i]!;
      if (count === 0) continue;
      counts[kept] = count;
      indexes[at + kept++] = own[i]!;
    }
    return kept;
  }

  return (layout, cells) => {
    const { positive: up, negative: down } = layout;
    if (result === undefined || result.positive.length < up.length || result.negative.length < down.length) {
      indexes = new Int32Array(up.length + down.length);
      const [positive, negative] = [new Float64Array(up.length), new Float64Array(down.length)];
      result = { layout, hint: GAUGE, count: 0, sum: 0, zeroCount: 0, positive, negative };
    }
    const above = move(cells, BUCKET_CELLS, up, result.positive, 0);
    const below = move(cells, BUCKET_CELLS + up.length, down, result.negative, above);
    if (above === up.length && below === down.length) result.layout = layout;
    else if (!hasIndexes(result.layout, layout, indexes, above, below)) {
      result.layout = { ...layout, positive: indexes.slice(0, above), negative: indexes.slice(above, above + below) };
    }
    result.count = cells[COUNT_CELL]!;
    result.sum = cells[SUM_CELL]!;
    result.zeroCount = cells[ZERO_COUNT_CELL]!;
    return result;
  };
}

/** Whether a layout made of `whole` has these buckets. */
function hasIndexes(
  made: HistogramLayout,
  whole: HistogramLayout,
  indexes: Int32Array,
  above: number,
  below: number,
): boolean {
  if (made.schema !== whole.schema || made.zeroThreshold !== whole.zeroThreshold || made.bounds !== whole.bounds)
    return false;
  if (made.positive.length !== above || made.negative.length !== below) return false;
  for (let i = 0; i < above; i++) if (made.positive[i] !== indexes[i]) return false;
  for (let i = 0; i < below; i++) if (made.negative[i] !== indexes[above + i]) return false;
  return true;
}
