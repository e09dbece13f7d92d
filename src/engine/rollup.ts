import { FLOAT_ROW, type HistogramColumns } from '../model/histogram.ts';
import type { MatrixSelector } from '../promql/ast.ts';
import type { SeriesColumns } from '../model/series.ts';
import { readSeries, type EvalContext } from './context.ts';
import { spend } from './usage.ts';
import { histogramsIn } from './histogram-rows.ts';
import type { Rollup, Windows } from './rollup-kernels.ts';
import type { RowSink } from './rows.ts';
import { histogramsAtSteps, withoutStale } from './samples.ts';
import { readTimes, type ReadTimes } from './read-times.ts';

/**
 * A function over range vectors: at each step the samples in (t - range, t], staleness markers left out.
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
  const { rangeMs } = matrix;
  const read = readTimes(matrix.selector, ctx);
  const windows: Windows = { ends: Float64Array.from({ length: steps }, (_, step) => read.at(step)), rangeMs, param };
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  const onStep = (samples: number): void => spend(ctx.usage, samples);
  for (const stored of readSeries(matrix.selector.matchers, read.firstMs - rangeMs + 1, read.lastMs, ctx)) {
    const isLong =
      rollup.isFlat !== true && stored.histograms === undefined && workOf(stored, read, steps, rangeMs) > LONG_WORK;
    const { labels, times, values: samples, histograms } = withoutStale(isLong ? ownCopy(stored) : stored);
    if (histograms !== undefined && rollup.histograms === undefined) {
      if (anyWindowHas(histograms, times, read, steps, rangeMs)) throw histogramsIn(`${func}()`);
    }
    if (!rollup.run(times, samples, windows, values, present, isLong ? onStep : undefined)) continue;
    const takesThem = histograms !== undefined && rollup.histograms === 'last';
    sink(labels, values, present, takesThem ? histogramsAtSteps(times, histograms, read, steps) : undefined);
  }
}

/** Work on one series past which it is looked round in between; its columns are copied for that. */
const LONG_WORK = 65_536;

/** About as many samples as the windows of all steps hold together. */
function workOf({ times }: SeriesColumns, read: ReadTimes, steps: number, rangeMs: number): number {
  const windowPart = Math.min(1, rangeMs / (read.lastMs - read.firstMs + rangeMs));
  return steps * (1 + times.length * windowPart);
}

function ownCopy({ labels, times, values }: SeriesColumns): SeriesColumns {
  return { labels, times: times.slice(), values: values.slice() };
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
