import { addCompensated } from '../base/compensated.ts';

/** Adds one term to a cell; where `lost` is given, with compensation, so that `cells[i] + lost[i]` is the sum. */
export function addTerm(cells: Float64Array, lost: Float64Array | undefined, i: number, term: number): void {
  if (lost === undefined) cells[i]! += term;
  else addCompensated(cells, lost, i, term);
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
