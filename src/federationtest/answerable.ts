import { readsSeries } from '../engine/scalar.ts';
import type { EgressClass } from '../policy/egress-class.ts';
import { children, type Aggregate, type AggregateOp, type Binary, type Call, type Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';

/*
 * Which expressions a federation must answer exactly, from the table of what splits (docs/queries.md) and from nothing that
 * the planner does: a test of the planner by its own rules would only say that they are its rules.
 */

export interface Terms {
  readonly domainLabel: string;
  /** Of every metric in every domain, with all labels permitted and the default aggregations. */
  readonly egressClass: EgressClass;
}

/** Aggregations of which a domain hands out a state that merges exactly, and that let an aggregate metric out. */
const MERGING: ReadonlySet<AggregateOp> = new Set(['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'stdvar']);

/** Functions whose answer hangs on all series there are. */
const OF_ALL: ReadonlySet<string> = new Set([
  'absent',
  'absent_over_time',
  'info',
  'scalar',
  'vector',
  'sort',
  'sort_desc',
  'sort_by_label',
  'sort_by_label_desc',
]);

/** Whether the hub can have the value of an expression exactly. */
export function isAnswerable(expr: Expr, terms: Terms): boolean {
  if (!readsSeries(expr)) return true;
  if (typeOf(expr) === 'vector' && isOneDomains(expr, terms) && mayLeave(expr, terms, false)) return true;
  switch (expr.kind) {
    case 'vector':
    case 'matrix':
      return false;
    case 'aggregate':
      if (expr.param !== undefined && !isAnswerable(expr.param, terms)) return false;
      return (MERGING.has(expr.op) && isOneDomains(expr.expr, terms)) || isAnswerable(expr.expr, terms);
    case 'call':
      return isCallAnswerable(expr, terms);
    default:
      return children(expr).every((child) => isAnswerable(child, terms));
  }
}

function isCallAnswerable({ func, args }: Call, terms: Terms): boolean {
  const [first] = args;
  if (first === undefined) return true;
  if (func === 'absent' || func === 'absent_over_time') {
    if (isOneDomains(first, terms)) return true;
  }
  // The series that it joins are looked up one by one.
  if (func === 'info') return terms.egressClass === 'open' && isAnswerable(first, terms);
  return args.every((arg) => isAnswerable(arg, terms));
}

/** Whether the vector that a domain works out may leave: one of class aggregate only below an aggregation. */
function mayLeave(expr: Expr, terms: Terms, isAggregated: boolean): boolean {
  if (terms.egressClass === 'open') return true;
  if (expr.kind === 'vector') return isAggregated;
  const below = isAggregated || (expr.kind === 'aggregate' && MERGING.has(expr.op));
  return children(expr).every((child) => mayLeave(child, terms, below));
}

/** Whether no series that the expression gives draws on two domains. */
function isOneDomains(expr: Expr, terms: Terms): boolean {
  switch (expr.kind) {
    case 'vector':
    case 'matrix':
      return true;
    case 'paren':
    case 'unary':
    case 'once':
    case 'subquery':
      return isOneDomains(expr.expr, terms);
    case 'call':
      return isCallOneDomains(expr, terms);
    case 'binary':
      return isBinaryOneDomains(expr, terms);
    case 'aggregate':
      return isAggregateOneDomains(expr, terms);
    case 'number':
    case 'string':
    case 'merged':
      return false;
  }
}

function isCallOneDomains({ func, args }: Call, terms: Terms): boolean {
  if (OF_ALL.has(func)) return false;
  if (func === 'label_replace' || func === 'label_join') {
    const [, target] = args;
    if (target?.kind !== 'string' || target.value === terms.domainLabel) return false;
  }
  const reading = args.filter(readsSeries);
  return reading.length > 0 && reading.every((arg) => typeOf(arg) !== 'scalar' && isOneDomains(arg, terms));
}

function isBinaryOneDomains({ left, right, matching }: Binary, terms: Terms): boolean {
  if (matching === undefined) {
    const [vector, number] = typeOf(left) === 'scalar' ? [right, left] : [left, right];
    return !readsSeries(number) && isOneDomains(vector, terms);
  }
  const pairsInside = matching.on === matching.labels.includes(terms.domainLabel);
  return pairsInside && isOneDomains(left, terms) && isOneDomains(right, terms);
}

function isAggregateOneDomains({ op, expr, without, grouping }: Aggregate, terms: Terms): boolean {
  return MERGING.has(op) && without !== grouping.includes(terms.domainLabel) && isOneDomains(expr, terms);
}
