import { readsSeries } from '../engine/scalar.ts';
import { children, type AggregateOp, type Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';

/**
 * Whether an expression says the same of series that carry one more label, whatever its values: then what a script expects of
 * its own series holds for those of a federation too. Rather false than true where it hangs on the data.
 */
export function isLabelBlind(expr: Expr, label: string): boolean {
  if (mentions(expr, label)) return false;
  if (!readsSeries(expr)) return true;
  switch (expr.kind) {
    case 'paren':
    case 'unary':
    case 'once':
    case 'subquery':
      return isLabelBlind(expr.expr, label);
    case 'aggregate':
      if (expr.param !== undefined && readsSeries(expr.param) && !isLabelBlind(expr.param, label)) return false;
      if (isLabelBlind(expr.expr, label)) return true;
      return GROUPING.has(expr.op) && !expr.without && isOfEachSeries(expr.expr);
    case 'binary':
      return isLabelBlind(expr.left, label) && isLabelBlind(expr.right, label);
    case 'call': {
      if (expr.func === 'info') return false;
      const [first] = expr.args;
      if ((expr.func === 'absent' || expr.func === 'absent_over_time') && first !== undefined) {
        return isLabelBlind(first, label) || isOfEachSeries(first);
      }
      return expr.args.every((arg) => isLabelBlind(arg, label));
    }
    default:
      return false;
  }
}

/** Aggregations that look at values alone. */
const GROUPING: ReadonlySet<AggregateOp> = new Set([
  'sum',
  'count',
  'avg',
  'group',
  'min',
  'max',
  'stddev',
  'stdvar',
  'quantile',
  'count_values',
]);

/** Functions that see more than one series at a time, or their labels. */
const OF_SEVERAL: ReadonlySet<string> = new Set([
  'absent',
  'absent_over_time',
  'histogram_fraction',
  'histogram_quantile',
  'histogram_quantiles',
  'info',
  'label_join',
  'label_replace',
  'scalar',
  'vector',
  'sort',
  'sort_desc',
  'sort_by_label',
  'sort_by_label_desc',
]);

/** Whether each series of the value comes of one series by itself. */
function isOfEachSeries(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector':
    case 'matrix':
      return true;
    case 'paren':
    case 'unary':
    case 'once':
    case 'subquery':
      return isOfEachSeries(expr.expr);
    case 'binary': {
      const [vector, number] = typeOf(expr.left) === 'scalar' ? [expr.right, expr.left] : [expr.left, expr.right];
      return expr.matching === undefined && !readsSeries(number) && isOfEachSeries(vector);
    }
    case 'call':
      return !OF_SEVERAL.has(expr.func) && expr.args.every((arg) => !readsSeries(arg) || isOfEachSeries(arg));
    default:
      return false;
  }
}

function mentions(expr: Expr, label: string): boolean {
  const isNamed = ((): boolean => {
    switch (expr.kind) {
      case 'vector':
        return expr.matchers.some(({ name }) => name === label);
      case 'aggregate':
        return expr.grouping.includes(label);
      case 'binary':
        return expr.matching !== undefined && [...expr.matching.labels, ...expr.matching.include].includes(label);
      case 'string':
        return expr.value.includes(label);
      default:
        return false;
    }
  })();
  return isNamed || children(expr).some((child) => mentions(child, label));
}
