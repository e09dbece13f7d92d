import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { messageCodec } from '../../src/base/proto.ts';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import { distribute, type Fragment } from '../../src/plan/distribute.ts';
import { decodeExplainAnswer } from '../../src/plan/frames/explain-codec.ts';
import type { AskedFragment } from '../../src/plan/frames/fragment-codec.ts';
import {
  decodeQueryAnswer,
  decodeQueryRequest,
  encodeQueryRequest,
  type FragmentQuery,
} from '../../src/plan/frames/query-codec.ts';
import { decodeLedgerAnswer, decodeLedgerRequest } from '../../src/plan/frames/ledger-codec.ts';
import { decodeReleased } from '../../src/plan/frames/receipt-codec.ts';
import { preorder } from '../../src/plan/frames/preorder.ts';
import {
  decodeErrorAnswer,
  decodeStatusAnswer,
  decodeStatusRequest,
  encodeErrorAnswer,
} from '../../src/plan/frames/status-codec.ts';
import { FEDERATION_VERSION } from '../../src/plan/frames/version.ts';
import { ALL_FEATURES, NO_FEATURES, type PromqlFeatures } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';
import { ASKED_BESIDE, REQUEST_ID } from './beside.ts';

const GRID = instantGrid(60_000);

function requestFor(text: string, features: PromqlFeatures = NO_FEATURES): FragmentQuery<Fragment> {
  const expr = parseExpr(text, ALL_FEATURES);
  const { fragments } = distribute(expr, GRID, { domainLabel: 'domain', approx: 0.01 });
  return { lookbackMs: 300_000, timeLeftMs: 10_000, features, fragments, ...ASKED_BESIDE };
}

function readable(fragment: AskedFragment): Fragment {
  if (fragment.answer === 'unread') throw new Error(`unread: ${fragment.refusal.name}`);
  return fragment;
}

describe('a request means the same on both sides', () => {
  it('about the end of a range that has room for one step', () => {
    const grids = [GRID, rangeGrid(0, 29_000, 30_000), rangeGrid(0, 30_000, 30_000)];
    for (const grid of grids) {
      const { fragments } = distribute(parseExpr('x'), grid, { domainLabel: 'domain' });
      const request = { ...requestFor('x'), fragments };
      const [read] = decodeQueryRequest(encodeQueryRequest(request)).fragments;
      expect(readable(read!).grid.endMs).toBe(grid.endMs);
    }
  });

  it.each([
    'sum by (job, le) (rate(x_bucket{code=~"5..", job!="a"}[5m] offset -1h))',
    'x @ 1609746000.5 offset 3m',
    '-quantile_over_time(0.5, x{y!~"a|b"}[1h]) ^ 2 % 3',
    'avg(a * on (job, domain) group_left (env) b)',
    'count by (job) (a unless ignoring (x) b or c and d)',
    'sum without (job) (a >= bool 2)',
    'round(clamp_min(x, NaN), 0.1) > -Inf',
    '{"a metric.with dots", "label name"="ünïcode"}',
    'topk by (domain) (3, x) + count_values by (domain) ("v", y)',
    'quantile(0.9, x) + limitk(2, y) + limit_ratio(-0.5, z)',
    'info(x)',
  ])('%s', (text) => {
    const request = requestFor(text);
    const read = decodeQueryRequest(encodeQueryRequest(request));
    expect(read.lookbackMs).toBe(request.lookbackMs);
    const told = (fragment: Fragment) => {
      const { startMs, stepMs, steps, endMs } = fragment.grid;
      const error = fragment.answer === 'sketch' ? fragment.relativeError : undefined;
      return [fragment.answer, printExpr(fragment.expr), startMs, stepMs, steps, endMs, error];
    };
    expect(read.fragments.map((fragment) => told(readable(fragment)))).toEqual(request.fragments.map(told));
  });

  it('features that change the evaluation travel, the others have done their work', () => {
    for (const name of ['delayedNameRemoval', 'startTimestamps', 'typeAndUnitLabels', 'keptStartsReset'] as const) {
      const features = { ...NO_FEATURES, [name]: true };
      expect(decodeQueryRequest(encodeQueryRequest(requestFor('x', features))).features).toEqual(features);
    }
    const fill = { ...NO_FEATURES, fillModifiers: true };
    expect(decodeQueryRequest(encodeQueryRequest(requestFor('x', fill))).features).toEqual(NO_FEATURES);
  });

  it('nodes that were decoded have their preorder index for a span', () => {
    const request = requestFor('topk by (domain) (3, rate(x[5m]) * 2)');
    const [fragment] = decodeQueryRequest(encodeQueryRequest(request)).fragments;
    const nodes = preorder(readable(fragment!).expr);
    expect(nodes.map(({ span }) => span)).toEqual(nodes.map((_, index) => ({ start: index, end: index + 1 })));
    const kinds = nodes.map(({ kind }) => kind);
    expect(kinds).toEqual(preorder(request.fragments[0]!.expr).map(({ kind }) => kind));
    // The parameter stands before the vector, a range before its selector.
    expect(kinds.slice(0, 2)).toEqual(['aggregate', 'number']);
    expect(kinds.indexOf('matrix')).toBe(kinds.indexOf('vector') - 1);
  });

  it('a tree as deep as an expression may be goes over the wire', () => {
    for (const text of [`${'abs('.repeat(120)}x${')'.repeat(120)}`, Array(120).fill('x').join(' + ')]) {
      const request = requestFor(text);
      expect(decodeQueryRequest(encodeQueryRequest(request)).fragments).toHaveLength(1);
    }
  });
});

