import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { children, type DurationExpr, type Expr, type Span } from './ast.ts';
import type { PromqlFeatures } from './features.ts';
import { lex, type Token, type TokenType } from './lex.ts';
import { stringValue } from './literal.ts';
import { PromqlError } from './parse-error.ts';

/** Where a parse stands: the tokens, the next one, and how deep the trees made so far are. */
export interface Cursor {
  readonly query: string;
  readonly features: PromqlFeatures;
  readonly tokens: readonly Token[];
  next: number;
  /** How many calls deep the descent is. */
  nesting: number;
  /** Height of each tree made. A chain `a + a + …` grows without nesting, and its tree would be walked recursively. */
  readonly heights: WeakMap<Expr | DurationExpr, number>;
  /** Selectors and subqueries with an offset, be it below a millisecond: none may have a second one. */
  readonly withOffset: WeakSet<Expr>;
  /** What is left of `LIMITS.regexCost`. */
  regexBudget: number;
}

/** Throws `limit` for a text that is too long. */
export function openCursor(query: string, features: PromqlFeatures): Cursor {
  if (query.length > LIMITS.expressionChars) {
    throw new ComityError(
      'limit',
      `the expression has ${query.length} characters, more than the ${LIMITS.expressionChars} allowed (expressionChars)`,
    );
  }
  return {
    query,
    features,
    tokens: lex(query),
    next: 0,
    nesting: 0,
    heights: new WeakMap(),
    withOffset: new WeakSet(),
    regexBudget: LIMITS.regexCost,
  };
}

export function peek(cursor: Cursor, ahead = 0): Token {
  return cursor.tokens[Math.min(cursor.next + ahead, cursor.tokens.length - 1)]!;
}

/** Takes the next token; at the end it is the end token again and again. */
export function take(cursor: Cursor): Token {
  const token = peek(cursor);
  cursor.next++;
  return token;
}

/** Takes the next token if it is of this type and, for a keyword, this word. */
export function accept(cursor: Cursor, type: TokenType, word?: string): Token | undefined {
  return at(cursor, type, word) ? take(cursor) : undefined;
}

export function at(cursor: Cursor, type: TokenType, word?: string): boolean {
  const token = peek(cursor);
  return token.type === type && (word === undefined || token.word === word);
}

export function expect(cursor: Cursor, type: TokenType, context: string, expected: string): Token {
  return accept(cursor, type) ?? unexpected(cursor, context, expected);
}

/** Throws for the next token: what it is, where it stands and what could stand there. */
export function unexpected(cursor: Cursor, context: string, expected: string): never {
  const token = peek(cursor);
  if (token.problem !== undefined) throw new PromqlError(cursor.query, token.span, token.problem, { expected });
  const found = describe(token);
  const where = context === '' ? '' : ` in ${context}`;
  throw new PromqlError(cursor.query, token.span, `unexpected ${found}${where}, expected ${expected}`, {
    found,
    expected,
  });
}

export function fail(cursor: Cursor, span: Span, problem: string): never {
  throw new PromqlError(cursor.query, span, problem);
}

/** Runs a step of the parse on untrusted text and gives its error the position `span`. */
export function located<Value>(cursor: Cursor, span: Span, step: () => Value): Value {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof ComityError)) throw error;
    throw new PromqlError(cursor.query, span, error.message, {}, { cause: error });
  }
}

/** The value of a string token. */
export function stringAt(cursor: Cursor, token: Token): string {
  return located(cursor, token.span, () => stringValue(token.text));
}

/** Hands a new node on, unless its tree is too high. */
export function built<Node extends Expr>(cursor: Cursor, node: Node): Node {
  return builtOver(cursor, node, children(node));
}

/** As \`built\`, for a duration that is computed. */
export function builtDuration(cursor: Cursor, node: DurationExpr): DurationExpr {
  if (node.kind === 'operation') return builtOver(cursor, node, [node.left, node.right]);
  return builtOver(cursor, node, 'expr' in node ? [node.expr] : []);
}

function builtOver<Node extends Expr | DurationExpr>(
  cursor: Cursor,
  node: Node,
  below: readonly (Expr | DurationExpr)[],
): Node {
  const height = below.reduce((most, child) => Math.max(most, 1 + (cursor.heights.get(child) ?? 1)), 1);
  if (height > LIMITS.expressionDepth) tooDeep(cursor, node.span);
  cursor.heights.set(node, height);
  return node;
}

/** Runs a step of the descent one level deeper. */
export function nested<Value>(cursor: Cursor, step: () => Value): Value {
  if (cursor.nesting >= LIMITS.expressionDepth) tooDeep(cursor, peek(cursor).span);
  cursor.nesting++;
  const value = step();
  cursor.nesting--;
  return value;
}

function tooDeep(cursor: Cursor, span: Span): never {
  const { line, column } = new PromqlError(cursor.query, span, '');
  throw new ComityError(
    'limit',
    `${line}:${column}: the expression is nested or chained deeper than ${LIMITS.expressionDepth} levels ` +
      '(expressionDepth); split it into recording rules, or write a long chain of `or` as one selector with =~',
  );
}

/** Token types whose name says more than the text alone. */
const NAMED_TYPES: ReadonlyMap<TokenType, string> = new Map([
  ['identifier', 'identifier '],
  ['metric', 'metric identifier '],
  ['keyword', 'keyword '],
  ['number', 'number '],
  ['duration', 'duration '],
  ['string', 'string '],
]);

function describe({ type, text }: Token): string {
  if (type === 'end') return 'end of input';
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return (NAMED_TYPES.get(type) ?? '') + (type === 'string' ? shown : JSON.stringify(shown));
}
