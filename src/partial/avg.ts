import { addCompensated } from './compensated.ts';
import type { Partial } from './partial.ts';

/**
 * A sum that overflows is carried on at 2^-64 of its size, which is exact for all terms that can matter beside it; with
 * fewer than 2^64 series the scaled sum cannot overflow again. Prometheus switches to a running mean instead, whose
 * result depends on the order of the terms.
 */
const SCALE = 2 ** -64;

/** `avg`: sum, compensation, count, and whether the sum is kept scaled. 9.98e307 and 9.99e307 do not make +Inf. */
export const AVG: Partial = {
  fields: ['sum', 'compensation', 'count', 'scaled'],
  add(into, values, present) {
    const [sums, compensations, counts, scaled] = into.fields as Fields;
    for (let i = 0; i < present.length; i++) {
      if (present[i] === 0) continue;
      addTerm(sums, compensations, scaled, i, values[i]!, 0);
      counts[i]! += 1;
      into.present[i] = 1;
    }
  },
  merge(into, from) {
    const [sums, compensations, counts, scaled] = into.fields as Fields;
    const [otherSums, otherCompensations, otherCounts, otherScaled] = from.fields as Fields;
    for (let i = 0; i < from.present.length; i++) {
      if (from.present[i] === 0) continue;
      addTerm(sums, compensations, scaled, i, otherSums[i]!, otherScaled[i]!);
      // The sum decides the scale of both, so the compensation joins after it.
      compensations[i]! += otherCompensations[i]! * (scaled[i] === otherScaled[i] ? 1 : SCALE);
      counts[i]! += otherCounts[i]!;
      into.present[i] = 1;
    }
  },
  finish(columns, out) {
    const [sums, compensations, counts, scaled] = columns.fields as Fields;
    for (let i = 0; i < out.length; i++) {
      const mean = sums[i]! / counts[i]! + compensations[i]! / counts[i]!;
      out[i] = scaled[i] === 1 ? mean / SCALE : mean;
    }
  },
};

type Fields = [Float64Array, Float64Array, Float64Array, Float64Array];

function addTerm(
  sums: Float64Array,
  compensations: Float64Array,
  scaled: Float64Array,
  i: number,
  term: number,
  termScaled: number,
): void {
  const overflows = !Number.isFinite(sums[i]! + term) && Number.isFinite(sums[i]!) && Number.isFinite(term);
  if (scaled[i] === 0 && (termScaled === 1 || overflows)) {
    sums[i]! *= SCALE;
    compensations[i]! *= SCALE;
    scaled[i] = 1;
  }
  addCompensated(sums, compensations, i, scaled[i] === 1 && termScaled === 0 ? term * SCALE : term);
}
