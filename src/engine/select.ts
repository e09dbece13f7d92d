import { ComityError } from '../base/errors.ts';
import { stepTime, gridEnd } from '../model/grid.ts';
import { isStaleAt } from '../model/series.ts';
import type { VectorSelector } from '../promql/ast.ts';
import { touchSeries, type EvalContext } from './context.ts';
import type { RowSink } from './rows.ts';

/** The times that a selector is read at: one a step, or the same one at every step under `@`. */
export interface ReadTimes {
  readonly firstMs: number;
  readonly lastMs: number;
  at(step: number): number;
}

export function readTimes(selector: VectorSelector, ctx: EvalContext): ReadTimes {
  const { grid } = ctx;
  const { at, offsetMs } = selector;
  if (at !== undefined) {
    if (at.kind !== 'time') throw new ComityError('internal', 'normalise resolves @ start() and @ end()');
    const fixed = at.ms - offsetMs;
    return { firstMs: fixed, lastMs: fixed, at: () => fixed };
  }
  return {
    firstMs: grid.startMs - offsetMs,
    lastMs: gridEnd(grid) - offsetMs,
    at: (step) => stepTime(grid, step) - offsetMs,
  };
}

/**
 * An instant selector: at each step the last sample in (t - lookback, t], and nothing where that sample is a staleness
 * marker. One pass over the samples, whatever the number of steps.
 */
export function selectInstant(selector: VectorSelector, ctx: EvalContext, sink: RowSink): void {
  const { steps } = ctx.grid;
  const read = readTimes(selector, ctx);
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  for (const series of ctx.source.select(selector.matchers, read.firstMs - ctx.lookbackMs + 1, read.lastMs)) {
    touchSeries(ctx);
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
    if (any === 1) sink(series.labels, values, present);
  }
}
