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
  | Once
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

/**
 * A duration that is computed: `5m * 2`, `step()`, `max_of(range(), 1h)`. Seconds. What depends on the query's steps is
 * resolved by `resolveDurations`; until then the milliseconds beside it mean nothing.
 */
export type DurationExpr =
  | { readonly kind: 'seconds'; readonly value: number; readonly isDuration: boolean; readonly span: Span }
  | { readonly kind: 'step' | 'range'; readonly span: Span }
  | { readonly kind: 'negative' | 'positive' | 'paren'; readonly expr: DurationExpr; readonly span: Span }
  | {
      readonly kind: 'operation';
      readonly op: '+' | '-' | '*' | '/' | '%' | '^' | 'min_of' | 'max_of';
      readonly left: DurationExpr;
      readonly right: DurationExpr;
      readonly span: Span;
    };

/**
 * `matchers` includes the metric name as a matcher on `__name__`. `extended` is the modifier that looks beyond the range:
 * `anchored` takes the last sample before it too, `smoothed` interpolates at both ends.
 */
export interface VectorSelector {
  readonly kind: 'vector';
  readonly matchers: readonly Matcher[];
  readonly offsetMs: number;
  /** Where the offset is computed, what it is computed from; resolved trees have none. */
  readonly offsetExpr?: DurationExpr;
  readonly at?: AtModifier;
  readonly extended?: 'anchored' | 'smoothed';
  /** Made by the planner: of native histograms only count and sum are looked at, so that their buckets need not be read. */
  readonly statsOnly?: true;
  readonly span: Span;
}

export interface MatrixSelector {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
  readonly rangeExpr?: DurationExpr;
  readonly span: Span;
}

export interface Subquery {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly rangeMs: number;
  readonly rangeExpr?: DurationExpr;
  /** Undefined asks for the server's default resolution, unless there is a `stepExpr`. */
  readonly stepMs?: number;
  readonly stepExpr?: DurationExpr;
  readonly offsetMs: number;
  readonly offsetExpr?: DurationExpr;
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
/** `</` keeps what a native histogram has below a bound, `>/` what it has above. */
export type TrimOp = '</' | '>/';
export type BinaryOp = ArithmeticOp | ComparisonOp | SetOp | TrimOp;

/** How vectors on the two sides pair up. Present exactly when both sides are vectors. */
export interface VectorMatching {
  readonly card: 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';
  /** True for `on (labels)`, false for `ignoring (labels)` (also when neither is written: ignoring nothing). */
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Labels that `group_left`/`group_right` copies from the "one" side. */
  readonly include: readonly string[];
  /** `fill`, `fill_left`, `fill_right`: the value of a side that has no series to match. */
  readonly fill?: { readonly left?: number; readonly right?: number };
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
 * What only the planner makes: an expression that says the same at every step, so that it is evaluated at the first one
 * alone and stands for all.
 */
export interface Once {
  readonly kind: 'once';
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
export const TRIM_OPS: ReadonlySet<BinaryOp> = new Set<BinaryOp>(['</', '>/']);
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
    case 'once':
      return [expr.expr];
    case 'call':
      return expr.args;
    case 'binary':
      return [expr.left, expr.right];
    case 'aggregate':
      return expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
  }
}
