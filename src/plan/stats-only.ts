import { TRIM_OPS, type Call, type Expr } from '../promql/ast.ts';
import { mapChildren } from '../promql/map.ts';

const OF_STATS: ReadonlySet<string> = new Set(['histogram_count', 'histogram_sum', 'histogram_avg']);

const OF_BUCKETS: ReadonlySet<string> = new Set([
  'histogram_quantile',
  'histogram_quantiles',
  'histogram_fraction',
  'histogram_stddev',
  'histogram_stdvar',
]);

/** What stands above a node: nothing of interest, a function of counts and sums, or something that needs the buckets. */
type Above = 'nothing' | 'stats' | 'buckets';

/**
 * The tree with `statsOnly` on the selectors whose native histograms come to a count or a sum in the end, as Prometheus
 * has it: what is left out shows in annotations. Nothing below a subquery is marked, as resets are found in buckets there.
 */
export function withStatsOnly(expr: Expr, above: Above = 'nothing'): Expr {
  switch (expr.kind) {
    case 'vector':
      return above === 'stats' ? { ...expr, statsOnly: true } : expr;
    case 'matrix':
      return above === 'stats' ? { ...expr, selector: { ...expr.selector, statsOnly: true } } : expr;
    case 'subquery':
      return { ...expr, expr: withStatsOnly(expr.expr, 'buckets') };
    case 'call':
      return mapChildren(expr, (arg) => withStatsOnly(arg, belowCall(expr, above)));
    case 'binary':
      return mapChildren(expr, (side) => withStatsOnly(side, TRIM_OPS.has(expr.op) ? 'buckets' : above));
    default:
      return mapChildren(expr, (child) => withStatsOnly(child, above));
  }
}

function belowCall({ func }: Call, above: Above): Above {
  if (above === 'buckets' || OF_BUCKETS.has(func)) return 'buckets';
  return OF_STATS.has(func) ? 'stats' : above;
}
