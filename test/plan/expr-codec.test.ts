import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { messageCodec } from '../../src/base/proto.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { decodeExpr, encodeExpr } from '../../src/plan/frames/expr-codec.ts';
import type { ExprMessage } from '../../src/plan/frames/expr-message.ts';
import type { Expr } from '../../src/promql/ast.ts';
import { checkExpr } from '../../src/promql/check.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';
import { resolveDurations } from '../../src/promql/resolve-durations.ts';
import { exprs } from '../promql/arbitrary.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 20_260_104);
const codec = messageCodec<ExprMessage>('federation.proto', 'comity.federation.v1.Expr');

/** There and back over the wire's bytes. */
function sent(expr: Expr): Expr {
  return decodeExpr(codec.decode(codec.encode(encodeExpr(expr))));
}

function parsed(text: string): Expr {
  return resolveDurations(parseExpr(text, ALL_FEATURES), { stepMs: 30_000, rangeMs: 3_600_000 }, text);
}

test.for([
  'up',
  '{a="b",c!~"d.*"} @ -1.500 offset -5m',
  'rate(up[5m] smoothed @ 7.000 offset 1h)',
  'max_over_time(abs(up anchored)[1h:5m] @ 5.000 offset 3m)',
  'label_replace(up, "a", "$1", "b", "")',
  'up + on (a, "b c") group_left (d) fill_left (-0) fill_right (NaN) up',
  'up and ignoring (a) up',
  'up </ 5 >/ -Inf',
  'up == bool 1',
  'sum without (a) (up)',
  'histogram_quantiles(up, "q", 0.5, 1)',
  'topk by (a) (3, up)',
  'bottomk(scalar(up), up)',
  'quantile without (a) (0.9, up)',
  'count_values("v", up)',
  'limitk(2, limit_ratio(-0.5, up))',
  'stddev(up) + stdvar(up)',
  'info(up, {})',
  'info(up, {__name__="x",a=~"b"})',
  'up * step() - max_of(1, range())',
  '-up ^ time()',
])('%s comes back from the wire', (text) => {
  expect(printExpr(sent(parsed(text)))).toBe(text);
});

test('what says the same at every step comes back as that', () => {
  const expr: Expr = { kind: 'once', expr: parsed('sum(up @ 5)'), span: { start: 0, end: 0 } };
  expect(sent(expr)).toMatchObject({ kind: 'once', expr: { kind: 'aggregate' } });
});

test('what is asked of histograms comes back', () => {
  const selector = parsed('up');
  if (selector.kind !== 'vector') throw new Error('no selector');
  expect(sent({ ...selector, statsOnly: true })).toMatchObject({ kind: 'vector', statsOnly: true });
  expect(sent(selector)).not.toHaveProperty('statsOnly');
});

/** A computed duration, anywhere in a tree. */
function isSettled(expr: Expr): boolean {
  return !/"(?:range|step|offset)Expr"|"kind":"(?:start|end)"/.test(JSON.stringify(expr));
}

/** Subqueries without a resolution get one; strings that are no text are not sent. */
function withSteps(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withSteps);
  if (typeof node !== 'object' || node === null) return node;
  const fields = Object.entries(node).filter(([key]) => key !== 'span' && key !== 'isDuration');
  const copy = Object.fromEntries(fields.map(([key, value]) => [key, withSteps(value)]));
  return copy['kind'] === 'subquery' ? { stepMs: 60_000, ...copy } : copy;
}

function isSendable(node: unknown): boolean {
  if (Array.isArray(node)) return node.every(isSendable);
  if (typeof node !== 'object' || node === null) return typeof node !== 'string' || node.isWellFormed();
  return Object.values(node).every(isSendable);
}

test(`a tree comes back as it was, seed ${SEED}`, { timeout: 60_000 }, () => {
  const vectors = exprs().filter((expr) => checkExpr(expr) === 'vector' && isSettled(expr) && isSendable(expr));
  const roundTrip = (expr: Expr): void => {
    const settled = withSteps(expr) as Expr;
    expect(withSteps(sent(settled))).toStrictEqual(settled);
  };
  fc.assert(fc.property(vectors, roundTrip), { seed: SEED, numRuns: 400 });
});