const PACKAGE = 'comity.federation.v1';
const requestCodec = messageCodec<object>('federation.proto', `${PACKAGE}.QueryRequest`);
const fragmentCodec = messageCodec<object>('federation.proto', `${PACKAGE}.Fragment`);
const vector = { vector: { matchers: [{ name: '__name__', op: '=', value: 'x' }] } };
const one = { startMs: 0, stepMs: 1, steps: 1 };
const encode = (fragments: readonly Uint8Array[], more: object = {}) =>
  requestCodec.encode({ version: FEDERATION_VERSION, lookbackMs: 1, fragments, id: REQUEST_ID, ...more });
const sane = fragmentCodec.encode({ answer: 'vector', expr: vector, grid: one });

describe('a tree that no parser makes is refused', () => {
  const matching = { card: 'one-to-one', on: false };
  const decode = (
    expr: object,
    answer = 'vector',
    { grid = one, relativeError = 0 }: { grid?: object; relativeError?: number } = {},
  ) => decodeQueryRequest(encode([fragmentCodec.encode({ answer, expr, grid, relativeError })]));

  it.each<[string, object, RegExp]>([
    ['a range vector', { matrix: { selector: vector.vector, rangeMs: 1000 } }, /must be a vector/],
    ['a number', { number: 1 }, /must be a vector/],
    ['nothing', {}, /empty node/],
    ['a match without matching', { binary: { op: '+', left: vector, right: vector } }, /matching does not fit/],
    [
      'matching with a number',
      { binary: { op: '+', left: vector, right: { number: 1 }, matching } },
      /matching does not fit/,
    ],
    [
      'many-to-many arithmetic',
      { binary: { op: '+', left: vector, right: vector, matching: { ...matching, card: 'many-to-many' } } },
      /matching does not fit/,
    ],
    ['a number of arguments that is wrong', { call: { func: 'rate', args: [] } }, /rate/],
    ['a parameter that is missing', { aggregate: { op: 'topk', expr: vector } }, /takes a parameter/],
  ])('%s', (_name, expr, reason) => expect(() => decode(expr)).toThrow(reason));

  it('answers that do not fit the tree', () => {
    const sum = { aggregate: { op: 'sum', expr: vector } };
    const topk = { aggregate: { op: 'topk', expr: vector, param: { number: 1 } } };
    const quantile = (param: object) => ({ aggregate: { op: 'quantile', expr: vector, param } });
    expect(() => decode(vector, 'partial')).toThrow(/only an aggregation/);
    expect(() => decode(topk, 'partial')).toThrow(/only an aggregation/);
    expect(() => decode(sum, 'timed')).toThrow(/only a selector/);
    expect(() => decode(sum, 'sketch')).toThrow(/only a quantile/);
    const moving = quantile({ call: { func: 'time', args: [] } });
    expect(() => decode(moving, 'sketch', { relativeError: 0.1 })).toThrow(/only a quantile/);
    for (const relativeError of [0, NaN, -1, 1, Infinity]) {
      expect(() => decode(quantile({ number: 0.5 }), 'sketch', { relativeError })).toThrow(/relative error/);
    }
  });

  it('times that none can be', () => {
    for (const grid of [
      { ...one, steps: LIMITS.stepsPerFragment + 1 },
      { ...one, steps: 0 },
      { ...one, stepMs: 0 },
      { ...one, startMs: 2 ** 60 },
      { ...one, endMs: -1 },
      { ...one, endMs: 2 },
    ]) {
      expect(() => decode(vector, 'vector', { grid })).toThrow(/malformed Fragment/);
    }
    expect(() => decodeQueryRequest(encode([sane], { lookbackMs: 0 }))).toThrow(/lookback/);
    expect(() => decodeQueryRequest(encode([sane], { timeLeftMs: 2 ** 60 }))).toThrow(/time left/);
  });

  it('more fragments than any query has', () => {
    const many = (count: number) => Array.from({ length: count }, () => sane);
    expect(decodeQueryRequest(encode(many(LIMITS.fragmentsPerQuery))).fragments).toHaveLength(LIMITS.fragmentsPerQuery);
    expect(() => decodeQueryRequest(encode(many(LIMITS.fragmentsPerQuery + 1)))).toThrow(/too many/);
    expect(() => decodeQueryRequest(encode(many(1_000)))).toThrow(/too many fields/);
  });
});

