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
  type VectorMatching,
  type VectorSelector,
} from '../promql/ast.ts';
import { checkExpr, typeOf } from '../promql/check.ts';

/** The Expr message of proto/federation.proto: exactly one member is set. */
export interface ExprMessage {
  number?: number;
  vector?: SelectorMessage;
  matrix?: { selector: SelectorMessage | null; rangeMs: number };
  call?: { func: string; args: ExprMessage[] };
  unary?: { op: string; expr: ExprMessage | null };
  binary?: {
    op: string;
    left: ExprMessage | null;
    right: ExprMessage | null;
    returnBool: boolean;
    matching?: { card: string; on: boolean; labels: readonly string[]; include: readonly string[] } | null;
  };
  aggregate?: {
    op: string;
    expr: ExprMessage | null;
    param?: ExprMessage | null;
    without: boolean;
    grouping: readonly string[];
  };
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
}

export function encodeExpr(expr: Expr): ExprMessage {
  switch (expr.kind) {
    case 'number':
      return { number: expr.value };
    case 'vector':
      return { vector: encodeSelector(expr) };
    case 'matrix':
      return { matrix: { selector: encodeSelector(expr.selector), rangeMs: expr.rangeMs } };
    case 'call':
      return { call: { func: expr.func, args: expr.args.map(encodeExpr) } };
    case 'unary':
      return { unary: { op: expr.op, expr: encodeExpr(expr.expr) } };
    case 'binary': {
      const { op, left, right, returnBool, matching } = expr;
      const sides = { op, left: encodeExpr(left), right: encodeExpr(right), returnBool };
      return { binary: matching === undefined ? sides : { ...sides, matching } };
    }
    case 'aggregate': {
      const { op, without, grouping } = expr;
      const base = { op, expr: encodeExpr(expr.expr), without, grouping };
      return { aggregate: expr.param === undefined ? base : { ...base, param: encodeExpr(expr.param) } };
    }
    case 'paren':
      return encodeExpr(expr.expr);
    case 'string':
    case 'subquery':
    case 'merged':
      throw new ComityError('unsupported', `unsupported: a ${expr.kind} in a fragment`);
  }
}

/**
 * Reads a tree that came over the wire. It has passed the type checker when it returns, so that what the parser rules out
 * is ruled out here too. Throws `unsupported` for a node that this version does not know, `bad_data` for a broken one.
 */
export function decodeExpr(message: ExprMessage): Expr {
  const expr = decodeNode(message, 0);
  if (checkExpr(expr) !== 'vector') throw new ComityError('bad_data', 'a fragment must be a vector');
  return expr;
}

export function decodeMatcher({ name, op, value }: MatcherMessage): Matcher {
  if (!MATCH_OPS.has(op)) throw unknownNode(`matcher ${op}`);
  return { name, op: op as MatchOp, value };
}

const MATCH_OPS: ReadonlySet<string> = new Set<MatchOp>(['=', '!=', '=~', '!~']);
const ARITHMETIC_OPS: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^', 'atan2']);
const CARDS: ReadonlySet<string> = new Set(['one-to-one', 'many-to-one', 'one-to-many', 'many-to-many']);
const AGGREGATE_OPS: ReadonlySet<string> = new Set<AggregateOp>(['sum', 'avg', 'count', 'min', 'max', 'group']);

/** A tree from the wire has no text of its own. */
const NO_SPAN = { start: 0, end: 0 };

function decodeNode(message: ExprMessage | null | undefined, depth: number): Expr {
  if (depth > LIMITS.expressionDepth) throw new ComityError('limit', 'a fragment is nested too deeply');
  if (message === null || message === undefined) throw new ComityError('bad_data', 'a fragment lacks an operand');
  const child = (inner: ExprMessage | null | undefined): Expr => decodeNode(inner, depth + 1);
  if (message.number !== undefined) return { kind: 'number', value: message.number, span: NO_SPAN };
  if (message.vector !== undefined) return decodeSelector(message.vector);
  if (message.matrix !== undefined) {
    const selector = decodeSelector(message.matrix.selector);
    return { kind: 'matrix', selector, rangeMs: message.matrix.rangeMs, span: NO_SPAN };
  }
  if (message.call !== undefined) {
    return { kind: 'call', func: message.call.func, args: message.call.args.map(child), span: NO_SPAN };
  }
  if (message.unary !== undefined) {
    const { op } = message.unary;
    if (op !== '+' && op !== '-') throw unknownNode(`unary ${op}`);
    return { kind: 'unary', op, expr: child(message.unary.expr), span: NO_SPAN };
  }
  if (message.binary !== undefined) return decodeBinary(message.binary, child);
  if (message.aggregate !== undefined) return decodeAggregate(message.aggregate, child);
  throw unknownNode('node');
}

function decodeBinary(
  { op, left, right, returnBool, matching }: NonNullable<ExprMessage['binary']>,
  child: (inner: ExprMessage | null) => Expr,
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
  if (matching === null || matching === undefined) return node;
  const isSet = SET_OPS.has(node.op);
  if (!CARDS.has(matching.card)) throw unknownNode(`matching ${matching.card}`);
  if (isSet !== (matching.card === 'many-to-many')) throw new ComityError('bad_data', 'matching does not fit');
  return { ...node, matching: { ...matching, card: matching.card as VectorMatching['card'] } };
}

function decodeAggregate(
  { op, expr, param, without, grouping }: NonNullable<ExprMessage['aggregate']>,
  child: (inner: ExprMessage | null) => Expr,
): Aggregate {
  if (!AGGREGATE_OPS.has(op)) throw unknownNode(`aggregation ${op}`);
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

function encodeSelector({ matchers, offsetMs, at }: VectorSelector): SelectorMessage {
  const message = { matchers, offsetMs };
  if (at === undefined) return message;
  if (at.kind !== 'time') throw new ComityError('internal', 'a fragment must have its @ modifiers resolved');
  return { ...message, atMs: at.ms };
}

function decodeSelector(message: SelectorMessage | null): VectorSelector {
  if (message === null) throw new ComityError('bad_data', 'a fragment lacks a selector');
  const { matchers, offsetMs, atMs } = message;
  const selector = { kind: 'vector', matchers: matchers.map(decodeMatcher), offsetMs, span: NO_SPAN } as const;
  return atMs === undefined ? selector : { ...selector, at: { kind: 'time', ms: atMs } };
}

function unknownNode(what: string): ComityError {
  return new ComityError('unsupported', `unsupported: unknown ${what} in a fragment`);
}
