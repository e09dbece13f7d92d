import type {
  Aggregate,
  AggregateOp,
  AtModifier,
  Binary,
  BinaryOp,
  Call,
  Expr,
  MatrixSelector,
  NumberLiteral,
  Unary,
  VectorMatching,
  VectorSelector,
} from '../promql/ast.ts';
import type { Matcher } from '../model/matcher.ts';

/** Constructors of PromQL trees. Generated trees have no text, so every node spans nothing. */
const span = { start: 0, end: 0 } as const;

export function number(value: number): NumberLiteral {
  return { kind: 'number', value, span };
}

export function selector(matchers: readonly Matcher[], offsetMs = 0, at?: AtModifier): VectorSelector {
  return at === undefined
    ? { kind: 'vector', matchers, offsetMs, span }
    : { kind: 'vector', matchers, offsetMs, at, span };
}

export function range(over: VectorSelector, rangeMs: number): MatrixSelector {
  return { kind: 'matrix', selector: over, rangeMs, span };
}

export function call(func: string, ...args: readonly Expr[]): Call {
  return { kind: 'call', func, args, span };
}

export function negate(expr: Expr): Unary {
  return { kind: 'unary', op: '-', expr, span };
}

/** Between a vector and a scalar, or between scalars: no matching. */
export function binary(op: BinaryOp, left: Expr, right: Expr, returnBool = false): Binary {
  return { kind: 'binary', op, left, right, returnBool, span };
}

/** Between two vectors. */
export function match(op: BinaryOp, left: Expr, right: Expr, matching: VectorMatching, returnBool = false): Binary {
  return { kind: 'binary', op, left, right, returnBool, matching, span };
}

export function oneToOne(on: boolean, labels: readonly string[]): VectorMatching {
  return { card: 'one-to-one', on, labels, include: [] };
}

/** What set operators use. */
export function manyToMany(on: boolean, labels: readonly string[]): VectorMatching {
  return { card: 'many-to-many', on, labels, include: [] };
}

export interface Grouping {
  readonly without: boolean;
  readonly labels: readonly string[];
}

export function aggregate(op: AggregateOp, expr: Expr, grouping: Grouping, param?: Expr): Aggregate {
  const node = { kind: 'aggregate', op, expr, without: grouping.without, grouping: grouping.labels, span } as const;
  return param === undefined ? node : { ...node, param };
}
