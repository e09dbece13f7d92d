import { isHistogramAt } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { isStaleAt, type SeriesColumns } from '../../model/series.ts';
import type { VectorSelector } from '../../promql/ast.ts';
import { readSeries, type EvalContext } from '../context.ts';
import type { ReadTimes } from './read-times.ts';

/** A series of an instant selector with the times of its samples in place of their values. */
export interface SampleTimes {
  readonly labels: Labels;
  readonly present: Uint8Array;
  /** When the sample of each step was taken, in ms. */
  readonly times: Float64Array;
  /** When the counter behind it started, in ms; 0 where that is unknown. */
  readonly startTimes: Float64Array;
  /** Step -> 1 where the sample is a native histogram. */
  readonly isHistogram: Uint8Array;
}

/**
 * The samples that an instant selector picks: at each step the last one in (t - lookback, t], and nothing where that is a
 * staleness marker. Only samples in [fromMs, toMs] are looked at. The columns are valid until the call of `sink` returns.
 */
export function selectSampleTimes(
  { matchers }: VectorSelector,
  read: ReadTimes,
  [fromMs, toMs]: readonly [number, number],
  ctx: EvalContext,
  sink: (row: SampleTimes) => void,
): void {
  const { steps } = ctx.grid;
  const present = new Uint8Array(steps);
  const times = new Float64Array(steps);
  const startTimes = new Float64Array(steps);
  const isHistogram = new Uint8Array(steps);
  for (const series of readSeries(matchers, fromMs, toMs, ctx)) {
    let next = 0;
    let any = false;
    for (let step = 0; step < steps; step++) {
      const at = read.at(step);
      while (next < series.times.length && series.times[next]! <= at) next++;
      const last = next - 1;
      const found = last >= 0 && series.times[last]! > at - ctx.lookbackMs && !isStaleAt(series.values, last);
      present[step] = found ? 1 : 0;
      if (!found) continue;
      any = true;
      times[step] = series.times[last]!;
      startTimes[step] = startOf(series, last);
      isHistogram[step] = isHistogramAt(series.histograms, last) ? 1 : 0;
    }
    if (any) sink({ labels: series.labels, present, times, startTimes, isHistogram });
  }
}

function startOf({ startTimes }: SeriesColumns, sample: number): number {
  return typeof startTimes === 'number' ? startTimes : (startTimes?.[sample] ?? 0);
}
