import { histogramBuilder } from '../../model/growing-histograms.ts';
import { scaled } from '../../model/histogram-arithmetic.ts';
import { histogramAt, isHistogramAt, type HistogramColumns } from '../../model/histogram.ts';
import type { Unary } from '../../promql/ast.ts';
import type { Evaluation } from '../evaluation.ts';
import { withoutNames } from '../names.ts';
import type { RowSink } from '../rows.ts';

/** The unary minus: of a histogram, with all its counts and its sum negated. */
export function negatedRows(node: Unary, evaluation: Evaluation, sink: RowSink): void {
  withoutNames(node.expr, false, evaluation, sink, (named) =>
    evaluation.rows(node.expr, (row) =>
      named({
        ...row,
        values: row.values.map((value) => -value),
        histograms: row.histograms && negated(row.histograms, row.present),
      }),
    ),
  );
}

function negated(histograms: HistogramColumns, present: Uint8Array): HistogramColumns | undefined {
  const builder = histogramBuilder(present.length);
  for (let step = 0; step < present.length; step++) {
    if (present[step] === 0 || !isHistogramAt(histograms, step)) continue;
    builder.set(step, scaled(histogramAt(histograms, step), -1));
  }
  return builder.build(present.length);
}
