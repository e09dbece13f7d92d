/** Up to so many values, insertion is faster than a call of the native sort. */
const INSERTION_MAX = 48;

/** The phi-quantile of ascending values by linear interpolation between the two nearest ranks. */
export function quantileOfSorted(phi: number, sorted: Float64Array): number {
  if (sorted.length === 0 || Number.isNaN(phi)) return NaN;
  if (phi < 0) return -Infinity;
  if (phi > 1) return Infinity;
  const rank = phi * (sorted.length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - lower;
  return sorted[lower]! * (1 - weight) + sorted[upper]! * weight;
}

/** Sorts in place in Prometheus's order for quantiles: ascending, NaN before everything. */
export function sortNanFirst(values: Float64Array): void {
  if (values.length > INSERTION_MAX) {
    // The native order of numbers has NaN last.
    values.sort();
    let nans = 0;
    while (nans < values.length && Number.isNaN(values[values.length - 1 - nans]!)) nans++;
    values.copyWithin(nans, 0, values.length - nans).fill(NaN, 0, nans);
    return;
  }
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    let at = i;
    // Whatever compares false with `<=` lies above, so a NaN value passes all numbers and no number passes a NaN.
    while (at > 0 && !(values[at - 1]! <= value) && !Number.isNaN(values[at - 1]!)) {
      values[at] = values[at - 1]!;
      at--;
    }
    values[at] = value;
  }
}
