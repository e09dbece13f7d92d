import { METRIC_NAME } from '../../model/labels.ts';
import {
  COMPARISON_OPS,
  SET_OPS,
  TRIM_OPS,
  type Aggregate,
  type Binary,
  type Call,
  type Expr,
} from '../../promql/ast.ts';
import { typeOf } from '../../promql/check.ts';
import { COVERAGE } from '../../promql/functions.ts';

/** Labels that the series of an expression may carry: the named ones at most, or all but those. */
export interface KeptLabels {
  readonly of: 'only' | 'all but';
  readonly labels: ReadonlySet<string>;
}

const NONE: KeptLabels = { of: 'only', labels: new Set() };
const ALL: KeptLabels = { of: 'all but', labels: new Set() };

/** The labels that an expression keeps of the series it reads, with those that it adds. */
export function keptLabels(expr: Expr): KeptLabels {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return NONE;
    case 'vector':
    case 'matrix':
      return ALL;
    case 'subquery':
    case 'paren':
    case 'once':
      return keptLabels(expr.expr);
    case 'merged':
      return keptLabels(expr.of);
    case 'unary':
      return expr.op === '-' ? nameless(keptLabels(expr.expr)) : keptLabels(expr.expr);
    case 'aggregate':
      return ofAggregate(expr);
    case 'binary':
      return ofBinary(expr);
    case 'call':
      return ofCall(expr);
  }
}

/** `job, le`; `all`; `all but __name__`; `none`. */
export function labelsText({ of, labels }: KeptLabels): string {
  const list = [...labels].join(', ');
  if (of === 'only') return labels.size === 0 ? 'none' : list;
  return labels.size === 0 ? 'all' : `all but ${list}`;
}

/** Aggregations that pick among series and leave them as they are. */
const PICKING: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio']);

function ofAggregate({ op, expr, param, without, grouping }: Aggregate): KeptLabels {
  const inner = keptLabels(expr);
  if (PICKING.has(op)) return inner;
  const groups = without ? nameless(minus(inner, grouping)) : narrowed(inner, grouping);
  return op === 'count_values' && param?.kind === 'string' ? plus(groups, [param.value]) : groups;
}

function ofBinary({ op, left, right, returnBool, matching }: Binary): KeptLabels {
  if (typeOf(left) === 'scalar' && typeOf(right) === 'scalar') return NONE;
  const keepsName = (COMPARISON_OPS.has(op) && !returnBool) || TRIM_OPS.has(op);
  const named = (kept: KeptLabels): KeptLabels => (keepsName ? kept : nameless(kept));
  if (matching === undefined) return named(keptLabels(typeOf(left) === 'vector' ? left : right));
  if (SET_OPS.has(op)) return op === 'or' ? either(keptLabels(left), keptLabels(right)) : keptLabels(left);
  const { card, on, labels, include } = matching;
  const many = named(keptLabels(card === 'one-to-many' ? right : left));
  if (card !== 'one-to-one') return plus(many, include);
  return on ? narrowed(many, labels) : minus(many, labels);
}

/** Functions that leave the metric's name. */
const NAMED_CALLS: ReadonlySet<string> = new Set(
  'first_over_time info label_join label_replace last_over_time sort sort_by_label sort_by_label_desc sort_desc'.split(
    ' ',
  ),
);

function ofCall({ func, args }: Call): KeptLabels {
  const series = args.find((arg) => typeOf(arg) === 'vector' || typeOf(arg) === 'matrix');
  if (series === undefined || func === 'scalar' || func === 'vector') return NONE;
  const inner = keptLabels(series);
  if (func === 'absent' || func === 'absent_over_time') return ofAbsent(series);
  // The label of the domain alone, whatever that is called.
  if (func === 'info' || func === COVERAGE) return ALL;
  const target = args[1];
  if ((func === 'label_replace' || func === 'label_join') && target?.kind === 'string')
    return plus(inner, [target.value]);
  if (NAMED_CALLS.has(func)) return inner;
  const rest = nameless(inner);
  if (func === 'histogram_quantile' || func === 'histogram_fraction') return minus(rest, ['le']);
  return func === 'histogram_quantiles' && target?.kind === 'string' ? plus(minus(rest, ['le']), [target.value]) : rest;
}

/** What is absent is told by the labels that a selector gives one value. */
function ofAbsent(expr: Expr): KeptLabels {
  if (expr.kind === 'paren' || expr.kind === 'once') return ofAbsent(expr.expr);
  if (expr.kind === 'merged') return ofAbsent(expr.of);
  const selector = expr.kind === 'matrix' ? expr.selector : expr;
  if (selector.kind !== 'vector') return NONE;
  const { matchers } = selector;
  const isOnly = (name: string): boolean => matchers.filter((other) => other.name === name).length === 1;
  const told = matchers.filter(({ name, op }) => op === '=' && name !== METRIC_NAME && isOnly(name));
  return { of: 'only', labels: new Set(told.map(({ name }) => name)) };
}

function nameless(kept: KeptLabels): KeptLabels {
  return minus(kept, [METRIC_NAME]);
}

function minus({ of, labels }: KeptLabels, names: readonly string[]): KeptLabels {
  const gone = new Set(names);
  return { of, labels: of === 'only' ? labels.difference(gone) : labels.union(gone) };
}

function plus({ of, labels }: KeptLabels, names: readonly string[]): KeptLabels {
  const added = new Set(names);
  return { of, labels: of === 'only' ? labels.union(added) : labels.difference(added) };
}

function narrowed({ of, labels }: KeptLabels, names: readonly string[]): KeptLabels {
  const wanted = new Set(names);
  return { of: 'only', labels: of === 'only' ? wanted.intersection(labels) : wanted.difference(labels) };
}

function either(one: KeptLabels, other: KeptLabels): KeptLabels {
  if (one.of === 'only') {
    return other.of === 'only'
      ? { of: 'only', labels: one.labels.union(other.labels) }
      : { of: 'all but', labels: other.labels.difference(one.labels) };
  }
  return other.of === 'only' ? either(other, one) : { of: 'all but', labels: one.labels.intersection(other.labels) };
}