test.for([
  ['rate(a[step()])', 'every range resolved'],
  ['a offset step()', 'every offset resolved'],
  ['a @ start()', 'every @ modifier resolved'],
  ['max_over_time(a[5m:])', 'every resolution resolved'],
  ['max_over_time(a[5m:step()])', 'every resolution resolved'],
  ['max_over_time(a[5m + step():1m])', 'every range resolved'],
] as const)('%s must be settled first', ([text, part]) => {
  const encode = () => encodeExpr(parseExpr(text));
  expect(encode).toThrow(expect.objectContaining({ code: 'internal' }));
  expect(encode).toThrow(part);
});

test('a string that is not valid UTF-8 is not sent', () => {
  expect(() => encodeExpr(parseExpr('a{b="\\xff"}'))).toThrow('"\\xff"');
  expect(() => encodeExpr(parseExpr('label_join(a, "b", "\\xff")'))).toThrow(
    expect.objectContaining({ code: 'bad_data' }),
  );
});

describe('a message that no tree makes is refused', () => {
  const name = { name: '__name__', op: '=', value: 'x' };
  const selector = { matchers: [name], offsetMs: 0, extended: '', statsOnly: false };
  const vector = { vector: selector };
  const overTime = (argument: ExprMessage): ExprMessage => ({ call: { func: 'sum_over_time', args: [argument] } });
  const subquery = (fields: object): ExprMessage =>
    overTime({ subquery: { expr: vector, rangeMs: 1, stepMs: 1, offsetMs: 0, ...fields } });
  let deep: ExprMessage = vector;
  for (let depth = 0; depth <= LIMITS.expressionDepth; depth++) deep = { once: { expr: deep } };

  test.for<[string, ExprMessage, string, string]>([
    [
      'a modifier that is none',
      { vector: { ...selector, extended: 'stretched' } },
      'unsupported',
      'modifier stretched',
    ],
    ['a resolution of nothing', subquery({ stepMs: 0 }), 'bad_data', 'a time of 0 ms'],
    ['a range before its end', subquery({ rangeMs: -1 }), 'bad_data', 'a time of -1 ms'],
    ['an offset past what is exact', subquery({ offsetMs: 2 ** 60 }), 'bad_data', 'which none can be'],
    ['a time past what is exact', { vector: { ...selector, atMs: -(2 ** 60) } }, 'bad_data', 'which none can be'],
    ['a subquery of nothing', subquery({ expr: null }), 'bad_data', 'lacks an operand'],
    ['a subquery of a range', subquery({ expr: subquery({}).call?.args[0] }), 'bad_data', 'subquery is only allowed'],
    ['once nothing', { once: { expr: null } }, 'bad_data', 'lacks an operand'],
    ['a text alone', { text: 'a' }, 'bad_data', 'must be a vector'],
    [
      'a text for a vector',
      { call: { func: 'abs', args: [{ text: 'a' }] } },
      'bad_data',
      'expected type instant vector',
    ],
    [
      'info by what is no selector',
      { call: { func: 'info', args: [vector, { unary: { op: '-', expr: vector } }] } },
      'bad_data',
      'label selectors only',
    ],
    ['a tree that is too deep', deep, 'limit', 'nested too deeply'],
    [
      'more text than any expression has',
      { call: { func: 'label_join', args: [vector, { text: 'a'.repeat(LIMITS.expressionChars) }, { text: '' }] } },
      'limit',
      'expressionChars',
    ],
    [
      'more labels than any expression has',
      { aggregate: { op: 'sum', expr: vector, without: false, grouping: Array.from({ length: 40_000 }, () => 'a') } },
      'limit',
      'expressionChars',
    ],
    [
      'fills between sets',
      {
        binary: {
          op: 'and',
          left: vector,
          right: vector,
          returnBool: false,
          matching: { card: 'many-to-many', on: false, labels: [], include: [], fillLeft: 1 },
        },
      },
      'bad_data',
      'not allowed for set operators',
    ],
  ])('%s', ([, message, code, part]) => {
    const decode = () => decodeExpr(message);
    expect(decode).toThrow(expect.objectContaining({ code }));
    expect(decode).toThrow(part);
  });
});
