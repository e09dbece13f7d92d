import { METRIC_NAME } from '../model/labels.ts';
import { literalAlternatives, literalPrefix } from '../model/matcher.ts';
import type { VectorSelector } from '../promql/ast.ts';
import type { Policy } from './document.ts';
import type { MetricRule } from './meet.ts';

/** A rule of the policy that decides a metric which a selector can pick; `metric` is empty where it is not spelt out. */
export interface SelectedRule {
  readonly metric: string;
  readonly rule: MetricRule;
}

/**
 * The rules for all metrics that a selector can pick. Decided by names alone, never by what is stored: a refusal must not
 * tell what the domain holds, and a metric that appears a moment later must not slip through.
 */
export function selectedRules(selector: Matching, policy: Policy): readonly SelectedRule[] {
  const names = metricNames(selector);
  if (names !== undefined) return names.map((metric) => ({ metric, rule: policy.ruleOf(metric) }));
  return policy.rulesBelow(namePrefix(selector)).map((rule) => ({ metric: '', rule }));
}

type Matching = Pick<VectorSelector, 'matchers'>;

/** The metrics that a selector can pick, when it spells them out. */
function metricNames({ matchers }: Matching): readonly string[] | undefined {
  for (const { name, op, value } of matchers) {
    if (name !== METRIC_NAME) continue;
    if (op === '=') return [value];
    const names = op === '=~' ? literalAlternatives(value) : undefined;
    if (names !== undefined) return names;
  }
  return undefined;
}

/** What the name of every metric that a selector picks begins with. */
function namePrefix({ matchers }: Matching): string {
  const prefixes = matchers.flatMap(({ name, op, value }) =>
    name === METRIC_NAME && op === '=~' ? [literalPrefix(value)] : [],
  );
  return prefixes.reduce((longest, prefix) => (prefix.length > longest.length ? prefix : longest), '');
}
