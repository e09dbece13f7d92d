import type { AggregateOp, Binary, BinaryOp, Expr, NumberLiteral, Span, VectorMatching } from './ast.ts';
import { SET_OPS } from './ast.ts';
import { checkExpr, typeOf } from './check.ts';
import { accept, at, built, expect, fail, nested, openCursor, peek, stringAt, take, unexpected } from './cursor.ts';
import type { Cursor } from './cursor.ts';
import { NO_FEATURES, type PromqlFeatures } from './features.ts';
import { AGGREGATES, COVERAGE, FUNCTIONS, nearestFunction, signatureOf } from './functions.ts';
import type { Token } from './lex.ts';
import { secondsOf } from './parse-duration.ts';
import { parseMatching, type WrittenMatching } from './parse-matching.ts';
import { parseModifiers } from './parse-modifier.ts';
import { parseLabelNames, parseSelector, startsSelector } from './parse-selector.ts';
import { PRECEDENCE } from './precedence.ts';

/**
 * The tree of a PromQL expression, parsed and type-checked as Prometheus 3.15 does with the feature flags given
 * (https://prometheus.io/docs/prometheus/latest/querying/basics/). Throws `PromqlError` with the position for a text
 * that is not valid PromQL, and `limit` for one that is too long or too deep. Takes time linear in the text.
 */
export function parseExpr(text: string, features: PromqlFeatures = NO_FEATURES): Expr {
  const cursor = openCursor(text, features);
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
      take(cursor);
      const modifiers = parseMatching(cursor);
      const right = parseBinary(cursor, op === '^' ? PRECEDENCE[op] : PRECEDENCE[op] + 1);
      left = built(cursor, makeBinary(op, left, right, modifiers));
    }
  });
}

function operatorAt(cursor: Cursor): BinaryOp | undefined {
  const token = peek(cursor);
  return Object.hasOwn(PRECEDENCE, token.word) && token.type !== 'identifier' && token.type !== 'string'
    ? (token.word as BinaryOp)
    : undefined;
}

function makeBinary(op: BinaryOp, left: Expr, right: Expr, written: WrittenMatching): Binary {
  const span = { start: left.span.start, end: right.span.end };
  const binary = { kind: 'binary', op, left, right, returnBool: written.returnBool, span } as const;
  const betweenVectors = typeOf(left) === 'vector' && typeOf(right) === 'vector';
  // Labels to match a scalar by, and what to fill one in with, stay in the tree for the checker to refuse; an empty list of
  // labels means nothing.
  if (!betweenVectors && written.labels.length === 0 && written.fill === undefined) return binary;
  return { ...binary, matching: makeMatching(op, written) };
}

function makeMatching(op: BinaryOp, { group, on, labels, include, fill }: WrittenMatching): VectorMatching {
  const alone = SET_OPS.has(op) ? 'many-to-many' : 'one-to-one';
  const card = group === 'group_left' ? 'many-to-one' : group === 'group_right' ? 'one-to-many' : alone;
  return { card, on, labels, include, ...(fill && { fill }) };
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
  const token = take(cursor);
  const number = { kind: 'number', value: secondsOf(cursor, token), span: token.span } as const;
  return token.type === 'duration' ? { ...number, isDuration: true } : number;
}

const FUNCTIONS_HINT = 'the feature promql-experimental-functions enables it';

function parseCall(cursor: Cursor): Expr {
  const { text: func, span } = take(cursor);
  const signature = func === COVERAGE && !cursor.features.coverageFunction ? undefined : signatureOf(func);
  if (signature === undefined) {
    const nearest = nearestFunction(func, cursor.features);
    const hint = nearest === undefined ? '' : `; did you mean ${JSON.stringify(nearest)}?`;
    fail(cursor, span, `unknown function with name ${JSON.stringify(func)}${hint}`);
  }
  if (signature.experimental && !cursor.features.experimentalFunctions) {
    fail(cursor, span, `function ${JSON.stringify(func)} is not enabled: it is experimental; ${FUNCTIONS_HINT}`);
  }
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
  if (experimental && !cursor.features.experimentalFunctions) {
    fail(cursor, token.span, `${op}() is experimental and not enabled; ${FUNCTIONS_HINT}`);
  }
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
