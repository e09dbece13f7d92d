import { matcherTest } from '../model/matcher.ts';
import { VALUE_FUNCTIONS } from '../engine/functions.ts';
import { ROLLUPS } from '../engine/rollup-kernels.ts';
import { isScalar } from '../engine/scalar.ts';
import { isPartialOp } from '../partial/algebra.ts';
import { children, type Aggregate, type Binary, type Expr } from '../promql/ast.ts';

/**
 * Whether an expression keeps the domain: no series that it gives draws on two domains, so a domain can work it out
 * alone and the answers only need to stand side by side. Only the domain label decides this: nothing else that looks
 * like a place (`cluster`, `instance`) is sure to differ between domains.
 *
 * `matchAtHub` leaves the matching of two vectors to the hub, for the rare query whose errors hang on all domains.
 */
export function keepsDomain(expr: Expr, domainLabel: string, matchAtHub = false): boolean {
  switch (expr.kind) {
    case 'vector':
    case 'matrix':
      return true;
    case 'paren':
    case 'unary':
      return keepsDomain(expr.expr, domainLabel, matchAtHub);
    case 'call':
      return (
        isPerSeries(expr.func) && expr.args.every((arg) => isScalar(arg) || keepsDomain(arg, domainLabel, matchAtHub))
      );
    case 'binary':
      return binaryKeepsDomain(expr, domainLabel, matchAtHub);
    case 'aggregate':
      return (
        isPartialOp(expr.op) && groupsByDomain(expr, domainLabel) && keepsDomain(expr.expr, domainLabel, matchAtHub)
      );
    case 'number':
    case 'string':
    case 'subquery':
    case 'merged':
      return false;
  }
}

/** Whether a domain could hold a series that the expression reads, going by the matchers on the domain label. */
export function mayReadFrom(expr: Expr, domainLabel: string, domain: string): boolean {
  if (expr.kind === 'vector') {
    return expr.matchers.every((matcher) => matcher.name !== domainLabel || matcherTest(matcher)(domain));
  }
  return children(expr).some((child) => mayReadFrom(child, domainLabel, domain));
}

/** Functions that treat each series on its own (or, for classic histograms, the buckets of one, which share a domain). */
function isPerSeries(func: string): boolean {
  return ROLLUPS.has(func) || VALUE_FUNCTIONS.has(func) || func === 'histogram_quantile';
}

function binaryKeepsDomain(expr: Binary, domainLabel: string, matchAtHub: boolean): boolean {
  if (isScalar(expr.left)) return keepsDomain(expr.right, domainLabel, matchAtHub);
  if (isScalar(expr.right)) return keepsDomain(expr.left, domainLabel, matchAtHub);
  if (matchAtHub) return false;
  const { on, labels } = expr.matching!;
  const matchesDomain = on === labels.includes(domainLabel);
  return matchesDomain && keepsDomain(expr.left, domainLabel) && keepsDomain(expr.right, domainLabel);
}

function groupsByDomain(expr: Aggregate, domainLabel: string): boolean {
  return expr.without !== expr.grouping.includes(domainLabel);
}
