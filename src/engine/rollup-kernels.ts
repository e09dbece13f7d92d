import { addCompensated, compensatedSum } from '../partial/compensated.ts';
import { quantileOfSorted, sortNanFirst } from './quantile.ts';

/**
 * A function of a window: the samples [from, to) of a series, lying in (startMs, endMs]. It is called only with at least
 * `minSamples` of them, and always gives a value.
 */
export type WindowKernel = (from: number, to: number, startMs: number, endMs: number, param: number) => number;

export interface Rollup {
  readonly minSamples: 1 | 2;
  /** `last_over_time` alone gives a sample of the series itself, so it keeps the metric's name. */
  readonly keepsName?: true;
  /**
   * What becomes of native histograms: `counted` like any sample, whatever its value, or the `last` one is the result.
   * Undefined for functions that cannot compute with them.
   */
  readonly histograms?: 'counted' | 'last';
  /** Reads a series once, so that each window costs little. Times in ms, free of staleness markers. */
  prepare(times: Float64Array, values: Float64Array, rangeMs: number): WindowKernel;
}

/** Functions of range vectors by their PromQL names. */
export const ROLLUPS: ReadonlyMap<string, Rollup> = new Map<string, Rollup>([
  ['rate', { minSamples: 2, prepare: (times, values, rangeMs) => extrapolated(times, values, true, rangeMs / 1000) }],
  ['increase', { minSamples: 2, prepare: (times, values) => extrapolated(times, values, true, 1) }],
  ['delta', { minSamples: 2, prepare: (times, values) => extrapolated(times, values, false, 1) }],
  ['irate', { minSamples: 2, prepare: (times, values) => lastDifference(times, values, true) }],
  ['idelta', { minSamples: 2, prepare: (times, values) => lastDifference(times, values, false) }],
  ['count_over_time', { minSamples: 1, histograms: 'counted', prepare: () => (from, to) => to - from }],
  ['present_over_time', { minSamples: 1, histograms: 'counted', prepare: () => () => 1 }],
  [
    'last_over_time',
    { minSamples: 1, keepsName: true, histograms: 'last', prepare: (_times, values) => (_from, to) => values[to - 1]! },
  ],
  ['sum_over_time', { minSamples: 1, prepare: (_times, values) => (from, to) => compensatedSum(values, from, to) }],
  ['avg_over_time', { minSamples: 1, prepare: (_times, values) => (from, to) => meanOf(values, from, to) }],
  ['min_over_time', { minSamples: 1, prepare: (_times, values) => extremum(values, (a, b) => a < b) }],
  ['max_over_time', { minSamples: 1, prepare: (_times, values) => extremum(values, (a, b) => a > b) }],
  ['stdvar_over_time', { minSamples: 1, prepare: (_times, values) => variance(values, (squares) => squares) }],
  ['stddev_over_time', { minSamples: 1, prepare: (_times, values) => variance(values, Math.sqrt) }],
  ['quantile_over_time', { minSamples: 1, prepare: (_times, values) => quantile(values) }],
  [
    'changes',
    { minSamples: 1, prepare: (_times, values) => countPairs(values, (a, b) => a !== b && !(a !== a && b !== b)) },
  ],
  ['resets', { minSamples: 1, prepare: (_times, values) => countPairs(values, (a, b) => b < a) }],
]);

/**
 * `rate`, `increase` and `delta`: the difference over the window, extended to the window's ends as far as the samples'
 * spacing and, for counters, the zero point allow. Divided by `divisor` (seconds for `rate`).
 *
 * Counter resets are kept as a list of indices, of which a window walks only its own, rather than as prefix sums: the
 * terms are then added in Prometheus's order, and no NaN or infinity outside the window can spoil it.
 */
