import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { children, type Expr } from '../../src/promql/ast.ts';
import { checkExpr } from '../../src/promql/check.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';

/** Written, and as printed again; one text where both are the same. */
const VALID: readonly (readonly [string, string?])[] = [
  // Numbers and strings.
  ['1'],
  ['0x1F', '31'],
  ['0X_1f', '31'],
  ['017', '15'],
  ['08', '8'],
  ['01.5', '1.5'],
  ['1_000_000', '1000000'],
  ['1_0.5e1_0', '105000000000'],
  ['.5', '0.5'],
  ['1.', '1'],
  ['-1e-7', '-0.0000001'],
  ['1e21', '1000000000000000000000'],
  ['1.5e-7', '0.00000015'],
  ['(0xee)', '(238)'],
  ['inf', '+Inf'],
  ['- INF', '-Inf'],
  ['NaN'],
  ['+1', '1'],
  ['--1', '1'],
  ['5m'],
  ['-1h30m'],
  ['1.5', '1.5'],
  [`'it\\''`, `"it'"`],
  ['"\\x41\\101\\u0041\\U0001F600"', '"AAA😀"'],
  ['"\\xc3\\xa9"', '"é"'],
  ['`a\\n"b"`', '"a\\\\n\\"b\\""'],
  ['"\\U000e0001"'],
  ['"\\a\\t\\ufffd"'],
  ['"\\xff\\xc3\\xa9\\xe2\\x82"', '"\\xffé\\xe2\\x82"'],
  // Selectors.
  ['up'],
  ['a:b'],
  [':a'],
  ['up{}', 'up'],
  ['up{a="b",c!="d",e=~"f.*",g!~"h",}', 'up{a="b",c!="d",e=~"f.*",g!~"h"}'],
  ['{a="b"}'],
  ['{__name__=~"a|b"}'],
  ['{__name__="up"}', 'up'],
  ['{a="b",__name__="up"}'],
  ['{"up"}', 'up'],
  ['{"two words", "x.y"="z"}', '{"two words","x.y"="z"}'],
  ['{__name__="a b"}', '{"a b"}'],
  ['{"on"}'],
  ['{"inf"}'],
  ['{"up","down"}', '{__name__="up",__name__="down"}'],
  ['up{sum="by", on="or", inf=""}', 'up{sum="by",on="or",inf=""}'],
  ['up # all of them\n{a="b" # and b\n}', 'up{a="b"}'],
  ['sum{a="b"}'],
  ['by + offset', 'by + offset'],
  ['fill + fill_left', 'fill + fill_left'],
  ['SUM', 'SUM'],
  ['and and and'],
  ['start @ start ( )', 'start @ start()'],
  // Time.
  ['up[5m]'],
  ['up[300]', 'up[5m]'],
  ['up [ +0.5 ]', 'up[500ms]'],
  ['up{a="b"}[1d12h] @ end() offset -1w'],
  ['up offset 1w @ 1.5', 'up @ 1.500 offset 1w'],
  ['up @ -0x10', 'up @ -16.000'],
  ['up @ 1h', 'up @ 3600.000'],
  ['up offset 0s offset 5m', 'up offset 5m'],
  ['up offset 90', 'up offset 1m30s'],
  ['up offset -2^2', 'up offset -2s ^ 2'],
  ['up[1y2w3d4h5m6s7ms]', 'up[382d4h5m6s7ms]'],
  ['up[730d]', 'up[2y]'],
  ['up[5m:]'],
  ['up[5m : 1m] offset 3s', 'up[5m:1m] offset 3s'],
  ['max_over_time(rate(up[1m])[1h:])[2h:1m]'],
  ['up offset 5m[1h:]'],
  // Operators.
  ['1 + 2 * 3 ^ 4 ^ 5'],
  ['(1 + 2) * 3'],
  ['-up ^ 2'],
  ['-up * 2'],
  ['2 ^ -up ^ 2'],
  ['2 ^ -up * 3'],
  ['1 - 2 - 3'],
  ['a or b and c unless d'],
  ['a ATAN2 b', 'a atan2 b'],
  ['a == bool 1'],
  ['1 < bool 2 >= bool 3'],
  ['a == b != c'],
  ['a + on(x, "y z", by,) b', 'a + on (x, "y z", by) b'],
  ['a + on() b', 'a + on () b'],
  ['a + ignoring() b', 'a + b'],
  ['a + on() 1', 'a + 1'],
  ['a / ignoring(x) group_left b', 'a / ignoring (x) group_left () b'],
  ['a / on(x) group_right(y) (b)', 'a / on (x) group_right (y) (b)'],
  ['a and on("inf", a:b) b', 'a and on ("inf", "a:b") b'],
  ['a > bool ignoring(x) b', 'a > bool ignoring (x) b'],
  // Aggregations and functions.
  ['sum(a)'],
  ['SUM BY (x) (a)', 'sum by (x) (a)'],
  ['sum(a) by (x, y)', 'sum by (x, y) (a)'],
  ['sum by () (a)', 'sum(a)'],
  ['sum by ("without", WITHOUT_) (a)', 'sum by ("without", WITHOUT_) (a)'],
  ['sum without () (a)'],
  ['topk without (x) (5, a)'],
  ['count_values("v", a)'],
  ['quantile(0.9, sum by (le) (a))'],
  ['sum(a)[5m:]'],
  ['time()'],
  ['hour()'],
  ['round(a, 5)'],
  ['label_join(a, "x", ",")'],
  ['label_join(a, "x", ",", "y", "z")'],
  ['histogram_quantile(0.9, sum by (le) (rate(b[5m])))'],
];