/** A field of the wire type `length-delimited` with nothing in it. */
const field = (number: number): Uint8Array => Uint8Array.of(...varint((number << 3) | 2), 0);

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

/** A message of one length-delimited field. */
function wrap(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const inner = Buffer.concat(parts);
  return Buffer.concat([Uint8Array.from([...varint((number << 3) | 2), ...varint(inner.length)]), inner]);
}

describe('what this version does not know costs the fragment that has it, by name', () => {
  const unreadName = (fragment: Uint8Array, more: object = {}) =>
    decodeQueryRequest(encode([fragment, sane], more)).fragments.map((asked) =>
      asked.answer === 'unread' ? [asked.refusal.code, asked.refusal.name] : asked.answer,
    );
  const call = (func: string) => ({ call: { func, args: [vector] } });
  const matching = { card: 'one-to-one', on: false };

  it.each<[string, object]>([
    ['function foo', { expr: call('foo') }],
    ['aggregation middlek', { expr: { aggregate: { op: 'middlek', expr: vector } } }],
    ['operator <=>', { expr: { binary: { op: '<=>', left: vector, right: vector, matching } } }],
    ['unary ~', { expr: { unary: { op: '~', expr: vector } } }],
    ['modifier stretched', { expr: { vector: { ...vector.vector, extended: 'stretched' } } }],
    ['matcher ~', { expr: { vector: { matchers: [{ name: 'a', op: '~', value: '' }] } } }],
    [
      'matching all',
      { expr: { binary: { op: '+', left: vector, right: vector, matching: { ...matching, card: 'all' } } } },
    ],
    ['answer table', { expr: vector, answer: 'table' }],
  ])('%s', (name, fragment) => {
    const bytes = fragmentCodec.encode({ answer: 'vector', grid: one, ...fragment });
    expect(unreadName(bytes)).toEqual([['unsupported', name], 'vector']);
  });

  it('fields, wherever they are', () => {
    expect(unreadName(Buffer.concat([sane, field(23)]))).toEqual([['unsupported', 'Fragment field 23'], 'vector']);
    const inExpr = Buffer.concat([sane.slice(0, 0), wrap(2, field(99)), field(1)]);
    expect(unreadName(inExpr)).toEqual([['unsupported', 'Expr field 99'], 'vector']);
    const inMatcher = wrap(2, wrap(2, wrap(1, field(7))));
    expect(unreadName(inMatcher)).toEqual([['unsupported', 'Matcher field 7'], 'vector']);
  });

  it('and what stands beside the fragments costs all of them', () => {
    expect(unreadName(sane, { features: ['promql-time-travel'] })).toEqual([
      ['unsupported', 'promql-time-travel'],
      ['unsupported', 'promql-time-travel'],
    ]);
  });

  it('but for fields: these cost the request', () => {
    const unsupported = (name: string) =>
      expect.objectContaining({ code: 'unsupported', message: `unsupported: unknown ${name}` });
    for (const [number, inner, name] of [
      [17, [], 'QueryRequest field 17'],
      [6, [field(9)], 'CoverageQuestion field 9'],
      [6, [wrap(2, field(9))], 'CoverageRead field 9'],
      [7, [field(9)], 'Since field 9'],
    ] as const) {
      const bytes = Buffer.concat([encode([sane]), wrap(number, ...inner)]);
      expect(() => decodeQueryRequest(bytes), name).toThrow(unsupported(name));
    }
  });

  it('a name that is no name is cut', () => {
    const bytes = fragmentCodec.encode({ answer: 'vector', grid: one, expr: call('f'.repeat(60_000)) });
    const [[, name]] = unreadName(bytes) as [[string, string]];
    expect(name).toHaveLength(LIMITS.labelBytes);
  });

  it('two members of a oneof, a field twice and one of another type are malformed', () => {
    const number = Uint8Array.of((1 << 3) | 1, 0, 0, 0, 0, 0, 0, 0, 0);
    const x = fragmentCodec.encode({ expr: vector }).slice(2);
    for (const [bytes, what] of [
      [Buffer.concat([wrap(2, number, x), sane]), 'Expr.vector'],
      [Buffer.concat([sane, wrap(2, x)]), 'Fragment.expr'],
      [Buffer.concat([sane, Uint8Array.of((4 << 3) | 0, 5)]), 'Fragment.relativeError'],
      [Buffer.concat([Uint8Array.of(2 << 3, 5), sane]), 'Fragment.expr'],
      [Buffer.concat([sane, Uint8Array.of((4 << 3) | 3)]), 'Fragment.relativeError'],
      [Uint8Array.of((2 << 3) | 2, 5, 0x3a, 0), 'Expr'],
      [wrap(2, wrap(2, Uint8Array.of((1 << 3) | 2, 5))), 'Matcher'],
    ] as const) {
      const wanted = { code: 'bad_data', message: `malformed ${what}` };
      expect(() => unreadName(bytes), what).toThrow(expect.objectContaining(wanted));
    }
  });
});

