import { METRIC_NAME } from '../../model/labels.ts';
import type { AggregateOp, BinaryOp, Expr } from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import { selectorsIn } from './expr-path.ts';

/**
 * The aggregation that says most nearly of a whole group what an expression says of each series: a rate adds up, the greatest
 * of some maxima is a maximum, a temperature has a mean. Goes by what functions give and by what metrics are called.
 */
export function reducerOf(expr: Expr): AggregateOp {
  switch (expr.kind) {
    case 'paren':
    case 'once':
    case 'subquery':
    case 'unary':
      return reducerOf(expr.expr);
    case 'call':
      return OF_CALLS.get(expr.func) ?? ofMetric(expr);
    case 'binary':
      return ofComparison(expr.op, typeOf(expr.left) === 'scalar') ?? ofMetric(expr);
    default:
      return ofMetric(expr);
  }
}

const OF_CALLS: ReadonlyMap<string, AggregateOp> = new Map<string, AggregateOp>([
  ...['rate', 'irate', 'increase', 'delta', 'idelta', 'changes', 'resets', 'count_over_time', 'sum_over_time'].map(
    (name) => [name, 'sum'] as const,
  ),
  ...['max_over_time', 'present_over_time', 'timestamp', 'start_timestamp', 'histogram_quantile'].map(
    (name) => [name, 'max'] as const,
  ),
  ['min_over_time', 'min'],
  ...['avg_over_time', 'stddev_over_time', 'stdvar_over_time', 'histogram_avg', 'histogram_fraction'].map(
    (name) => [name, 'avg'] as const,
  ),
]);

/** Of series that pass a bound the one that passes it by most; a member of the answer in any case. */
function ofComparison(op: BinaryOp, isFlipped: boolean): AggregateOp | undefined {
  switch (op) {
    case '>':
    case '>=':
    case '!=':
      return isFlipped && op !== '!=' ? 'min' : 'max';
    case '<':
    case '<=':
    case '==':
      return isFlipped && op !== '==' ? 'max' : 'min';
    default:
      return undefined;
  }
}

/** By the endings that Prometheus's naming practices give to units (https://prometheus.io/docs/practices/naming/). */
const MEANS = /_(ratio|percent|percentage|celsius|volts|hertz|utilization|factor)$/;
const LATEST = /_(timestamp|time|timestamp_seconds|time_seconds|info)$/;

function ofMetric(expr: Expr): AggregateOp {
  const [first] = selectorsIn(expr);
  const matchers = first?.matchers ?? [];
  const name = matchers.find((matcher) => matcher.name === METRIC_NAME && matcher.op === '=')?.value ?? '';
  if (MEANS.test(name)) return 'avg';
  // Quantiles of summaries neither add up nor have a mean.
  if (LATEST.test(name) || matchers.some((matcher) => matcher.name === 'quantile')) return 'max';
  return 'sum';
}
