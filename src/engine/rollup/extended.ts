import { NO_RESETS, resetsIn } from './extrapolated.ts';
import type { SeriesKernel } from './call.ts';
import { eachWindow } from './kernels.ts';

/*
 * The modifiers `anchored` and `smoothed`
 * (https://prometheus.io/docs/prometheus/latest/querying/basics/#extended-range-selectors): what was the case at the two ends of
 * a window is taken from samples outside it.
 */

/** Which samples say what was the case at the ends of a window. */
export interface Ends {
  /** The last one up to the window's start or, when there is none, the first of all. */
  readonly first: number;
  /** The last one or, when smoothed, the first from the window's end on, if there is one. */
  readonly last: number;
}

/** The ends of a window with the samples [from, to) in reach; undefined where it has nothing to say of it. */
export function endsOf(
  times: Float64Array,
  from: number,
  to: number,
  startMs: number,
  endMs: number,
  isSmoothed: boolean,
): Ends | undefined {
  if (from === to) return undefined;
  let last = to - 1;
  const first = Math.max(from, firstFrom(times, from, last, startMs + 1) - 1);
  if (isSmoothed) last = firstFrom(times, from, last, endMs);
  if (times[last]! <= startMs || (isSmoothed && times[first]! > endMs)) return undefined;
  return { first, last };
}

/** The first index in [from, to) with a time from `timeMs` on; `to` when there is none. Times are whole milliseconds. */
export function firstFrom(times: Float64Array, from: number, to: number, timeMs: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! >= timeMs) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The value at a time between two samples; a counter that fell between them rose from zero. */
export function interpolated(
  times: Float64Array,
  values: Float64Array,
  before: number,
  timeMs: number,
  isCounter: boolean,
): number {
  const to = values[before + 1]!;
  const from = isCounter && to < values[before]! ? 0 : values[before]!;
  return from + ((to - from) * (timeMs - times[before]!)) / (times[before + 1]! - times[before]!);
}

/** `rate`, `increase` and `delta` of floats between the ends of a window. */
export function extendedRates(isCounter: boolean, isRate: boolean): SeriesKernel {
  return ({ times, values }, { windows, reach, extended }, out) => {
    const isSmoothed = extended === 'smoothed';
    const { ends, rangeMs } = windows;
    const resets = isCounter ? resetsIn(values) : NO_RESETS;
    let any = false;
    // The first samples after the start and from the end of the window on, which only move forward.
    let inside = 0;
    let beyond = 0;
    let nextReset = 0;
    eachWindow(times, windows, reach, (step, from, to) => {
      out.present[step] = 0;
      out.values[step] = 0;
      if (from === to) return;
      const endMs = ends[step]!;
      const startMs = endMs - rangeMs;
      while (inside < to && times[inside]! <= startMs) inside++;
      while (beyond < to && times[beyond]! < endMs) beyond++;
      const first = Math.max(from, Math.min(inside, to - 1) - 1);
      const last = isSmoothed ? Math.max(from, Math.min(beyond, to - 1)) : to - 1;
      const firstMs = times[first]!;
      const lastMs = times[last]!;
      if (lastMs <= startMs || (isSmoothed && firstMs > endMs)) return;
      const isLeftBetween = isSmoothed && firstMs < startMs;
      const isRightBetween = isSmoothed && last > from && lastMs > endMs;
      const left = isLeftBetween ? interpolated(times, values, first, startMs, isCounter) : values[first]!;
      const right = isRightBetween ? interpolated(times, values, last - 1, endMs, isCounter) : values[last]!;
      let difference = right - left;
      if (isCounter) {
        const innerFrom = firstMs <= startMs ? first + 1 : first;
        const innerTo = lastMs >= endMs ? last : last + 1;
        let lost = 0;
        if (innerFrom < innerTo) {
          if (values[innerFrom]! < left) lost += left;
          while (nextReset < resets.length && resets[nextReset]! <= innerFrom) nextReset++;
          for (let r = nextReset; r < resets.length && resets[r]! < innerTo; r++) lost += values[resets[r]! - 1]!;
          if (right < values[innerTo - 1]!) lost += values[innerTo - 1]!;
        } else if (right < left) {
          lost += left;
        }
        difference += lost;
      }
      out.values[step] = isRate ? difference / (rangeMs / 1000) : difference;
      out.present[step] = 1;
      any = true;
    });
    return any;
  };
}
