import type { AggregateOp } from '../promql/ast.ts';
import type { Policy } from './document.ts';
import { stricterClass } from './egress-class.ts';
import type { MetricRule } from './meet.ts';

/**
 * What both of two policies of a domain let out, for the time in which one takes the place of the other: nothing leaves that
 * either keeps back. It goes by the first one's digest, which is in force until the second is.
 */
export function bothPolicies(a: Policy, b: Policy): Policy {
  if (a.deniesAll !== undefined) return a;
  if (b.deniesAll !== undefined) return b;
  const ruleOf = (metric: string): MetricRule => stricterRule(a.ruleOf(metric), b.ruleOf(metric));
  return {
    domain: a.domain,
    digest: a.digest,
    deniesAll: undefined,
    permitsAllLabels: a.permitsAllLabels && b.permitsAllLabels,
    permitsLabel: (name) => a.permitsLabel(name) && b.permitsLabel(name),
    // A label that one of the two lets out by the tables alone is not more than that.
    listsLabel: (name) => a.listsLabel(name) && b.listsLabel(name),
    permitsMatch: (name) => a.permitsMatch(name) && b.permitsMatch(name),
    ruleOf,
    classOf: (metric) => ruleOf(metric).class,
    operatorsOf: (metric) => ruleOf(metric).operators,
    // Which rules meet on one name the prefix does not tell; all of both ask no less of whoever may pick any of them.
    rulesBelow: (prefix) => [...a.rulesBelow(prefix), ...b.rulesBelow(prefix)],
    limits: {
      answerRows: Math.min(a.limits.answerRows, b.limits.answerRows),
      answerBytes: Math.min(a.limits.answerBytes, b.limits.answerBytes),
      bytesPerDay: Math.min(a.limits.bytesPerDay, b.limits.bytesPerDay),
    },
    admit: b.admit,
    layers: [...a.layers, ...b.layers],
  };
}

function stricterRule(a: MetricRule, b: MetricRule): MetricRule {
  const egress = stricterClass(a.class, b.class);
  return {
    // Named in explanations: the one that decides.
    rule: egress === a.class ? a.rule : b.rule,
    class: egress,
    operators: new Set<AggregateOp>([...a.operators].filter((operator) => b.operators.has(operator))),
    minSeries: Math.max(a.minSeries, b.minSeries),
  };
}
