import { addColumn, addCompensated, compensated } from '../base/compensated.ts';
import type { Partial } from './partial.ts';

/** `sum`: the running sum and its compensation, so that [1e100, 1] and [-1e100, 1] merge to 2. */
export const SUM: Partial = {
  fields: ['sum', 'compensation'],
  histograms: 'sum',
  add(into, values, present) {
    const [sums, compensations] = into.fields as [Float64Array, Float64Array];
    // Most series are there at all steps, which a look at the whole column tells faster than one at each step.
    if (!present.includes(0)) {
      addColumn(sums, compensations, values, 0, values.length);
      into.present.fill(1);
      return;
    }
    for (let i = 0; i < present.length; i++) {
      if (present[i] === 0) continue;
      addCompensated(sums, compensations, i, values[i]!);
      into.present[i] = 1;
    }
  },
  merge(into, from) {
    const [sums, compensations] = into.fields as [Float64Array, Float64Array];
    const [otherSums, otherCompensations] = from.fields as [Float64Array, Float64Array];
    for (let i = 0; i < from.present.length; i++) {
      if (from.present[i] === 0) continue;
      compensations[i]! += otherCompensations[i]!;
      addCompensated(sums, compensations, i, otherSums[i]!);
      into.present[i] = 1;
    }
  },
  settle(columns) {
    const [sums, compensations] = columns.fields as [Float64Array, Float64Array];
    // Beside a sum that is infinite or no number it says nothing, and has come to this or that.
    for (let i = 0; i < sums.length; i++) if (!Number.isFinite(sums[i])) compensations[i] = 0;
  },
  finish(columns, out) {
    const [sums, compensations] = columns.fields as [Float64Array, Float64Array];
    for (let i = 0; i < out.length; i++) out[i] = compensated(sums[i]!, compensations[i]!);
  },
};
