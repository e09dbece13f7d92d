import type { DurationExpr, Span } from './ast.ts';
import {
  accept,
  at,
  builtDuration,
  expect,
  fail,
  located,
  nested,
  peek,
  take,
  unexpected,
  type Cursor,
} from './cursor.ts';
import { DURATION_MS_MAX, durationMs, durationSeconds, isNoDuration, parseDuration } from './duration.ts';
import type { Token } from './lex.ts';
import { numberValue } from './literal.ts';

/** A duration as written: milliseconds where it is one literal, else what it is computed from. */
export interface WrittenDuration {
  readonly ms: number;
  readonly expr?: DurationExpr;
  /** Whether it says anything but 0, be it less than a millisecond. */
  readonly isSet: boolean;
}

type DurationOp = Extract<DurationExpr, { kind: 'operation' }>['op'];

/** As for operators between vectors; a sign binds as tightly as `*`. */
const TIGHTNESS: ReadonlyMap<string, number> = new Map([
  ['+', 1],
  ['-', 1],
  ['*', 2],
  ['/', 2],
  ['%', 2],
  ['^', 3],
]);

const OPERANDS = 'number, duration, step(), or range()';

/** The range or the resolution inside brackets: greater than 0 as far as that can be told. */
export function parsePositiveDuration(cursor: Cursor, context: string, expected = OPERANDS): WrittenDuration {
  const written = writtenDuration(cursor, parseComputed(cursor, context, expected, 0));
  if (written.literal !== undefined && written.literal.value <= 0) {
    fail(cursor, written.literal.span, 'duration must be greater than 0');
  }
  return written;
}

/**
 * What follows `offset`. An operator after it takes the selector rather than the duration (`a offset -2 ^ 2`), unless the
 * duration begins with a parenthesis or with two signs: then it goes on as inside brackets.
 */
export function parseOffsetDuration(cursor: Cursor): WrittenDuration {
  const sign = at(cursor, '-') || at(cursor, '+') ? peek(cursor) : undefined;
  const next = peek(cursor, sign === undefined ? 0 : 1).type;
  const goesOn = sign === undefined ? next === '(' : next === '-' || next === '+';
  if (goesOn) return writtenDuration(cursor, parseComputed(cursor, 'offset', OPERANDS, 0));
  if (sign === undefined) return writtenDuration(cursor, parseOperand(cursor, 'offset', OPERANDS));
  take(cursor);
  return writtenDuration(cursor, withSign(cursor, sign, parseOperand(cursor, 'offset', OPERANDS)));
}

/** Seconds of a number token or a duration token. */
export function secondsOf(cursor: Cursor, { type, text, span }: Token): number {
  return located(cursor, span, () => (type === 'number' ? numberValue(text) : durationSeconds(parseDuration(text))));
}

function writtenDuration(
  cursor: Cursor,
  expr: DurationExpr,
): WrittenDuration & { literal?: { value: number; span: Span } } {
  if (expr.kind !== 'seconds') return { ms: 0, expr, isSet: true };
  const { value, span } = expr;
  // What Prometheus makes of this, its processor decides.
  if (Number.isNaN(value)) fail(cursor, span, 'duration out of range');
  return { ms: durationMs(value), isSet: !isNoDuration(value), literal: { value, span } };
}

/** Precedence climbing: reads operators that bind at least as tightly as `tightness`. */
function parseComputed(cursor: Cursor, context: string, expected: string, tightness: number): DurationExpr {
  return nested(cursor, () => {
    let left = parseSigned(cursor, context, expected);
    for (;;) {
      const token = peek(cursor);
      const binds = TIGHTNESS.get(token.type);
      if (binds === undefined || binds < tightness) return left;
      take(cursor);
      const right = parseComputed(cursor, context, OPERANDS, token.type === '^' ? binds : binds + 1);
      left = operation(cursor, token, left, right);
    }
  });
}

function operation(
  cursor: Cursor,
  { type, span: place }: Token,
  left: DurationExpr,
  right: DurationExpr,
): DurationExpr {
  if (right.kind === 'seconds' && right.value === 0) {
    if (type === '/') fail(cursor, place, 'division by zero');
    if (type === '%') fail(cursor, place, 'modulo by zero');
  }
  const span = { start: left.span.start, end: right.span.end };
  return builtDuration(cursor, { kind: 'operation', op: type as DurationOp, left, right, span });
}

function parseSigned(cursor: Cursor, context: string, expected: string): DurationExpr {
  const sign = accept(cursor, '-') ?? accept(cursor, '+');
  if (sign === undefined) return parseOperand(cursor, context, expected);
  return withSign(cursor, sign, parseComputed(cursor, context, OPERANDS, TIGHTNESS.get('^') ?? 0));
}

/** A sign before a literal becomes part of it; a plus sign before anything else says nothing. */
function withSign(cursor: Cursor, sign: Token, expr: DurationExpr): DurationExpr {
  const span = { start: sign.span.start, end: expr.span.end };
  if (expr.kind === 'seconds') return { ...expr, value: sign.type === '-' ? -expr.value : expr.value, span };
  return sign.type === '-' ? builtDuration(cursor, { kind: 'negative', expr, span }) : expr;
}

function parseOperand(cursor: Cursor, context: string, expected: string): DurationExpr {
  const token = peek(cursor);
  if (token.type === '(') return parseParen(cursor, context);
  if (token.type === 'number' || token.type === 'duration') return parseLiteral(cursor);
  if (token.type === 'keyword' && (token.word === 'step' || token.word === 'range')) {
    take(cursor);
    expect(cursor, '(', context, '"("');
    const close = expect(cursor, ')', context, '")"');
    return { kind: token.word, span: { start: token.span.start, end: close.span.end } };
  }
  if (token.type === 'keyword' && (token.word === 'min_of' || token.word === 'max_of')) {
    take(cursor);
    expect(cursor, '(', context, '"("');
    const left = parseComputed(cursor, context, OPERANDS, 0);
    expect(cursor, ',', context, 'an operator or ","');
    const right = parseComputed(cursor, context, OPERANDS, 0);
    const close = expect(cursor, ')', context, 'an operator or ")"');
    const span = { start: token.span.start, end: close.span.end };
    return builtDuration(cursor, { kind: 'operation', op: token.word, left, right, span });
  }
  return unexpected(cursor, context, expected);
}

/** Doubled parentheses are one. */
function parseParen(cursor: Cursor, context: string): DurationExpr {
  const open = take(cursor);
  const expr = parseComputed(cursor, context, OPERANDS, 0);
  const close = expect(cursor, ')', context, 'an operator or ")"');
  const span = { start: open.span.start, end: close.span.end };
  return expr.kind === 'paren' ? { ...expr, span } : builtDuration(cursor, { kind: 'paren', expr, span });
}

function parseLiteral(cursor: Cursor): DurationExpr {
  const token = take(cursor);
  const value = secondsOf(cursor, token);
  if (value > DURATION_MS_MAX / 1000) fail(cursor, token.span, 'duration out of range');
  return { kind: 'seconds', value, isDuration: token.type === 'duration', span: token.span };
}
