import { isStaleAt } from '../model/series.ts';
import type { VectorSelector } from '../promql/ast.ts';
import { readSeries, type EvalContext } from './context.ts';
import { readTimes } from './read-times.ts';
import type { RowSink } from './rows.ts';
import { histogramsAtSteps } from './samples.ts';

/**
 * An instant selector: at each step the last sample in (t - lookback, t], and nothing where that sample is a staleness
 * marker. One pass over the samples, whatever the number of steps.
 */
export function selectInstant(selector: VectorSelector, ctx: EvalContext, sink: RowSink): void {
  const { steps } = ctx.grid;
  const read = readTimes(selector, ctx);
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  for (const series of readSeries(selector.matchers, read.firstMs - ctx.lookbackMs + 1, read.lastMs, ctx)) {
    let next = 0;
    let any = 0;
    for (let step = 0; step < steps; step++) {
      const time = read.at(step);
      while (next < series.times.length && series.times[next]! <= time) next++;
      const last = next - 1;
      const found = last >= 0 && series.times[last]! > time - ctx.lookbackMs && !isStaleAt(series.values, last);
      present[step] = found ? 1 : 0;
      values[step] = found ? series.values[last]! : 0;
      any |= present[step]!;
    }
    if (any === 0) continue;
    const { histograms } = series;
    sink(
      series.labels,
      values,
      present,
      histograms === undefined ? undefined : histogramsAtSteps(series.times, histograms, read, steps),
    );
  }
}
