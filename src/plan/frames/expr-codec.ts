import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Matcher, MatchOp } from '../../model/matcher.ts';
import {
  COMPARISON_OPS,
  SET_OPS,
  type Aggregate,
  type AggregateOp,
  type Binary,
  type BinaryOp,
  type Expr,
  type Span,
  type Subquery,
  type VectorMatching,
  type VectorSelector,
} from '../../promql/ast.ts';
import { checkExpr, typeOf } from '../../promql/check.ts';
import { AGGREGATES, FUNCTIONS } from '../../promql/functions.ts';
import { quoteString } from '../../promql/literal.ts';
import type { ExprMessage, MatcherMessage, MatchingMessage, SelectorMessage, SubqueryMessage } from './expr-message.ts';

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
 * Reads a tree that came over the wire; the span of each node begins with its preorder index. It has passed the type checker when it
 * returns, so that what the parser rules out is ruled out here too. Throws `UnknownPart` for a node that this version does
 * not know, `bad_data` for a broken one, and `limit` for a tree that is deeper or larger than any that was parsed.
 */
export function decodeExpr(message: ExprMessage | null): Expr {
  const expr = decodeNode(message, { depth: 0, tree: { left: LIMITS.expressionChars, nodes: 0 } });
  if (checkExpr(expr) !== 'vector') throw new ComityError('bad_data', 'a fragment must be a vector');
  return expr;
}

/** A part of the language that this version does not know. */
export class UnknownPart extends ComityError {
  /** What it is, by name: `function foo`. */
  readonly part: string;

  constructor(part: string) {
    super('unsupported', `unsupported: unknown ${part} in a fragment`);
    this.part = part;
  }
}

export function decodeMatcher({ name, op, value }: MatcherMessage): Matcher {
  if (!MATCH_OPS.has(op)) throw new UnknownPart(`matcher ${op}`);
  return { name, op: op as MatchOp, value };
}

const MATCH_OPS: ReadonlySet<string> = new Set<MatchOp>(['=', '!=', '=~', '!~']);
const ARITHMETIC_OPS: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^', 'atan2', '</', '>/']);
const CARDS: ReadonlySet<string> = new Set(['one-to-one', 'many-to-one', 'one-to-many', 'many-to-many']);

interface Place {
  readonly depth: number;
  readonly tree: {
    /** Nodes and characters that the tree may still have: each takes at least a character of an expression. */
    left: number;
    /** How many nodes came before. */
    nodes: number;
  };
}

function spend({ tree }: Place, amount: number): void {
  tree.left -= amount;
  if (tree.left < 0) throw new ComityError('limit', 'a fragment is larger than any expression (expressionChars)');
}

/** A tree from the wire has no text of its own: its nodes are known by number. */
function nextSpan(place: Place): Span {
  spend(place, 1);
  const index = place.tree.nodes++;
  return { start: index, end: index + 1 };
}

type DecodeChild = (message: ExprMessage | null | undefined) => Expr;

