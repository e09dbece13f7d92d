/** The middle one; of an even number the upper of the two. Undefined of none. */
export function median(values: readonly number[]): number | undefined {
  return percentile(values, 0.5);
}

/** The smallest value with at least the part `p` (from 0 to 1) of all values below it; the largest for 1. */
export function percentile(values: readonly number[], p: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * p), sorted.length - 1)];
}

/** Undefined of none. */
export function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
