import * as go from '../../base/go-math.ts';
import { isHistogramAt } from '../../model/histogram.ts';
import type { CallRows } from '../evaluation.ts';
import { withoutNames } from '../names.ts';
import { anyPresent, type Row } from '../rows.ts';
import { larger, smaller } from '../scalar.ts';

/** A function of one float and, where it takes them, its scalar arguments at that step. */
type ValueFunction = (value: number, first: number, second: number) => number;

/** Functions that map each float of a vector on its own, by their PromQL names. */
const VALUE_FUNCTIONS: ReadonlyMap<string, ValueFunction> = new Map<string, ValueFunction>([
  ['abs', Math.abs],
  ['ceil', Math.ceil],
  ['floor', Math.floor],
  ['exp', Math.exp],
  ['ln', go.log],
  ['log2', go.log2],
  ['log10', go.log10],
  ['sqrt', Math.sqrt],
  ['sgn', Math.sign],
  ['round', round],
  ['clamp_min', larger],
  ['clamp_max', smaller],
  ['clamp', (value, min, max) => larger(min, smaller(max, value))],
  ['sin', go.sin],
  ['cos', go.cos],
  ['tan', go.tan],
  ['asin', go.asin],
  ['acos', go.acos],
  ['atan', go.atan],
  ['sinh', go.sinh],
  ['cosh', go.cosh],
  ['tanh', Math.tanh],
  ['asinh', Math.asinh],
  ['acosh', Math.acosh],
  ['atanh', Math.atanh],
  ['deg', (value) => (value * 180) / Math.PI],
  ['rad', (value) => (value * Math.PI) / 180],
]);

/** Functions of the floats of a vector; native histograms are left out, and names go. */
export const VALUE_CALLS: ReadonlyMap<string, CallRows> = new Map(
  [...VALUE_FUNCTIONS].map(([name, apply]) => [name, mapped(apply)]),
);

/** Rounds to a multiple of `nearest`, halves up; dividing by the inverse keeps decimal steps such as 0.1 exact. */
function round(value: number, nearest: number): number {
  const inverse = 1 / nearest;
  return Math.floor(value * inverse + 0.5) / inverse;
}

function mapped(apply: ValueFunction): CallRows {
  return (node, evaluation, sink) => {
    const { steps } = evaluation.grid;
    const [vector, ...scalars] = node.args;
    // What is left out can only be the multiple that round() rounds to.
    const [first = new Float64Array(steps).fill(1), second] = scalars.map((scalar) => evaluation.scalar(scalar));
    const isEmpty = second === undefined ? undefined : first.map((min, step) => (second[step]! < min ? 1 : 0));
    const values = new Float64Array(steps);
    const present = new Uint8Array(steps);
    withoutNames(vector!, false, evaluation, sink, (named) =>
      evaluation.rows(vector!, (row) => {
        floatsOf(row, present);
        for (let step = 0; step < steps; step++) {
          if (isEmpty?.[step] === 1) present[step] = 0;
          if (present[step] === 1) values[step] = apply(row.values[step]!, first[step]!, second?.[step] ?? 0);
        }
        if (anyPresent(present)) named({ ...row, values, present, histograms: undefined });
      }),
    );
  };
}

/** Writes where the row has a float. */
export function floatsOf({ present, histograms }: Row, floats: Uint8Array): void {
  floats.set(present);
  if (histograms === undefined) return;
  for (let step = 0; step < floats.length; step++) if (isHistogramAt(histograms, step)) floats[step] = 0;
}
