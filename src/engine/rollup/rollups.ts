import { invalidQuantile } from '../annotations.ts';
import type { SeriesKernel } from './call.ts';
import { histogramMeans, histogramSums } from './histogram-sums.ts';
import { counted, eachWindow, firstTime, firstValue, lastTime, lastValue, presence } from './kernels.ts';
import { ofEither, ofFloats, ofPicked, ofSamples } from './mixed.ts';
import { changes, lastChanges, resets } from './pairs.ts';
import { rates } from './rate.ts';
import { best, isAsLarge, isAsSmall, isLarger, isSmaller } from './sliding.ts';
import { medianDeviations, quantiles } from './sorted.ts';
import { deviations, means, sums, variances } from './sums.ts';
import { assertSmoothingFactors, predictions, slopes, smoothedTrends } from './trend.ts';

/** A function of range vectors. */
export interface Rollup {
  /** It gives samples of the series themselves, so it keeps the metric's name. */
  readonly keepsName?: true;
  /** Whether a step costs the same however many floats its window holds. */
  readonly isFlat?: true;
  /** Whether it means something only for counters. */
  readonly ofCounters?: true;
  /** The modifiers that it can be used with. */
  readonly extensions?: readonly ('anchored' | 'smoothed')[];
  readonly run: SeriesKernel;
}

const flat = (run: SeriesKernel): Rollup => ({ isFlat: true, run });

const rate = (isCounter: boolean, isRate: boolean): Rollup => ({
  ...flat(rates(isCounter, isRate)),
  extensions: ['anchored', 'smoothed'],
});

/** Functions of range vectors by their PromQL names, but for `absent_over_time`, which has no series to work on. */
export const ROLLUPS: ReadonlyMap<string, Rollup> = new Map<string, Rollup>([
  ['rate', { ...rate(true, true), ofCounters: true }],
  ['increase', { ...rate(true, false), ofCounters: true }],
  ['delta', rate(false, false)],
  ['irate', flat(lastChanges(true))],
  ['idelta', flat(lastChanges(false))],
  ['changes', { ...flat(changes), extensions: ['anchored'] }],
  ['resets', { ...flat(resets), extensions: ['anchored'] }],
  ['count_over_time', flat(ofSamples(counted))],
  ['present_over_time', flat(ofSamples(presence))],
  ['first_over_time', { ...flat(ofPicked(firstValue, (from) => from)), keepsName: true }],
  ['last_over_time', { ...flat(ofPicked(lastValue, (_from, to) => to - 1)), keepsName: true }],
  ['ts_of_first_over_time', flat(ofSamples(firstTime))],
  ['ts_of_last_over_time', flat(ofSamples(lastTime))],
  ['sum_over_time', { run: ofEither(ofFloats(sums), histogramSums) }],
  ['avg_over_time', { run: ofEither(ofFloats(means), histogramMeans) }],
  ['min_over_time', flat(ofFloats(best(isSmaller, (_times, values, index) => values[index]!)))],
  ['max_over_time', flat(ofFloats(best(isLarger, (_times, values, index) => values[index]!)))],
  ['ts_of_min_over_time', flat(ofFloats(best(isAsSmall, (times, _values, index) => times[index]! / 1000)))],
  ['ts_of_max_over_time', flat(ofFloats(best(isAsLarge, (times, _values, index) => times[index]! / 1000)))],
  ['stddev_over_time', { run: ofFloats(deviations) }],
  ['stdvar_over_time', { run: ofFloats(variances) }],
  ['mad_over_time', { run: ofFloats(medianDeviations) }],
  ['quantile_over_time', { run: withQuantileNotes(ofFloats(quantiles)) }],
  ['deriv', { run: ofFloats(slopes) }],
  ['predict_linear', { run: ofFloats(predictions) }],
  ['double_exponential_smoothing', { run: withSmoothingFactors(ofFloats(smoothedTrends)) }],
]);

/** Notes the quantiles that are none, of the steps at which there is something to take one of. */
function withQuantileNotes(run: SeriesKernel): SeriesKernel {
  return (series, call, out, onStep) => {
    const any = run(series, call, out, onStep);
    const [phis] = call.windows.params;
    if (any && !phis!.every(isQuantile)) {
      const invalid = new Set(phis!.filter((phi, step) => out.present[step] === 1 && !isQuantile(phi)));
      for (const phi of invalid) call.notes.add(invalidQuantile(phi, call.span));
    }
    return any;
  };
}

function isQuantile(phi: number): boolean {
  return phi >= 0 && phi <= 1;
}

/** Throws `execution` where the factors of a step with any sample are none. */
function withSmoothingFactors(run: SeriesKernel): SeriesKernel {
  return (series, call, out, onStep) => {
    const [smoothings, trends] = call.windows.params;
    eachWindow(series.times, call.windows, call.reach, (step, from, to) => {
      if (from < to) assertSmoothingFactors(smoothings![step]!, trends![step]!);
    });
    return run(series, call, out, onStep);
  };
}
