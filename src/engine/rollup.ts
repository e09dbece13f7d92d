import { FLOAT_ROW, type HistogramColumns } from '../model/histogram.ts';
import type { MatrixSelector } from '../promql/ast.ts';
import { touchSeries, type EvalContext } from './context.ts';
import { histogramsIn } from './histogram-rows.ts';
import type { Rollup } from './rollup-kernels.ts';
import type { RowSink } from './rows.ts';
import { histogramsAtSteps, withoutStale } from './samples.ts';
import { readTimes, type ReadTimes } from './read-times.ts';

/**
 * A function over range vectors: at each step the samples in (t - range, t], staleness markers left out, go through the
 * kernel as a pair of indices into the series' columns. Both ends of the window only move forward.
 *
 * `param` is the function's scalar argument at each step (the quantile of quantile_over_time), `func` its name. Throws
 * `unsupported` for a window with a native histogram that the function cannot compute with.
 */
export function rollupRows(
  matrix: MatrixSelector,
  func: string,
  rollup: Rollup,
  param: Float64Array | undefined,
  ctx: EvalContext,
  sink: RowSink,
): void {
  const { steps } = ctx.grid;
  const read = readTimes(matrix.selector, ctx);
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  for (const stored of ctx.source.select(matrix.selector.matchers, read.firstMs - matrix.rangeMs + 1, read.lastMs)) {
    touchSeries(ctx);
    const { labels, times, values: samples, histograms } = withoutStale(stored);
    if (histograms !== undefined && rollup.histograms === undefined) {
      if (anyWindowHas(histograms, times, read, steps, matrix.rangeMs)) throw histogramsIn(`${func}()`);
    }
    const kernel = rollup.prepare(times, samples, matrix.rangeMs);
    let from = 0;
    let to = 0;
    let any = 0;
    for (let step = 0; step < steps; step++) {
      const end = read.at(step);
      const start = end - matrix.rangeMs;
      while (to < times.length && times[to]! <= end) to++;
      while (from < to && times[from]! <= start) from++;
      const enough = to - from >= rollup.minSamples;
      present[step] = enough ? 1 : 0;
      values[step] = enough ? kernel(from, to, start, end, param === undefined ? 0 : param[step]!) : 0;
      any |= present[step]!;
    }
    if (any === 0) continue;
    const takesThem = histograms !== undefined && rollup.histograms === 'last';
    sink(labels, values, present, takesThem ? histogramsAtSteps(times, histograms, read, steps) : undefined);
  }
}

/** Whether a histogram lies in the window of any step. */
function anyWindowHas(
  histograms: HistogramColumns,
  times: Float64Array,
  read: ReadTimes,
  steps: number,
  rangeMs: number,
): boolean {
  let next = 0;
  let lastMs = -Infinity;
  for (let step = 0; step < steps; step++) {
    const end = read.at(step);
    for (; next < times.length && times[next]! <= end; next++) {
      if (histograms.layoutOf[next] !== FLOAT_ROW) lastMs = times[next]!;
    }
    if (lastMs > end - rangeMs) return true;
  }
  return false;
}
