import type { Span } from './ast.ts';
import { shorten } from './literal.ts';
import { scanNumeric } from './scan-numeric.ts';

export type TokenType =
  | 'end'
  /** A lexical error; `problem` says what is wrong. It is always the last token. */
  | 'error'
  | 'identifier'
  /** A name with a colon in it: only a metric's. */
  | 'metric'
  | 'keyword'
  | 'number'
  | 'duration'
  | 'string'
  | Punctuation;

export type Punctuation = (typeof PUNCTUATION)[number];

export interface Token {
  readonly type: TokenType;
  readonly text: string;
  /** The text in lower case for keywords, which PromQL takes in any case; otherwise the text. */
  readonly word: string;
  readonly span: Span;
  readonly problem?: string;
}

/** Longest first, so that the first that fits is right. */
const PUNCTUATION = [
  ...(['==', '!=', '=~', '!~', '<=', '>=', '</', '>/'] as const),
  ...(['(', ')', '{', '}', '[', ']', ',', ':', '=', '<', '>', '+', '-', '*', '/', '%', '^', '@'] as const),
] as const;

/** Words with a meaning of their own outside braces. */
const KEYWORDS = new Set(
  (
    'and or unless atan2 sum avg count min max group stddev stdvar topk bottomk count_values quantile limitk ' +
    'limit_ratio offset smoothed anchored by without on ignoring group_left group_right fill fill_left fill_right ' +
    'bool start end step range max_of min_of'
  ).split(' '),
);
const SPECIAL_NUMBERS = new Set(['inf', 'nan']);
/** Words that may stand inside brackets, in duration expressions. */
const DURATION_WORDS = new Set(['step', 'range', 'max_of', 'min_of']);

