import { matcherTest } from '../model/matcher.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';
import type { PlaceRule } from './keeps.ts';

/** How a hub splits. */
export interface DomainRuleOptions {
  readonly domainLabel: string;
  /** Leaves the matching of two vectors to the hub, for the rare query whose errors hang on all domains. */
  readonly matchAtHub?: boolean | undefined;
  /** The relative error that whoever asks allows `quantile`; undefined for none. */
  readonly approx?: number | undefined;
}

/**
 * What keeps the domain. Only the domain label decides this: nothing else that looks like a place (`cluster`, `instance`) is
 * sure to differ between domains.
 */
export function domainRule({ domainLabel, matchAtHub, approx }: DomainRuleOptions): PlaceRule {
  return {
    matching: ({ on, labels }) => matchAtHub !== true && on === labels.includes(domainLabel),
    grouping: ({ without, grouping }) => without !== grouping.includes(domainLabel),
    relabelling: (target) => target !== domainLabel,
    // What a domain's policy keeps in, its border refuses: here nothing is known of it.
    isOpen: true,
    isDomain: true,
    approx,
  };
}

/** Whether a domain could hold a series that the expression reads, going by the matchers on the domain label. */
export function mayReadFrom(expr: Expr, domainLabel: string, domain: string): boolean {
  if (expr.kind === 'vector') return isOf(expr, domainLabel, domain);
  return children(expr).some((child) => mayReadFrom(child, domainLabel, domain));
}

function isOf({ matchers }: VectorSelector, domainLabel: string, domain: string): boolean {
  return matchers.every((matcher) => matcher.name !== domainLabel || matcherTest(matcher)(domain));
}
