import { pow } from '../base/go-math.ts';
import type { DurationExpr, Expr, Span } from './ast.ts';
import { DURATION_MS_MAX, durationSeconds } from './duration.ts';
import { mapChildren } from './map.ts';
import { PromqlError } from './parse-error.ts';

/** What computed durations may draw on: the step and the length of the query, both 0 for a query of one instant. */
export interface QueryDurations {
  readonly stepMs: number;
  readonly rangeMs: number;
}

/**
 * The tree with every computed duration worked out, as Prometheus 3.15 does before it evaluates a query: in seconds as
 * floats, and then whole milliseconds towards zero. Throws `PromqlError` for a duration that is not finite, out of range, or
 * not greater than 0 where it must be. `text` is what the tree was parsed from.
 */
export function resolveDurations(expr: Expr, query: QueryDurations, text: string): Expr {
  switch (expr.kind) {
    case 'vector':
      return resolveOffset(expr, query, text);
    case 'matrix': {
      const { rangeExpr, ...rest } = expr;
      const selector = resolveOffset(expr.selector, query, text);
      const rangeMs = rangeExpr === undefined ? expr.rangeMs : positiveMs(rangeExpr, query, text);
      return { ...rest, selector, rangeMs };
    }
    case 'subquery': {
      const { rangeExpr, stepExpr, stepMs, ...rest } = resolveOffset(expr, query, text);
      if (stepMs === 0) throw new PromqlError(text, expr.span, 'the resolution of a subquery must be at least 1ms');
      const rangeMs = rangeExpr === undefined ? expr.rangeMs : positiveMs(rangeExpr, query, text);
      const resolved = { ...rest, expr: resolveDurations(expr.expr, query, text), rangeMs };
      const step = stepExpr === undefined ? stepMs : positiveMs(stepExpr, query, text);
      // A computed resolution below a millisecond is none, and none asks for the default one.
      return step === undefined || step === 0 ? resolved : { ...resolved, stepMs: step };
    }
    default:
      return mapChildren(expr, (child) => resolveDurations(child, query, text));
  }
}

function resolveOffset<Node extends { readonly offsetMs: number; readonly offsetExpr?: DurationExpr }>(
  node: Node,
  query: QueryDurations,
  text: string,
): Omit<Node, 'offsetExpr'> {
  const { offsetExpr, ...rest } = node;
  return offsetExpr === undefined ? rest : { ...rest, offsetMs: durationMs(offsetExpr, query, text) };
}

function positiveMs(expr: DurationExpr, query: QueryDurations, text: string): number {
  return durationMs(expr, query, text, true);
}

function durationMs(expr: DurationExpr, query: QueryDurations, text: string, mustBePositive = false): number {
  const fail = (span: Span, problem: string): never => {
    throw new PromqlError(text, span, problem);
  };
  const seconds = evaluate(expr, query, fail);
  if (!Number.isFinite(seconds)) fail(expr.span, 'duration is NaN or infinite');
  if (mustBePositive && seconds <= 0) fail(expr.span, 'duration must be greater than 0');
  if (Math.abs(seconds) > DURATION_MS_MAX / 1000) fail(expr.span, 'duration is out of range');
  const ms = Math.trunc(seconds * 1000);
  return ms === 0 ? 0 : ms;
}

type Fail = (span: Span, problem: string) => never;

/** Seconds. */
function evaluate(expr: DurationExpr, query: QueryDurations, fail: Fail): number {
  switch (expr.kind) {
    case 'seconds':
      return expr.value;
    case 'step':
      return durationSeconds(query.stepMs);
    case 'range':
      return durationSeconds(query.rangeMs);
    case 'negative':
      return -evaluate(expr.expr, query, fail);
    case 'positive':
    case 'paren':
      return evaluate(expr.expr, query, fail);
    case 'operation':
      return operate(expr, evaluate(expr.left, query, fail), evaluate(expr.right, query, fail), fail);
  }
}

function operate(
  { op, span }: Extract<DurationExpr, { kind: 'operation' }>,
  left: number,
  right: number,
  fail: Fail,
): number {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return right === 0 ? fail(span, 'division by zero') : left / right;
    case '%':
      return right === 0 ? fail(span, 'modulo by zero') : left % right;
    case '^':
      return pow(left, right);
    // So it is in Go, even beside what is no number.
    case 'min_of':
      return left === -Infinity || right === -Infinity ? -Infinity : Math.min(left, right);
    case 'max_of':
      return left === Infinity || right === Infinity ? Infinity : Math.max(left, right);
  }
}
