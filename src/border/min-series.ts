import { partialOf } from '../partial/algebra.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { namedLabels, picksSeries } from '../policy/carried-labels.ts';
import type { Policy } from '../policy/document.ts';
import { selectedRules } from '../policy/selected-metrics.ts';
import type { Aggregate, Binary, Call, Expr, NumberLiteral, VectorSelector } from '../promql/ast.ts';
import { children } from '../promql/ast.ts';
import { mapChildren } from '../promql/map.ts';

/**
 * An aggregation over series of a metric of which the policy asks that several stand behind each number: at every step, a
 * group needs `minSeries` of them.
 */
export interface GuardedGroups {
  readonly node: Aggregate;
  readonly minSeries: number;
  /** Whether it is evaluated at the steps of the fragment; not so below a subquery. */
  readonly isOnGrid: boolean;
}

/**
 * The aggregations of a fragment whose small groups stay in the domain: for each, the strictest rule of the aggregate metrics
 * that are selected below it with no other aggregation between. None where every rule asks for one series.
 */
export function guardedGroups(expr: Expr, policy: Policy): readonly GuardedGroups[] {
  const found = new Map<Aggregate, GuardedGroups>();
  walk(expr, [], (selector, path) => {
    const at = path.findLastIndex((node) => node.kind === 'aggregate');
    const node = path[at];
    const minSeries = Math.max(minSeriesOf(selector, policy), (node && found.get(node as Aggregate)?.minSeries) ?? 1);
    if (minSeries <= 1 || node?.kind !== 'aggregate') return;
    found.set(node, { node, minSeries, isOnGrid: !path.slice(0, at).some(({ kind }) => kind === 'subquery') });
  });
  return [...found.values()];
}

/**
 * Why the series behind a number could not be counted by counting rows: what stands between a selector and its aggregation
 * makes rows that are not one series each, the aggregation shows single ones, or the series are of several metrics. Decided by
 * the tree alone.
 */
export function checkCountable(expr: Expr, policy: Policy): Refusal | undefined {
  let refusal: Refusal | undefined;
  walk(expr, [], (selector, path) => {
    if (refusal !== undefined || minSeriesOf(selector, policy) <= 1) return;
    const at = path.findLastIndex((node) => node.kind === 'aggregate');
    const between = at < 0 ? [] : path.slice(at);
    refusal = between.map(rowsFault).find((fault) => fault !== undefined) ?? mixFault(selector, between[0], policy);
  });
  return refusal;
}

/**
 * The fragment with every guarded aggregation but the root of a partial or a sketch replaced by itself where its groups are
 * large enough: `agg by (L) (x) and on (L) (count by (L) (x) >= n)`, which is exact since both sides have the same groups.
 * The states of such a root are masked by the counts of `countFragment` instead, so that they stay states.
 *
 * Nodes keep their spans. New ones have the span of `BESIDE`, by which no note finds a node of the fragment.
 */
export function withoutSmallGroups(fragment: Fragment, guarded: readonly GuardedGroups[]): Fragment {
  if (guarded.length === 0) return fragment;
  const minSeries = new Map<Expr, number>(guarded.map((one) => [one.node, one.minSeries]));
  const root = hasStates(fragment) ? fragment.expr : undefined;

  const rewrite = (node: Expr): Expr => {
    const inner = mapChildren(node, rewrite);
    const least = minSeries.get(node);
    return least === undefined || node === root || inner.kind !== 'aggregate' ? inner : largeGroups(inner, least);
  };
  // The root of a partial stays the aggregation that it is.
  return { ...fragment, expr: rewrite(fragment.expr) } as Fragment;
}

/** Asks how many series are behind each group of an aggregation, which stays in the domain. */
export function countFragment({ grid }: Fragment, { node }: GuardedGroups): Fragment {
  return { answer: 'partial', expr: countOf(node), grid };
}

/** Asks how many of them are floats. */
export function countFloatsFragment({ grid }: Fragment, { node }: GuardedGroups): Fragment {
  return { answer: 'partial', expr: countOf({ ...node, op: 'min' }), grid };
}

/**
 * Counts the series behind each group: floats alone where histograms are no part of what the aggregation gives. The buckets
 * and quantiles of one histogram or summary are parts of one series: those of each bound are counted, and the most counts.
 */
