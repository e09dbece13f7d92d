import type { Fragment } from '../plan/distribute.ts';
import type { AggregateOp, Expr } from '../promql/ast.ts';
import { hasDomain, withoutDomain } from './without-domain.ts';
import { withDomain } from './with-domain.ts';
import type { View } from './view.ts';

/** What a server is asked for a fragment, in parallel. */
export interface ServerQueries {
  /** By aggregation for a partial's fields; the whole expression under `vector`. */
  readonly exprs: ReadonlyMap<AggregateOp | 'vector', Expr>;
  /** Whether the domain label is to be added to the rows that come back. */
  readonly addsDomain: boolean;
}

/** The aggregations whose answers make up a partial's fields. */
const PARTS: Readonly<Partial<Record<AggregateOp, readonly AggregateOp[]>>> = {
  sum: ['sum'],
  count: ['count'],
  min: ['min'],
  max: ['max'],
  group: ['group'],
  avg: ['sum', 'count'],
  stddev: ['count', 'avg', 'stdvar'],
  stdvar: ['count', 'avg', 'stdvar'],
};

/** The queries of a fragment; undefined where it has fields that no query gives. */
export function serverQueries(fragment: Fragment, view: View): ServerQueries | undefined {
  const { expr } = fragment;
  if (fragment.answer === 'vector') return { ...formOf(expr, (node) => new Map([['vector', node]]), view) };
  if (fragment.answer !== 'partial') return undefined;
  const parts = PARTS[fragment.expr.op];
  if (parts === undefined) return undefined;
  return formOf(expr, (node) => new Map(parts.map((op) => [op, withOp(node, op)])), view);
}

/** The mean by itself, for groups whose sum is past all floats. */
export function meanQuery({ exprs }: ServerQueries): Expr {
  return withOp(exprs.get('sum')!, 'avg');
}

function formOf(
  expr: Expr,
  split: (node: Expr) => ReadonlyMap<AggregateOp | 'vector', Expr>,
  view: View,
): ServerQueries {
  const has = hasDomain(expr, view.domainLabel);
  if (has === undefined) return { exprs: split(withDomain(expr, view)), addsDomain: false };
  return { exprs: split(withoutDomain(expr, view.domainLabel)), addsDomain: has };
}

function withOp(expr: Expr, op: AggregateOp): Expr {
  return expr.kind === 'aggregate' ? { ...expr, op } : expr;
}
