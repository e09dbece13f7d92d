import { describe, expect, test } from 'vitest';
import { ALL_FEATURES, type PromqlFeatures } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { PromqlError, renderCaret } from '../../src/promql/parse-error.ts';

/** What is written, where the error stands, and a part of what it says. */
const INVALID: readonly (readonly [string, string, string])[] = [
  // Lexical.
  ['', '1:1', 'no expression found in input'],
  [' # nothing', '1:11', 'no expression found in input'],
  ['a $ b', '1:3', 'unexpected character: "$"'],
  ['a\n  + ?', '2:5', 'unexpected character: "?"'],
  ['a{b="c', '1:5', 'unterminated quoted string'],
  ['a{b="c\n"}', '1:5', 'unterminated quoted string'],
  ['`a', '1:1', 'unterminated raw string'],
  ['"\\q"', '1:1', 'unknown escape sequence \\q'],
  ['"\\\'"', '1:1', "unknown escape sequence \\'"],
  ['"\\ud800"', '1:1', 'invalid Unicode code point'],
  ['"\\x4"', '1:1', 'too few digits'],
  ['"\\777"', '1:1', 'at most \\377'],
  ['"\ufffd"', '1:1', 'invalid UTF-8 rune'],
  ['"\ud800"', '1:1', 'invalid UTF-8 rune'],
  ['a{b="c"', '1:8', 'unexpected end of input inside braces'],
  ['(a', '1:3', 'unclosed left parenthesis'],
  ['a)', '1:2', 'unexpected right parenthesis ")"'],
  ['a[5m', '1:5', 'unclosed left bracket'],
  ['a]', '1:2', 'unexpected right bracket "]"'],
  ['a}', '1:2', 'unexpected right brace "}"'],
  ['1__0', '1:1', 'bad number or duration syntax: "1__0"'],
  ['0b11', '1:1', 'bad number or duration syntax'],
  ['1e', '1:1', 'bad number or duration syntax'],
  ['5mm', '1:1', 'bad number or duration syntax'],
  ['1e400', '1:1', 'number out of range'],
  ['0xFFFFFFFFFFFFFFFF', '1:1', 'number out of range'],
  ['1m1h', '1:1', 'not a valid duration: "1m1h"'],
  ['300y', '1:1', 'duration out of range'],
  // Grammar.
  ['a b', '1:3', 'unexpected identifier "b", expected an operator or the end of the expression'],
  ['a +', '1:4', 'unexpected end of input, expected an expression'],
  ['* a', '1:1', 'unexpected "*", expected an expression'],
  ['()', '1:2', 'unexpected ")", expected an expression'],
  ['on', '1:1', 'unexpected keyword "on", expected an expression'],
  ['by(x)', '1:3', 'unexpected "("'],
  ['a:b(c)', '1:4', 'unexpected "("'],
  ['a{b}', '1:4', 'unexpected "}" in label matching, expected label matching operator'],
  ['a{b=c}', '1:5', 'unexpected identifier "c" in label matching, expected string'],
  ['a{b=="c"}', '1:4', 'expected label matching operator (=, !=, =~ or !~)'],
  ['a{,}', '1:3', 'unexpected "," in label matching, expected identifier or "}"'],
  ['a{b="c" d="e"}', '1:9', 'unexpected identifier "d" in label matching, expected "," or "}"'],
  ['a{b=~"("}', '1:3', 'invalid regular expression in matcher on b'],
  ['a{"b"}', '1:1', 'metric name must not be set twice: "a" or "b"'],
  ['a{__name__!="b"}', '1:1', 'metric name must not be set twice'],
  ['sum by (inf) (a)', '1:9', 'unexpected number "inf" in grouping opts, expected label'],
  ['sum by (a b) (c)', '1:11', 'expected "," or ")"'],
  ['sum by ("") (c)', '1:9', 'invalid label name for grouping'],
  ['sum by a (b)', '1:8', 'unexpected identifier "a" in grouping opts, expected "("'],
  ['sum by (a) b', '1:12', 'unexpected identifier "b" in aggregation, expected "("'],
  ['sum by (a) (b) by (c)', '1:16', 'unexpected keyword "by"'],
  ['sum()', '1:1', 'no arguments for aggregate expression provided'],
  ['1 + topk(a)', '1:5', 'expected 2, got 1'],
  ['sum(a, b)', '1:1', 'expected 1, got 2'],
  ['rate(a[5m],)', '1:11', 'trailing commas not allowed'],
  ['a bool > b', '1:3', 'unexpected keyword "bool"'],
  ['a + group_left b', '1:5', 'unexpected keyword "group_left"'],
  ['1 + rat(a[5m])', '1:5', 'unknown function with name "rat"; did you mean "rate"?'],
  ['histogram_quantlie(1, a)', '1:1', 'did you mean "histogram_quantile"?'],
  ['Rate(a[5m])', '1:1', 'did you mean "rate"?'],
  ['zzzzzzzz(a)', '1:1', 'unknown function with name "zzzzzzzz"'],
  // Time.
  ['a[]', '1:3', 'unexpected "]" in subquery or range selector, expected number, duration, step(), or range()'],
  ['a[5m:*]', '1:6', 'in subquery selector, expected number, duration, step(), range(), or "]"'],
  ['a[step():1m]', '1:9', 'unexpected colon before duration in duration expression'],
  ['a[# b\n5m]', '1:3', 'unexpected character inside brackets: "#"'],
  ['a[5m / 0]', '1:6', 'division by zero'],
  ['a[5m % -0s]', '1:6', 'modulo by zero'],
  ['a[(5m]', '1:6', 'unexpected "]" in subquery or range selector, expected an operator or ")"'],
  ['a[max_of(1)]', '1:11', 'expected an operator or ","'],
  ['a[step]', '1:7', 'expected "("'],
  ['a[b]', '1:3', 'unexpected "b" inside brackets'],
  ['a[5m:1m:1m]', '1:8', 'unexpected repeated colon in duration expression'],
  ['a[5m:c]', '1:6', 'unexpected "c" inside brackets'],
  ['a[0]', '1:3', 'duration must be greater than 0'],
  ['a[-5m]', '1:3', 'duration must be greater than 0'],
  ['a[1e20]', '1:3', 'duration out of range'],
  ['a offset', '1:9', 'unexpected end of input in offset, expected number, duration, step(), or range()'],
  ['a offset (1) + b', '1:16', 'unexpected identifier "b" in offset'],
  ['a offset 0.0001 offset 1', '1:1', 'offset may not be set multiple times'],
  ['a offset step() offset 1', '1:1', 'offset may not be set multiple times'],
  ['a offset 5m offset 5m', '1:1', 'offset may not be set multiple times'],
  ['(a) offset 5m', '1:1', 'offset modifier must be preceded by'],
  ['a @ 1 @ 2', '1:1', '@ <timestamp> may not be set multiple times'],
  ['a @ b', '1:5', 'unexpected identifier "b" in @, expected timestamp'],
  ['a @ start', '1:10', 'unexpected end of input in @, expected "("'],
  ['a @ inf', '1:1', 'timestamp out of bounds'],
  ['sum(a) @ 1', '1:1', '@ modifier must be preceded by'],
  ['(a)[5m]', '1:4', 'ranges only allowed for vector selectors'],
  ['a offset 1m[5m]', '1:12', 'no offset modifiers allowed before range'],
  ['a @ 1[5m]', '1:6', 'no @ modifiers allowed before range'],
  // Types.
  ['rate(a)', '1:6', 'expected type range vector in call to function "rate", got instant vector; add a range'],
  ['abs(1)', '1:5', 'expected type instant vector in call to function "abs", got scalar'],
  ['abs()', '1:1', 'expected 1 argument(s) in call to "abs", got 0'],
  ['round(a, 1, 2)', '1:1', 'expected at most 2 argument(s)'],
  ['round()', '1:1', 'expected at least 1 argument(s)'],
  ['label_join(a, "b")', '1:1', 'expected at least 3 argument(s)'],
  ['label_join(a, "b", ",", 1)', '1:25', 'expected type string'],
  ['sum(1)', '1:5', 'expected type instant vector in aggregation expression, got scalar'],
  ['topk("a", b)', '1:6', 'expected type scalar in aggregation parameter, got string'],
  ['count_values(1, b)', '1:14', 'expected type string in aggregation parameter, got scalar'],
  ['1\n  <  2', '2:3', 'comparisons between scalars must use BOOL modifier'],
  ['a + bool b', '1:3', 'bool modifier can only be used on comparison operators'],
  ['a and 1', '1:1', 'set operator "and" not allowed in binary scalar expression'],
  ['a + on(b) 1', '1:1', 'vector matching only allowed between instant vectors'],
  ['a and on(b) group_left c', '1:1', 'no grouping allowed for "and" operation'],
  ['a + on(b) group_left(b) c', '1:3', 'label "b" must not occur in ON and GROUP clause at once'],
  ['a + "b"', '1:5', 'binary expression must contain only scalar and instant vector types'],
  ['a[5m] + b', '1:1', 'binary expression must contain only scalar and instant vector types'],
  ['-a[5m]', '1:1', 'unary expression only allowed on expressions of type scalar or instant vector'],
  ['-"a"', '1:1', 'got "string"'],
  ['1[5m:]', '1:1', 'subquery is only allowed on instant vector, got scalar instead'],
  ['{}', '1:1', 'vector selector must contain at least one non-empty matcher'],
  ['1 + {a=~".*",b!="c",d=""}', '1:5', 'vector selector must contain at least one non-empty matcher'],
  ['1 and fill(0) a', '1:7', 'binop fill modifiers are experimental and not enabled'],
  ['a >/ bool b', '1:3', 'bool modifier can only be used on comparison operators'],
  // What is behind feature flags.
  [
    'mad_over_time(a[5m])',
    '1:1',
    'function "mad_over_time" is not enabled: it is experimental; the feature promql-exp',
  ],
  ['start()', '1:1', 'function "start" is not enabled: it is experimental'],
  [
    'limitk(1, a)',
    '1:1',
    'limitk() is experimental and not enabled; the feature promql-experimental-functions enables',
  ],
  ['a + fill(0) b', '1:5', 'binop fill modifiers are experimental and not enabled; the feature promql-binop-fill-mod'],
  ['rate(a[5m] anchored)', '1:12', 'anchored modifier is experimental and not enabled; the feature promql-extended-r'],
  ['a smoothed', '1:3', 'smoothed modifier is experimental and not enabled'],
  // What Prometheus takes and this parser refuses.
  ['a offset NaN', '1:10', 'duration out of range'],
  ['a @ 1e16', '1:1', 'timestamp out of bounds for @ modifier'],
  ['a{b=~"\\\\pL{1000}"}', '1:3', 'the regular expressions of this query are too large together'],
];

