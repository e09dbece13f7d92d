import type { AtModifier, Expr, MatrixSelector, Subquery, VectorSelector } from './ast.ts';
import { accept, at, built, expect, fail, located, peek, take, unexpected, type Cursor } from './cursor.ts';
import { DURATION_MS_MAX, durationSeconds, parseDuration } from './duration.ts';
import type { Token } from './lex.ts';
import { numberValue } from './literal.ts';

/** Reads what may follow an operand: `[range]`, `[range:step]`, `offset` and `@`, in any number and order. */
export function parseModifiers(cursor: Cursor, operand: Expr): Expr {
  let expr = operand;
  for (;;) {
    const token = peek(cursor);
    if (token.type === '[') expr = parseBrackets(cursor, expr);
    else if (token.type === '@') expr = parseAt(cursor, expr);
    else if (token.type !== 'keyword') return expr;
    else if (token.word === 'offset') expr = parseOffset(cursor, expr);
    else if (token.word === 'anchored' || token.word === 'smoothed') {
      fail(cursor, token.span, `modifier ${token.word} is experimental and not supported`);
    } else return expr;
  }
}

function parseBrackets(cursor: Cursor, expr: Expr): Expr {
  const open = take(cursor);
  const rangeMs = parsePositiveDuration(cursor, 'subquery or range selector');
  if (accept(cursor, ':') === undefined) {
    const close = expect(cursor, ']', 'subquery or range', '":" or "]"');
    return makeMatrix(cursor, expr, rangeMs, { start: open.span.start, end: close.span.end });
  }
  const stepMs = at(cursor, ']') ? undefined : parsePositiveDuration(cursor, 'subquery selector');
  const close = expect(cursor, ']', 'subquery selector', stepMs === undefined ? 'number, duration or "]"' : '"]"');
  const span = { start: expr.span.start, end: close.span.end };
  const subquery: Subquery = { kind: 'subquery', expr, rangeMs, offsetMs: 0, span };
  return built(cursor, stepMs === undefined ? subquery : { ...subquery, stepMs });
}

function makeMatrix(cursor: Cursor, expr: Expr, rangeMs: number, brackets: Expr['span']): MatrixSelector {
  if (expr.kind !== 'vector') {
    fail(cursor, brackets, 'ranges only allowed for vector selectors; write [5m:] for a subquery over an expression');
  }
  if (expr.offsetMs !== 0) fail(cursor, brackets, 'no offset modifiers allowed before range');
  if (expr.at !== undefined) fail(cursor, brackets, 'no @ modifiers allowed before range');
  const span = { start: expr.span.start, end: brackets.end };
  return built(cursor, { kind: 'matrix', selector: expr, rangeMs, span });
}

function parseOffset(cursor: Cursor, expr: Expr): Expr {
  take(cursor);
  const { ms, end } = parseSignedDuration(cursor, 'offset');
  if (expr.kind !== 'vector' && expr.kind !== 'matrix' && expr.kind !== 'subquery') {
    const allowed = 'an instant vector selector or range vector selector or a subquery';
    fail(cursor, expr.span, `offset modifier must be preceded by ${allowed}`);
  }
  if (timedPart(expr).offsetMs !== 0) fail(cursor, expr.span, 'offset may not be set multiple times');
  return withTime(cursor, expr, end, { offsetMs: ms });
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
  const ms = Math.round(seconds * 1000);
  const modifier = { kind: 'time', ms } as const;
  if (Number.isSafeInteger(ms)) return { modifier, end: token.span.end };
  return { modifier, end: token.span.end, fault: `timestamp out of bounds for @ modifier: ${seconds}` };
}

/** The node that carries the time of a selector or subquery. */
function timedPart(expr: VectorSelector | MatrixSelector | Subquery): VectorSelector | Subquery {
  return expr.kind === 'matrix' ? expr.selector : expr;
}

function withTime(
  cursor: Cursor,
  expr: VectorSelector | MatrixSelector | Subquery,
  end: number,
  time: { offsetMs: number } | { at: AtModifier },
): Expr {
  const span = { start: expr.span.start, end };
  if (expr.kind !== 'matrix') return built(cursor, { ...expr, ...time, span });
  return built(cursor, { ...expr, selector: built(cursor, { ...expr.selector, ...time }), span });
}

function parsePositiveDuration(cursor: Cursor, context: string): number {
  const { ms, start, end } = parseSignedDuration(cursor, context);
  refuseArithmetic(cursor, OPERATORS);
  if (ms <= 0) fail(cursor, { start, end }, 'duration must be greater than 0 and at least 1ms');
  return ms;
}

/** A duration or a number of seconds, with signs before it. Milliseconds; fractions of one fall away. */
function parseSignedDuration(cursor: Cursor, context: string): { ms: number; start: number; end: number } {
  const { start } = peek(cursor).span;
  let negative = false;
  let signs = 0;
  for (; at(cursor, '-') || at(cursor, '+'); signs++) {
    if (take(cursor).type === '-') negative = !negative;
  }
  const token = accept(cursor, 'number') ?? accept(cursor, 'duration');
  if (token === undefined) {
    refuseArithmetic(cursor, OPERANDS);
    unexpected(cursor, context, 'number or duration');
  }
  // After `offset 5m` an operator takes the selector; after a second sign Prometheus reads on as a duration.
  if (signs > 1) refuseArithmetic(cursor, OPERATORS);
  const ms = durationOf(cursor, token);
  const span = { start, end: token.span.end };
  if (!(ms <= DURATION_MS_MAX)) fail(cursor, span, 'duration out of range');
  return { ms: negative && ms !== 0 ? -ms : ms, ...span };
}

/** A duration is exact in ms; a number of seconds is rounded to nanoseconds first, as Prometheus does. */
function durationOf(cursor: Cursor, { type, text, span }: Token): number {
  return located(cursor, span, () =>
    type === 'number' ? Math.trunc(Math.round(numberValue(text) * 1e9) / 1e6) : parseDuration(text),
  );
}

function secondsOf(cursor: Cursor, { type, text, span }: Token): number {
  return located(cursor, span, () => (type === 'number' ? numberValue(text) : durationSeconds(parseDuration(text))));
}

/** What would begin or continue a duration expression (`[5m + 1m]`, `offset step()`), which Prometheus takes. */
const OPERANDS: ReadonlySet<string> = new Set(['(', 'step', 'range', 'max_of', 'min_of']);
const OPERATORS: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^']);

function refuseArithmetic(cursor: Cursor, words: ReadonlySet<string>): void {
  const { span, word } = peek(cursor);
  if (!words.has(word)) return;
  fail(cursor, span, 'duration expressions are not supported; write one duration, such as 1h30m');
}
