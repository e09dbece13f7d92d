/**
 * Adds one term to a cell; where `lost` is given, with compensation (Neumaier 1974): `cells[i] + lost[i]` is then the sum
 * with the error of one rounding. An infinite sum has no rounding error, so nothing is lost.
 */
export function addTerm(cells: Float64Array, lost: Float64Array | undefined, i: number, term: number): void {
  const sum = cells[i]!;
  const total = sum + term;
  cells[i] = total;
  if (lost === undefined) return;
  if (total === Infinity || total === -Infinity) lost[i] = 0;
  else if (Math.abs(sum) >= Math.abs(term)) lost[i]! += sum - total + term;
  else lost[i]! += term - total + sum;
}

/** `addTerm` for the cells from `start` on; the errors of the terms count where the sum is compensated. */
export function addColumn(
  cells: Float64Array,
  lost: Float64Array | undefined,
  start: number,
  terms: Float64Array,
  termsLost: Float64Array | undefined,
): void {
  if (lost === undefined) {
    for (let i = 0; i < terms.length; i++) cells[start + i]! += terms[i]!;
    return;
  }
  for (let i = 0; i < terms.length; i++) {
    addTerm(cells, lost, start + i, terms[i]!);
    if (termsLost !== undefined && termsLost[i] !== 0) addTerm(cells, lost, start + i, termsLost[i]!);
  }
}

/** Subtracts the terms from the cells from `start` on. */
export function subtractColumn(
  cells: Float64Array,
  lost: Float64Array | undefined,
  start: number,
  terms: Float64Array,
): void {
  for (let i = 0; i < terms.length; i++) addTerm(cells, lost, start + i, -terms[i]!);
}
