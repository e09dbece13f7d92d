import { infoMatchers } from '../../engine/calls/info-selector.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type { Aggregate, AggregateOp, Binary, Call, Expr, MatrixSelector, Subquery } from '../../promql/ast.ts';
import { children } from '../../promql/ast.ts';
import { mapChildren } from '../../promql/map.ts';
import { aggregate, aggregatedAt, bareVectors } from './aggregated.ts';
import { mayReadFrom } from '../domain.ts';
import { mapSelectors, nodeAt, nodesAbove, replaced, selectorsIn } from './expr-path.ts';
import type { Fault } from './fault.ts';
import { isReducing } from './needed-labels.ts';
import { withoutLabel, withoutMatchers } from './without-labels.ts';

/** Another query, and the relative error that it allows `quantile`. */
export interface Rewrite {
  readonly expr: Expr;
  readonly approx?: number | undefined;
}

/** What rewriting goes by besides the fault. */
export interface RewriteContext {
  readonly approx: number | undefined;
  readonly domainLabel: string;
  readonly domains: readonly string[];
}

/** The relative error that a rewrite proposes: a hundredth is finer than what a panel shows. */
export const PROPOSED_APPROX = 0.01;

/** What could be asked instead of a query with a fault, the nearest first. Whether it works is for others to find out. */
export function rewritesFor(root: Expr, fault: Fault, context: RewriteContext): Rewrite[] {
  return exprsFor(root, fault, context).concat(
    // What no other way makes answerable may be answerable without the domain.
    fault.code === 'class_sealed' || fault.code === 'class_protected' ? droppedOperands(root, fault) : [],
  );
}

function exprsFor(root: Expr, fault: Fault, context: RewriteContext): Rewrite[] {
  const node = nodeAt(root, fault.span);
  const only = (...exprs: readonly (Expr | undefined)[]): Rewrite[] =>
    exprs.flatMap((expr) => (expr === undefined ? [] : [{ expr, approx: context.approx }]));
  switch (fault.code) {
    case 'range_vector':
      return only(...overRange(root, node));
    case 'series_parameter':
      return only(asSubquery(root, node));
    case 'class_aggregate':
      return ofAggregateClass(root, node, context);
    case 'operator_not_permitted':
      return ofOperator(root, node, fault.name, context);
    case 'label_not_permitted':
      return only(withoutLabel(root, fault.name, false), withoutLabel(root, fault.name, true));
    case 'matcher_not_permitted':
      return only(withoutMatchers(root, fault.name));
    case 'class_sealed':
    case 'class_protected':
    case 'budget':
    case 'vetoed':
    case 'policy_denied':
    case 'unsupported':
    case 'source_unavailable':
      return only(withoutDomain(root, fault.domain, context));
    case 'undecided':
      return only(aggregatedSides(root, node));
    case 'limit':
      return fault.name === 'quantile' ? [{ expr: root, approx: PROPOSED_APPROX }] : [];
    case 'execution':
    case 'timeout':
      return [];
  }
}

const COUNTER = /_(total|count|sum|bucket)$/;

/** A range vector at the root: what it comes to at a time. */
function overRange(root: Expr, node: Expr): Expr[] {
  const range = node.kind === 'vector' ? nodesAbove(root, node)?.[0] : node;
  if (range?.kind !== 'matrix') return [];
  const isCounter = range.selector.matchers.some(({ name, value }) => name === METRIC_NAME && COUNTER.test(value));
  const func = isCounter ? 'rate' : 'last_over_time';
  return [replaced(root, new Map([[range, { kind: 'call', func, args: [range], span: range.span }]]))];
}

/** Resolution of a subquery that stands for raw samples. */
const SUBQUERY_STEP_MS = 60_000;

/** A function whose parameter the hub works out can have steps of a vector, which may cross, in the place of samples. */
function asSubquery(root: Expr, node: Expr): Expr | undefined {
  if (node.kind !== 'call') return undefined;
  const args = node.args.map((arg) => (arg.kind === 'matrix' ? subqueryOf(arg) : arg));
  return replaced(root, new Map([[node, { ...node, args }]]));
}

