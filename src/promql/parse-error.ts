import { ComityError } from '../base/errors.ts';
import type { Span } from './ast.ts';

/** What stood at the error and what could have stood there; both in words for people, and both optional. */
export interface Expectation {
  readonly found?: string | undefined;
  readonly expected?: string | undefined;
}

/**
 * A PromQL text that is not well-formed or not well-typed. `message` begins with the position as Prometheus writes it:
 * `1:6: parse error: unexpected "," in label matching, expected string`.
 */
export class PromqlError extends ComityError {
  readonly query: string;
  /** Where the problem stands in `query`: UTF-16 offsets. */
  readonly span: Span;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 units of its line. */
  readonly column: number;
  readonly found: string | undefined;
  readonly expected: string | undefined;

  constructor(query: string, span: Span, problem: string, expectation: Expectation = {}, options?: ErrorOptions) {
    const { line, column } = positionOf(query, span.start);
    super('bad_data', `${line}:${column}: parse error: ${problem}`, options);
    this.name = 'PromqlError';
    this.query = query;
    this.span = span;
    this.line = line;
    this.column = column;
    this.found = expectation.found;
    this.expected = expectation.expected;
  }
}

/** Longer lines are cut around the column, so that an error never repeats a 64 KB query. */
const CARET_LINE_CHARS = 120;

/** The line of the query that holds the error and below it a caret under the column; two lines without a newline at the end. */
export function renderCaret(error: PromqlError): string {
  const text = error.query.split('\n')[error.line - 1] ?? '';
  const at = error.column - 1;
  const from = Math.max(0, Math.min(at - CARET_LINE_CHARS / 2, text.length - CARET_LINE_CHARS));
  const shown = text.slice(from, from + CARET_LINE_CHARS).replace(/\r/g, ' ');
  const lead = from > 0 ? '…' : '';
  const trail = from + CARET_LINE_CHARS < text.length ? '…' : '';
  // Tabs stay tabs under the line, so that the caret lands right whatever the tab width.
  const padding = (lead + text.slice(from, at)).replace(/[^\t]/g, ' ');
  return `${lead}${shown}${trail}\n${padding}^`;
}

/** 1-based line and column of an offset into a query. */
export function positionOf(query: string, offset: number): { line: number; column: number } {
  const before = query.slice(0, Math.max(0, offset));
  const lineStart = before.lastIndexOf('\n') + 1;
  return { line: before.split('\n').length, column: before.length - lineStart + 1 };
}
