import type { Matcher } from '../../src/model/matcher.ts';
import type { DurationExpr, Expr, Subquery, VectorSelector } from '../../src/promql/ast.ts';
import { formatDecimal } from '../../src/promql/decimal.ts';

/**
 * A tree as Prometheus's `/api/v1/parse_query` describes it. `text` is what it was parsed from; it says on which side of
 * the brace a metric's name stood.
 */
export function prometheusTree(expr: Expr, text: string): unknown {
  const tree = (inner: Expr): unknown => prometheusTree(inner, text);
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatDecimal(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value.toWellFormed() };
    case 'paren':
      return { type: 'parenExpr', expr: tree(expr.expr) };
    case 'unary':
      return { type: 'unaryExpr', op: expr.op, expr: tree(expr.expr) };
    case 'vector':
      return { type: 'vectorSelector', ...selectorFields(expr, text) };
    case 'matrix': {
      const { selector, rangeMs, rangeExpr } = expr;
      const range = { range: rangeMs, rangeExpr: duration(rangeExpr) };
      return { type: 'matrixSelector', ...range, ...selectorFields(selector, text) };
    }
    case 'subquery': {
      const { rangeMs, rangeExpr, stepMs, stepExpr } = expr;
      const range = { range: rangeMs, rangeExpr: duration(rangeExpr) };
      const step = { step: stepMs ?? 0, stepExpr: duration(stepExpr) };
      return { type: 'subquery', expr: tree(expr.expr), ...range, ...step, ...timeFields(expr) };
    }
    case 'call':
      return { type: 'call', func: { name: expr.func }, args: expr.args.map(tree) };
    case 'aggregate': {
      const { op, param, grouping, without } = expr;
      return { type: 'aggregation', op, expr: tree(expr.expr), param: param ? tree(param) : null, grouping, without };
    }
    case 'binary': {
      const { op, left, right, returnBool, matching } = expr;
      return {
        type: 'binaryExpr',
        op,
        lhs: tree(left),
        rhs: tree(right),
        bool: returnBool,
        matching: matching
          ? {
              card: matching.card,
              labels: matching.labels,
              on: matching.on,
              include: matching.include,
              fillValues: { lhs: matching.fill?.left ?? null, rhs: matching.fill?.right ?? null },
            }
          : null,
      };
    }
    case 'once':
    case 'merged':
      throw new Error(`no parser makes a ${expr.kind}`);
  }
}

/** What Prometheus said, without what the tree does not keep: signatures of functions, and signs that say nothing. */
export function withoutSignatures(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withoutSignatures);
  if (typeof node !== 'object' || node === null) return node;
  const fields = node as Record<string, unknown>;
  if (
    fields['type'] === 'durationExpr' &&
    fields['op'] === '+' &&
    fields['lhs'] === null &&
    fields['wrapped'] === false
  ) {
    return withoutSignatures(fields['rhs']);
  }
  if (fields['type'] === undefined && 'argTypes' in fields) return { name: fields['name'] };
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, withoutSignatures(value)]));
}

function selectorFields(selector: VectorSelector, text: string): object {
  const [first, ...others] = selector.matchers;
  const isNamed = first !== undefined && text[selector.span.start] !== '{';
  // There a name before the braces is the last matcher.
  const matchers = isNamed ? [...others, first] : selector.matchers;
  return {
    name: isNamed ? first.value : '',
    // Bytes that are no text go through JSON as U+FFFD.
    matchers: matchers.map(({ name, op, value }: Matcher) => ({
      name: name.toWellFormed(),
      type: op,
      value: value.toWellFormed(),
    })),
    anchored: selector.extended === 'anchored',
    smoothed: selector.extended === 'smoothed',
    ...timeFields(selector),
  };
}

function timeFields({ offsetMs, offsetExpr, at }: VectorSelector | Subquery): object {
  return {
    offset: offsetMs,
    offsetExpr: duration(offsetExpr),
    timestamp: at?.kind === 'time' ? at.ms : null,
    startOrEnd: at === undefined || at.kind === 'time' ? null : at.kind,
  };
}

function duration(expr: DurationExpr | undefined, wrapped = false): object | null {
  if (expr === undefined) return null;
  const node = { type: 'durationExpr', lhs: null, rhs: null, wrapped };
  switch (expr.kind) {
    case 'seconds': {
      const literal = { type: 'numberLiteral', val: formatDecimal(expr.value), duration: expr.isDuration };
      return wrapped ? { ...node, op: '+', rhs: literal } : literal;
    }
    case 'step':
    case 'range':
      return { ...node, op: expr.kind };
    case 'paren':
      return duration(expr.expr, true);
    case 'positive':
      return { ...node, op: '+', rhs: duration(expr.expr) };
    case 'negative':
      return { ...node, op: '-', rhs: duration(expr.expr) };
    case 'operation':
      return { ...node, op: expr.op, lhs: duration(expr.left), rhs: duration(expr.right) };
  }
}
