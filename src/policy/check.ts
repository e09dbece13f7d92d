import { labelNames, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import { literalAlternatives, literalPrefix, type Matcher } from '../model/matcher.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames.ts';
import { children, type Aggregate, type Binary, type Call, type Expr, type VectorSelector } from '../promql/ast.ts';
import type { EgressClass, Policy } from './document.ts';

/** The label sets of the series that a selector picks: what a check cannot know from the tree alone. */
export type SeriesOf = (selector: VectorSelector) => Iterable<Labels>;

/**
 * Decides whether a fragment may be answered, before any sample is read: every selector needs a metric whose class lets it
 * out there (bare only when open, below an aggregation when open or aggregate), and labels that the policy does not
 * permit can neither match, group nor be copied. The labels that `without` and bare selectors really carry are left to
 * `checkLabels` on the way out.
 *
 * Whether a sealed metric could be meant is decided by names alone, never by what is stored: a refusal must not tell what
 * the domain holds of it.
 */
export function checkFragment(fragment: Fragment, policy: Policy, seriesOf: SeriesOf): Refusal | undefined {
  return checkNode(fragment.expr, 'root', policy, seriesOf);
}

/** The first label of a row that the policy does not let out. */
export function checkLabels(labels: Labels, policy: Policy): Refusal | undefined {
  return notPermitted(labelNames(labels), policy);
}

export function checkMatchers(matchers: readonly Matcher[], policy: Policy): Refusal | undefined {
  const forbidden = matchers.find((matcher) => !policy.permitsLabel(matcher.name));
  return forbidden === undefined ? undefined : { code: 'matcher_not_permitted', name: forbidden.name };
}

/** Where a node stands: at the top, where the labels that leave are checked as they are, or below, aggregated or not. */
type Place = 'root' | 'bare' | 'aggregated';

function checkNode(expr: Expr, place: Place, policy: Policy, seriesOf: SeriesOf): Refusal | undefined {
  if (expr.kind === 'vector') return checkSelector(expr, place === 'aggregated', policy, seriesOf);
  for (const child of children(expr)) {
    const below = expr.kind === 'aggregate' || place === 'aggregated' ? 'aggregated' : 'bare';
    const refusal = checkNode(child, below, policy, seriesOf);
    if (refusal !== undefined) return refusal;
  }
  // After the children: only then are their selectors known to be harmless to look at.
  if (expr.kind === 'aggregate' && (place !== 'root' || !expr.without)) {
    return notPermitted(groupedLabels(expr, seriesOf), policy);
  }
  // It copies labels from series that no selector of the tree names.
  if (expr.kind === 'call' && expr.func === 'info') return { code: 'unsupported', name: '' };
  if (expr.kind === 'call') return notPermitted(rewrittenLabels(expr), policy);
  if (expr.kind === 'binary' && expr.matching !== undefined) return notPermitted(matchedLabels(expr, seriesOf), policy);
  return undefined;
}

/** Labels that a function reads or writes by name: under another name a value could leave that may not. */
function rewrittenLabels({ func, args }: Call): readonly string[] {
  const texts = args.map((arg) => (arg.kind === 'string' ? arg.value : ''));
  if (func === 'label_replace') return [texts[1]!, texts[3]!];
  return func === 'label_join' ? [texts[1]!, ...texts.slice(3)] : [];
}

/** Labels that a match compares or copies. Without `on` those are all that the series carry but the ignored ones. */
function matchedLabels({ matching, left, right }: Binary, seriesOf: SeriesOf): Iterable<string> {
  const { on, labels, include } = matching!;
  if (on) return [...labels, ...include];
  const carried = new Set([...carriedLabels(left, seriesOf), ...carriedLabels(right, seriesOf)]);
  for (const label of labels) carried.delete(label);
  return [...carried, ...include];
}

/** Names of the labels that the rows of an expression may carry; rather too many than too few. */
function carriedLabels(expr: Expr, seriesOf: SeriesOf): Set<string> {
  if (expr.kind === 'vector') {
    const names = new Set<string>();
    for (const labels of seriesOf(expr)) for (const name of labelNames(labels)) names.add(name);
    return names;
  }
  if (expr.kind === 'aggregate') return groupedLabels(expr, seriesOf);
  const written = expr.kind === 'call' ? rewrittenLabels(expr) : [];
  return new Set(written.concat(children(expr).flatMap((child) => [...carriedLabels(child, seriesOf)])));
}

function groupedLabels({ without, grouping, expr }: Aggregate, seriesOf: SeriesOf): Set<string> {
  if (!without) return new Set(grouping);
  const names = carriedLabels(expr, seriesOf);
  for (const label of grouping) names.delete(label);
  return names;
}

function checkSelector(
  selector: VectorSelector,
  aggregated: boolean,
  policy: Policy,
  seriesOf: SeriesOf,
): Refusal | undefined {
  const refusal = checkMatchers(selector.matchers, policy);
  if (refusal !== undefined) return refusal;
  const names = metricNames(selector);
  if (names === undefined) {
    if (policy.maySeal(namePrefix(selector))) return { code: 'class_sealed', name: '' };
    if (aggregated) return undefined;
    for (const labels of seriesOf(selector)) {
      // Such a name is no secret (label lists have it), but the caller did not write it, so it is not said back.
      if (policy.classOf(labelValue(labels, METRIC_NAME)) !== 'open') return { code: 'class_aggregate', name: '' };
    }
    return undefined;
  }
  for (const name of names) {
    const code = refusedClass(policy.classOf(name), aggregated);
    if (code !== undefined) return { code, name };
  }
  return undefined;
}

function refusedClass(egress: EgressClass, aggregated: boolean): 'class_sealed' | 'class_aggregate' | undefined {
  if (egress === 'sealed') return 'class_sealed';
  return egress === 'aggregate' && !aggregated ? 'class_aggregate' : undefined;
}

/** The metrics that a selector can pick, when it spells them out. */
function metricNames({ matchers }: VectorSelector): readonly string[] | undefined {
  for (const { name, op, value } of matchers) {
    if (name !== METRIC_NAME) continue;
    if (op === '=') return [value];
    const names = op === '=~' ? literalAlternatives(value) : undefined;
    if (names !== undefined) return names;
  }
  return undefined;
}

/** What the name of every metric that a selector picks begins with. */
function namePrefix({ matchers }: VectorSelector): string {
  const prefixes = matchers.flatMap(({ name, op, value }) =>
    name === METRIC_NAME && op === '=~' ? [literalPrefix(value)] : [],
  );
  return prefixes.reduce((longest, prefix) => (prefix.length > longest.length ? prefix : longest), '');
}

function notPermitted(names: Iterable<string>, policy: Policy): Refusal | undefined {
  for (const name of names) if (!policy.permitsLabel(name)) return { code: 'label_not_permitted', name };
  return undefined;
}
