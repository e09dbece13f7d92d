import { METRIC_NAME } from '../../model/labels.ts';
import { SET_OPS, type Aggregate, type Binary, type Call, type Expr } from '../../promql/ast.ts';
import { mapChildren } from '../../promql/map.ts';
import { printExpr } from '../../promql/print.ts';
import { aggregate, bareVectors, DEFAULT_GROUPING } from './aggregated.ts';
import { mapSelectors, replaced, selectorsIn } from './expr-path.ts';
import { keptLabels } from '../explain/kept-labels.ts';
import { isReducing } from './needed-labels.ts';
import { reducerOf } from './reducer.ts';

/**
 * The tree without a label: no grouping, match, function or join looks at it, nor at the labels that only such a join or
 * function adds. A product with an info metric that cannot be joined any more goes; other sides of a match are aggregated to
 * the labels that are left. `carried`: series may carry the label, so it is also summed away where whole vectors leave.
 */
export function withoutLabel(root: Expr, label: string, carried: boolean): Expr {
  const { expr } = without(root, { label, carried, exposed: carried });
  return expr;
}

/**
 * The tree with no matcher on a label; undefined where selectors that differ would come to be the same, as what was asked of
 * their difference would mean nothing.
 */
export function withoutMatchers(root: Expr, label: string): Expr | undefined {
  const expr = mapSelectors(root, (selector) => ({
    ...selector,
    matchers: selector.matchers.filter(({ name }) => name !== label),
  }));
  return distinctSelectors(expr) === distinctSelectors(root) ? expr : undefined;
}

function distinctSelectors(expr: Expr): number {
  return new Set(selectorsIn(expr).map((selector) => printExpr(selector))).size;
}

interface Removal {
  readonly label: string;
  readonly carried: boolean;
  /** Whether labels of a vector here come as far as the answer, or are matched. */
  readonly exposed: boolean;
}

/** A node that is done, with the labels that its series no longer have. */
interface Done {
  readonly expr: Expr;
  readonly lost: ReadonlySet<string>;
}

function without(node: Expr, removal: Removal): Done {
  switch (node.kind) {
    case 'vector':
      return { expr: removal.exposed ? summedAway(node, removal.label) : node, lost: new Set([removal.label]) };
    case 'aggregate':
      return ofAggregate(node, removal);
    case 'call':
      return ofCall(node, removal);
    case 'binary':
      return node.matching === undefined ? ofChildren(node, removal) : ofMatch(node, removal);
    default:
      return ofChildren(node, removal);
  }
}

function ofChildren(node: Expr, removal: Removal): Done {
  const lost = new Set([removal.label]);
  const expr = mapChildren(node, (child) => {
    const done = without(child, removal);
    for (const label of done.lost) lost.add(label);
    return done.expr;
  });
  return { expr, lost };
}

function ofAggregate(node: Aggregate, removal: Removal): Done {
  const { label } = removal;
  const exposed = removal.carried && (isReducing(node) ? matchesAll(node.expr) : removal.exposed);
  const inner = without(node.expr, { ...removal, exposed });
  const param = node.param === undefined ? undefined : without(node.param, removal).expr;
  const renamed = node.op === 'count_values' && param?.kind === 'string' && param.value === label;
  const grouping = node.without
    ? [...new Set([...node.grouping, label])]
    : node.grouping.filter((name) => !inner.lost.has(name));
  const expr: Aggregate = {
    ...node,
    ...(param === undefined ? {} : { param: renamed ? { ...param, value: 'value' } : param }),
    expr:
      node.op === 'count' ? uncounted(node.expr, inner.expr) : isReducing(node) ? inner.expr : regrouped(inner.expr),
    grouping,
  };
  return { expr: flattened(expr, node), lost: renamed ? new Set([...inner.lost, label]) : inner.lost };
}

/** Aggregations of which one over groups of the same is the one over all. */
const NESTING: ReadonlySet<string> = new Set(['sum', 'min', 'max', 'group']);

/** One aggregation in the place of two that a label or a join stood between. */
function flattened(now: Aggregate, before: Aggregate): Aggregate {
  const inner = now.expr;
  if (inner.kind !== 'aggregate' || inner.op !== now.op || !NESTING.has(now.op)) return now;
  const isChanged = before.expr.kind !== 'aggregate' || before.expr.grouping.length !== inner.grouping.length;
  const isWithin = !now.without && !inner.without && now.grouping.every((label) => inner.grouping.includes(label));
  return isChanged && isWithin ? { ...now, expr: inner.expr } : now;
}

/** Of groups that are only counted and are one now, what is left to count is what was in them. */
function uncounted(before: Expr, now: Expr): Expr {
  const counts = now.kind === 'aggregate' && (now.op === 'count' || now.op === 'group');
  const hadGroups = before.kind === 'aggregate' && before.grouping.length > 0;
  return counts && !now.without && now.grouping.length === 0 && hadGroups ? now.expr : now;
}

