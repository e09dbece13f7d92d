import { CUSTOM_BUCKETS, GAUGE, RESET_UNKNOWN } from '../../model/histogram.ts';
import { stepTimes } from '../../model/grid.ts';
import type { VectorSelector } from '../../promql/ast.ts';
import { mixedExponentialCustom } from '../annotations.ts';
import { readSeries, type EvalContext } from '../context.ts';
import { readTimes, timesOf } from './read-times.ts';
import { reachOf, type RollupCall, type SeriesKernel } from '../rollup/call.ts';
import { firstFrom, interpolated } from '../rollup/extended.ts';
import { histogramBetween } from '../rollup/extended-histograms.ts';
import { eachWindow } from '../rollup/kernels.ts';
import { metricName, ofEither, type HistogramSamples, type HistogramsKernel } from '../rollup/mixed.ts';
import { startOut } from '../rollup/out.ts';
import type { RowSink } from '../rows.ts';
import { withoutStale } from './samples.ts';
import { statsOf } from './stats-only.ts';

/**
 * A `smoothed` instant selector: at each step the value on the line between the samples at both sides, up to the lookback
 * away; the last sample where none comes after it. Staleness markers are left out.
 */
export function selectSmoothed(selector: VectorSelector, ctx: EvalContext, sink: RowSink): void {
  const { grid, lookbackMs, notes, features } = ctx;
  const read = readTimes(selector, ctx);
  const call: RollupCall = {
    windows: {
      ends: timesOf(read, grid.steps),
      stepTimes: stepTimes(grid),
      rangeMs: 0,
      params: [],
    },
    reach: reachOf('smoothed', lookbackMs),
    extended: 'smoothed',
    notes,
    span: selector.span,
    features,
  };
  const out = startOut(grid.steps);
  for (const stored of readSeries(selector.matchers, read.firstMs - lookbackMs + 1, read.lastMs + lookbackMs, ctx)) {
    out.clear();
    const within = withoutStale(stored);
    const series = selector.statsOnly === true ? statsOf(within) : within;
    if (!smoothedValues(series, call, out, undefined)) continue;
    sink({ labels: stored.labels, values: out.values, present: out.present, histograms: out.columns() });
  }
}

const smoothedValues: SeriesKernel = ofEither(smoothedFloats, smoothedHistograms);

/** The sample before a time, and the one at or after it, each where there is one among [from, to). */
function around(times: Float64Array, from: number, to: number, timeMs: number): [before: number, after: number] {
  const after = firstFrom(times, from, to, timeMs);
  return [after > from ? after - 1 : -1, after < to ? after : -1];
}

function smoothedFloats(...[{ times, values }, { windows, reach }, out]: Parameters<SeriesKernel>): boolean {
  let any = false;
  eachWindow(times, windows, reach, (step, from, to) => {
    const timeMs = windows.ends[step]!;
    const [before, after] = around(times, from, to, timeMs);
    const isAt = after !== -1 && times[after] === timeMs;
    const found = isAt || before !== -1;
    out.present[step] = found ? 1 : 0;
    out.values[step] = 0;
    if (!found) return;
    any = true;
    if (isAt) out.values[step] = values[after]!;
    else out.values[step] = after === -1 ? values[before]! : interpolated(times, values, before, timeMs, false);
  });
  return any;
}

function smoothedHistograms(
  histograms: HistogramSamples,
  { labels }: { readonly labels: readonly string[] },
  call: RollupCall,
): HistogramsKernel {
  const name = metricName(labels);
  return (from, to, step) => {
    const timeMs = call.windows.ends[step]!;
    const [before, after] = around(histograms.times, from, to, timeMs);
    if (after !== -1 && histograms.times[after] === timeMs) return histograms.at(after);
    if (before === -1) return undefined;
    const last = histograms.at(before);
    // A hint tells of the sample before it, which this is no more.
    if (after === -1) return { ...last, hint: RESET_UNKNOWN };
    const next = histograms.at(after);
    if ((last.layout.schema === CUSTOM_BUCKETS) !== (next.layout.schema === CUSTOM_BUCKETS)) {
      call.notes.add(mixedExponentialCustom(name, call.span));
      return undefined;
    }
    const isCounter = last.hint !== GAUGE || next.hint !== GAUGE;
    return histogramBetween(histograms, before, timeMs, isCounter, name, call);
  };
}