function subqueryOf({ selector, rangeMs, rangeExpr, span }: MatrixSelector): Subquery {
  const { offsetMs, offsetExpr, at, matchers } = selector;
  const expr: Expr = { kind: 'vector', matchers, offsetMs: 0, span: selector.span };
  return {
    kind: 'subquery',
    expr,
    rangeMs,
    ...(rangeExpr === undefined ? {} : { rangeExpr }),
    stepMs: SUBQUERY_STEP_MS,
    offsetMs,
    ...(offsetExpr === undefined ? {} : { offsetExpr }),
    ...(at === undefined ? {} : { at }),
    span,
  };
}

/** Single series of an aggregate metric would leave. */
function ofAggregateClass(root: Expr, node: Expr, context: RewriteContext): Rewrite[] {
  const above = nodesAbove(root, node) ?? [];
  const aggregates = above.filter((one): one is Aggregate => one.kind === 'aggregate');
  const quantile = aggregates.find(({ op }) => op === 'quantile');
  const joined = withinDomains(root, aggregates.find(isReducing), context);
  const info = [node, ...above].find((one): one is Call => one.kind === 'call' && one.func === 'info');
  return [
    ...(info === undefined ? [] : [{ expr: replaced(root, new Map([[info, asJoin(info)]])), approx: context.approx }]),
    ...(joined === undefined ? [] : [joined]),
    ...(quantile === undefined ? [] : ofQuantile(root, quantile, context)),
    ...aggregations(root, node, context),
  ];
}

/** The join that info() stands for, with the labels that its selector names. */
function asJoin({ args: [vector, selector], span }: Call): Binary {
  const { names, data: others } = infoMatchers(selector);
  const matchers = [...names, ...others];
  const include = [...new Set(others.map(({ name }) => name))];
  return {
    kind: 'binary',
    op: '*',
    left: vector!,
    right: { kind: 'vector', matchers, offsetMs: 0, span },
    returnBool: false,
    matching: { card: 'many-to-one', on: true, labels: ['job', 'instance'], include },
    span,
  };
}

/**
 * What an aggregation works on, matched and grouped by the domain as well, so that each domain can do so alone: the same
 * wherever series of one domain only are to meet.
 */
function withinDomains(
  root: Expr,
  above: Aggregate | undefined,
  { approx, domainLabel }: RewriteContext,
): Rewrite | undefined {
  if (above === undefined) return undefined;
  const added = (labels: readonly string[]): readonly string[] =>
    labels.includes(domainLabel) ? labels : [domainLabel, ...labels];
  const removed = (labels: readonly string[]): readonly string[] => labels.filter((label) => label !== domainLabel);
  const within = (expr: Expr): Expr => {
    const inner = mapChildren(expr, within);
    if (inner.kind === 'aggregate') {
      return { ...inner, grouping: inner.without ? removed(inner.grouping) : added(inner.grouping) };
    }
    if (inner.kind !== 'binary' || inner.matching === undefined) return inner;
    const { on, labels } = inner.matching;
    return { ...inner, matching: { ...inner.matching, labels: on ? added(labels) : removed(labels) } };
  };
  return { expr: replaced(root, new Map([[above, { ...above, expr: within(above.expr) }]])), approx };
}

/** Every way to aggregate there, the one that goes by what is aggregated first. */
function aggregations(root: Expr, node: Expr, { approx }: RewriteContext, ops = OTHER_OPS): Rewrite[] {
  return [undefined, ...ops].flatMap((op) => {
    const expr = aggregatedAt(root, node, op);
    return expr === undefined ? [] : [{ expr, approx }];
  });
}

const OTHER_OPS: readonly AggregateOp[] = ['sum', 'avg', 'max', 'count'];

function ofOperator(root: Expr, node: Expr, op: string, context: RewriteContext): Rewrite[] {
  const named = (one: Expr): one is Aggregate => one.kind === 'aggregate' && one.op === op;
  const found = named(node) ? node : (nodesAbove(root, node) ?? []).find(named);
  if (found === undefined) return [];
  const { approx } = context;
  if (found.op === 'quantile') return [...ofQuantile(root, found, context), ...belowOperator(root, found, context)];
  if (!isReducing(found) || found.op === 'count_values') return belowOperator(root, found, context);
  const others: readonly AggregateOp[] = ['avg', 'max', 'min', 'sum', 'count', 'group'];
  const change = (to: Expr): Rewrite => ({ expr: replaced(root, new Map([[found, to]])), approx });
  return [
    ...(found.op === 'avg' ? [change(quotient(found))] : []),
    ...others.filter((other) => other !== op).map((other) => change({ ...found, op: other })),
  ];
}

