/**
 * `rate`, `increase` and `delta` (https://prometheus.io/docs/prometheus/latest/querying/functions/#rate): the difference over a
 * window, extended to the window's ends as far as the samples' spacing and, for counters, the zero point allow. Divided by
 * `divisor` (seconds of the range for `rate`).
 *
 * Step i looks at the samples in (ends[i] - rangeMs, ends[i]]; `ends` ascend. Writes `out[i]` and `present[i]` for every step,
 * and returns whether any is present. Each step costs the same, however long its window is: both ends only move forward, and
 * counter resets are kept as a list of indices, of which a step walks only its own. Prefix sums would be as fast, but then the
 * terms would not be added in Prometheus's order, and a NaN or infinity would spoil all that comes behind it.
 */
export function extrapolatedSteps(
  times: Float64Array,
  values: Float64Array,
  ends: Float64Array,
  rangeMs: number,
  isCounter: boolean,
  divisor: number,
  out: Float64Array,
  present: Uint8Array,
): boolean {
  const { length } = times;
  const resets = isCounter ? resetsIn(values) : NO_RESETS;
  let from = 0;
  let to = 0;
  // What is at both ends of the window: a step that does not move on reads no memory to find that out.
  let fromMs = length > 0 ? times[0]! : Infinity;
  let first = values[0]!;
  let nextMs = fromMs;
  let lastMs = fromMs;
  let last = first;
  const hasResets = resets.length > 0;
  let nextReset = 0;
  let any = false;
  for (let step = 0; step < ends.length; step++) {
    const end = ends[step]!;
    const start = end - rangeMs;
    if (nextMs <= end) {
      do {
        lastMs = nextMs;
        to++;
        nextMs = to < length ? times[to]! : Infinity;
      } while (nextMs <= end);
      last = values[to - 1]!;
    }
    if (fromMs <= start) {
      do {
        from++;
        fromMs = from < length ? times[from]! : Infinity;
      } while (fromMs <= start);
      first = from < length ? values[from]! : 0;
    }
    const gaps = to - from - 1;
    if (gaps < 1) {
      out[step] = 0;
      present[step] = 0;
      continue;
    }
    let difference = last - first;
    if (hasResets) {
      while (nextReset < resets.length && resets[nextReset]! <= from) nextReset++;
      for (let r = nextReset; r < resets.length && resets[r]! < to; r++) difference += values[resets[r]! - 1]!;
    }

    const sampled = (lastMs - fromMs) / 1000;
    let toStart = (fromMs - start) / 1000;
    let toEnd = (end - lastMs) / 1000;
    // A gap to the window's end of more than 1.1 spacings says that the series begins or ends inside the window.
    const nearlyFar = sampled * 1.09;
    if (toStart * gaps >= nearlyFar && isFar(toStart, sampled, gaps)) toStart = sampled / gaps / 2;
    if (toEnd * gaps >= nearlyFar && isFar(toEnd, sampled, gaps)) toEnd = sampled / gaps / 2;
    // A counter cannot have been below zero, so it cannot have begun before it was zero. Only where that may be inside the
    // window it is worth a division.
    if (isCounter && first >= 0 && sampled * first <= toStart * difference * 1.000001 && difference > 0) {
      const toZero = sampled * (first / difference);
      if (toZero < toStart) toStart = toZero;
    }
    out[step] = difference * ((sampled + toStart + toEnd) / sampled / divisor);
    present[step] = 1;
    any = true;
  }
  return any;
}

/** Whether a gap is at least 1.1 times the mean of some gaps. */
function isFar(gap: number, sampled: number, gaps: number): boolean {
  return gap >= (sampled / gaps) * 1.1;
}

export const NO_RESETS: readonly number[] = [];

/** The indices of values that are less than the one before. */
export function resetsIn(values: Float64Array): readonly number[] {
  let resets: number[] | undefined;
  let previous = values[0]!;
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    if (value < previous) (resets ??= []).push(i);
    previous = value;
  }
  return resets ?? NO_RESETS;
}
