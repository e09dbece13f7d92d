import { addCompensated, compensatedSum } from '../../base/compensated.ts';
import { windowed, type StepsKernel, type WindowKernel } from './kernels.ts';
import { sliding, slidingSums } from './sliding.ts';

export const sums: StepsKernel = slidingSums(
  windowed(1, (_times, values) => (from, to) => compensatedSum(values, from, to)),
  (sum, lost) => (sum === Infinity || sum === -Infinity ? sum : sum + lost),
);

export const means: StepsKernel = slidingSums(
  windowed(1, (_times, values) => (from, to) => meanOf(values, from, to)),
  (sum, lost, count) => sum / count + lost / count,
);

/** The mean by a compensated sum or, from the term on that would make the sum infinite, by moving the mean so far. */
function meanOf(values: Float64Array, from: number, to: number): number {
  const [sums, lost] = [new Float64Array(1), new Float64Array(1)];
  sums[0] = values[from]!;
  for (let i = from + 1; i < to; i++) {
    const sum = sums[0];
    const lostSoFar = lost[0]!;
    addCompensated(sums, lost, 0, values[i]!);
    if (Math.abs(sums[0]) === Infinity)
      return movedMean(values, i, to, sum / (i - from), lostSoFar / (i - from), i - from);
  }
  const count = to - from;
  return sums[0] / count + lost[0]! / count;
}

/** The mean of `count` terms before `from`, moved by those in [from, to). */
function movedMean(values: Float64Array, from: number, to: number, mean: number, lost: number, count: number): number {
  const means = Float64Array.of(mean);
  const losses = Float64Array.of(lost);
  for (let i = from; i < to; i++) {
    const all = count + i - from + 1;
    const weight = (all - 1) / all;
    means[0]! *= weight;
    losses[0]! *= weight;
    addCompensated(means, losses, 0, values[i]! / all);
  }
  return means[0]! + losses[0]!;
}

export const variances: StepsKernel = slidingVariances((variance) => variance);

export const deviations: StepsKernel = slidingVariances(Math.sqrt);

/** Where the variance is a smaller part of the squared mean, how the mean is rounded shows in Prometheus's result. */
const RELATIVE_VARIANCE_MIN = 1e-5;

/** Where it is a smaller part of the squared distance from the pivot, it would show in this one. */
const PIVOTED_VARIANCE_MIN = 1e-3;

/**
 * The variance of the population, from the sums of the distances to a pivot (the series' first value) and of their squares.
 * Windows whose result would depend on roundings are worked out as Prometheus does it.
 */
function slidingVariances(finish: (variance: number) => number): StepsKernel {
  const plain = windowed(1, (_times, values) => {
    const variance = windowVariance(values);
    return (from, to, step) => finish(variance(from, to, step));
  });
  return sliding(plain, (_times, values, onStep) => {
    const pivot = values[0]!;
    const exact = windowVariance(values);
    const sameSince = startsOfRuns(values);
    // Of each state: the sum, the sum of squares, and what was lost of both.
    const front = new Float64Array(4 * values.length);
    const sums = new Float64Array(2);
    const lost = new Float64Array(2);
    const add = (value: number): void => {
      const distance = value - pivot;
      addCompensated(sums, lost, 0, distance);
      addCompensated(sums, lost, 1, distance * distance);
    };
    const clear = (): void => {
      sums.fill(0);
      lost.fill(0);
    };
    return {
      turn(from, to) {
        clear();
        for (let i = to - 1; i >= from; i--) {
          add(values[i]!);
          front[4 * i] = sums[0]!;
          front[4 * i + 1] = sums[1]!;
          front[4 * i + 2] = lost[0]!;
          front[4 * i + 3] = lost[1]!;
        }
      },
      clearBack: clear,
      addToBack: (index) => add(values[index]!),
      value(from, count) {
        const to = from + count;
        if (sameSince[to - 1]! <= from) return values[from]! - values[from]!;
        const distance = (front[4 * from]! + sums[0]! + (front[4 * from + 2]! + lost[0]!)) / count;
        const square = (front[4 * from + 1]! + sums[1]! + (front[4 * from + 3]! + lost[1]!)) / count;
        const variance = square - distance * distance;
        const mean = pivot + distance;
        const isSafe =
          variance >= RELATIVE_VARIANCE_MIN * mean * mean &&
          variance >= PIVOTED_VARIANCE_MIN * square &&
          square < Infinity;
        if (isSafe) return finish(variance);
        onStep?.(count);
        return finish(exact(from, to, 0));
      },
    };
  });
}

/** For each value the index since which it has been the same. */
function startsOfRuns(values: Float64Array): Uint32Array {
  const starts = new Uint32Array(values.length);
  for (let i = 1; i < values.length; i++) starts[i] = values[i] === values[i - 1] ? starts[i - 1]! : i;
  return starts;
}

/** Welford's running variance with its mean and squares compensated, as Prometheus computes it. */
function windowVariance(values: Float64Array): WindowKernel {
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
    return (sums[1]! + compensations[1]!) / (to - from);
  };
}
