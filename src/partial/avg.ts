import { addCompensated } from '../base/compensated.ts';
import type { Partial } from './partial.ts';

/**
 * `avg`: sum, compensation, count, and whether the sum would overflow and a running mean stands in its place with its
 * compensation. Series after series that is what Prometheus computes, bit by bit; 9.98e307 and 9.99e307 do not make +Inf.
 */
export const AVG: Partial = {
  fields: ['sum', 'compensation', 'count', 'running'],
  histograms: 'mean',
  add(into, values, present) {
    const [sums, compensations, counts, running] = into.fields as Fields;
    for (let i = 0; i < present.length; i++) {
      if (present[i] === 0) continue;
      into.present[i] = 1;
      const value = values[i]!;
      const count = ++counts[i]!;
      if (running[i] === 0) {
        // The first value may be infinite; a sum with it is not an overflow.
        if (count === 1 || !isInfinite(sums[i]! + value)) {
          addCompensated(sums, compensations, i, value);
          continue;
        }
        running[i] = 1;
        sums[i]! /= count - 1;
        compensations[i]! /= count - 1;
      }
      weigh(sums, compensations, i, (count - 1) / count);
      addCompensated(sums, compensations, i, value / count);
    }
  },
  merge(into, from) {
    const [sums, compensations, counts, running] = into.fields as Fields;
    const [otherSums, otherCompensations, otherCounts, otherRunning] = from.fields as Fields;
    for (let i = 0; i < from.present.length; i++) {
      if (from.present[i] === 0) continue;
      into.present[i] = 1;
      const own = counts[i]!;
      const other = otherCounts[i]!;
      counts[i] = own + other;
      if (own === 0) {
        sums[i] = otherSums[i]!;
        compensations[i] = otherCompensations[i]!;
        running[i] = otherRunning[i]!;
        continue;
      }
      if (running[i] === 0 && otherRunning[i] === 0 && !isInfinite(sums[i]! + otherSums[i]!)) {
        join(sums, compensations, i, otherSums[i]!, otherCompensations[i]!, 1);
        continue;
      }
      weigh(sums, compensations, i, (running[i] === 1 ? own : 1) / (own + other));
      running[i] = 1;
      const weight = (otherRunning[i] === 1 ? other : 1) / (own + other);
      join(sums, compensations, i, otherSums[i]!, otherCompensations[i]!, weight);
    }
  },
  finish(columns, out) {
    const [sums, compensations, counts, running] = columns.fields as Fields;
    for (let i = 0; i < out.length; i++) {
      const count = running[i] === 1 ? 1 : counts[i]!;
      out[i] = sums[i]! / count + compensations[i]! / count;
    }
  },
};

type Fields = [Float64Array, Float64Array, Float64Array, Float64Array];

function weigh(sums: Float64Array, compensations: Float64Array, i: number, weight: number): void {
  sums[i]! *= weight;
  compensations[i]! *= weight;
}

function join(
  sums: Float64Array,
  compensations: Float64Array,
  i: number,
  sum: number,
  compensation: number,
  weight: number,
): void {
  addCompensated(sums, compensations, i, sum * weight);
  // Nothing is lost beside an infinite sum.
  if (!isInfinite(sums[i]!)) compensations[i]! += compensation * weight;
}

function isInfinite(value: number): boolean {
  return value === Infinity || value === -Infinity;
}
