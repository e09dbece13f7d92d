import { FLOAT_ROW, type HistogramColumns } from '../model/histogram.ts';
import { firstStep } from '../model/grid.ts';
import type { Expr } from '../promql/ast.ts';
import type { Evaluation } from './evaluation.ts';
import type { RowSink } from './rows.ts';

/** The rows of an expression that says the same at every step: evaluated at the first one, and repeated. */
export function fromFirstStep(expr: Expr, evaluation: Evaluation, sink: RowSink): void {
  const { grid } = evaluation;
  const { steps } = grid;
  evaluation.onGrid(firstStep(grid)).rows(expr, (row) => {
    sink({
      ...row,
      values: new Float64Array(steps).fill(row.values[0]!),
      present: new Uint8Array(steps).fill(row.present[0]!),
      histograms: row.histograms === undefined ? undefined : repeated(row.histograms, steps),
    });
  });
}

function repeated(
  { layouts, layoutOf, hints, starts, cells }: HistogramColumns,
  steps: number,
): HistogramColumns | undefined {
  if (layoutOf[0] === FLOAT_ROW) return undefined;
  return {
    layouts,
    layoutOf: new Int32Array(steps).fill(layoutOf[0]!),
    hints: new Uint8Array(steps).fill(hints[0]!),
    starts: new Uint32Array(steps).fill(starts[0]!),
    cells,
  };
}
