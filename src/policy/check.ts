import { labelNames, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import type { Aggregate, Call, Expr, VectorSelector } from '../promql/ast.ts';
import { children } from '../promql/ast.ts';
import {
  carriedLabels,
  groupedLabels,
  matchedLabels,
  namedLabels,
  picksSeries,
  writtenByAggregate,
  type SeriesOf,
} from './carried-labels.ts';
import type { Policy } from './document.ts';
import { isWithheld, withheldCode } from './egress-class.ts';
import { selectedRules, type SelectedRule } from './selected-metrics.ts';

/**
 * Decides whether a fragment may be answered, before any sample is read. Nothing may by a policy that denies all. Every selector needs a metric whose class lets it
 * out where it stands: an open one anywhere; of an aggregate one, the first aggregation that its series come to must be
 * listed, so that nothing which the policy does not list (`max`, `topk`, …) ever works on single series, whatever is done
 * with its result. Labels that the policy does not permit can neither match, group, order, pick nor be copied. The labels
 * that `without` and bare selectors really carry are left to `checkRows` on the way out.
 *
 * `node` of a refusal is the `span.start` of the node at fault, which in trees from the wire is its index in preorder.
 */
export function checkFragment(fragment: Fragment, policy: Policy, seriesOf: SeriesOf): Refusal | undefined {
  const denied = checkInForce(policy);
  if (denied !== undefined) return { ...denied, node: nodeOf(fragment.expr) };
  const { answer, expr } = fragment;
  if (answer === 'sketch' && fragment.relativeError < SKETCH_ERROR_MIN) {
    return { code: 'limit', name: 'quantile', node: nodeOf(expr) };
  }
  const check: Check = { policy, seriesOf, sketched: answer === 'sketch' ? expr : undefined };
  return checkNode(expr, { isRoot: true, under: undefined }, check);
}

/** What everything is refused with where the policy denies all, lists too. */
export function checkInForce({ deniesAll }: Policy): Refusal | undefined {
  return deniesAll === undefined ? undefined : { code: 'policy_denied', name: deniesAll };
}

/** The check of all rows on the way out: their metric, should the check of the tree have missed it, and their labels. */
export function checkRows(rows: Iterable<{ readonly labels: Labels }>, policy: Policy): Refusal | undefined {
  const denied = checkInForce(policy);
  if (denied !== undefined) return denied;
  const names = new Set<string>();
  for (const { labels } of rows) {
    const metric = labelValue(labels, METRIC_NAME);
    const egress = metric === '' ? 'open' : policy.classOf(metric);
    if (isWithheld(egress)) return { code: withheldCode(egress), name: '' };
    for (const name of labelNames(labels)) names.add(name);
  }
  const name = forbiddenLabel(names, policy);
  return name === undefined ? undefined : { code: 'label_not_permitted', name };
}

export function checkMatchers(matchers: readonly Matcher[], policy: Policy): Refusal | undefined {
  const denied = checkInForce(policy);
  if (denied !== undefined) return denied;
  const forbidden = matchers.find((matcher) => !policy.permitsMatch(matcher.name));
  return forbidden === undefined ? undefined : { code: 'matcher_not_permitted', name: forbidden.name };
}

/** Below this, the bins of a sketch are so narrow that they are the values themselves. */
const SKETCH_ERROR_MIN = 0.001;

interface Check {
  readonly policy: Policy;
  readonly seriesOf: SeriesOf;
  /** The aggregation that is answered with a sketch. */
  readonly sketched: Expr | undefined;
}

/** Where a node stands. */
interface Place {
  /** Whether its rows are the answer, whose labels are checked as they are on the way out. */
  readonly isRoot: boolean;
  /** The aggregation that works on the node's rows, whatever is made of them before. */
  readonly under: Aggregate | undefined;
}

/** Not the answer, and nothing aggregates it. */
const BARE: Place = { isRoot: false, under: undefined };

function checkNode(expr: Expr, place: Place, check: Check): Refusal | undefined {
  if (expr.kind === 'vector') return checkSelector(expr, place, check);
  // It copies labels from series that no selector of the tree names.
  if (expr.kind === 'call' && expr.func === 'info') {
    return { code: 'unsupported', name: 'function info', node: nodeOf(expr) };
  }
  for (const child of children(expr)) {
    const refusal = checkNode(child, placeOf(child, expr, place), check);
    if (refusal !== undefined) return refusal;
  }
  // After the children: only then are their selectors known to be harmless to look at.
  const name = check.policy.permitsAllLabels ? undefined : forbiddenLabel(usedLabels(expr, place, check), check.policy);
  return name === undefined ? undefined : { code: 'label_not_permitted', name, node: nodeOf(expr) };
}

function placeOf(child: Expr, parent: Expr, place: Place): Place {
  switch (parent.kind) {
    case 'aggregate':
      return { isRoot: false, under: parent };
    case 'call':
      // A scalar is the value of one series, and parameters are scalars: nothing above sees more than that one.
      return parent.func === 'scalar' ? BARE : { ...place, isRoot: false };
    case 'once':
    case 'paren':
      return place;
    default:
      return { ...place, isRoot: false };
  }
}

/** Names of the labels that a node works with: groups or picks by, reads, writes, matches or copies. */
function usedLabels(expr: Expr, place: Place, { seriesOf }: Check): Iterable<string> {
  switch (expr.kind) {
    case 'aggregate':
      return aggregatedLabels(expr, place, seriesOf);
    case 'call':
      return namedLabels(expr satisfies Call);
    case 'binary':
      return expr.matching === undefined ? [] : matchedLabels(expr, seriesOf);
    default:
      return [];
  }
}

function aggregatedLabels(node: Aggregate, { isRoot }: Place, seriesOf: SeriesOf): Iterable<string> {
  // Which series are picked hangs on all their labels: ties go by their order, limit_ratio by their hash.
  if (picksSeries(node)) return [...node.grouping, ...carriedLabels(node.expr, seriesOf)];
  const written = writtenByAggregate(node);
  return isRoot && node.without ? written : [...groupedLabels(node, seriesOf), ...written];
}

function checkSelector(selector: VectorSelector, { under }: Place, check: Check): Refusal | undefined {
  const { policy } = check;
  const node = nodeOf(selector);
  const forbidden = checkMatchers(selector.matchers, policy);
  if (forbidden !== undefined) return { ...forbidden, node };
  const rules = selectedRules(selector, policy);
  const withheld = rules.find(({ rule }) => isWithheld(rule.class));
  if (withheld !== undefined) return { code: withheldCode(withheld.rule.class), name: withheld.metric, node };
  const kept = rules.find((selected) => !letsOut(selected, under, check));
  if (kept === undefined) return undefined;
  if (under === undefined) return { code: 'class_aggregate', name: kept.metric, node };
  return { code: 'operator_not_permitted', name: under.op, node: nodeOf(under) };
}

function letsOut({ rule }: SelectedRule, under: Aggregate | undefined, { sketched }: Check): boolean {
  if (rule.class === 'open') return true;
  if (under === undefined || !rule.operators.has(under.op)) return false;
  // An exact quantile is the value of a series, which a list of operators never means.
  return under.op !== 'quantile' || under === sketched;
}

/** The first in order of those that may not leave: which series came first would tell of the values of their labels. */
function forbiddenLabel(names: Iterable<string>, policy: Policy): string | undefined {
  let first: string | undefined;
  for (const name of names) if (!policy.permitsLabel(name) && (first === undefined || name < first)) first = name;
  return first;
}

function nodeOf({ span }: Expr): number {
  return span.start;
}
