import type { AggregateOp, Binary, BinaryOp, Expr, NumberLiteral, Span, VectorMatching } from './ast.ts';
import { SET_OPS } from './ast.ts';
import { checkExpr, typeOf } from './check.ts';
import {
  accept,
  at,
  built,
  expect,
  fail,
  located,
  nested,
  openCursor,
  peek,
  stringAt,
  take,
  unexpected,
} from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { AGGREGATES, FUNCTIONS, nearestFunction } from './functions.ts';
import type { Token } from './lex.ts';
import { numberValue } from './literal.ts';
import { durationSeconds, parseDuration } from './duration.ts';
import { PRECEDENCE } from './precedence.ts';
import { parseLabelNames, parseSelector, startsSelector } from './parse-selector.ts';
import { parseModifiers } from './parse-modifier.ts';

/**
 * The tree of a PromQL expression, parsed and type-checked as Prometheus 3.15 does without feature flags
 * (https://prometheus.io/docs/prometheus/latest/querying/basics/). Throws `PromqlError` with the position for a text
 * that is not valid PromQL, and `limit` for one that is too long or too deep. Takes time linear in the text.
 */
export function parseExpr(text: string): Expr {
  const cursor = openCursor(text);
  if (at(cursor, 'end')) fail(cursor, peek(cursor).span, 'no expression found in input');
  const expr = parseBinary(cursor, 0);
  if (!at(cursor, 'end')) unexpected(cursor, '', 'an operator or the end of the expression');
  checkExpr(expr, text);
  return expr;
}

/** Precedence climbing: reads operators that bind at least as tightly as `tightness`. */
function parseBinary(cursor: Cursor, tightness: number): Expr {
  return nested(cursor, () => {
    let left = parseUnary(cursor);
    for (;;) {
      const op = operatorAt(cursor);
      if (op === undefined || PRECEDENCE[op] < tightness) return left;
      const token = take(cursor);
      const modifiers = parseMatching(cursor, token);
      const right = parseBinary(cursor, op === '^' ? PRECEDENCE[op] : PRECEDENCE[op] + 1);
      left = built(cursor, makeBinary(op, left, right, modifiers));
    }
  });
}

function operatorAt(cursor: Cursor): BinaryOp | undefined {
  const token = peek(cursor);
  if (token.type === '</' || token.type === '>/') {
    fail(cursor, token.span, `operator ${token.text} (trimming of histograms) is not supported`);
  }
  return Object.hasOwn(PRECEDENCE, token.word) && token.type !== 'identifier' && token.type !== 'string'
    ? (token.word as BinaryOp)
    : undefined;
}

interface WrittenMatching {
  readonly returnBool: boolean;
  readonly group: 'group_left' | 'group_right' | undefined;
  readonly on: boolean;
  readonly labels: readonly string[];
  readonly include: readonly string[];
}

/** What may stand between an operator and its right side: `bool`, `on`/`ignoring`, `group_left`/`group_right`. */
function parseMatching(cursor: Cursor, op: Token): WrittenMatching {
  const returnBool = accept(cursor, 'keyword', 'bool') !== undefined;
  const none: WrittenMatching = { returnBool, group: undefined, on: false, labels: [], include: [] };
  let written = none;
  const side = accept(cursor, 'keyword', 'on') ?? accept(cursor, 'keyword', 'ignoring');
  if (side !== undefined) {
    written = { ...none, on: side.word === 'on', labels: parseLabelNames(cursor) };
    const group = accept(cursor, 'keyword', 'group_left') ?? accept(cursor, 'keyword', 'group_right');
    if (group !== undefined) {
      const include = at(cursor, '(') ? parseLabelNames(cursor) : [];
      written = { ...written, group: group.word === 'group_left' ? 'group_left' : 'group_right', include };
    }
  }
  const next = peek(cursor);
  if (next.type === 'keyword' && next.word.startsWith('fill')) {
    fail(cursor, next.span, `modifier ${next.word} of operator ${op.text} is experimental and not supported`);
  }
  return written;
}

function makeBinary(op: BinaryOp, left: Expr, right: Expr, written: WrittenMatching): Binary {
  const span = { start: left.span.start, end: right.span.end };
  const binary = { kind: 'binary', op, left, right, returnBool: written.returnBool, span } as const;
  const betweenVectors = typeOf(left) === 'vector' && typeOf(right) === 'vector';
  // Labels to match a scalar by stay in the tree for the checker to refuse; an empty list of them means nothing.
  if (!betweenVectors && written.labels.length === 0) return binary;
  return { ...binary, matching: makeMatching(op, written) };
}

function makeMatching(op: BinaryOp, { group, on, labels, include }: WrittenMatching): VectorMatching {
  if (group === 'group_left') return { card: 'many-to-one', on, labels, include };
  if (group === 'group_right') return { card: 'one-to-many', on, labels, include };
  return { card: SET_OPS.has(op) ? 'many-to-many' : 'one-to-one', on, labels, include };
}

