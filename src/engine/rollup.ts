import { isStaleAt, type SeriesColumns } from '../model/series.ts';
import type { MatrixSelector } from '../promql/ast.ts';
import { touchSeries, type EvalContext } from './context.ts';
import type { Rollup } from './rollup-kernels.ts';
import type { RowSink } from './rows.ts';
import { readTimes } from './select.ts';

/**
 * A function over range vectors: at each step the samples in (t - range, t], staleness markers left out, go through the
 * kernel as a pair of indices into the series' columns. Both ends of the window only move forward.
 *
 * `param` is the function's scalar argument at each step (the quantile of quantile_over_time).
 */
export function rollupRows(
  matrix: MatrixSelector,
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
    const { labels, times, values: samples } = withoutStale(stored);
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
    if (any === 1) sink(labels, values, present);
  }
}

function withoutStale(series: SeriesColumns): SeriesColumns {
  const { times, values } = series;
  let stale = 0;
  for (let i = 0; i < values.length; i++) if (isStaleAt(values, i)) stale++;
  if (stale === 0) return series;
  const keptTimes = new Float64Array(values.length - stale);
  const keptValues = new Float64Array(values.length - stale);
  let kept = 0;
  for (let i = 0; i < values.length; i++) {
    if (isStaleAt(values, i)) continue;
    keptTimes[kept] = times[i]!;
    keptValues[kept] = values[i]!;
    kept++;
  }
  return { labels: series.labels, times: keptTimes, values: keptValues };
}
