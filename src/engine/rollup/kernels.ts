/** The windows of the steps: step i looks at the samples in (ends[i] - rangeMs, ends[i]]. `ends` ascend; times in ms. */
export interface Windows {
  readonly ends: Float64Array;
  readonly rangeMs: number;
  /** The times of the steps themselves, which an offset takes the windows away from. */
  readonly stepTimes: Float64Array;
  /** The function's scalar arguments at each step. */
  readonly params: readonly Float64Array[];
}

/**
 * Works out a series of floats, free of staleness markers, at all steps: writes `out[i]` and `present[i]`, and returns
 * whether any step is present. `onStep` is told of the samples that a step has looked at.
 */
export type StepsKernel = (
  times: Float64Array,
  values: Float64Array,
  windows: Windows,
  out: Float64Array,
  present: Uint8Array,
  onStep?: OnStep,
) => boolean;

export type OnStep = (samples: number) => void;

/**
 * A function of a window: the samples [from, to) of a series, at a step. It is called only where there are enough of them,
 * and always gives a value.
 */
export type WindowKernel = (from: number, to: number, step: number) => number;

/** Reads a series once, so that each window costs little. */
type Prepare = (times: Float64Array, values: Float64Array, windows: Windows) => WindowKernel;

/** Calls a kernel for each window with so many samples; both ends of the window only move forward. */
export function windowed(minSamples: 1 | 2, prepare: Prepare): StepsKernel {
  return (times, values, windows, out, present, onStep) => {
    const { ends, rangeMs } = windows;
    const kernel = prepare(times, values, windows);
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
      out[step] = enough ? kernel(from, to, step) : 0;
      any ||= enough;
      onStep?.(to - from + 1);
    }
    return any;
  };
}

/** The windows of a series one by one, as far as they reach: the samples in (start - beforeMs, end + afterMs]. */
export function eachWindow(
  times: Float64Array,
  { ends, rangeMs }: Windows,
  { beforeMs, afterMs }: Reach,
  visit: (step: number, from: number, to: number) => void,
): void {
  let from = 0;
  let to = 0;
  for (let step = 0; step < ends.length; step++) {
    const end = ends[step]! + afterMs;
    const start = ends[step]! - rangeMs - beforeMs;
    while (to < times.length && times[to]! <= end) to++;
    while (from < to && times[from]! <= start) from++;
    visit(step, from, to);
  }
}

/** How far beyond its window a function looks, in ms. */
export interface Reach {
  readonly beforeMs: number;
  readonly afterMs: number;
}

export const WITHIN: Reach = { beforeMs: 0, afterMs: 0 };

/** About how many samples a window has; 0 where the windows have none in common, so that nothing can be carried on. */
export function sharedSamples(times: Float64Array, { ends, rangeMs }: Windows): number {
  const span = times.length < 2 ? 0 : times[times.length - 1]! - times[0]!;
  const stepMs = ends.length < 2 ? Infinity : ends[1]! - ends[0]!;
  if (span === 0 || stepMs >= rangeMs) return 0;
  return Math.min(1, rangeMs / span) * times.length;
}

export const counted: StepsKernel = windowed(1, () => (from, to) => to - from);

export const presence: StepsKernel = windowed(1, () => () => 1);

export const firstValue: StepsKernel = windowed(1, (_times, values) => (from) => values[from]!);

export const lastValue: StepsKernel = windowed(1, (_times, values) => (_from, to) => values[to - 1]!);

/** In seconds, as everything that PromQL says of times. */
export const firstTime: StepsKernel = windowed(1, (times) => (from) => times[from]! / 1000);

export const lastTime: StepsKernel = windowed(1, (times) => (_from, to) => times[to - 1]! / 1000);

/** What an instant rate or difference makes of the last two samples. */
export function lastDifference(isCounter: boolean): StepsKernel {
  return windowed(2, (times, values) => (_from, to) => {
    const last = values[to - 1]!;
    const previous = values[to - 2]!;
    const difference = isCounter && last < previous ? last : last - previous;
    return isCounter ? difference / ((times[to - 1]! - times[to - 2]!) / 1000) : difference;
  });
}
