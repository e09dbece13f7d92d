import { isStaleAt, type SeriesColumns } from '../../model/series.ts';
import type { VectorSelector } from '../../promql/ast.ts';
import { readSeries, type EvalContext } from '../context.ts';
import { selectSmoothed } from './select-smoothed.ts';
import { statsOf } from './stats-only.ts';
import { readTimes, timesOf } from './read-times.ts';
import type { RowSink } from '../rows.ts';
import { histogramsAtSteps } from './samples.ts';

/**
 * An instant selector: at each step the last sample in (t - lookback, t], and nothing where that sample is a staleness
 * marker. One pass over the samples, whatever the number of steps.
 */
export function selectInstant(selector: VectorSelector, ctx: EvalContext, sink: RowSink): void {
  if (selector.extended === 'smoothed') return selectSmoothed(selector, ctx, sink);
  const { steps } = ctx.grid;
  const read = readTimes(selector, ctx);
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  const ends = timesOf(read, steps);
  for (const series of readSeries(selector.matchers, read.firstMs - ctx.lookbackMs + 1, read.lastMs, ctx)) {
    if (!latestAtSteps(series, ends, ctx.lookbackMs, values, present)) continue;
    const { histograms } = selector.statsOnly === true ? statsOf(series) : series;
    const atSteps = histograms === undefined ? undefined : histogramsAtSteps(series.times, histograms, read, steps);
    sink({ labels: series.labels, values, present, histograms: atSteps });
  }
}

/** Writes the sample that counts at each step, and returns whether there is any. */
function latestAtSteps(
  { times, values }: SeriesColumns,
  ends: Float64Array,
  lookbackMs: number,
  out: Float64Array,
  present: Uint8Array,
): boolean {
  const { length } = times;
  let next = 0;
  // The times on both sides of the step: one that does not move on reads no memory to find that out.
  let nextMs = length > 0 ? times[0]! : Infinity;
  let lastMs = -Infinity;
  let any = false;
  for (let step = 0; step < ends.length; step++) {
    const end = ends[step]!;
    while (nextMs <= end) {
      lastMs = nextMs;
      next++;
      nextMs = next < length ? times[next]! : Infinity;
    }
    if (lastMs > end - lookbackMs) {
      const value = values[next - 1]!;
      if (value === value || !isStaleAt(values, next - 1)) {
        out[step] = value;
        present[step] = 1;
        any = true;
        continue;
      }
    }
    out[step] = 0;
    present[step] = 0;
  }
  return any;
}
