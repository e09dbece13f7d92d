import {
  copyHistogram,
  extendHistograms,
  growingHistograms,
  type GrowingHistograms,
} from '../model/growing-histograms.ts';
import { FLOAT_ROW, isHistogramAt, type HistogramColumns, type NativeHistogram } from '../model/histogram.ts';
import { capacityFor } from './growth.ts';
import type { Starts } from './starts.ts';

/** What only some tails have beside times and floats. */
export interface TailExtra {
  /** Where it is a column, its length is a capacity. */
  starts: Starts;
  histograms: GrowingHistograms | undefined;
  /** The last histogram before the tail, while no later sample than staleness markers has come. */
  baseHistogram: NativeHistogram | undefined;
}

/** Sets row `at`, the last one, to row `row` of other columns. A row that is replaced may have been handed out. */
export function setRow(
  columns: GrowingHistograms,
  at: number,
  replaces: boolean,
  from: HistogramColumns | undefined,
  row: number,
): void {
  const capacity = columns.layoutOf.length;
  if (at >= capacity || replaces) extendHistograms(columns, Math.max(capacity, capacityFor(at + 1)));
  if (isHistogramAt(from, row)) copyHistogram(columns, at, from, row);
  else columns.layoutOf[at] = FLOAT_ROW;
}

/** Copies of the rows [from, to), without the layouts and cells that no row has. */
export function growable(columns: HistogramColumns, from: number, to: number): GrowingHistograms {
  const grown = growingHistograms(capacityFor(to - from));
  for (let row = from; row < to; row++) {
    if (isHistogramAt(columns, row)) copyHistogram(grown, row - from, columns, row);
  }
  return grown;
}

export function copyOf(histogram: NativeHistogram): NativeHistogram {
  return { ...histogram, positive: histogram.positive.slice(), negative: histogram.negative.slice() };
}

/** The row of the tail's last histogram; -1 when it has none. */
export function lastHistogramRow({ histograms }: TailExtra, count: number): number {
  if (histograms === undefined) return -1;
  for (let at = count - 1; at >= 0; at--) if (isHistogramAt(histograms, at)) return at;
  return -1;
}
