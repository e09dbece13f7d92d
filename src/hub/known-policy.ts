import { METRIC_NAME, labelsOf } from '../model/labels.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { keptLabels } from '../plan/explain/kept-labels.ts';
import { checkFragment } from '../policy/check.ts';
import { NO_ADMIT_RULES, NO_LIMITS, type Policy } from '../policy/document.ts';
import type { MetricRule } from '../policy/meet.ts';
import { SET_OPS, children, type AggregateOp, type Expr } from '../promql/ast.ts';

/**
 * Applies a refusal to other fragments: what is known of a domain's policy from it, and no more. Of the metrics that it does
 * not name as little is taken for granted as of the one that it names.
 */
export function knownFrom(refusal: Refusal): (fragment: Fragment) => Refusal | undefined {
  switch (refusal.code) {
    case 'unsupported':
    case 'source_unavailable':
    case 'budget':
    case 'vetoed':
    case 'policy_denied':
      return () => refusal;
    case 'limit':
      // That of a sketch is one of every domain.
      return refusal.name === 'quantile' ? (fragment) => checkKnown(fragment, refusal) : () => refusal;
    case 'execution':
    case 'timeout':
      // Nothing that is rewritten is known to do better.
      return () => refusal;
    case 'undecided':
      return ({ expr }) => (matchesBare(expr) ? refusal : undefined);
    default:
      return (fragment) => checkKnown(fragment, refusal);
  }
}

function checkKnown(fragment: Fragment, refusal: Refusal): Refusal | undefined {
  const label = refusal.code === 'label_not_permitted' ? refusal.name : undefined;
  // Wherever a series could carry the label, it does.
  const series = label === undefined ? [] : [labelsOf({ [METRIC_NAME]: 'any', [label]: 'any' })];
  const found = checkFragment(fragment, policyFrom(refusal), () => series);
  if (found !== undefined || label === undefined) return found;
  const { of, labels } = keptLabels(fragment.expr);
  return (of === 'only') === labels.has(label) ? { code: 'label_not_permitted', name: label, node: 0 } : undefined;
}

const REDUCING = ['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'stdvar'] as const;

function policyFrom({ code, name }: Refusal): Policy {
  const operators = new Set<AggregateOp>(REDUCING.filter((op) => code !== 'operator_not_permitted' || op !== name));
  const open: MetricRule = { rule: 'default', class: 'open', operators, minSeries: 1 };
  const aggregate: MetricRule = { ...open, class: 'aggregate' };
  const others = code === 'class_aggregate' || code === 'operator_not_permitted' ? aggregate : open;
  const isKept = code === 'class_sealed' || code === 'class_protected';
  const kept: MetricRule = { ...open, class: code === 'class_protected' ? 'protected' : 'sealed' };
  const ruleOf = (metric: string): MetricRule => (isKept && metric === name ? kept : others);
  const forbidden = code === 'label_not_permitted' || code === 'matcher_not_permitted' ? name : undefined;
  return {
    domain: '',
    digest: '',
    deniesAll: undefined,
    permitsAllLabels: forbidden === undefined,
    permitsLabel: (label) => label !== forbidden,
    listsLabel: (label) => label !== forbidden,
    permitsMatch: (label) => label !== forbidden,
    limits: NO_LIMITS,
    admit: NO_ADMIT_RULES,
    layers: [],
    ruleOf,
    classOf: (metric) => ruleOf(metric).class,
    operatorsOf: (metric) => ruleOf(metric).operators,
    rulesBelow: () => [isKept ? kept : others],
  };
}

/** Whether two vectors are matched of which one is not unique by what it was grouped by. */
function matchesBare(expr: Expr): boolean {
  if (expr.kind === 'binary' && expr.matching !== undefined && !SET_OPS.has(expr.op)) {
    if ([expr.left, expr.right].some((side) => keptLabels(side).of === 'all but')) return true;
  }
  return children(expr).some(matchesBare);
}