/** A sign binds looser than `^` and tighter than `*`; before a plain number it becomes part of the number. */
function parseUnary(cursor: Cursor): Expr {
  const sign = accept(cursor, '-') ?? accept(cursor, '+');
  if (sign === undefined) return parseModifiers(cursor, parsePrimary(cursor));
  const operand = parseBinary(cursor, PRECEDENCE['^']);
  const span = { start: sign.span.start, end: operand.span.end };
  if (operand.kind === 'number') {
    const value = sign.type === '-' ? -operand.value : operand.value;
    return built(cursor, { ...operand, value, span });
  }
  return built(cursor, { kind: 'unary', op: sign.type === '-' ? '-' : '+', expr: operand, span });
}

function parsePrimary(cursor: Cursor): Expr {
  const token = peek(cursor);
  const { type } = token;
  const followedByParen = peek(cursor, 1).type === '(';
  if (type === '(') return parseParen(cursor);
  if (type === 'number' || type === 'duration') return parseNumber(cursor);
  if (type === 'string') {
    take(cursor);
    return { kind: 'string', value: stringAt(cursor, token), span: token.span };
  }
  if (type === 'identifier' && followedByParen) return parseCall(cursor);
  if (type === 'keyword') {
    if (AGGREGATES.has(token.word) && continuesAggregate(peek(cursor, 1))) return parseAggregate(cursor);
    if (followedByParen && FUNCTIONS.has(token.word)) return parseCall(cursor);
  }
  return startsSelector(token) ? parseSelector(cursor) : unexpected(cursor, '', 'an expression');
}

function parseParen(cursor: Cursor): Expr {
  const open = take(cursor);
  const expr = parseBinary(cursor, 0);
  const close = expect(cursor, ')', 'parentheses', 'an operator or ")"');
  return built(cursor, { kind: 'paren', expr, span: { start: open.span.start, end: close.span.end } });
}

function parseNumber(cursor: Cursor): NumberLiteral {
  const { type, text, span } = take(cursor);
  if (type === 'number') return { kind: 'number', value: located(cursor, span, () => numberValue(text)), span };
  const ms = located(cursor, span, () => parseDuration(text));
  return { kind: 'number', value: durationSeconds(ms), isDuration: true, span };
}

function parseCall(cursor: Cursor): Expr {
  const { text: func, span } = take(cursor);
  const signature = FUNCTIONS.get(func);
  if (signature === undefined) {
    const nearest = nearestFunction(func);
    const hint = nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`;
    fail(cursor, span, `unknown function with name ${JSON.stringify(func)}${hint}`);
  }
  if (signature.experimental) fail(cursor, span, `function ${JSON.stringify(func)} is experimental and not enabled`);
  const { args, end } = parseArguments(cursor);
  return built(cursor, { kind: 'call', func, args, span: { start: span.start, end } });
}

function parseArguments(cursor: Cursor): { args: Expr[]; end: number } {
  expect(cursor, '(', 'call', '"("');
  const args: Expr[] = [];
  while (!at(cursor, ')')) {
    args.push(parseBinary(cursor, 0));
    const comma = accept(cursor, ',');
    if (comma === undefined) break;
    if (at(cursor, ')')) fail(cursor, comma.span, 'trailing commas not allowed in function call args');
  }
  const close = expect(cursor, ')', 'call', 'an operator, "," or ")"');
  return { args, end: close.span.end };
}

/** The names of aggregations are metric names too, unless what follows makes them one. */
function continuesAggregate({ type, word }: Token): boolean {
  return type === '(' || (type === 'keyword' && (word === 'by' || word === 'without'));
}

function parseAggregate(cursor: Cursor): Expr {
  const token = take(cursor);
  const signature = AGGREGATES.get(token.word);
  if (signature === undefined) return fail(cursor, token.span, `unknown aggregation ${token.text}`);
  const { op, param, experimental } = signature;
  if (experimental) fail(cursor, token.span, `aggregation ${op}() is experimental and not supported`);
  const before = parseGrouping(cursor);
  if (!at(cursor, '(')) unexpected(cursor, 'aggregation', before === undefined ? '"(", "by" or "without"' : '"("');
  const { args, end } = parseArguments(cursor);
  const after = before === undefined ? parseGrouping(cursor) : undefined;
  const grouping = before ?? after ?? { without: false, labels: [] };
  const span: Span = { start: token.span.start, end: after?.end ?? end };
  const wanted = param === undefined ? 1 : 2;
  const [first, second] = args;
  if (first === undefined) fail(cursor, span, 'no arguments for aggregate expression provided');
  const expr = wanted === 1 ? first : second;
  if (args.length !== wanted || expr === undefined) {
    const counts = `expected ${wanted}, got ${args.length}`;
    fail(cursor, span, `wrong number of arguments for aggregate expression provided, ${counts}`);
  }
  const aggregate = aggregateOf(op, expr, grouping.without, grouping.labels, span);
  return built(cursor, wanted === 1 ? aggregate : { ...aggregate, param: first });
}

function aggregateOf(op: AggregateOp, expr: Expr, without: boolean, grouping: readonly string[], span: Span) {
  return { kind: 'aggregate', op, expr, without, grouping, span } as const;
}

function parseGrouping(cursor: Cursor): { without: boolean; labels: string[]; end: number } | undefined {
  const word = accept(cursor, 'keyword', 'by') ?? accept(cursor, 'keyword', 'without');
  if (word === undefined) return undefined;
  const labels = parseLabelNames(cursor);
  return { without: word.word === 'without', labels, end: peek(cursor, -1).span.end };
}
