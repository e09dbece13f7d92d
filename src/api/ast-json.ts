import { METRIC_NAME } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { AtModifier, Binary, DurationExpr, Expr, VectorMatching, VectorSelector } from '../promql/ast.ts';
import { formatDecimal } from '../promql/decimal.ts';
import { signatureOf } from '../promql/functions.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * A parsed expression as `/api/v1/parse_query` gives it (web/api/v1/translate_ast.go of Prometheus 3.15 for the fields).
 * Durations are ms; those that are computed are 0, and what they are computed from stands beside them. `text` is what the
 * tree was parsed from, which alone says where a metric's name was written.
 */
export function astJson(expr: Expr, text: string): Json {
  const inner = (child: Expr): Json => astJson(child, text);
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatDecimal(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value };
    case 'vector':
      return { type: 'vectorSelector', ...selectorJson(expr, text) };
    case 'matrix': {
      const range = { range: ms(expr.rangeMs, expr.rangeExpr), rangeExpr: durationJson(expr.rangeExpr) };
      return { type: 'matrixSelector', ...selectorJson(expr.selector, text), ...range };
    }
    case 'subquery': {
      const { rangeMs, rangeExpr, stepMs = 0, stepExpr } = expr;
      const range = { range: ms(rangeMs, rangeExpr), rangeExpr: durationJson(rangeExpr) };
      const step = { step: ms(stepMs, stepExpr), stepExpr: durationJson(stepExpr) };
      return { type: 'subquery', expr: inner(expr.expr), ...range, ...step, ...timeJson(expr) };
    }
    case 'call': {
      const { args: argTypes, variadic, returns: returnType } = signatureOf(expr.func)!;
      const func = { name: expr.func, argTypes, variadic, returnType };
      return { type: 'call', func, args: expr.args.map(inner) };
    }
    case 'unary':
      return { type: 'unaryExpr', op: expr.op, expr: inner(expr.expr) };
    case 'binary':
      return binaryJson(expr, inner);
    case 'aggregate': {
      const { op, param, grouping, without } = expr;
      const by = { grouping, without };
      return {
        type: 'aggregation',
        op,
        expr: inner(expr.expr),
        param: param === undefined ? null : inner(param),
        ...by,
      };
    }
    case 'paren':
      return { type: 'parenExpr', expr: inner(expr.expr) };
    // Parsers make neither.
    case 'once':
      return inner(expr.expr);
    case 'merged':
      return inner(expr.of);
  }
}

function selectorJson(selector: VectorSelector, text: string): Json {
  const { matchers, extended, span } = selector;
  const [first, ...others] = matchers;
  const isNamed = first?.name === METRIC_NAME && text[span.start] !== '{';
  return {
    name: isNamed ? first.value : '',
    // A name before the braces is the last matcher in Prometheus.
    matchers: (isNamed ? [...others, first] : matchers).map(matcherJson),
    ...timeJson(selector),
    anchored: extended === 'anchored',
    smoothed: extended === 'smoothed',
  };
}

function matcherJson({ name, op, value }: Matcher): Json {
  return { name, type: op, value };
}

interface Timed {
  readonly offsetMs: number;
  readonly offsetExpr?: DurationExpr;
  readonly at?: AtModifier;
}

function timeJson({ offsetMs, offsetExpr, at }: Timed): Json {
  return {
    offset: ms(offsetMs, offsetExpr),
    offsetExpr: durationJson(offsetExpr),
    timestamp: at?.kind === 'time' ? at.ms : null,
    startOrEnd: at === undefined || at.kind === 'time' ? null : at.kind,
  };
}

function ms(fixed: number, computed: DurationExpr | undefined): number {
  return computed === undefined ? fixed : 0;
}

function binaryJson({ op, left, right, returnBool, matching }: Binary, inner: (child: Expr) => Json): Json {
  const sides = { lhs: inner(left), rhs: inner(right) };
  return { type: 'binaryExpr', op, ...sides, bool: returnBool, matching: matchingJson(matching) };
}

function matchingJson(matching: VectorMatching | undefined): Json | null {
  if (matching === undefined) return null;
  const { card, on, labels, include, fill } = matching;
  return { card, on, labels, include, fillValues: { lhs: fillJson(fill?.left), rhs: fillJson(fill?.right) } };
}

/** JSON has no infinite numbers and no NaN; Prometheus fails there. */
function fillJson(value: number | undefined): number | string | null {
  if (value === undefined) return null;
  return Number.isFinite(value) ? value : formatDecimal(value);
}

function durationJson(expr: DurationExpr | undefined): Json | null {
  if (expr === undefined) return null;
  switch (expr.kind) {
    case 'seconds':
      return { type: 'numberLiteral', val: formatDecimal(expr.value), duration: expr.isDuration };
    case 'step':
    case 'range':
      return operationJson(expr.kind);
    case 'negative':
      return operationJson('-', undefined, expr.expr);
    case 'positive':
      return operationJson('+', undefined, expr.expr);
    case 'operation':
      return operationJson(expr.op, expr.left, expr.right);
    case 'paren': {
      const inside = expr.expr;
      // Prometheus reads a number in parentheses as one with a sign.
      const json = inside.kind === 'seconds' ? operationJson('+', undefined, inside) : durationJson(inside);
      return { ...json, wrapped: true };
    }
  }
}

function operationJson(op: string, left?: DurationExpr, right?: DurationExpr): Json {
  return { type: 'durationExpr', op, lhs: durationJson(left), rhs: durationJson(right), wrapped: false };
}
