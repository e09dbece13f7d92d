import type { Matcher } from '../model/matcher.ts';
import { matcherTest } from '../model/matcher.ts';
import { children, type AggregateOp, type Call, type Expr, type VectorSelector } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { mapChildren } from '../promql/map.ts';
import { parseExpr } from '../promql/parse.ts';
import { printExpr } from '../promql/print.ts';

/** A query with the text that its positions point into. */
export interface Asked {
  readonly text: string;
  readonly expr: Expr;
}

/** The rewritten expression as if someone had written it. */
export function written(expr: Expr, features: PromqlFeatures): Asked {
  const text = printExpr(expr);
  return { text, expr: parseExpr(text, features) };
}

/** How one selector is aggregated. */
export interface Wrapping {
  readonly op: AggregateOp;
  readonly grouping: readonly string[];
}

/** Each instant selector, and the smallest call over a range selector, below an aggregation: `choose(n)` gives the n-th. */
export function wrapSelectors(expr: Expr, choose: (n: number) => Wrapping): Expr {
  let found = 0;
  function wrapped(node: Expr): Expr {
    return { kind: 'aggregate', ...choose(found++), expr: node, without: false, span: node.span };
  }
  function visit(node: Expr): Expr {
    if (node.kind === 'vector') return wrapped(node);
    if (node.kind !== 'call') return mapChildren(node, visit);
    if (node.args.some(({ kind }) => kind === 'matrix')) return wrapped(node);
    return isInfo(node) ? { ...node, args: [visit(node.args[0]!), ...node.args.slice(1)] } : mapChildren(node, visit);
  }
  return visit(expr);
}

/** Every selector with one more matcher. What info() looks up by itself stays as it is. */
export function withMatcher(expr: Expr, matcher: Matcher): Expr {
  const narrowed = (selector: VectorSelector): VectorSelector => ({
    ...selector,
    matchers: [...selector.matchers, matcher],
  });
  function visit(node: Expr): Expr {
    if (node.kind === 'vector') return narrowed(node);
    if (node.kind === 'matrix') return { ...node, selector: narrowed(node.selector) };
    if (node.kind === 'call' && isInfo(node)) return { ...node, args: [visit(node.args[0]!), ...node.args.slice(1)] };
    return mapChildren(node, visit);
  }
  return visit(expr);
}

/** Whether the matchers on the domain label leave it open that the expression reads series of this domain. */
export function mayReadDomain(expr: Expr, domainLabel: string, domain: string): boolean {
  if (expr.kind === 'vector') {
    return expr.matchers.every((matcher) => matcher.name !== domainLabel || matcherTest(matcher)(domain));
  }
  // The info series may be anywhere, whatever the series that they belong to.
  if (expr.kind === 'call' && isInfo(expr)) return true;
  return children(expr).some((child) => mayReadDomain(child, domainLabel, domain));
}

/** The calls that say what is absent, outside subqueries, whose steps are others. */
export function absenceCalls(expr: Expr): readonly Call[] {
  if (expr.kind === 'subquery') return [];
  const below = children(expr).flatMap(absenceCalls);
  const isOne = expr.kind === 'call' && (expr.func === 'absent' || expr.func === 'absent_over_time');
  return isOne ? [expr, ...below] : below;
}

export function callsInfo(expr: Expr): boolean {
  return (expr.kind === 'call' && isInfo(expr)) || children(expr).some(callsInfo);
}

/** Names of labels that an expression has in it. */
export function namedLabels(expr: Expr, into: Set<string> = new Set()): Set<string> {
  switch (expr.kind) {
    case 'vector':
      for (const { name } of expr.matchers) into.add(name);
      break;
    case 'aggregate':
      for (const name of expr.grouping) into.add(name);
      break;
    case 'binary':
      for (const name of [...(expr.matching?.labels ?? []), ...(expr.matching?.include ?? [])]) into.add(name);
      break;
    default:
  }
  for (const child of children(expr)) namedLabels(child, into);
  return into;
}

function isInfo({ func }: Call): boolean {
  return func === 'info';
}
