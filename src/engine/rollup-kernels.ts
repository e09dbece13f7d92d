import { addCompensated, compensatedSum } from '../partial/compensated.ts';
import { extrapolatedSteps } from './extrapolated.ts';
import { quantileOfSorted, sortNanFirst } from './quantile.ts';

/** A function of range vectors. */
export interface Rollup {
  /** `last_over_time` alone gives a sample of the series itself, so it keeps the metric's name. */
  readonly keepsName?: true;
  /**
   * What becomes of native histograms: `counted` like any sample, whatever its value, or the `last` one is the result.
   * Undefined for functions that cannot compute with them.
   */
  readonly histograms?: 'counted' | 'last';
  /** Whether a step costs the same however many samples its window holds. */
  readonly isFlat?: true;
  readonly run: StepsKernel;
}

/** The windows of the steps: step i looks at the samples in (ends[i] - rangeMs, ends[i]]. `ends` ascend; times in ms. */
export interface Windows {
  readonly ends: Float64Array;
  readonly rangeMs: number;
  /** The function's scalar argument at each step. */
  readonly param: Float64Array | undefined;
}

/**
 * Works out a series, free of staleness markers, at all steps: writes `out[i]` and `present[i]`, and returns whether any step is
 * present. `onStep` is told of the samples that a step has looked at.
 */
export type StepsKernel = (
  times: Float64Array,
  values: Float64Array,
  windows: Windows,
  out: Float64Array,
  present: Uint8Array,
  onStep: ((samples: number) => void) | undefined,
) => boolean;

/**
 * A function of a window: the samples [from, to) of a series, lying in (startMs, endMs]. It is called only where there are
 * enough of them, and always gives a value.
 */
type WindowKernel = (from: number, to: number, startMs: number, endMs: number, param: number) => number;

/** Reads a series once, so that each window costs little. */
type Prepare = (times: Float64Array, values: Float64Array, rangeMs: number) => WindowKernel;

/** Functions of range vectors by their PromQL names. */
export const ROLLUPS: ReadonlyMap<string, Rollup> = new Map<string, Rollup>([
  ['rate', extrapolated(true, (rangeMs) => rangeMs / 1000)],
  ['increase', extrapolated(true, () => 1)],
  ['delta', extrapolated(false, () => 1)],
  ['irate', { isFlat: true, run: windowed(2, (times, values) => lastDifference(times, values, true)) }],
  ['idelta', { isFlat: true, run: windowed(2, (times, values) => lastDifference(times, values, false)) }],
  ['count_over_time', { isFlat: true, histograms: 'counted', run: windowed(1, () => (from, to) => to - from) }],
  ['present_over_time', { isFlat: true, histograms: 'counted', run: windowed(1, () => () => 1) }],
  [
    'last_over_time',
    {
      isFlat: true,
      keepsName: true,
      histograms: 'last',
      run: windowed(1, (_times, values) => (_from, to) => values[to - 1]!),
    },
  ],
  ['sum_over_time', { run: windowed(1, (_times, values) => (from, to) => compensatedSum(values, from, to)) }],
  ['avg_over_time', { run: windowed(1, (_times, values) => (from, to) => meanOf(values, from, to)) }],
  ['min_over_time', { run: windowed(1, (_times, values) => extremum(values, (a, b) => a < b)) }],
  ['max_over_time', { run: windowed(1, (_times, values) => extremum(values, (a, b) => a > b)) }],
  ['stdvar_over_time', { run: windowed(1, (_times, values) => variance(values, (squares) => squares)) }],
  ['stddev_over_time', { run: windowed(1, (_times, values) => variance(values, Math.sqrt)) }],
  ['quantile_over_time', { run: windowed(1, (_times, values) => quantile(values)) }],
  ['changes', { run: windowed(1, (_times, values) => countPairs(values, (a, b) => a !== b && !(a !== a && b !== b))) }],
  ['resets', { run: windowed(1, (_times, values) => countPairs(values, (a, b) => b < a)) }],
]);

function extrapolated(isCounter: boolean, divisorOf: (rangeMs: number) => number): Rollup {
  return {
    isFlat: true,
    run: (times, values, { ends, rangeMs }, out, present) =>
      extrapolatedSteps(times, values, ends, rangeMs, isCounter, divisorOf(rangeMs), out, present),
  };
}

/** Calls a kernel for each window with so many samples; both ends of the window only move forward. */
function windowed(minSamples: 1 | 2, prepare: Prepare): StepsKernel {
  return (times, values, { ends, rangeMs, param }, out, present, onStep) => {
    const kernel = prepare(times, values, rangeMs);
    let from = 0;
    let to = 0;
    let any = false;
    for (let step = 0; step < ends.length; step++) {
      const end = ends[step]!;
      const start = end - rangeMs;
      while (to < times.length && times[to]! <= end) to++;
      while (from < to && times[from]! <= start) from++;
      const enough = to - from >= minSamples;
      present[step] = enough ? 1 : 0;
      out[step] = enough ? kernel(from, to, start, end, param === undefined ? 0 : param[step]!) : 0;
      any ||= enough;
      onStep?.(to - from + 1);
    }
    return any;
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
