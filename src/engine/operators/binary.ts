import { histogramBuilder } from '../../model/growing-histograms.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../model/histogram.ts';
import { COMPARISON_OPS, TRIM_OPS, type Binary } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import type { Evaluation } from '../evaluation.ts';
import { withoutNames } from '../names.ts';
import { arithmetic, compares, histogramOutcome } from './operators.ts';
import { anyPresent, type Row, type RowSink } from '../rows.ts';

/** A vector and a number; a comparison that holds keeps the vector's value, on whichever side it stands. */
export function scalarOperandRows(node: Binary, evaluation: Evaluation, sink: RowSink): void {
  const scalarFirst = typeOf(node.left) === 'scalar';
  const [vector, scalar] = scalarFirst ? [node.right, node.left] : [node.left, node.right];
  const numbers = evaluation.scalar(scalar);
  const run = (target: RowSink): void =>
    evaluation.rows(vector, (row) => {
      const result = applied(node, row, numbers, scalarFirst, evaluation);
      if (anyPresent(result.present)) target(result);
    });
  const keepsName = TRIM_OPS.has(node.op) || (COMPARISON_OPS.has(node.op) && !node.returnBool);
  if (keepsName) run(sink);
  else withoutNames(vector, false, evaluation, sink, run);
}

function applied(node: Binary, row: Row, numbers: Float64Array, scalarFirst: boolean, evaluation: Evaluation): Row {
  const { op, returnBool } = node;
  if (row.histograms !== undefined || TRIM_OPS.has(op))
    return withHistograms(node, row, numbers, scalarFirst, evaluation);
  const { values } = row;
  const out = values.slice();
  const present = row.present.slice();
  const isComparison = COMPARISON_OPS.has(op);
  for (let i = 0; i < out.length; i++) {
    if (present[i] === 0) continue;
    const left = scalarFirst ? numbers[i]! : values[i]!;
    const right = scalarFirst ? values[i]! : numbers[i]!;
    if (!isComparison) out[i] = arithmetic(op, left, right);
    else if (returnBool) out[i] = compares(op, left, right) ? 1 : 0;
    else if (!compares(op, left, right)) present[i] = 0;
  }
  return { ...row, values: out, present };
}

function withHistograms(
  node: Binary,
  row: Row,
  numbers: Float64Array,
  scalarFirst: boolean,
  { notes }: Evaluation,
): Row {
  const { op, returnBool } = node;
  const values = row.values.slice();
  const present = row.present.slice();
  const builder = histogramBuilder(present.length);
  for (let i = 0; i < present.length; i++) {
    if (present[i] === 0) continue;
    const own = isHistogramAt(row.histograms, i) ? histogramAt(row.histograms, i) : values[i]!;
    const [left, right] = scalarFirst ? [numbers[i]!, own] : [own, numbers[i]!];
    if (typeof left === 'number' && typeof right === 'number' && !TRIM_OPS.has(op)) {
      const holds = compares(op, left, right);
      if (returnBool) values[i] = holds ? 1 : 0;
      else if (!holds) present[i] = 0;
      else if (!COMPARISON_OPS.has(op)) values[i] = arithmetic(op, left, right);
      continue;
    }
    const { value, holds, note } = histogramOutcome(node, left, right);
    if (note !== undefined) notes.add(note);
    if (value === undefined || !holds) present[i] = 0;
    else builder.set(i, value as NativeHistogram);
  }
  return { ...row, values, present, histograms: builder.build(present.length) };
}
