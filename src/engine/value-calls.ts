/** A function of one instant value and, where it takes one, its scalar argument at that step. */
export type ValueFunction = (value: number, param?: number) => number;

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
  ['clamp_min', (value, min) => larger(value, min!)],
  ['clamp_max', (value, max) => smaller(value, max!)],
  ['round', (value, nearest) => round(value, nearest ?? 1)],
]);

/** Go's math.Max: positive infinity wins even over NaN. */
function larger(a: number, b: number): number {
  return a === Infinity || b === Infinity ? Infinity : Math.max(a, b);
}

/** Go's math.Min: negative infinity wins even over NaN. */
function smaller(a: number, b: number): number {
  return a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b);
}

/** Rounds to a multiple of `nearest`, halves up; dividing by the inverse keeps decimal steps such as 0.1 exact. */
function round(value: number, nearest: number): number {
  const inverse = 1 / nearest;
  return Math.floor(value * inverse + 0.5) / inverse;
}
