/**
 * Compensated summation after Neumaier (1974): `sums[i] + compensations[i]` carries the sum with the error of one
 * rounding, whatever the order of the terms. An infinite sum has no rounding error, so its compensation is zero.
 */
export function addCompensated(sums: Float64Array, compensations: Float64Array, i: number, term: number): void {
  const sum = sums[i]!;
  const total = sum + term;
  if (total === Infinity || total === -Infinity) compensations[i] = 0;
  else if (Math.abs(sum) >= Math.abs(term)) compensations[i]! += sum - total + term;
  else compensations[i]! += term - total + sum;
  sums[i] = total;
}

/**
 * `addCompensated` for a whole column, the terms [from, from + length), without its branches (TwoSum after Knuth gives the
 * same error of rounding). The compensation of a sum that overflows says nothing: see `compensated`.
 */
export function addColumn(
  sums: Float64Array,
  compensations: Float64Array,
  terms: Float64Array,
  from: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) {
    const sum = sums[i]!;
    const term = terms[from + i]!;
    const total = sum + term;
    const added = total - sum;
    compensations[i]! += sum - (total - added) + (term - added);
    sums[i] = total;
  }
}

/** A sum with its compensation. */
export function compensated(sum: number, compensation: number): number {
  return sum === Infinity || sum === -Infinity ? sum : sum + compensation;
}

/** The compensated sum of `values[from, to)`. */
export function compensatedSum(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  let compensation = 0;
  for (let i = from; i < to; i++) {
    const term = values[i]!;
    const total = sum + term;
    if (total === Infinity || total === -Infinity) compensation = 0;
    else if (Math.abs(sum) >= Math.abs(term)) compensation += sum - total + term;
    else compensation += term - total + sum;
    sum = total;
  }
  return sum + compensation;
}