function countOf({ op, param: _param, ...node }: Aggregate): Aggregate {
  const expr = leavesHistogramsOut(op) ? floatsOf(node.expr) : node.expr;
  const { without, grouping } = node;
  const others = grouping.filter((label) => !PARTS_OF_ONE.includes(label));
  const counted: Aggregate = { ...node, op: 'count', expr, grouping: without ? others : [...others, ...PARTS_OF_ONE] };
  return { ...node, op: 'max', expr: { ...counted, span: BESIDE } };
}

/** Labels by which one producer's histogram or summary is several series. */
const PARTS_OF_ONE: readonly string[] = ['le', 'quantile'];

/** Whether a fragment is answered with states of its root. */
export function hasStates({ answer }: Fragment): boolean {
  return answer === 'partial' || answer === 'sketch';
}

/** Of nodes that are in no fragment: past all that a fragment can have. */
const BESIDE = { start: Number.MAX_SAFE_INTEGER - 1, end: Number.MAX_SAFE_INTEGER };

/** The most series that a rule for an aggregate metric asks for which a selector can pick. */
function minSeriesOf(selector: Pick<VectorSelector, 'matchers'>, policy: Policy): number {
  const rules = selectedRules(selector, policy).map(({ rule }) => rule);
  return Math.max(1, ...rules.filter((rule) => rule.class === 'aggregate').map(({ minSeries }) => minSeries));
}

function walk(
  node: Expr,
  path: readonly Expr[],
  visit: (selector: VectorSelector, path: readonly Expr[]) => void,
): void {
  if (node.kind === 'vector') visit(node, path);
  // What is below a scalar is one series, which nothing aggregates: the policy's check has seen to that.
  const below = node.kind === 'call' && node.func === 'scalar' ? [] : [...path, node];
  for (const child of children(node)) walk(child, below, visit);
}

function rowsFault(node: Expr): Refusal | undefined {
  const fault = (name: string): Refusal => ({ code: 'operator_not_permitted', name, node: node.span.start });
  switch (node.kind) {
    case 'aggregate':
      return picksSeries(node) || node.op === 'count_values' ? fault(node.op) : undefined;
    case 'binary':
      // `or` adds rows, a match with many to one repeats a series, and what matches at all tells of single ones.
      return node.matching === undefined ? undefined : fault(node.op);
    case 'call':
      // Who writes the label of a part makes parts of one series look like several.
      return node.func === 'histogram_quantiles' || writesPart(node) ? fault(node.func) : undefined;
    default:
      return undefined;
  }
}

/** Series of another metric would pad a group, and those that a caller knows can be taken off its sum again. */
function mixFault(selector: VectorSelector, node: Expr | undefined, policy: Policy): Refusal | undefined {
  const [only, ...others] = selectedRules(selector, policy);
  const isOne = others.length === 0 && only !== undefined && only.metric !== '';
  if (isOne || node?.kind !== 'aggregate') return undefined;
  return { code: 'operator_not_permitted', name: node.op, node: node.span.start };
}

function writesPart(call: Call): boolean {
  const [written = ''] = call.func.startsWith('label_') ? namedLabels(call) : [];
  return PARTS_OF_ONE.includes(written);
}

function largeGroups(node: Aggregate, minSeries: number): Binary {
  const { without, grouping } = node;
  const counts = { ...countOf(node), span: BESIDE };
  const large: Binary = {
    kind: 'binary',
    op: '>=',
    left: counts,
    right: numberOf(minSeries),
    returnBool: false,
    span: BESIDE,
  };
  // A name that groups by is matched by `on` alone.
  const matching = without
    ? ({ card: 'many-to-many', on: false, labels: [], include: [] } as const)
    : ({ card: 'many-to-many', on: true, labels: grouping, include: [] } as const);
  return { kind: 'binary', op: 'and', left: node, right: large, returnBool: false, matching, span: BESIDE };
}

/** Whether native histograms are no part of what the aggregation gives: then they are no series behind it. */
function leavesHistogramsOut(op: Aggregate['op']): boolean {
  return op === 'quantile' || partialOf({ answer: 'partial', expr: { op } }).histograms === 'ignore';
}

/** The series of which a float other than NaN is there; a comparison keeps their names. */
function floatsOf(expr: Expr): Binary {
  return { kind: 'binary', op: '>=', left: expr, right: numberOf(-Infinity), returnBool: false, span: BESIDE };
}

function numberOf(value: number): NumberLiteral {
  return { kind: 'number', value, span: BESIDE };
}
