import { METRIC_NAME } from '../model/labels.ts';
import { regexCost } from '../model/regex-cost.ts';
import { matcherTest, type Matcher, type MatchOp } from '../model/matcher.ts';
import type { Span, VectorSelector } from './ast.ts';
import { accept, at, built, expect, fail, located, peek, stringAt, take, unexpected, type Cursor } from './cursor.ts';
import type { Token } from './lex.ts';
import { quoteString } from './literal.ts';

/** Keywords that Prometheus does not take as a metric name outside quotes. */
export const NOT_METRIC_NAMES: ReadonlySet<string> = new Set([
  'atan2',
  'bool',
  'group_left',
  'group_right',
  'ignoring',
  'on',
]);

/** The one keyword that is no label in a list of labels outside quotes. */
export const NOT_LABEL_NAME = 'without';

export function startsSelector({ type, word }: Token): boolean {
  if (type === 'keyword') return !NOT_METRIC_NAMES.has(word);
  return type === '{' || type === 'identifier' || type === 'metric';
}

/** `name`, `name{matchers}` or `{matchers}`; inside the braces a lone string is the metric name. */
export function parseSelector(cursor: Cursor): VectorSelector {
  const first = peek(cursor);
  const matchers: Matcher[] = [];
  const name = first.type === '{' ? undefined : take(cursor);
  if (name !== undefined) matchers.push({ name: METRIC_NAME, op: '=', value: name.text });
  let end = first.span.end;
  if (at(cursor, '{')) {
    const inside = parseMatchers(cursor);
    end = inside.end;
    const again = name && inside.matchers.find((matcher) => matcher.name === METRIC_NAME);
    if (again !== undefined) {
      const names = `${JSON.stringify(name?.text)} or ${JSON.stringify(again.value)}`;
      fail(cursor, { start: first.span.start, end }, `metric name must not be set twice: ${names}`);
    }
    matchers.push(...inside.matchers);
  }
  return built(cursor, { kind: 'vector', matchers, offsetMs: 0, span: { start: first.span.start, end } });
}

/** `(a, "b c", by)`: the labels of `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`. */
export function parseLabelNames(cursor: Cursor): string[] {
  expect(cursor, '(', 'grouping opts', '"("');
  const labels: string[] = [];
  while (!at(cursor, ')')) {
    labels.push(parseLabelName(cursor));
    if (accept(cursor, ',') === undefined) break;
  }
  expect(cursor, ')', 'grouping opts', '"," or ")"');
  return labels;
}

function parseLabelName(cursor: Cursor): string {
  const token = peek(cursor);
  const isWord = token.type === 'identifier' || token.type === 'metric' || token.type === 'keyword';
  if (isWord && token.word !== NOT_LABEL_NAME) return take(cursor).text;
  if (token.type !== 'string') unexpected(cursor, 'grouping opts', 'label');
  const label = stringAt(cursor, take(cursor));
  if (label === '' || !label.isWellFormed()) {
    fail(cursor, token.span, `invalid label name for grouping: ${quoteString(label)}`);
  }
  return label;
}

function parseMatchers(cursor: Cursor): { matchers: Matcher[]; end: number } {
  expect(cursor, '{', 'label matching', '"{"');
  const matchers: Matcher[] = [];
  while (!at(cursor, '}')) {
    matchers.push(parseMatcher(cursor));
    if (accept(cursor, ',') === undefined) break;
  }
  const close = expect(cursor, '}', 'label matching', '"," or "}"');
  return { matchers, end: close.span.end };
}

function parseMatcher(cursor: Cursor): Matcher {
  const first = accept(cursor, 'identifier') ?? accept(cursor, 'string');
  if (first === undefined) unexpected(cursor, 'label matching', 'identifier or "}"');
  const isString = first.type === 'string';
  const name = isString ? stringAt(cursor, first) : first.text;
  const op = matchOpAt(cursor);
  if (op === undefined) {
    if (isString) return { name: METRIC_NAME, op: '=', value: name };
    unexpected(cursor, 'label matching', 'label matching operator (=, !=, =~ or !~)');
  }
  take(cursor);
  const text = expect(cursor, 'string', 'label matching', 'string');
  const matcher: Matcher = { name, op, value: stringAt(cursor, text) };
  if (op === '=~' || op === '!~') checkRegex(cursor, matcher, { start: first.span.start, end: text.span.end });
  return matcher;
}

/** Compiles the regular expression for its errors alone, which are worth a position. */
function checkRegex(cursor: Cursor, matcher: Matcher, span: Span): void {
  cursor.regexBudget -= regexCost(matcher.value);
  if (cursor.regexBudget < 0) {
    const problem = 'the regular expressions of this query are too large together';
    fail(cursor, span, `${problem}; use shorter ones or smaller counts in {}`);
  }
  // A plain alternation is compared, not run, so it may hold bytes that are no text.
  if (!matcher.value.isWellFormed() && /[\\.+*?()[\]{}^$]/.test(matcher.value)) {
    fail(cursor, span, `error parsing regexp: invalid UTF-8: ${quoteString(matcher.value)}`);
  }
  located(cursor, span, () => matcherTest(matcher));
}

function matchOpAt(cursor: Cursor): MatchOp | undefined {
  const { type } = peek(cursor);
  return type === '=' || type === '!=' || type === '=~' || type === '!~' ? type : undefined;
}