describe('another version is refused by name', () => {
  const any = messageCodec<{ version: number }>('federation.proto', `${PACKAGE}.AnyMessage`);
  const request = requestFor('sum(x)');

  it.each([1, 2, 3, 4, 6, 2 ** 31])('%i', (version) => {
    // What a version of that number may have had where this one has fields of other types.
    const bytes = Buffer.concat([any.encode({ version }), Uint8Array.of((4 << 3) | 2, 1, 65), field(99)]);
    for (const decode of [
      () => decodeQueryRequest(bytes),
      () => decodeQueryAnswer(bytes, request),
      () => decodeExplainAnswer(bytes, request),
      () => decodeStatusAnswer(bytes, { id: REQUEST_ID }),
      () => decodeStatusRequest(bytes),
      () => decodeReleased(bytes),
      () => decodeLedgerRequest(bytes),
      () => decodeLedgerAnswer(bytes, { sizes: [1], id: REQUEST_ID }),
    ]) {
      expect(decode).toThrow(`unsupported: version ${version} of the federation protocol, this is 5`);
    }
  });

  it('and an error is read whatever its version', () => {
    expect(decodeErrorAnswer(encodeErrorAnswer('unsupported'))).toEqual({ version: 5, code: 'unsupported' });
    const errors = messageCodec<object>('federation.proto', `${PACKAGE}.ErrorAnswer`);
    const bytes = Buffer.concat([errors.encode({ version: 6, code: 'limit' }), field(3)]);
    expect(decodeErrorAnswer(bytes)).toEqual({ version: 6, code: 'limit' });
  });
});

it('any bytes are read or refused with a typed error', () => {
  const request = requestFor('sum by (job) (rate(x[5m])) / on (job) topk(2, up)');
  const valid = encodeQueryRequest(request);
  const only = (run: () => unknown): void => {
    try {
      run();
    } catch (error) {
      if (!(error instanceof ComityError) || error.code === 'internal') throw error;
    }
  };
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
      fc.uint8Array({ maxLength: 64 }),
      (edits, noise) => {
        const bytes = Uint8Array.from(valid);
        for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
        for (const input of [bytes, noise]) {
          only(() => decodeQueryRequest(input));
          only(() => decodeQueryAnswer(input, request));
          only(() => decodeExplainAnswer(input, request));
        }
      },
    ),
    { numRuns: 1500 },
  );
});