const SPACES = /[ \t\r\n]+/y;
const COMMENT = /#[^\r\n]*/y;
const WORD = /[A-Za-z_]\w*/y;
const WORD_WITH_COLONS = /[A-Za-z_:][\w:]*/y;
const NUMBER_START = /\d|\.\d/y;
const OPENING_PAREN = /[ \t\r\n]*\(/y;

interface Lexer {
  readonly text: string;
  readonly tokens: Token[];
  offset: number;
  parens: number;
  inBraces: boolean;
  /** Inside `[ ]` a colon separates range from resolution and names do not occur. */
  inBrackets: boolean;
  /** Inside `[ ]` before the first number: Prometheus takes no comment there. */
  beforeNumber: boolean;
  /** A colon inside these brackets was read. */
  afterColon: boolean;
  /** A number inside any brackets was read: Prometheus lets a colon stand only after one, even one of other brackets. */
  hasRange: boolean;
}

/**
 * Cuts a query into tokens; comments and spaces fall away. Never throws: a lexical error is the last token, so that an
 * error of the grammar further left is reported first. The last token is of type `end` or `error`.
 */
export function lex(text: string): readonly Token[] {
  const lexer: Lexer = {
    text,
    tokens: [],
    offset: 0,
    parens: 0,
    inBraces: false,
    inBrackets: false,
    beforeNumber: false,
    afterColon: false,
    hasRange: false,
  };
  for (;;) {
    const token = nextToken(lexer);
    if (token === undefined) continue;
    lexer.tokens.push(token);
    if (token.type === 'end' || token.type === 'error') return lexer.tokens;
    lexer.offset = token.span.end;
  }
}

/** The length of a match of a sticky expression at an offset, or 0. */
function matchLength(pattern: RegExp, text: string, offset: number): number {
  pattern.lastIndex = offset;
  return pattern.exec(text)?.[0].length ?? 0;
}

/** The next token, or undefined when something that is no token was passed over. */
function nextToken(lexer: Lexer): Token | undefined {
  const { text, offset } = lexer;
  const comments = lexer.inBrackets && lexer.beforeNumber ? 0 : matchLength(COMMENT, text, offset);
  const skipped = matchLength(SPACES, text, offset) || comments;
  if (skipped > 0) {
    lexer.offset += skipped;
    return undefined;
  }
  if (offset >= text.length) return endToken(lexer);
  const char = text[offset]!;
  if (char === '"' || char === "'" || char === '`') return stringToken(lexer, char);
  if (!lexer.inBraces && matchLength(NUMBER_START, text, offset) > 0) return numericToken(lexer);
  const words = lexer.inBraces || lexer.inBrackets ? WORD : WORD_WITH_COLONS;
  const wordLength = matchLength(words, text, offset);
  if (wordLength > 0) return wordToken(lexer, wordLength);
  return punctuationToken(lexer);
}

function make(lexer: Lexer, type: TokenType, length: number): Token {
  const { offset } = lexer;
  const text = lexer.text.slice(offset, offset + length);
  return {
    type,
    text,
    word: type === 'keyword' ? text.toLowerCase() : text,
    span: { start: offset, end: offset + length },
  };
}

function failure(lexer: Lexer, problem: string, length = 1): Token {
  return { ...make(lexer, 'error', length), problem };
}

function endToken(lexer: Lexer): Token {
  if (lexer.inBraces) return failure(lexer, 'unexpected end of input inside braces', 0);
  if (lexer.parens > 0) return failure(lexer, 'unclosed left parenthesis', 0);
  if (lexer.inBrackets) return failure(lexer, 'unclosed left bracket', 0);
  return make(lexer, 'end', 0);
}

function wordToken(lexer: Lexer, length: number): Token {
  const { text, offset, inBraces, inBrackets } = lexer;
  const word = text.slice(offset, offset + length).toLowerCase();
  if (inBraces) return make(lexer, 'identifier', length);
  if (inBrackets && !DURATION_WORDS.has(word)) {
    return failure(lexer, `unexpected ${JSON.stringify(shorten(word))} inside brackets, expected a duration`, length);
  }
  if (SPECIAL_NUMBERS.has(word)) return make(lexer, 'number', length);
  // `fill` was a common metric name before it was a modifier: only a parenthesis after it makes it one.
  const isName = word.startsWith('fill') && matchLength(OPENING_PAREN, text, offset + length) === 0;
  if (KEYWORDS.has(word) && !isName) return make(lexer, 'keyword', length);
  return make(lexer, word.includes(':') ? 'metric' : 'identifier', length);
}

function numericToken(lexer: Lexer): Token {
  const { type, length } = scanNumeric(lexer.text, lexer.offset);
  if (type === undefined) {
    const text = lexer.text.slice(lexer.offset, lexer.offset + length);
    return failure(lexer, `bad number or duration syntax: ${JSON.stringify(shorten(text))}`, length);
  }
  if (lexer.inBrackets) {
    lexer.beforeNumber = false;
    lexer.hasRange = true;
  }
  return make(lexer, type, length);
}

/** The token keeps its quotes and escapes; they are checked where its value is taken. */
function stringToken(lexer: Lexer, quote: string): Token {
  const { text, offset } = lexer;
  for (let at = offset + 1; at < text.length; at++) {
    const char = text[at]!;
    if (char === quote) return make(lexer, 'string', at + 1 - offset);
    if (quote === '`') continue;
    if (char === '\n') break;
    if (char === '\\') at++;
  }
  return failure(lexer, quote === '`' ? 'unterminated raw string' : 'unterminated quoted string');
}

function punctuationToken(lexer: Lexer): Token {
  const { text, offset } = lexer;
  const found = PUNCTUATION.find((candidate) => text.startsWith(candidate, offset));
  if (found === undefined) {
    const char = String.fromCodePoint(text.codePointAt(offset)!);
    const where = lexer.inBraces ? ' inside braces' : lexer.inBrackets ? ' inside brackets' : '';
    return failure(lexer, `unexpected character${where}: ${JSON.stringify(char)}`, char.length);
  }
  const problem = nestingProblem(lexer, found);
  if (problem !== undefined) return failure(lexer, problem, found.length);
  return make(lexer, found, found.length);
}

/** Follows brackets of all kinds; returns what is wrong with this one, if anything. */
function nestingProblem(lexer: Lexer, found: Punctuation): string | undefined {
  if (found === '(') lexer.parens++;
  else if (found === ')') {
    if (lexer.parens === 0) return 'unexpected right parenthesis ")"';
    lexer.parens--;
  } else if (found === '{' || found === '}') {
    const opens = found === '{';
    if (lexer.inBraces === opens) return `unexpected ${opens ? 'left' : 'right'} brace "${found}"`;
    lexer.inBraces = opens;
  } else if (found === '[' || found === ']') {
    const opens = found === '[';
    if (lexer.inBrackets === opens) return `unexpected ${opens ? 'left' : 'right'} bracket "${found}"`;
    lexer.inBrackets = opens;
    lexer.beforeNumber = opens;
    lexer.afterColon = false;
  } else if (found === ':' && lexer.inBrackets) {
    if (!lexer.hasRange) return 'unexpected colon before duration in duration expression';
    if (lexer.afterColon) return 'unexpected repeated colon in duration expression';
    lexer.afterColon = true;
  }
  return undefined;
}