/** A mean by its definition. */
function quotient(node: Aggregate): Binary {
  const matching = { card: 'one-to-one', on: false, labels: [], include: [] } as const;
  const [left, right] = [{ ...node, op: 'sum' } as const, { ...node, op: 'count' } as const];
  return { kind: 'binary', op: '/', left, right, returnBool: false, matching, span: node.span };
}

/** Aggregates what an aggregation that shows single series works on. */
function belowOperator(root: Expr, found: Aggregate, context: RewriteContext): Rewrite[] {
  const [first] = bareVectors(found.expr);
  return first === undefined ? [] : aggregations(root, first, context);
}

/** A quantile over single series: a sketch, or the buckets of the histogram that the metric belongs to. */
function ofQuantile(root: Expr, quantile: Aggregate, { approx }: RewriteContext): Rewrite[] {
  const histogram = overBuckets(quantile);
  return [
    ...(approx === undefined ? [{ expr: root, approx: PROPOSED_APPROX }] : []),
    ...(histogram === undefined ? [] : [{ expr: replaced(root, new Map([[quantile, histogram]])), approx }]),
  ];
}

function overBuckets({ expr, param, grouping, without, span }: Aggregate): Expr | undefined {
  const selectors = selectorsIn(expr);
  const nameOf = (at: number): string => selectors[at]?.matchers.find(({ name }) => name === METRIC_NAME)?.value ?? '';
  const base = /^(.+)_(?:bucket|sum|count)$/.exec(nameOf(0))?.[1];
  const rates = bareVectors(expr).filter((vector) => vector.kind === 'call');
  const isOfOne = selectors.every((_, at) => nameOf(at).startsWith(`${base}_`)) && rates.length === selectors.length;
  if (base === undefined || param === undefined || !isOfOne || without) return undefined;
  const rate = mapChildren(rates[0]!, (arg) => mapSelectors(arg, (selector) => renamed(selector, `${base}_bucket`)));
  const sum = aggregate('sum', rate, [...grouping.filter((name) => name !== 'le'), 'le']);
  return { kind: 'call', func: 'histogram_quantile', args: [param, sum], span };
}

function renamed<Selector extends { readonly matchers: readonly { readonly name: string }[] }>(
  selector: Selector,
  value: string,
): Selector {
  const matchers = selector.matchers
    .filter(({ name }) => name !== 'le')
    .map((matcher) => (matcher.name === METRIC_NAME ? { ...matcher, value } : matcher));
  return { ...selector, matchers };
}

/** The same question about the other domains, if any is left: a side that lacks a domain would not fit the other. */
function withoutDomain(
  root: Expr,
  domain: string | undefined,
  { domainLabel, domains }: RewriteContext,
): Expr | undefined {
  if (domain === undefined) return undefined;
  const excluded = { name: domainLabel, op: '!=', value: domain } as const;
  const expr = mapSelectors(root, (selector) =>
    mayReadFrom(selector, domainLabel, domain) ? { ...selector, matchers: [...selector.matchers, excluded] } : selector,
  );
  const isLeft = selectorsIn(expr).every((selector) =>
    domains.some((other) => mayReadFrom(selector, domainLabel, other)),
  );
  return isLeft ? expr : undefined;
}

/** `a or b` without the operand that is at fault. */
function droppedOperands(root: Expr, { span }: Fault): Rewrite[] {
  const above = nodesAbove(root, nodeAt(root, span)) ?? [];
  const or = above.find((node): node is Binary => node.kind === 'binary' && node.op === 'or');
  if (or === undefined) return [];
  const isIn = (side: Expr): boolean => side.span.start <= span.start && span.end <= side.span.end;
  return [{ expr: replaced(root, new Map([[or, isIn(or.left) ? or.right : or.left]])) }];
}

/** Both sides of the match at fault made unique in what they are matched on. */
function aggregatedSides(root: Expr, node: Expr): Expr | undefined {
  const match = firstMatch(node);
  if (match === undefined) return undefined;
  const [vector] = [...bareVectors(match.left), ...bareVectors(match.right)];
  return vector === undefined ? undefined : aggregatedAt(root, vector);
}

function firstMatch(expr: Expr): Binary | undefined {
  if (expr.kind === 'binary' && expr.matching !== undefined) return expr;
  for (const child of children(expr)) {
    const found = firstMatch(child);
    if (found !== undefined) return found;
  }
  return undefined;
}
