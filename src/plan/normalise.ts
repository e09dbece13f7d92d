import { ComityError } from '../base/errors.ts';
import type { QueryGrid } from '../model/grid.ts';
import type { Expr, VectorSelector } from '../promql/ast.ts';

/**
 * The tree that planning works on: no parentheses, and every `@ start()` and `@ end()` a time, so that a fragment means
 * the same wherever it runs. Throws `refused` for what would need raw samples at the hub.
 */
export function normalise(expr: Expr, grid: QueryGrid): Expr {
  if (expr.kind === 'matrix') {
    throw new ComityError(
      'refused',
      'refused: a range vector is raw samples, and those never leave their domain. ' +
        'Apply a function to it, such as rate() or avg_over_time(), and aggregate',
    );
  }
  return rewrite(expr, grid);
}

/** The tree with `change` applied to each direct sub-expression. */
export function mapChildren(expr: Expr, change: (child: Expr) => Expr): Expr {
  switch (expr.kind) {
    case 'paren':
    case 'unary':
      return { ...expr, expr: change(expr.expr) };
    case 'call':
      return { ...expr, args: expr.args.map(change) };
    case 'binary':
      return { ...expr, left: change(expr.left), right: change(expr.right) };
    case 'aggregate':
      return {
        ...expr,
        expr: change(expr.expr),
        ...(expr.param === undefined ? {} : { param: change(expr.param) }),
      };
    case 'subquery':
      return { ...expr, expr: change(expr.expr) };
    case 'number':
    case 'string':
    case 'vector':
    case 'matrix':
    case 'merged':
      return expr;
  }
}

function rewrite(expr: Expr, grid: QueryGrid): Expr {
  switch (expr.kind) {
    case 'paren':
      return rewrite(expr.expr, grid);
    case 'vector':
      return resolveAt(expr, grid);
    case 'matrix':
      return { ...expr, selector: resolveAt(expr.selector, grid) };
    default:
      return mapChildren(expr, (child) => rewrite(child, grid));
  }
}

function resolveAt(selector: VectorSelector, grid: QueryGrid): VectorSelector {
  const { at } = selector;
  if (at === undefined || at.kind === 'time') return selector;
  return { ...selector, at: { kind: 'time', ms: at.kind === 'start' ? grid.startMs : grid.endMs } };
}