test.for(VALID)('%s', ([written, printed = written]) => {
  expect(printExpr(parseExpr(written))).toBe(printed);
});

/** With every feature. */
const FEATURED: readonly (readonly [string, string?])[] = [
  ['a + FILL(1) b', 'a + fill (1) b'],
  ['a + on (c) group_left () fill_left (-300) fill_right (+Inf) b'],
  ['a + fill_right(5m)fill_left(5m) b', 'a + fill (300) b'],
  ['a + fill (1e+06) b'],
  ['fill + fill_left - fill_right'],
  ['rate(a[5m] anchored offset 1m)'],
  ['a anchored[5m]', 'a[5m] anchored'],
  ['a @ 1.000 smoothed offset 5m'],
  ['a </ 1 >/ on (b) c'],
  ['limitk by (a) (1, b)'],
  ['info(a, {})'],
  ['info(a, {"b",c="d"})', 'info(a, {__name__="b",c="d"})'],
  ['max_of(step(), range()) - start() * end()'],
  ['max_of{a="b"} + step + range'],
];

test.for(FEATURED)('%s', ([written, printed = written]) => {
  expect(printExpr(parseExpr(written, ALL_FEATURES))).toBe(printed);
});

/** Durations that are computed need no feature. */
const COMPUTED: readonly (readonly [string, string?])[] = [
  ['a[5m * 2]'],
  ['a[--5m]', 'a[5m]'],
  ['a[-(-5m)]'],
  ['a[((5m))]', 'a[(5m)]'],
  ['a[STEP( )+range()]', 'a[step() + range()]'],
  ['a[2 ^ -step() ^ 2 * 3]'],
  ['a[-step() ^ 2]'],
  ['a[5m - (1 - 2)]'],
  ['a[max_of(5m, step()) % 7:min_of(1, range()) / 2]'],
  ['a[5m # b\n:1m]', 'a[5m:1m]'],
  ['a offset step() + 5'],
  ['a offset -step() ^ 2'],
  ['a offset +step() ^ 2', 'a offset step() ^ 2'],
  ['a offset -(5m) * 2'],
  ['a offset (5m) * 2'],
  ['(a offset (5m)) * 2'],
  ['a offset --5m * 2', 'a offset (5m * 2)'],
  ['a offset --step()'],
  ['a offset max_of(1, 2) + 3'],
  ['a[0.0001]'],
  ['a[5m:0.0001]'],
  ['a offset 0 offset 5m', 'a offset 5m'],
];

test.for(COMPUTED)('%s', ([written, printed = written]) => {
  expect(printExpr(parseExpr(written))).toBe(printed);
});

