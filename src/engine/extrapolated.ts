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
  // The times at both places: a step that does not move on reads no memory to find that out.
  let fromMs = length > 0 ? times[0]! : Infinity;
  let toMs = fromMs;
  let nextReset = 0;
  let any = false;
  for (let step = 0; step < ends.length; step++) {
    const end = ends[step]!;
    const start = end - rangeMs;
    while (toMs <= end) {
      to++;
      toMs = to < length ? times[to]! : Infinity;
    }
    while (fromMs <= start) {
      from++;
      fromMs = from < length ? times[from]! : Infinity;
    }
    const gaps = to - from - 1;
    if (gaps < 1) {
      out[step] = 0;
      present[step] = 0;
      continue;
    }
    const first = values[from]!;
    let difference = values[to - 1]! - first;
    while (nextReset < resets.length && resets[nextReset]! <= from) nextReset++;
    for (let r = nextReset; r < resets.length && resets[r]! < to; r++) difference += values[resets[r]! - 1]!;

    const lastMs = times[to - 1]!;
    const sampled = (lastMs - fromMs) / 1000;
    let toStart = (fromMs - start) / 1000;
    let toEnd = (end - lastMs) / 1000;
    // A gap to the window's end of more than 1.1 spacings says that the series begins or ends inside the window.
    if (isFar(toStart, sampled, gaps)) toStart = sampled / gaps / 2;
    if (isFar(toEnd, sampled, gaps)) toEnd = sampled / gaps / 2;
    if (isCounter && difference > 0 && first >= 0 && mayBeCloser(sampled * first, toStart * difference)) {
      // A counter cannot have been below zero, so it cannot have begun before it was zero.
      const toZero = sampled * (first / difference);
      if (toZero < toStart) toStart = toZero;
    }
    out[step] = difference * ((sampled + toStart + toEnd) / sampled / divisor);
    present[step] = 1;
    any = true;
  }
  return any;
}

/** Whether a gap is at least 1.1 times the mean of some gaps; divides, as Prometheus does, only where that is close. */
function isFar(gap: number, sampled: number, gaps: number): boolean {
  if (gap * gaps < sampled * 1.09) return false;
  return gap >= (sampled / gaps) * 1.1;
}

/** Whether `a < b` or nearly so, or one of them cannot be told: then it is worth a division to find out. */
function mayBeCloser(a: number, b: number): boolean {
  return !(a > b * 1.000001) || a === Infinity;
}

const NO_RESETS: readonly number[] = [];

function resetsIn(values: Float64Array): readonly number[] {
  let resets: number[] | undefined;
  let previous = values[0]!;
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    if (value < previous) (resets ??= []).push(i);
    previous = value;
  }
  return resets ?? NO_RESETS;
}
