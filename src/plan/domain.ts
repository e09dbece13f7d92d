import { matcherTest } from '../model/matcher.ts';
import { children, type Expr } from '../promql/ast.ts';
import type { PlaceRule } from './keeps.ts';

/**
 * What keeps the domain. Only the domain label decides this: nothing else that looks like a place (`cluster`, `instance`) is
 * sure to differ between domains.
 *
 * `matchAtHub` leaves the matching of two vectors to the hub, for the rare query whose errors hang on all domains.
 */
export function domainRule(domainLabel: string, matchAtHub = false): PlaceRule {
  return {
    matching: ({ on, labels }) => !matchAtHub && on === labels.includes(domainLabel),
    grouping: ({ without, grouping }) => without !== grouping.includes(domainLabel),
    relabelling: (target) => target !== domainLabel,
  };
}

/** Whether a domain could hold a series that the expression reads, going by the matchers on the domain label. */
export function mayReadFrom(expr: Expr, domainLabel: string, domain: string): boolean {
  if (expr.kind === 'vector') {
    return expr.matchers.every((matcher) => matcher.name !== domainLabel || matcherTest(matcher)(domain));
  }
  return children(expr).some((child) => mayReadFrom(child, domainLabel, domain));
}