/** To pick among one group would be pointless. */
function regrouped(now: Expr): Expr {
  const isOne = now.kind === 'aggregate' && !now.without && now.grouping.length === 0;
  return isOne ? { ...now, grouping: DEFAULT_GROUPING } : now;
}

function ofCall(node: Call, removal: Removal): Done {
  const { label } = removal;
  if (node.args.some(({ kind }) => kind === 'matrix')) {
    return { expr: removal.exposed ? summedAway(node, label) : node, lost: new Set([label]) };
  }
  const exposed = removal.carried && (removal.exposed || node.func === 'scalar');
  const { expr, lost } = ofChildren(node, { ...removal, exposed: node.func === 'scalar' ? removal.carried : exposed });
  const call = expr as Call;
  const texts = node.args.map((arg) => (arg.kind === 'string' ? arg.value : ''));
  const gone = (name: string | undefined): boolean => name !== undefined && lost.has(name);
  if (node.func === 'label_replace' || node.func === 'label_join') {
    const sources = node.func === 'label_replace' ? [texts[3]] : texts.slice(3);
    if (!gone(texts[1]) && !sources.some(gone)) {
      return { expr, lost: new Set([...lost].filter((name) => name !== texts[1])) };
    }
    return { expr: call.args[0]!, lost: new Set([...lost, texts[1]!]) };
  }
  if (node.func === 'sort_by_label' || node.func === 'sort_by_label_desc') {
    const args = call.args.filter((_, i) => i === 0 || !gone(texts[i]));
    return { expr: args.length === 1 ? args[0]! : { ...call, args }, lost };
  }
  return { expr, lost };
}

function ofMatch(node: Binary, removal: Removal): Done {
  const matching = node.matching!;
  const removalOf = matching.on ? removal : { ...removal, exposed: removal.carried };
  const left = without(node.left, removalOf);
  const right = without(node.right, removalOf);
  const isOneLeft = matching.card === 'one-to-many';
  const many = isOneLeft ? right : left;
  const one = isOneLeft ? left : right;
  const isJoin = matching.card === 'many-to-one' || isOneLeft;
  const lost = new Set([...many.lost, ...(isJoin ? [] : one.lost)]);
  const labels = matching.labels.filter((name) => !left.lost.has(name) && !right.lost.has(name));
  const include = matching.include.filter((name) => !one.lost.has(name));
  for (const name of matching.include) if (one.lost.has(name)) lost.add(name);
  const whole: Binary = { ...node, left: left.expr, right: right.expr, matching: { ...matching, labels, include } };
  if (!matching.on || labels.length === matching.labels.length) return { expr: whole, lost };

  if (SET_OPS.has(node.op)) {
    // Matched on nothing, whether there is anything at all would decide over every series.
    return labels.length === 0 && node.op !== 'or' ? { expr: left.expr, lost: left.lost } : { expr: whole, lost };
  }
  if (isJoin && node.op === '*' && isInfo(isOneLeft ? node.left : node.right, matching.include)) {
    return { expr: many.expr, lost: new Set([...many.lost, ...matching.include]) };
  }
  const changes = new Map<Expr, Expr>();
  if (!isJoin || isOneLeft) narrow(whole.left, labels, isJoin ? include : [], changes);
  if (!isJoin || !isOneLeft) narrow(whole.right, labels, isJoin ? include : [], changes);
  return { expr: replaced(whole, changes), lost };
}

/** Makes a side unique in the labels that are left to match on. */
function narrow(side: Expr, labels: readonly string[], include: readonly string[], changes: Map<Expr, Expr>): void {
  const kept = keptLabels(side);
  const wanted = [...labels, ...include];
  if (kept.of === 'only' && [...kept.labels].every((name) => wanted.includes(name))) return;
  changes.set(side, aggregate(reducerOf(side), side, wanted));
}

/** Whether the one side of a join is there for its labels alone. */
function isInfo(side: Expr, include: readonly string[]): boolean {
  if (include.length > 0) return true;
  return selectorsIn(side).every(({ matchers }) =>
    matchers.some(({ name, op, value }) => name === METRIC_NAME && op === '=' && INFO.test(value)),
  );
}

const INFO = /_(info|labels|owner|created)$/;

/** Whether vectors are matched by all their labels somewhere below, short of the next aggregation. */
function matchesAll(expr: Expr): boolean {
  if (expr.kind === 'binary' && expr.matching !== undefined) return true;
  return expr.kind !== 'vector' && bareVectors(expr).length > 1;
}

function summedAway(vector: Expr, label: string): Expr {
  return aggregate(reducerOf(vector), vector, [label], true);
}
