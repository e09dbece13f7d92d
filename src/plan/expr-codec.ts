import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Matcher, MatchOp } from '../model/matcher.ts';
import {
  COMPARISON_OPS,
  SET_OPS,
  type Aggregate,
  type AggregateOp,
  type Binary,
  type BinaryOp,
  type Expr,
  type Subquery,
  type VectorMatching,
  type VectorSelector,
} from '../promql/ast.ts';
import { checkExpr, typeOf } from '../promql/check.ts';
import { quoteString } from '../promql/literal.ts';

/** The Expr message of proto/federation.proto: exactly one member is set. */
export interface ExprMessage {
  number?: number;
  text?: string;
  vector?: SelectorMessage;
  matrix?: { selector: SelectorMessage | null; rangeMs: number };
  subquery?: SubqueryMessage;
  call?: { func: string; args: ExprMessage[] };
  unary?: { op: string; expr: ExprMessage | null };
  binary?: {
    op: string;
    left: ExprMessage | null;
    right: ExprMessage | null;
    returnBool: boolean;
    matching?: MatchingMessage | null;
  };
  aggregate?: {
    op: string;
    expr: ExprMessage | null;
    param?: ExprMessage | null;
    without: boolean;
    grouping: readonly string[];
  };
  once?: { expr: ExprMessage | null };
}

export interface MatcherMessage {
  name: string;
  op: string;
  value: string;
}

interface SelectorMessage {
  matchers: readonly MatcherMessage[];
  offsetMs: number;
  atMs?: number;
  extended: string;
  statsOnly: boolean;
}

interface SubqueryMessage {
  expr: ExprMessage | null;
  rangeMs: number;
  stepMs: number;
  offsetMs: number;
  atMs?: number;
}

interface MatchingMessage {
  card: string;
  on: boolean;
  labels: readonly string[];
  include: readonly string[];
  fillLeft?: number;
  fillRight?: number;
}

/**
 * A tree whose times are all settled: computed durations worked out, bounds of the query made times, subqueries with a
 * resolution of their own. Throws `internal` for any other, `unsupported` for what stands for other fragments, and
 * `bad_data` for a string that is not valid UTF-8.
 */
export function encodeExpr(expr: Expr): ExprMessage {
  switch (expr.kind) {
    case 'number':
      return { number: expr.value };
    case 'string':
      return { text: utf8(expr.value) };
    case 'vector':
      return { vector: encodeSelector(expr) };
    case 'matrix':
      if (expr.rangeExpr !== undefined) throw unsettled('range');
      return { matrix: { selector: encodeSelector(expr.selector), rangeMs: expr.rangeMs } };
    case 'subquery':
      return { subquery: encodeSubquery(expr) };
    case 'call':
      return { call: { func: expr.func, args: expr.args.map(encodeExpr) } };
    case 'unary':
      return { unary: { op: expr.op, expr: encodeExpr(expr.expr) } };
    case 'binary': {
      const { op, left, right, returnBool, matching } = expr;
      const sides = { op, left: encodeExpr(left), right: encodeExpr(right), returnBool };
      return { binary: matching === undefined ? sides : { ...sides, matching: encodeMatching(matching) } };
    }
    case 'aggregate': {
      const { op, without, grouping } = expr;
      const base = { op, expr: encodeExpr(expr.expr), without, grouping };
      return { aggregate: expr.param === undefined ? base : { ...base, param: encodeExpr(expr.param) } };
    }
    case 'once':
      return { once: { expr: encodeExpr(expr.expr) } };
    case 'paren':
      return encodeExpr(expr.expr);
    case 'merged':
      throw new ComityError('unsupported', `unsupported: a ${expr.kind} in a fragment`);
  }
}

/**
 * Reads a tree that came over the wire. It has passed the type checker when it returns, so that what the parser rules out
 * is ruled out here too. Throws `unsupported` for a node that this version does not know, `bad_data` for a broken one, and
 * `limit` for a tree that is deeper or larger than any that was parsed.
 */
export function decodeExpr(message: ExprMessage): Expr {
  const expr = decodeNode(message, { depth: 0, budget: { left: LIMITS.expressionChars } });
  if (checkExpr(expr) !== 'vector') throw new ComityError('bad_data', 'a fragment must be a vector');
  return expr;
}

