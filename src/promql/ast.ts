import type { Matcher } from '../model/matcher.ts';

/**
 * The tree of a PromQL expression. The parser makes it, the checker annotates nothing but rejects ill-typed trees, the
 * planner rewrites it, and fragments are trees of the same nodes: one language from the caller's text to the agent.
 */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Unary
  | Binary
  | Aggregate
  | Paren
  | Merged;

export type ValueType = 'scalar' | 'string' | 'vector' | 'matrix';

/** Where a node stands in the caller's text: UTF-16 offsets, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface NumberLiteral {
  readonly kind: 'number';
  readonly value: number;
  /** True for `5m` used as a number of seconds, which prints as a duration. */
  readonly isDuration?: boolean;
  readonly span: Span;
}

export interface StringLiteral {
  readonly kind: 'string';
  readonly value: string;
  readonly span: Span;
}

/** The `@` modifier: a fixed time in ms, or a bound of the query that the planner resolves to one. */
export type AtModifier = { readonly kind: 'time'; readonly ms: number } | { readonly kind: 'start' | 'end' };

/** `matchers` includes the metric name as a matcher on `__name__`. */
export interface VectorSelector {
  readonly kind: 'vector';
  readonly matchers: readonly Matcher[];
  readonly offsetMs: number;
  readonly at?: AtModifier;
  readonly span: Span;
}

export interface MatrixSelector {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
  readonly span: Span;
}

export interface Subquery {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly rangeMs: number;
  /** Undefined asks for the server's default resolution. */
  readonly stepMs?: number;
  readonly offsetMs: number;
  readonly at?: AtModifier;
  readonly span: Span;
}

/** `func` is a name of the function table; the parser rejects any other. */
export interface Call {
  readonly kind: 'call';
  readonly func: string;
  readonly args: readonly Expr[];
  readonly span: Span;
}

export interface Unary {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
  readonly span: Span;
}

export type ArithmeticOp = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type ComparisonOp = '==' | '!=' | '>' | '<' | '>=' | '<=';
export type SetOp = 'and' | 'or' | 'unless';
export type BinaryOp = ArithmeticOp | ComparisonOp | SetOp;

/** How vectors on the two sides pair up. Present exactly when both sides are vectors. */
export interface VectorMatching {
  readonly card: 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';
  /** True for `on (labels)`, false for `ignoring (labels)` (also when neither is written: ignoring nothing). */
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Labels that `group_left`/`group_right` copies from the "one" side. */
  readonly include: readonly string[];
}

export interface Binary {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  /** `bool` on a comparison: 0 or 1 instead of filtering. */
  readonly returnBool: boolean;
  readonly matching?: VectorMatching;
  readonly span: Span;
}

export type AggregateOp =
  | 'sum'
  | 'avg'
  | 'count'
  | 'min'
  | 'max'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'quantile'
  | 'count_values'
  | 'limitk'
  | 'limit_ratio';

export interface Aggregate {
  readonly kind: 'aggregate';
  readonly op: AggregateOp;
  readonly expr: Expr;
  /** k of topk, phi of quantile, the label of count_values, … */
  readonly param?: Expr;
  readonly without: boolean;
  /** Labels of `by` or `without`, as written. */
  readonly grouping: readonly string[];
  readonly span: Span;
}

export interface Paren {
  readonly kind: 'paren';
  readonly expr: Expr;
  readonly span: Span;
}

/**
 * A leaf that only the planner makes: the vector that the domains' answers to fragment `index` merged into. `of` is
 * what it stands for, for printing.
 */
export interface Merged {
  readonly kind: 'merged';
  readonly index: number;
  readonly of: Expr;
  readonly span: Span;
}

export const COMPARISON_OPS: ReadonlySet<BinaryOp> = new Set<BinaryOp>(['==', '!=', '>', '<', '>=', '<=']);
export const SET_OPS: ReadonlySet<BinaryOp> = new Set<BinaryOp>(['and', 'or', 'unless']);

/** The direct sub-expressions, in the order of the text. */
export function children(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector':
    case 'merged':
      return [];
    case 'matrix':
      return [expr.selector];
    case 'subquery':
    case 'unary':
    case 'paren':
      return [expr.expr];
    case 'call':
      return expr.args;
    case 'binary':
      return [expr.left, expr.right];
    case 'aggregate':
      return expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
  }
}