test('an operator after an offset takes the selector, unless the offset goes on', () => {
  expect(parseExpr('a offset step() + 5')).toMatchObject({ kind: 'binary', left: { offsetExpr: { kind: 'step' } } });
  expect(parseExpr('a offset -(5m) + 5')).toMatchObject({ kind: 'binary', left: { offsetExpr: { kind: 'negative' } } });
  expect(parseExpr('a offset (5m) + 5')).toMatchObject({ kind: 'vector', offsetExpr: { kind: 'operation', op: '+' } });
  expect(parseExpr('a offset --1 + 5')).toMatchObject({ kind: 'vector', offsetExpr: { left: { value: 1 } } });
});

describe('depth', () => {
  test.for([
    ['parentheses', (depth: number) => '('.repeat(depth - 1) + 'a' + ')'.repeat(depth - 1)],
    ['sums', (depth: number) => `a${' + a'.repeat(depth - 1)}`],
    ['powers', (depth: number) => `${'a ^ '.repeat(depth - 1)}a`],
    ['signs', (depth: number) => `${'-'.repeat(depth - 1)}a`],
  ] as const)('of %s has a limit', ([, nest]) => {
    expect(printExpr(parseExpr(nest(LIMITS.expressionDepth)))).toBe(nest(LIMITS.expressionDepth));
    expect(() => parseExpr(nest(LIMITS.expressionDepth + 1))).toThrow(
      expect.objectContaining({ code: 'limit', message: expect.stringContaining('expressionDepth') }),
    );
  });
});

/** Each node's kind with the text it spans, from the root down. */
function spans(expr: Expr, written: string): string[] {
  const own = `${expr.kind}: ${written.slice(expr.span.start, expr.span.end)}`;
  return [own, ...children(expr).flatMap((child) => spans(child, written))];
}

test('every node knows its place in the text', () => {
  const written = '-sum(rate(a{b="😀"}[5m] offset 1m)) by (c) > 2 * abs( x ) ';
  expect(spans(parseExpr(written), written)).toEqual([
    'binary: -sum(rate(a{b="😀"}[5m] offset 1m)) by (c) > 2 * abs( x )',
    'unary: -sum(rate(a{b="😀"}[5m] offset 1m)) by (c)',
    'aggregate: sum(rate(a{b="😀"}[5m] offset 1m)) by (c)',
    'call: rate(a{b="😀"}[5m] offset 1m)',
    'matrix: a{b="😀"}[5m] offset 1m',
    'vector: a{b="😀"}',
    'binary: 2 * abs( x )',
    'number: 2',
    'call: abs( x )',
    'vector: x',
  ]);
});

test('matching between vectors is in the tree, and nowhere else', () => {
  expect(parseExpr('a + b')).toMatchObject({ matching: { card: 'one-to-one', on: false, labels: [], include: [] } });
  expect(parseExpr('a or on (c) b')).toMatchObject({ matching: { card: 'many-to-many', on: true, labels: ['c'] } });
  expect(parseExpr('a + on (c) group_left (d) b')).toMatchObject({ matching: { card: 'many-to-one', include: ['d'] } });
  expect(parseExpr('a + on (c) group_right b')).toMatchObject({ matching: { card: 'one-to-many', include: [] } });
  expect(parseExpr('a + 1')).not.toHaveProperty('matching');
  expect(parseExpr('1 + time()')).not.toHaveProperty('matching');
});

test.for([
  ['1 + time()', 'scalar'],
  ['"a"', 'string'],
  ['a > 1', 'vector'],
  ['(a[5m])', 'matrix'],
  ['a[5m:]', 'matrix'],
  ['-scalar(a)', 'scalar'],
] as const)('%s is a %s', ([written, type]) => {
  expect(checkExpr(parseExpr(written))).toBe(type);
});

test('a tree that a planner built wrongly is refused without a text', () => {
  const one: Expr = { kind: 'number', value: 1, span: { start: 7, end: 8 } };
  expect(() => checkExpr({ kind: 'call', func: 'rate', args: [one], span: one.span })).toThrow(
    'expected type range vector',
  );
  expect(() => checkExpr({ kind: 'call', func: 'nope', args: [], span: one.span })).toThrow('unknown function');
});
