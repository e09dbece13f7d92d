import { isRange } from '../../model/grid.ts';
import { compareLabels, labelValue } from '../../model/labels.ts';
import type { Call } from '../../promql/ast.ts';
import { sortInRangeQuery } from '../annotations.ts';
import type { CallRows, Evaluation } from '../evaluation.ts';
import { compareNaturally } from './natural-order.ts';
import { anyPresent, collectRows, type Row, type RowSink } from '../rows.ts';
import { stringArgument } from './string-arguments.ts';
import { comparedWithLooks } from '../usage.ts';
import { floatsOf } from './value-calls.ts';

/**
 * Functions that order an instant vector. Over a range the order of an answer is that of the labels, so there they say that
 * they do nothing.
 */
export const SORT_CALLS: ReadonlyMap<string, CallRows> = new Map<string, CallRows>([
  ['sort', byValue(1)],
  ['sort_desc', byValue(-1)],
  ['sort_by_label', byLabel(1)],
  ['sort_by_label_desc', byLabel(-1)],
]);

type Direction = 1 | -1;

/** By the floats, those that are NaN last either way; native histograms are left out. Of equal ones the labels decide. */
function byValue(direction: Direction): CallRows {
  return (node, evaluation, sink) => {
    const floats = new Uint8Array(evaluation.grid.steps);
    const withFloats = (target: RowSink): void =>
      evaluation.rows(node.args[0]!, (row) => {
        if (row.histograms === undefined) return target(row);
        floatsOf(row, floats);
        if (anyPresent(floats)) target({ ...row, present: floats, histograms: undefined });
      });
    sorted(node, evaluation, sink, withFloats, (a, b) => {
      const one = a.values[0]!;
      const other = b.values[0]!;
      if (one < other) return -direction;
      if (one > other) return direction;
      return Number(Number.isNaN(one)) - Number(Number.isNaN(other)) || compareLabels(a.labels, b.labels);
    });
  };
}

/** By the values of labels in natural order, the first label first, and by all labels where those are equal. */
function byLabel(direction: Direction): CallRows {
  return (node, evaluation, sink) => {
    const names = node.args.slice(1).map(stringArgument);
    const rows = (target: RowSink): void => evaluation.rows(node.args[0]!, target);
    sorted(node, evaluation, sink, rows, (a, b) => {
      for (const name of names) {
        const one = labelValue(a.labels, name);
        const other = labelValue(b.labels, name);
        if (one !== other) return direction * compareNaturally(one, other);
      }
      return direction * compareLabels(a.labels, b.labels);
    });
  };
}

function sorted(
  node: Call,
  evaluation: Evaluation,
  sink: RowSink,
  rows: (target: RowSink) => void,
  compare: (a: Row, b: Row) => number,
): void {
  const { grid, notes, usage } = evaluation;
  if (isRange(grid)) {
    rows(sink);
    return notes.add(sortInRangeQuery(node.span));
  }
  const kept = collectRows(rows);
  kept.sort(comparedWithLooks(compare, usage));
  for (const row of kept) sink(row);
}
