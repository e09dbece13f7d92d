import { METRIC_NAME } from '../model/labels.ts';
import { isPartialOp } from '../partial/algebra.ts';
import { children, SET_OPS, type Aggregate, type Binary, type Expr, type VectorMatching } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';

/**
 * Whether each side that has to be is sure to have one series a match, whatever the data. Elsewhere an error of matching may
 * hang on what other domains hold (it is none while one side is empty everywhere), and a server with a part of the data says
 * nothing of it.
 */
export function matchesSurely(expr: Expr): boolean {
  return children(expr).every(matchesSurely) && (expr.kind !== 'binary' || isSure(expr));
}

function isSure({ op, left, right, matching }: Binary): boolean {
  if (matching === undefined || SET_OPS.has(op)) return true;
  if (matching.fill !== undefined) return false;
  return isUnique(matching.card === 'one-to-many' ? left : right, matching);
}

/** Whether no two series of the expression can have the same labels, going by those that are matched. */
function isUnique(expr: Expr, matching: Pick<VectorMatching, 'on' | 'labels'>): boolean {
  switch (expr.kind) {
    case 'paren':
    case 'once':
    case 'unary':
    case 'subquery':
      return isUnique(expr.expr, matching);
    case 'matrix':
      return isUnique(expr.selector, matching);
    case 'vector':
      // All labels but the name are matched, and there is one name.
      return !matching.on && matching.labels.length === 0 && expr.matchers.some(isOneName);
    case 'aggregate':
      return isUniqueGroup(expr, matching);
    case 'call': {
      if (expr.func === 'label_replace' || expr.func === 'label_join') return false;
      const vectors = expr.args.filter((arg) => typeOf(arg) === 'vector' || typeOf(arg) === 'matrix');
      return vectors.length === 1 && expr.func !== 'histogram_quantiles' && isUnique(vectors[0]!, matching);
    }
    case 'binary': {
      if (typeOf(expr.left) === 'scalar') return isUnique(expr.right, matching);
      if (typeOf(expr.right) === 'scalar') return isUnique(expr.left, matching);
      return (expr.op === 'and' || expr.op === 'unless') && isUnique(expr.left, matching);
    }
    default:
      return false;
  }
}

function isOneName({ name, op }: { readonly name: string; readonly op: string }): boolean {
  return name === METRIC_NAME && op === '=';
}

function isUniqueGroup(
  { op, without, grouping, expr }: Aggregate,
  matching: Pick<VectorMatching, 'on' | 'labels'>,
): boolean {
  if (!isPartialOp(op) && op !== 'quantile') {
    return (op === 'topk' || op === 'bottomk' || op === 'limitk' || op === 'limit_ratio') && isUnique(expr, matching);
  }
  const { on, labels } = matching;
  if (on) return !without && grouping.every((label) => labels.includes(label));
  // A name that groups by is none of the labels that are matched.
  if (!without) return !grouping.includes(METRIC_NAME) && !grouping.some((label) => labels.includes(label));
  return labels.every((label) => grouping.includes(label));
}