test.for(INVALID)('%s is an error at %s: %s', ([written, position, part]) => {
  const error = errorOf(written);
  expect(error).toMatchObject({ name: 'PromqlError', code: 'bad_data', query: written });
  expect(`${error.line}:${error.column}`).toBe(position);
  expect(error.message).toMatch(`${position}: parse error: `);
  expect(error.message).toContain(part);
});

/** With every feature. */
const INVALID_ANYHOW: readonly (readonly [string, string, string])[] = [
  ['1 + fill(0) a', '1:1', 'filling in missing series only allowed between instant vectors'],
  ['a and fill(0) b', '1:1', 'filling in missing series not allowed for set operators'],
  ['a + fill() b', '1:10', 'unexpected ")" in fill modifier, expected number'],
  ['a + fill_left(1) fill_left(2) b', '1:27', 'unexpected "("'],
  ['a[5m:] anchored', '1:1', 'anchored modifier is not supported for subqueries'],
  ['(a) smoothed', '1:1', 'smoothed modifier not implemented'],
  ['a smoothed anchored', '1:1', 'anchored and smoothed modifiers cannot be used together'],
  ['info(a, b)', '1:9', 'expected label selectors only, got vector selector instead'],
  ['info(a, ({b="c"}))', '1:9', 'expected label selectors only'],
  ['START()', '1:1', 'unknown function with name "START"; did you mean "start"?'],
  ['max_ov(1, 2)', '1:1', 'did you mean "max_of"?'],
];