export function decodeMatcher({ name, op, value }: MatcherMessage): Matcher {
  if (!MATCH_OPS.has(op)) throw unknownNode(`matcher ${op}`);
  return { name, op: op as MatchOp, value };
}

const MATCH_OPS: ReadonlySet<string> = new Set<MatchOp>(['=', '!=', '=~', '!~']);
const ARITHMETIC_OPS: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^', 'atan2', '</', '>/']);
const CARDS: ReadonlySet<string> = new Set(['one-to-one', 'many-to-one', 'one-to-many', 'many-to-many']);
const AGGREGATE_OPS: ReadonlySet<string> = new Set<AggregateOp>([
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
]);

/** A tree from the wire has no text of its own. */
const NO_SPAN = { start: 0, end: 0 };

interface Place {
  readonly depth: number;
  /** Nodes and characters that the tree may still have: each takes at least a character of an expression. */
  readonly budget: { left: number };
}

function spend({ budget }: Place, amount: number): void {
  budget.left -= amount;
  if (budget.left < 0) throw new ComityError('limit', 'a fragment is larger than any expression (expressionChars)');
}

function decodeNode(message: ExprMessage | null | undefined, place: Place): Expr {
  if (place.depth > LIMITS.expressionDepth) throw new ComityError('limit', 'a fragment is nested too deeply');
  if (message === null || message === undefined) throw new ComityError('bad_data', 'a fragment lacks an operand');
  spend(place, 1);
  const child = (inner: ExprMessage | null | undefined): Expr =>
    decodeNode(inner, { ...place, depth: place.depth + 1 });
  if (message.number !== undefined) return { kind: 'number', value: message.number, span: NO_SPAN };
  if (message.text !== undefined) {
    spend(place, message.text.length);
    return { kind: 'string', value: message.text, span: NO_SPAN };
  }
  if (message.vector !== undefined) return decodeSelector(message.vector, place);
  if (message.matrix !== undefined) {
    const selector = decodeSelector(message.matrix.selector, place);
    return { kind: 'matrix', selector, rangeMs: decodeMs(message.matrix.rangeMs, 0), span: NO_SPAN };
  }
  if (message.subquery !== undefined) {
    const { expr, rangeMs, stepMs } = message.subquery;
    const times = { rangeMs: decodeMs(rangeMs, 0), stepMs: decodeMs(stepMs, 1), ...decodeTime(message.subquery) };
    return { kind: 'subquery', expr: child(expr), ...times, span: NO_SPAN };
  }
  if (message.call !== undefined) {
    return { kind: 'call', func: message.call.func, args: message.call.args.map(child), span: NO_SPAN };
  }
  if (message.unary !== undefined) {
    const { op } = message.unary;
    if (op !== '+' && op !== '-') throw unknownNode(`unary ${op}`);
    return { kind: 'unary', op, expr: child(message.unary.expr), span: NO_SPAN };
  }
  if (message.binary !== undefined) return decodeBinary(message.binary, child, place);
  if (message.aggregate !== undefined) return decodeAggregate(message.aggregate, child, place);
  if (message.once !== undefined) return { kind: 'once', expr: child(message.once.expr), span: NO_SPAN };
  throw unknownNode('node');
}

function decodeBinary(
  { op, left, right, returnBool, matching }: NonNullable<ExprMessage['binary']>,
  child: (inner: ExprMessage | null) => Expr,
  place: Place,
): Binary {
  if (!ARITHMETIC_OPS.has(op) && !COMPARISON_OPS.has(op as BinaryOp) && !SET_OPS.has(op as BinaryOp)) {
    throw unknownNode(`operator ${op}`);
  }
  const node = {
    kind: 'binary',
    op: op as BinaryOp,
    left: child(left),
    right: child(right),
    returnBool,
    span: NO_SPAN,
  } as const;
  const bothVectors = typeOf(node.left) === 'vector' && typeOf(node.right) === 'vector';
  if (bothVectors !== (matching !== null && matching !== undefined))
    throw new ComityError('bad_data', 'matching does not fit');
  return matching === null || matching === undefined
    ? node
    : { ...node, matching: decodeMatching(matching, node.op, place) };
}

