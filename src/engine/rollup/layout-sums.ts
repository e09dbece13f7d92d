import { addColumn } from '../../base/compensated.ts';
import { hidesBuckets } from '../../model/histogram-combine.ts';
import { histogramOf } from '../../model/histogram-accumulator.ts';
import {
  cellsOf,
  CUSTOM_BUCKETS,
  GAUGE,
  RESET_UNKNOWN,
  ZERO_COUNT_CELL,
  type NativeHistogram,
} from '../../model/histogram.ts';
import type { HistogramSamples } from './mixed.ts';
import { layoutRuns } from './rise.ts';

/**
 * The compensated sum over histograms of one layout, the usual case: as adding them one by one, in the same order, but cell
 * by cell in place. Undefined where layouts differ or hide buckets. The result is valid until the next call.
 */
export function sumsOfLayout({
  columns,
  rows,
}: HistogramSamples): (from: number, to: number) => NativeHistogram | undefined {
  const { cells, starts, layouts, layoutOf, hints } = columns;
  const sameSince = layoutRuns(columns, rows);
  const hides = layouts.map((layout) => layout.schema !== CUSTOM_BUCKETS && hidesBuckets(layout));
  let sums = new Float64Array(0);
  let lost = new Float64Array(0);

  return (from, to) => {
    const layoutIndex = layoutOf[rows[from]!]!;
    if (sameSince[to - 1]! > from || hides[layoutIndex] === true) return undefined;
    const layout = layouts[layoutIndex]!;
    const length = cellsOf(layout);
    if (sums.length < length) [sums, lost] = [new Float64Array(length), new Float64Array(length)];
    const first = starts[rows[from]!]!;
    for (let k = 0; k < length; k++) sums[k] = cells[first + k]!;
    lost.fill(0, 0, length);
    let hint = hints[rows[from]!]!;
    for (let i = from + 1; i < to; i++) {
      const row = rows[i]!;
      addColumn(sums, lost, cells, starts[row]!, length);
      if (hints[row] !== hint) hint = hint === GAUGE || hints[row] === GAUGE ? GAUGE : RESET_UNKNOWN;
    }
    if (to - from > 1) for (let k = 0; k < length; k++) if (Number.isFinite(sums[k])) sums[k]! += lost[k]!;
    // Custom buckets have no zero bucket, whatever arithmetic left in its count.
    if (layout.schema === CUSTOM_BUCKETS) sums[ZERO_COUNT_CELL] = 0;
    return histogramOf(layout, hint, sums);
  };
}
