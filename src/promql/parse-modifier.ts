import type { AtModifier, Expr, MatrixSelector, Subquery, VectorSelector } from './ast.ts';
import { accept, at, built, expect, fail, peek, take, unexpected, type Cursor } from './cursor.ts';
import { parseOffsetDuration, parsePositiveDuration, secondsOf, type WrittenDuration } from './parse-duration.ts';

/** Reads what may follow an operand: `[range]`, `[range:step]`, `offset`, `@`, `anchored` and `smoothed`, in any order. */
export function parseModifiers(cursor: Cursor, operand: Expr): Expr {
  let expr = operand;
  for (;;) {
    const token = peek(cursor);
    if (token.type === '[') expr = parseBrackets(cursor, expr);
    else if (token.type === '@') expr = parseAt(cursor, expr);
    else if (token.type !== 'keyword') return expr;
    else if (token.word === 'offset') expr = parseOffset(cursor, expr);
    else if (token.word === 'anchored' || token.word === 'smoothed') expr = parseExtended(cursor, expr, token.word);
    else return expr;
  }
}

function parseBrackets(cursor: Cursor, expr: Expr): Expr {
  const open = take(cursor);
  const range = parsePositiveDuration(cursor, 'subquery or range selector');
  if (accept(cursor, ':') === undefined) {
    const close = expect(cursor, ']', 'subquery or range', '":" or "]"');
    return makeMatrix(cursor, expr, range, { start: open.span.start, end: close.span.end });
  }
  const expected = 'number, duration, step(), range(), or "]"';
  const step = at(cursor, ']') ? undefined : parsePositiveDuration(cursor, 'subquery selector', expected);
  const close = expect(cursor, ']', 'subquery selector', '"]"');
  return built(cursor, {
    kind: 'subquery',
    expr,
    rangeMs: range.ms,
    ...(range.expr && { rangeExpr: range.expr }),
    ...(step && (step.expr === undefined ? { stepMs: step.ms } : { stepExpr: step.expr })),
    offsetMs: 0,
    span: { start: expr.span.start, end: close.span.end },
  });
}

function makeMatrix(cursor: Cursor, expr: Expr, range: WrittenDuration, brackets: Expr['span']): MatrixSelector {
  if (expr.kind !== 'vector') {
    fail(cursor, brackets, 'ranges only allowed for vector selectors; write [5m:] for a subquery over an expression');
  }
  if (cursor.withOffset.has(expr)) fail(cursor, brackets, 'no offset modifiers allowed before range');
  if (expr.at !== undefined) fail(cursor, brackets, 'no @ modifiers allowed before range');
  return built(cursor, {
    kind: 'matrix',
    selector: expr,
    rangeMs: range.ms,
    ...(range.expr && { rangeExpr: range.expr }),
    span: { start: expr.span.start, end: brackets.end },
  });
}

function parseOffset(cursor: Cursor, expr: Expr): Expr {
  take(cursor);
  const offset = parseOffsetDuration(cursor);
  const { end } = peek(cursor, -1).span;
  if (expr.kind !== 'vector' && expr.kind !== 'matrix' && expr.kind !== 'subquery') {
    const allowed = 'an instant vector selector or range vector selector or a subquery';
    fail(cursor, expr.span, `offset modifier must be preceded by ${allowed}`);
  }
  if (cursor.withOffset.has(timedPart(expr))) fail(cursor, expr.span, 'offset may not be set multiple times');
  const node = withTime(cursor, expr, end, {
    offsetMs: offset.ms,
    ...(offset.expr && { offsetExpr: offset.expr }),
  });
  if (offset.isSet) cursor.withOffset.add(timedPart(node));
  return node;
}

function parseExtended(cursor: Cursor, expr: Expr, word: 'anchored' | 'smoothed'): Expr {
  const { span } = take(cursor);
  if (!cursor.features.extendedRangeSelectors) {
    const hint = 'the feature promql-extended-range-selectors enables it';
    fail(cursor, span, `${word} modifier is experimental and not enabled; ${hint}`);
  }
  if (expr.kind === 'subquery') fail(cursor, expr.span, `${word} modifier is not supported for subqueries`);
  if (expr.kind !== 'vector' && expr.kind !== 'matrix') {
    fail(cursor, expr.span, `${word} modifier not implemented; it can follow an instant or a range vector selector`);
  }
  const before = timedSelector(expr).extended;
  if (before !== undefined && before !== word) {
    fail(cursor, expr.span, 'anchored and smoothed modifiers cannot be used together');
  }
  return withTime(cursor, expr, span.end, { extended: word });
}

function parseAt(cursor: Cursor, expr: Expr): Expr {
  take(cursor);
  const { modifier, end, fault } = parseAtTime(cursor);
  if (fault !== undefined) fail(cursor, expr.span, fault);
  if (expr.kind !== 'vector' && expr.kind !== 'matrix' && expr.kind !== 'subquery') {
    const allowed = 'an instant vector selector or range vector selector or a subquery';
    fail(cursor, expr.span, `@ modifier must be preceded by ${allowed}`);
  }
  if (timedPart(expr).at !== undefined) fail(cursor, expr.span, '@ <timestamp> may not be set multiple times');
  return withTime(cursor, expr, end, { at: modifier });
}

function parseAtTime(cursor: Cursor): { modifier: AtModifier; end: number; fault?: string } {
  const bound = accept(cursor, 'keyword', 'start') ?? accept(cursor, 'keyword', 'end');
  if (bound !== undefined) {
    expect(cursor, '(', '@', '"("');
    const close = expect(cursor, ')', '@', '")"');
    return { modifier: { kind: bound.word === 'start' ? 'start' : 'end' }, end: close.span.end };
  }
  const sign = accept(cursor, '-') ?? accept(cursor, '+');
  const token = accept(cursor, 'number') ?? accept(cursor, 'duration');
  if (token === undefined) unexpected(cursor, '@', 'timestamp in seconds, start() or end()');
  const seconds = secondsOf(cursor, token) * (sign?.type === '-' ? -1 : 1);
  const ms = Math.sign(seconds) * Math.round(Math.abs(seconds) * 1000);
  const modifier = { kind: 'time', ms } as const;
  if (Number.isSafeInteger(ms)) return { modifier, end: token.span.end };
  return { modifier, end: token.span.end, fault: `timestamp out of bounds for @ modifier: ${seconds}` };
}

/** The node that carries the time of a selector or subquery. */
function timedPart(expr: TimedExpr): VectorSelector | Subquery {
  return expr.kind === 'matrix' ? expr.selector : expr;
}

function timedSelector(expr: VectorSelector | MatrixSelector): VectorSelector {
  return expr.kind === 'matrix' ? expr.selector : expr;
}

type TimedExpr = VectorSelector | MatrixSelector | Subquery;

function withTime(
  cursor: Cursor,
  expr: TimedExpr,
  end: number,
  time: Partial<Pick<VectorSelector, 'offsetMs' | 'offsetExpr' | 'at' | 'extended'>>,
): TimedExpr {
  const span = { start: expr.span.start, end };
  const hasOffset = cursor.withOffset.has(timedPart(expr));
  const node: TimedExpr =
    expr.kind === 'matrix'
      ? built(cursor, { ...expr, selector: built(cursor, { ...expr.selector, ...time }), span })
      : built(cursor, { ...expr, ...time, span });
  if (hasOffset) cursor.withOffset.add(timedPart(node));
  return node;
}