function extrapolated(times: Float64Array, values: Float64Array, isCounter: boolean, divisor: number): WindowKernel {
  const resets: number[] = [];
  if (isCounter) {
    for (let i = 1; i < values.length; i++) if (values[i]! < values[i - 1]!) resets.push(i);
  }
  let firstReset = 0;
  return (from, to, startMs, endMs) => {
    const first = values[from]!;
    let difference = values[to - 1]! - first;
    while (firstReset < resets.length && resets[firstReset]! <= from) firstReset++;
    for (let r = firstReset; r < resets.length && resets[r]! < to; r++) difference += values[resets[r]! - 1]!;

    const sampled = (times[to - 1]! - times[from]!) / 1000;
    const spacing = sampled / (to - from - 1);
    let toStart = (times[from]! - startMs) / 1000;
    let toEnd = (endMs - times[to - 1]!) / 1000;
    // A gap to the window's end of more than 1.1 spacings says that the series begins or ends inside the window.
    if (toStart >= spacing * 1.1) toStart = spacing / 2;
    if (toEnd >= spacing * 1.1) toEnd = spacing / 2;
    if (isCounter && difference > 0 && first >= 0) {
      // A counter cannot have been below zero, so it cannot have begun before it was zero.
      const toZero = sampled * (first / difference);
      if (toZero < toStart) toStart = toZero;
    }
    return difference * ((sampled + toStart + toEnd) / sampled / divisor);
  };
}

function lastDifference(times: Float64Array, values: Float64Array, isCounter: boolean): WindowKernel {
  return (_from, to) => {
    const last = values[to - 1]!;
    const previous = values[to - 2]!;
    const difference = isCounter && last < previous ? last : last - previous;
    return isCounter ? difference / ((times[to - 1]! - times[to - 2]!) / 1000) : difference;
  };
}

function meanOf(values: Float64Array, from: number, to: number): number {
  const count = to - from;
  const sum = compensatedSum(values, from, to);
  if (Number.isFinite(sum)) return sum / count;
  // The sum overflowed, or the window holds infinities: a sum of small parts tells the two apart.
  const scaled = new Float64Array(count);
  for (let i = from; i < to; i++) scaled[i - from] = values[i]! * 2 ** -64;
  return (compensatedSum(scaled, 0, count) / count) * 2 ** 64;
}

/** Welford's running variance (population) with its mean and squares compensated, as Prometheus computes it. */
function variance(values: Float64Array, finish: (variance: number) => number): WindowKernel {
  const sums = new Float64Array(2);
  const compensations = new Float64Array(2);
  return (from, to) => {
    sums.fill(0);
    compensations.fill(0);
    for (let i = from; i < to; i++) {
      const value = values[i]!;
      const delta = value - (sums[0]! + compensations[0]!);
      addCompensated(sums, compensations, 0, delta / (i - from + 1));
      addCompensated(sums, compensations, 1, delta * (value - (sums[0]! + compensations[0]!)));
    }
    return finish((sums[1]! + compensations[1]!) / (to - from));
  };
}

function quantile(values: Float64Array): WindowKernel {
  let scratch = new Float64Array(64);
  return (from, to, _startMs, _endMs, phi) => {
    if (to - from > scratch.length) scratch = new Float64Array(2 * (to - from));
    const window = scratch.subarray(0, to - from);
    window.set(values.subarray(from, to));
    sortNanFirst(window);
    return quantileOfSorted(phi, window);
  };
}

function extremum(values: Float64Array, beats: (candidate: number, current: number) => boolean): WindowKernel {
  return (from, to) => {
    let best = values[from]!;
    for (let i = from + 1; i < to; i++) if (beats(values[i]!, best) || best !== best) best = values[i]!;
    return best;
  };
}

function countPairs(values: Float64Array, counts: (previous: number, current: number) => boolean): WindowKernel {
  return (from, to) => {
    let count = 0;
    for (let i = from + 1; i < to; i++) if (counts(values[i - 1]!, values[i]!)) count++;
    return count;
  };
}