function decodeNode(message: ExprMessage | null | undefined, place: Place): Expr {
  if (place.depth > LIMITS.expressionDepth) throw new ComityError('limit', 'a fragment is nested too deeply');
  if (message === null || message === undefined) throw new ComityError('bad_data', 'a fragment lacks an operand');
  const child: DecodeChild = (inner) => decodeNode(inner, { ...place, depth: place.depth + 1 });
  const span = nextSpan(place);
  if (message.number !== undefined) return { kind: 'number', value: message.number, span };
  if (message.text !== undefined) {
    spend(place, message.text.length);
    return { kind: 'string', value: message.text, span };
  }
  if (message.vector !== undefined) return decodeSelector(message.vector, span, place);
  if (message.matrix !== undefined) {
    const { selector, rangeMs } = message.matrix;
    const inner = decodeSelector(selector, nextSpan(place), place);
    return { kind: 'matrix', selector: inner, rangeMs: decodeMs(rangeMs, 0), span };
  }
  if (message.subquery !== undefined) {
    const { expr, rangeMs, stepMs } = message.subquery;
    const times = { rangeMs: decodeMs(rangeMs, 0), stepMs: decodeMs(stepMs, 1), ...decodeTime(message.subquery) };
    return { kind: 'subquery', expr: child(expr), ...times, span };
  }
  if (message.call !== undefined) {
    const { func, args } = message.call;
    if (!FUNCTIONS.has(func)) throw new UnknownPart(`function ${func}`);
    return { kind: 'call', func, args: args.map(child), span };
  }
  if (message.unary !== undefined) {
    const { op } = message.unary;
    if (op !== '+' && op !== '-') throw new UnknownPart(`unary ${op}`);
    return { kind: 'unary', op, expr: child(message.unary.expr), span };
  }
  if (message.binary !== undefined) return decodeBinary(message.binary, span, child, place);
  if (message.aggregate !== undefined) return decodeAggregate(message.aggregate, span, child, place);
  if (message.once !== undefined) return { kind: 'once', expr: child(message.once.expr), span };
  throw new ComityError('bad_data', 'a fragment has an empty node');
}

function decodeBinary(
  { op, left, right, returnBool, matching }: NonNullable<ExprMessage['binary']>,
  span: Span,
  child: DecodeChild,
  place: Place,
): Binary {
  if (!ARITHMETIC_OPS.has(op) && !COMPARISON_OPS.has(op as BinaryOp) && !SET_OPS.has(op as BinaryOp)) {
    throw new UnknownPart(`operator ${op}`);
  }
  const node = {
    kind: 'binary',
    op: op as BinaryOp,
    left: child(left),
    right: child(right),
    returnBool,
    span,
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
  if (!CARDS.has(card)) throw new UnknownPart(`matching ${card}`);
  if (SET_OPS.has(op) !== (card === 'many-to-many')) throw new ComityError('bad_data', 'matching does not fit');
  spendLabels([...labels, ...include], place);
  const matching = { card: card as VectorMatching['card'], on, labels, include };
  if (fillLeft === undefined && fillRight === undefined) return matching;
  const left = fillLeft === undefined ? {} : { left: fillLeft };
  return { ...matching, fill: fillRight === undefined ? left : { ...left, right: fillRight } };
}

function decodeAggregate(
  { op, expr, param, without, grouping }: NonNullable<ExprMessage['aggregate']>,
  span: Span,
  child: DecodeChild,
  place: Place,
): Aggregate {
  if (!isAggregateOp(op)) throw new UnknownPart(`aggregation ${op}`);
  spendLabels(grouping, place);
  // In the order of the text, which is that of the nodes' numbers.
  const before = param === null || param === undefined ? {} : { param: child(param) };
  return { kind: 'aggregate', op, expr: child(expr), ...before, without, grouping, span };
}

function isAggregateOp(op: string): op is AggregateOp {
  return (AGGREGATES as ReadonlyMap<string, unknown>).has(op);
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

function decodeSelector(message: SelectorMessage | null, span: Span, place: Place): VectorSelector {
  if (message === null) throw new ComityError('bad_data', 'a fragment lacks a selector');
  const { extended, statsOnly } = message;
  for (const { name, value } of message.matchers) spend(place, name.length + value.length + 1);
  const matchers = message.matchers.map(decodeMatcher);
  const time = decodeTime(message);
  const selector: VectorSelector = { kind: 'vector', matchers, ...time, ...(statsOnly && { statsOnly }), span };
  if (extended === '') return selector;
  if (extended !== 'anchored' && extended !== 'smoothed') throw new UnknownPart(`modifier ${extended}`);
  return { ...selector, extended };
}

function decodeMs(ms: number, least = -Number.MAX_SAFE_INTEGER): number {
  if (Number.isSafeInteger(ms) && ms >= least) return ms;
  throw new ComityError('bad_data', `a fragment has a time of ${ms} ms, which none can be`);
}

function unsettled(what: string): ComityError {
  return new ComityError('internal', `a fragment must have every ${what} resolved`);
}
