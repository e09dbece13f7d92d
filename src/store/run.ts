import { concatHistograms, FLOAT_ROW, sliceHistograms, type HistogramColumns } from '../model/histogram.ts';
import { firstAfter } from '../model/series.ts';
import type { ChunkColumns } from './codec/chunk.ts';
import { sliceStarts, spreadStarts, startsOf, UNKNOWN_START, type Starts } from './starts.ts';

/** Samples of one series in order of time, all stored under one generation: of two samples at a time, the later one's counts. */
export interface RunColumns extends ChunkColumns {
  readonly generation: number;
}

/** The samples in [fromMs, toMs], as views; undefined when there is none. */
export function trimRun<T extends ChunkColumns>(run: T, fromMs: number, toMs: number): T | undefined {
  const [start, end] = rangeWithin(run.times, fromMs, toMs);
  if (start === end) return undefined;
  return start === 0 && end === run.times.length ? run : sliceRun(run, start, end);
}

/** The samples [start, end), as views. */
export function sliceRun<T extends ChunkColumns>(run: T, start: number, end: number): T {
  const { times, values, starts, histograms } = run;
  return {
    ...run,
    times: times.subarray(start, end),
    values: values.subarray(start, end),
    starts: sliceStarts(starts, start, end),
    histograms: histograms === undefined ? undefined : withHistogram(sliceHistograms(histograms, start, end)),
  };
}

/** The samples that do not lie in [fromMs, toMs]. */
export function withoutRange<T extends ChunkColumns>(run: T, fromMs: number, toMs: number): readonly T[] {
  const [start, end] = rangeWithin(run.times, fromMs, toMs);
  if (start === end) return [run];
  const { length } = run.times;
  const parts: T[] = [];
  if (start > 0) parts.push(sliceRun(run, 0, start));
  if (end < length) parts.push(sliceRun(run, end, length));
  return parts;
}

/**
 * All samples of some runs in order of time, each time once; of several at a time that of the highest generation counts, and of
 * one generation that of the run which comes last.
 */
export function mergeRuns(runs: readonly RunColumns[]): ChunkColumns {
  if (runs.length === 1) return runs[0]!;
  const sorted = [...runs].sort((a, b) => a.times[0]! - b.times[0]!);
  const all = concatRuns(sorted);
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i]!.times[0]! <= sorted[i - 1]!.times.at(-1)!)
      return pickRows(all, newestByTime(all.times, sorted, runs));
  }
  return all;
}

/** The samples of one run behind those of the other. */
export function concatRuns(runs: readonly ChunkColumns[]): ChunkColumns {
  if (runs.length === 1) return runs[0]!;
  let rows = 0;
  for (const { times } of runs) rows += times.length;
  const times = new Float64Array(rows);
  const values = new Float64Array(rows);
  let at = 0;
  for (const run of runs) {
    times.set(run.times, at);
    values.set(run.values, at);
    at += run.times.length;
  }
  return {
    times,
    values,
    starts: concatStarts(runs, rows),
    histograms: concatHistograms(runs.map(({ times: column, histograms }) => ({ rows: column.length, histograms }))),
  };
}

/** Undefined where every row is a float. */
function withHistogram(columns: HistogramColumns): HistogramColumns | undefined {
  return columns.layoutOf.some((layout) => layout !== FLOAT_ROW) ? columns : undefined;
}

/** The part of ascending `times` in [fromMs, toMs] as a pair of indexes, the second one exclusive. */
function rangeWithin(times: Float64Array, fromMs: number, toMs: number): [number, number] {
  const { length } = times;
  const end = length > 0 && times[length - 1]! <= toMs ? length : firstAfter(times, toMs);
  if (length === 0 || times[0]! >= fromMs) return [0, end];
  const before = firstAfter(times, fromMs);
  const start = before > 0 && times[before - 1] === fromMs ? before - 1 : before;
  return [Math.min(start, end), end];
}

function concatStarts(runs: readonly ChunkColumns[], rows: number): Starts {
  const first = runs[0]?.starts ?? UNKNOWN_START;
  if (typeof first === 'number' && runs.every(({ starts }) => starts === first)) return first;
  const column = new Float64Array(rows);
  let at = 0;
  for (const { starts, times } of runs) {
    spreadStarts(starts, column.subarray(at, at + times.length));
    at += times.length;
  }
  return startsOf(column);
}

/** Rows of the concatenated runs in order of time, of each time the one that counts. */
function newestByTime(times: Float64Array, sorted: readonly RunColumns[], given: readonly RunColumns[]): Uint32Array {
  const rank = new Uint32Array(times.length);
  const ranks = new Map([...given.entries()].map(([i, run]) => [run, i]));
  const order = [...given].sort((a, b) => a.generation - b.generation || ranks.get(a)! - ranks.get(b)!);
  let at = 0;
  for (const run of sorted) {
    rank.fill(order.indexOf(run), at, at + run.times.length);
    at += run.times.length;
  }
  const rows = Uint32Array.from(times, (_time, row) => row).sort(
    (a, b) => times[a]! - times[b]! || rank[a]! - rank[b]!,
  );
  let kept = 0;
  for (let i = 0; i < rows.length; i++) {
    if (i + 1 < rows.length && times[rows[i]!] === times[rows[i + 1]!]) continue;
    rows[kept++] = rows[i]!;
  }
  return rows.subarray(0, kept);
}

function pickRows({ times, values, starts, histograms }: ChunkColumns, rows: Uint32Array): ChunkColumns {
  const pick = (column: Float64Array): Float64Array => Float64Array.from(rows, (row) => column[row]!);
  return {
    times: pick(times),
    values: pickBits(values, rows),
    starts: typeof starts === 'number' ? starts : startsOf(pick(starts)),
    histograms:
      histograms === undefined
        ? undefined
        : withHistogram({
            layouts: histograms.layouts,
            layoutOf: Int32Array.from(rows, (row) => histograms.layoutOf[row]!),
            hints: Uint8Array.from(rows, (row) => histograms.hints[row]!),
            starts: Uint32Array.from(rows, (row) => histograms.starts[row]!),
            cells: histograms.cells,
          }),
  };
}

/** A NaN's payload may not survive a register, so values go as words. */
function pickBits(values: Float64Array, rows: Uint32Array): Float64Array {
  const picked = new Float64Array(rows.length);
  const from = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  const to = new Uint32Array(picked.buffer);
  for (let i = 0; i < rows.length; i++) {
    to[i * 2] = from[rows[i]! * 2]!;
    to[i * 2 + 1] = from[rows[i]! * 2 + 1]!;
  }
  return picked;
}
