import { resetBetween } from '../../model/histogram-compare.ts';
import {
  BUCKET_CELLS,
  COUNT_CELL,
  histogramAt,
  isHistogramAt,
  layoutIndex,
  NOT_RESET,
  RESET,
  RESET_UNKNOWN,
  SUM_CELL,
  type HistogramLayout,
  type NativeHistogram,
} from '../../model/histogram.ts';
import type { RangeSeries } from '../evaluation.ts';

/**
 * The series with histograms of their counts and sums alone, for expressions that ask for no more: without buckets, zero
 * bucket and bounds. What buckets would tell of counter resets is said by the hints instead, from the second one on.
 */
export function statsOf(series: RangeSeries): RangeSeries {
  const { histograms: whole } = series;
  if (whole === undefined) return series;
  const rows = series.times.length;
  const layouts: HistogramLayout[] = [];
  const layoutOf = whole.layoutOf.slice(0, rows);
  const hints = new Uint8Array(rows);
  const starts = new Uint32Array(rows);
  const cells = new Float64Array(BUCKET_CELLS * rows);
  let previous: NativeHistogram | undefined;
  for (let row = 0; row < rows; row++) {
    if (!isHistogramAt(whole, row)) continue;
    const histogram = histogramAt(whole, row);
    layoutOf[row] = layoutIndex(layouts, emptyLayout(histogram.layout.schema));
    hints[row] = hintAfter(previous, histogram);
    starts[row] = BUCKET_CELLS * row;
    cells[starts[row]! + COUNT_CELL] = histogram.count;
    cells[starts[row]! + SUM_CELL] = histogram.sum;
    previous = histogram;
  }
  return { ...series, histograms: { layouts, layoutOf, hints, starts, cells } };
}

function hintAfter(previous: NativeHistogram | undefined, histogram: NativeHistogram): number {
  if (histogram.hint !== RESET_UNKNOWN || previous === undefined) return histogram.hint;
  return resetBetween(previous, histogram) ? RESET : NOT_RESET;
}

const EMPTY_LAYOUTS = new Map<number, HistogramLayout>();

/** One layout for each schema, so that it is compared by reference. */
function emptyLayout(schema: number): HistogramLayout {
  let layout = EMPTY_LAYOUTS.get(schema);
  if (layout === undefined) {
    layout = {
      schema,
      zeroThreshold: 0,
      positive: new Int32Array(0),
      negative: new Int32Array(0),
      bounds: new Float64Array(0),
    };
    EMPTY_LAYOUTS.set(schema, layout);
  }
  return layout;
}
