/** A function of one instant value and the scalar arguments at that step. */
export type ValueFunction = (value: number, args: readonly number[]) => number;

/** Functions that map each value of a vector on its own, by their PromQL names. They drop the metric's name. */
export const VALUE_FUNCTIONS: ReadonlyMap<string, ValueFunction> = new Map<string, ValueFunction>([
  ['abs', (value) => Math.abs(value)],
  ['ceil', (value) => Math.ceil(value)],
  ['floor', (value) => Math.floor(value)],
  ['exp', (value) => Math.exp(value)],
  ['ln', (value) => Math.log(value)],
  ['log2', (value) => Math.log2(value)],
  ['log10', (value) => Math.log10(value)],
  ['sqrt', (value) => Math.sqrt(value)],
  ['sgn', (value) => Math.sign(value)],
  ['clamp_min', (value, [min]) => Math.max(min!, value)],
  ['clamp_max', (value, [max]) => Math.min(max!, value)],
  ['round', (value, [nearest]) => round(value, nearest ?? 1)],
]);

/** Rounds to a multiple of `nearest`, halves up; dividing by the inverse keeps decimal steps such as 0.1 exact. */
function round(value: number, nearest: number): number {
  const inverse = 1 / nearest;
  return Math.floor(value * inverse + 0.5) / inverse;
}
