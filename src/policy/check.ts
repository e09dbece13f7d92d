import type { Labels } from '../model/labels.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames.ts';
import type { Policy } from './document.ts';

/**
 * Decides whether a fragment may be answered, before anything is read: every selector needs a metric whose class lets it
 * out there (bare only when open, below an aggregation when open or aggregate), and labels that the policy does not
 * permit can neither match, group nor be copied. `metricsOf` lists the metrics behind a selector that names none.
 * What cannot be known from the tree alone, the labels that `without` and bare selectors really carry, is left to
 * `checkLabels` on the way out.
 */
export function checkFragment(
  fragment: Fragment,
  policy: Policy,
  metricsOf: (selector: VectorSelector) => Iterable<string>,
): Refusal | undefined {
  return checkNode(fragment.expr, false, policy, metricsOf);
}

/** The first label of a row that the policy does not let out. */
export function checkLabels(labels: Labels, policy: Policy): Refusal | undefined {
  for (let i = 0; i < labels.length; i += 2) {
    if (!policy.permitsLabel(labels[i]!)) return { code: 'label_not_permitted', name: labels[i]! };
  }
  return undefined;
}

export function checkMatchers(matchers: readonly Matcher[], policy: Policy): Refusal | undefined {
  const forbidden = matchers.find((matcher) => !policy.permitsLabel(matcher.name));
  return forbidden === undefined ? undefined : { code: 'matcher_not_permitted', name: forbidden.name };
}

function checkNode(
  expr: Expr,
  aggregated: boolean,
  policy: Policy,
  metricsOf: (selector: VectorSelector) => Iterable<string>,
): Refusal | undefined {
  if (expr.kind === 'vector') return checkSelector(expr, aggregated, policy, metricsOf);
  const named = labelsNamedBy(expr).find((label) => !policy.permitsLabel(label));
  if (named !== undefined) return { code: 'label_not_permitted', name: named };
  for (const child of children(expr)) {
    const refusal = checkNode(child, aggregated || expr.kind === 'aggregate', policy, metricsOf);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

/** Labels that a node groups by, matches on or copies. `ignoring` and `without` only take labels away. */
function labelsNamedBy(expr: Expr): readonly string[] {
  if (expr.kind === 'aggregate') return expr.without ? [] : expr.grouping;
  if (expr.kind !== 'binary' || expr.matching === undefined) return [];
  const { on, labels, include } = expr.matching;
  return on ? [...labels, ...include] : include;
}

function checkSelector(
  selector: VectorSelector,
  aggregated: boolean,
  policy: Policy,
  metricsOf: (selector: VectorSelector) => Iterable<string>,
): Refusal | undefined {
  const refusal = checkMatchers(selector.matchers, policy);
  if (refusal !== undefined) return refusal;
  const name = selector.matchers.find((matcher) => matcher.name === METRIC_NAME && matcher.op === '=')?.value;
  for (const metric of name === undefined ? metricsOf(selector) : [name]) {
    const egress = policy.classOf(metric);
    // Only a name that the caller wrote is said back: others would tell what the domain holds.
    if (egress === 'sealed') return { code: 'class_sealed', name: name ?? '' };
    if (egress === 'aggregate' && !aggregated) return { code: 'class_aggregate', name: name ?? '' };
  }
  return undefined;
}
