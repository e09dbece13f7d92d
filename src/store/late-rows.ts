import { longer } from '../base/columns.ts';
import { firstAfter } from '../model/series.ts';

/**
 * Samples of a series that came out of order. The first `settled` rows are in order of time, and so are the few behind them: a
 * row goes among these, so that no row moves all that came before it.
 */
export interface LateRows {
  times: Float64Array<ArrayBuffer>;
  values: Float64Array<ArrayBuffer>;
  starts: Float64Array<ArrayBuffer>;
  /** Where the histogram of each row is kept; the owner's numbers. */
  histograms: Float64Array<ArrayBuffer>;
  count: number;
  settled: number;
}

const FIRST_ROWS = 4;

/** Rows behind the settled ones, at most. */
const UNSETTLED_MAX = 256;

export function lateRows(): LateRows {
  return {
    times: new Float64Array(FIRST_ROWS),
    values: new Float64Array(FIRST_ROWS),
    starts: new Float64Array(FIRST_ROWS),
    histograms: new Float64Array(FIRST_ROWS),
    count: 0,
    settled: 0,
  };
}

/** Takes in `values[row]`; there is no row at its time. */
export function putLateRow(
  late: LateRows,
  timeMs: number,
  values: Float64Array,
  row: number,
  startMs: number,
  histogram: number,
): void {
  if (late.count === late.times.length) grow(late);
  const { settled, count } = late;
  const at = settled + firstAfter(late.times.subarray(settled, count), timeMs);
  for (const column of columnsOf(late)) column.copyWithin(at + 1, at, count);
  late.times[at] = timeMs;
  late.values.set(values.subarray(row, row + 1), at);
  late.starts[at] = startMs;
  late.histograms[at] = histogram;
  late.count++;
  if (late.count - settled > UNSETTLED_MAX) settleRows(late);
}

/** Puts all rows in order of time. */
export function settleRows(late: LateRows): void {
  const { settled, count } = late;
  const moved = columnsOf(late).map((column) => column.slice(settled, count));
  const times = moved[0]!;
  /** Rows up to here are not moved yet. */
  let end = settled;
  for (let i = times.length - 1; i >= 0; i--) {
    const at = firstAfter(late.times.subarray(0, end), times[i]!);
    for (const [c, column] of columnsOf(late).entries()) {
      column.copyWithin(at + i + 1, at, end);
      // Not by assignment: a NaN's payload may not survive a register.
      column.set(moved[c]!.subarray(i, i + 1), at + i);
    }
    end = at;
  }
  late.settled = count;
}

/** The row at a time; undefined when there is none. */
export function lateRowAt({ times, settled, count }: LateRows, timeMs: number): number | undefined {
  for (const [from, to] of [
    [0, settled],
    [settled, count],
  ] as const) {
    const at = from + firstAfter(times.subarray(from, to), timeMs) - 1;
    if (at >= from && times[at] === timeMs) return at;
  }
  return undefined;
}

function columnsOf({ times, values, starts, histograms }: LateRows): readonly Float64Array<ArrayBuffer>[] {
  return [times, values, starts, histograms];
}

function grow(late: LateRows): void {
  const rows = late.count * 2;
  late.times = longer(late.times, new Float64Array(rows));
  late.values = longer(late.values, new Float64Array(rows));
  late.starts = longer(late.starts, new Float64Array(rows));
  late.histograms = longer(late.histograms, new Float64Array(rows));
}
