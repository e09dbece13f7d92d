import { ComityError } from '../../base/errors.ts';
import type { Expr, Subquery } from '../../promql/ast.ts';
import type { Evaluation, RangeSeries } from '../evaluation.ts';
import { dropMarkedNames } from '../names.ts';
import { ownCopy } from './range-series.ts';
import { selectRange } from './select-range.ts';
import { gridTimes, samplesOfRow, subqueryGrid } from './subquery.ts';

/** A range vector at the first step, to keep: its samples, without staleness markers. Throws `limit`. */
export function collectRangeVector(expr: Expr, evaluation: Evaluation): RangeSeries[] {
  switch (expr.kind) {
    case 'paren':
    case 'once':
      return collectRangeVector(expr.expr, evaluation);
    case 'subquery':
      return collectSubquery(expr, evaluation);
    case 'matrix':
      return Array.from(selectRange(expr, evaluation), ownCopy);
    default:
      throw new ComityError('internal', `a ${expr.kind} is no range vector`);
  }
}

function collectSubquery(node: Subquery, evaluation: Evaluation): RangeSeries[] {
  const grid = subqueryGrid(node, evaluation.grid);
  if (grid.steps === 0) return [];
  const { features, scope, usage } = evaluation;
  const rows = evaluation.onGrid(grid).collect(node.expr);
  const isLast = features.delayedNameRemoval && scope === 'whole';
  const times = gridTimes(grid);
  return (isLast ? dropMarkedNames(rows, usage) : rows).map((row) => samplesOfRow(row, times));
}