function decodeMatching(message: MatchingMessage, op: BinaryOp, place: Place): VectorMatching {
  const { card, on, labels, include, fillLeft, fillRight } = message;
  if (!CARDS.has(card)) throw unknownNode(`matching ${card}`);
  if (SET_OPS.has(op) !== (card === 'many-to-many')) throw new ComityError('bad_data', 'matching does not fit');
  spendLabels([...labels, ...include], place);
  const matching = { card: card as VectorMatching['card'], on, labels, include };
  if (fillLeft === undefined && fillRight === undefined) return matching;
  const left = fillLeft === undefined ? {} : { left: fillLeft };
  return { ...matching, fill: fillRight === undefined ? left : { ...left, right: fillRight } };
}

function decodeAggregate(
  { op, expr, param, without, grouping }: NonNullable<ExprMessage['aggregate']>,
  child: (inner: ExprMessage | null) => Expr,
  place: Place,
): Aggregate {
  if (!AGGREGATE_OPS.has(op)) throw unknownNode(`aggregation ${op}`);
  spendLabels(grouping, place);
  const node = {
    kind: 'aggregate',
    op: op as AggregateOp,
    expr: child(expr),
    without,
    grouping,
    span: NO_SPAN,
  } as const;
  return param === null || param === undefined ? node : { ...node, param: child(param) };
}

function spendLabels(labels: readonly string[], place: Place): void {
  for (const label of labels) spend(place, label.length + 1);
}

function encodeMatching({ card, on, labels, include, fill }: VectorMatching): MatchingMessage {
  const message = { card, on, labels, include };
  if (fill === undefined) return message;
  return {
    ...message,
    ...(fill.left !== undefined && { fillLeft: fill.left }),
    ...(fill.right !== undefined && { fillRight: fill.right }),
  };
}

function encodeSelector({ matchers, extended, statsOnly, ...time }: VectorSelector): SelectorMessage {
  for (const { name, value } of matchers) for (const text of [name, value]) utf8(text);
  return { matchers, ...encodeTime(time), extended: extended ?? '', statsOnly: statsOnly === true };
}

function utf8(text: string): string {
  if (text.isWellFormed()) return text;
  throw new ComityError('bad_data', `a fragment cannot carry ${quoteString(text)}, which is not valid UTF-8`);
}

function encodeSubquery({ expr, rangeMs, rangeExpr, stepMs, stepExpr, ...time }: Subquery): SubqueryMessage {
  if (rangeExpr !== undefined) throw unsettled('range');
  if (stepExpr !== undefined || stepMs === undefined) throw unsettled('resolution');
  return { expr: encodeExpr(expr), rangeMs, stepMs, ...encodeTime(time) };
}

type Time = Pick<VectorSelector, 'offsetMs' | 'offsetExpr' | 'at'>;

function encodeTime({ offsetMs, offsetExpr, at }: Time): { offsetMs: number; atMs?: number } {
  if (offsetExpr !== undefined) throw unsettled('offset');
  if (at === undefined) return { offsetMs };
  if (at.kind !== 'time') throw unsettled('@ modifier');
  return { offsetMs, atMs: at.ms };
}

function decodeTime({ offsetMs, atMs }: { offsetMs: number; atMs?: number }): Time {
  const offset = { offsetMs: decodeMs(offsetMs) };
  return atMs === undefined ? offset : { ...offset, at: { kind: 'time', ms: decodeMs(atMs) } };
}

function decodeSelector(message: SelectorMessage | null, place: Place): VectorSelector {
  if (message === null) throw new ComityError('bad_data', 'a fragment lacks a selector');
  const { extended, statsOnly } = message;
  for (const { name, value } of message.matchers) spend(place, name.length + value.length + 1);
  const matchers = message.matchers.map(decodeMatcher);
  const time = decodeTime(message);
  const selector: VectorSelector = {
    kind: 'vector',
    matchers,
    ...time,
    ...(statsOnly && { statsOnly }),
    span: NO_SPAN,
  };
  if (extended === '') return selector;
  if (extended !== 'anchored' && extended !== 'smoothed') throw unknownNode(`modifier ${extended}`);
  return { ...selector, extended };
}

function decodeMs(ms: number, least = -Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(ms) && ms >= least) return ms;
  throw new ComityError('bad_data', `a fragment has a time of ${ms} ms, which none can be`);
}

function unsettled(what: string): ComityError {
  return new ComityError('internal', `a fragment must have every ${what} resolved`);
}

function unknownNode(what: string): ComityError {
  return new ComityError('unsupported', `unsupported: unknown ${what} in a fragment`);
}