test.for(INVALID_ANYHOW)('%s is an error with every feature', ([written, position, part]) => {
  const error = errorOf(written, ALL_FEATURES);
  expect(`${error.line}:${error.column}`).toBe(position);
  expect(error.message).toContain(part);
});

test('a function that is not enabled is not suggested', () => {
  expect(errorOf('mad_over_tim(a[5m])').message).not.toContain('mad_over_time');
  expect(errorOf('mad_over_tim(a[5m])', ALL_FEATURES).message).toContain('did you mean "mad_over_time"?');
});

function errorOf(written: string, features?: PromqlFeatures): PromqlError {
  try {
    parseExpr(written, features);
  } catch (error) {
    if (error instanceof PromqlError) return error;
    throw error;
  }
  throw new Error(`${written} was accepted`);
}

test('an error says what was found and what was expected', () => {
  expect(errorOf('a{b=c}')).toMatchObject({ found: 'identifier "c"', expected: 'string', span: { start: 4, end: 5 } });
});

describe('the caret', () => {
  test.for([
    ['sum(a', 'sum(a\n     ^'],
    ['a\n\t+ ?\nb', '\t+ ?\n\t  ^'],
    [`${'a'.repeat(200)} ? ${'b'.repeat(200)}`, `…${'a'.repeat(59)} ? ${'b'.repeat(58)}…\n${' '.repeat(61)}^`],
  ] as const)('stands under the column of %j', ([written, want]) => {
    expect(renderCaret(errorOf(written))).toBe(want);
  });
});
