import { isPartialOp } from '../../partial/algebra.ts';
import type { HistogramOrder } from '../../partial/partial-histograms.ts';
import type { Aggregate } from '../../promql/ast.ts';
import { ignoredInAggregation } from '../annotations.ts';
import { countValuesRows } from './count-values.ts';
import type { Evaluation } from '../evaluation.ts';
import { groupingOf, startGroups, type Groups, type GroupsOf } from './groups.ts';
import { innerSpan } from './inner-span.ts';
import { limitkRows, limitRatioRows } from './limit.ts';
import { quantileRows } from './quantile-rows.ts';
import type { RowSink } from '../rows.ts';
import { topkRows } from './topk.ts';

/** The rows of an aggregation. */
export function aggregateRows(node: Aggregate, evaluation: Evaluation, sink: RowSink): void {
  if (isPartialOp(node.op)) {
    return filled({ answer: 'partial', expr: node }, evaluation, 'inOrder').finish(evaluation, sink);
  }
  switch (node.op) {
    case 'topk':
    case 'bottomk':
      return topkRows(node, evaluation, sink);
    case 'quantile':
      return quantileRows(node, evaluation, sink);
    case 'count_values':
      return countValuesRows(node, evaluation, sink);
    case 'limitk':
      return limitkRows(node, evaluation, sink);
    case 'limit_ratio':
      return limitRatioRows(node, evaluation, sink);
  }
}

/** The groups of an aggregation over its argument, before they are finished; for merging with others. */
export function groupsOf(of: GroupsOf, evaluation: Evaluation): Groups {
  return filled(of, evaluation, 'anyOrder');
}

function filled(of: GroupsOf, evaluation: Evaluation, order: HistogramOrder): Groups {
  const { op, expr } = of.expr;
  const groups = startGroups(of, evaluation.grid.steps, groupingOf(of.expr), order);
  evaluation.rows(expr, groups.add);
  if (groups.leftOutHistograms()) evaluation.notes.add(ignoredInAggregation(op, innerSpan(expr)));
  return groups;
}
