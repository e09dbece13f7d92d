import { VALUE_FUNCTIONS } from '../engine/functions.ts';
import { ROLLUPS } from '../engine/rollup-kernels.ts';
import { isScalar } from '../engine/scalar.ts';
import { isPartialOp } from '../partial/algebra.ts';
import type { Aggregate, Expr, VectorMatching } from '../promql/ast.ts';

/**
 * What it takes for an expression to keep the place of its series, be that a domain or a shard. Selectors and functions of
 * single series always do; the rest is a question of the labels that tell the place.
 */
export interface PlaceRule {
  /** Whether two vectors that keep the place still do when they are matched. */
  matching(matching: VectorMatching): boolean;
  /** Whether the groups of a vector that keeps the place do. */
  grouping(node: Pick<Aggregate, 'without' | 'grouping'>): boolean;
  /** Whether each place may pick its own first before `topk` and `bottomk` pick among all. */
  readonly picksFirst?: true;
}

/**
 * Whether no series that an expression gives draws on two places, so that each place can work it out alone and the answers
 * only need to stand side by side.
 */
export function keepsPlace(expr: Expr, rule: PlaceRule): boolean {
  switch (expr.kind) {
    case 'vector':
    case 'matrix':
      return true;
    case 'paren':
    case 'unary':
      return keepsPlace(expr.expr, rule);
    case 'call':
      return isPerSeries(expr.func) && expr.args.every((arg) => isScalar(arg) || keepsPlace(arg, rule));
    case 'binary':
      if (isScalar(expr.left)) return keepsPlace(expr.right, rule);
      if (isScalar(expr.right)) return keepsPlace(expr.left, rule);
      return (
        expr.matching !== undefined &&
        rule.matching(expr.matching) &&
        keepsPlace(expr.left, rule) &&
        keepsPlace(expr.right, rule)
      );
    case 'aggregate':
      return isPartialOp(expr.op) && rule.grouping(expr) && keepsPlace(expr.expr, rule);
    case 'number':
    case 'string':
    case 'subquery':
    case 'merged':
      return false;
  }
}

/** Functions that treat each series on its own, or the buckets of one classic histogram, which are in one place. */
function isPerSeries(func: string): boolean {
  return ROLLUPS.has(func) || VALUE_FUNCTIONS.has(func) || func === 'histogram_quantile';
}
