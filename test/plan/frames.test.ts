import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { messageCodec } from '../../src/base/proto.ts';
import { instantGrid } from '../../src/model/grid.ts';
import {
  decodeColumns,
  encodeColumns,
  startColumnsBudget,
  type ColumnsMessage,
  type ColumnsRow,
} from '../../src/plan/columns-codec.ts';
import { distribute } from '../../src/plan/distribute.ts';
import { decodeQueryAnswer, decodeQueryRequest, encodeQueryAnswer, encodeQueryRequest } from '../../src/plan/frames.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';

const GRID = instantGrid(60_000);
const COLUMNS = messageCodec<ColumnsMessage>('federation.proto', 'comity.federation.v1.Columns');
const STATUS = {
  domain: 'eu',
  policyDigest: 'abc',
  expectedStreams: 3,
  observedStreams: 2,
  settledUntilMs: 1_795_258_811_585,
  rawBytesHeld: 5e9,
  releasedBytes: 7,
};

function requestFor(text: string) {
  return {
    lookbackMs: 300_000,
    timeLeftMs: 10_000,
    fragments: distribute(parseExpr(text), GRID, 'domain').fragments,
  };
}

describe('a request means the same on both sides', () => {
  it.each([
    'sum by (job, le) (rate(x_bucket{code=~"5..", job!="a"}[5m] offset -1h))',
    'x @ 1609746000.5 offset 3m',
    '-quantile_over_time(0.5, x{y!~"a|b"}[1h]) ^ 2 % 3',
    'avg(a * on (job, domain) group_left (env) b)',
    'count by (job) (a unless ignoring (x) b or c and d)',
    'sum without (job) (a >= bool 2)',
    'round(clamp_min(x, NaN), 0.1) > -Inf',
    '{"a metric.with dots", "label name"="ünïcode"}',
  ])('%s', (text) => {
    const request = requestFor(text);
    const read = decodeQueryRequest(encodeQueryRequest(request));
    const { startMs, stepMs, steps } = GRID;
    for (const { grid } of read.fragments) expect(grid).toEqual({ startMs, stepMs, steps });
    expect(read.lookbackMs).toBe(request.lookbackMs);
    expect(read.fragments.map(({ answer, expr }) => [answer, printExpr(expr)])).toEqual(
      request.fragments.map(({ answer, expr }) => [answer, printExpr(expr)]),
    );
  });
});

const rowsArbitrary = (steps: number, fields: number): fc.Arbitrary<ColumnsRow[]> =>
  fc.array(
    fc.record({
      labels: fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { maxLength: 4 }).chain((names) => {
        const sorted = names.sort((a, b) => (a < b ? -1 : 1));
        return fc
          .tuple(...sorted.map((name) => fc.tuple(fc.constant(name), fc.string({ minLength: 1 }))))
          .map((pairs) => pairs.flat());
      }),
      columns: fc
        .array(fc.constantFrom(0, 1), { minLength: steps, maxLength: steps })
        // A row with nothing in it is never sent.
        .map((present) => (present.includes(1) ? present : present.with(0, 1)))
        .chain((present) =>
          fc.record({
            present: fc.constant(Uint8Array.from(present)),
            fields: fc.array(
              fc
                .array(fc.double(), { minLength: steps, maxLength: steps })
                .map((values) => Float64Array.from(values, (value, i) => (present[i] === 1 ? value : 0))),
              { minLength: fields, maxLength: fields },
            ),
          }),
        ),
    }),
    { maxLength: 5 },
  );

describe('columns', () => {
  it('come back as they went, bit for bit', () => {
    const framed = fc
      .tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 4 }))
      .chain(([steps, fields]) =>
        fc.record({ steps: fc.constant(steps), fields: fc.constant(fields), rows: rowsArbitrary(steps, fields) }),
      );
    fc.assert(
      fc.property(framed, ({ steps, fields, rows }) => {
        const read = decodeColumns(
          COLUMNS.decode(COLUMNS.encode(encodeColumns(rows, fields))),
          steps,
          fields,
          startColumnsBudget(),
        );
        expect(read).toEqual(rows);
      }),
    );
  });

  const good = (): ColumnsMessage =>
    encodeColumns(
      [{ labels: ['a', '1', 'b', '2'], columns: { present: Uint8Array.of(1), fields: [Float64Array.of(5)] } }],
      1,
    );

  it.each<[string, (message: ColumnsMessage) => void]>([
    ['presence bits', (message) => (message.present = new Uint8Array(2))],
    ['an empty row', (message) => (message.present = Uint8Array.of(0))],
    ['label length', (message) => (message.strings[1] = '')],
    ['label length', (message) => (message.strings[1] = 'x'.repeat(5000))],
    ['field length', (message) => (message.fields = [new Uint8Array(7)])],
    ['fields', (message) => (message.fields = [])],
    ['label index', (message) => (message.labels[0] = 99)],
    ['label order', (message) => (message.labels = [...message.labels.slice(2), ...message.labels.slice(0, 2)])],
    ['label count', (message) => (message.pairs = [1])],
    ['too many rows', (message) => (message.pairs = Object.assign([], { length: 60_000_000 }))],
  ])('that do not fit are refused: %s', (what, damage) => {
    const message = good();
    damage(message);
    expect(() => decodeColumns(message, 1, 1, startColumnsBudget())).toThrow(`malformed Columns: ${what}`);
  });
});

it('all fragments of an answer share one budget', () => {
  const rows = (count: number): ColumnsRow[] =>
    Array.from({ length: count }, (_, i) => ({
      labels: ['a', String(i)],
      columns: { present: Uint8Array.of(1), fields: [Float64Array.of(1)] },
    }));
  const message = encodeColumns(rows(3), 1);
  expect(() => decodeColumns(message, 1, 1, { rows: 5, cells: 5 })).toThrow(/too many cells/);
  const budget = { rows: 5, cells: 100 };
  decodeColumns(message, 1, 1, budget);
  expect(() => decodeColumns(message, 1, 1, budget)).toThrow(/too many rows/);
});

it('an answer of a million empty fragments is refused before objects are made of them', () => {
  const request = requestFor('sum(a)');
  const bytes = new Uint8Array(2_000_000).map((_byte, i) => (i % 2 === 0 ? 0x1a : 0));
  expect(() => decodeQueryAnswer(bytes, request)).toThrow(/too many fields/);
});

it('a tree as deep as an expression may be goes over the wire', () => {
  for (const text of [`${'abs('.repeat(120)}x${')'.repeat(120)}`, Array(120).fill('x').join(' + ')]) {
    const request = requestFor(text);
    expect(decodeQueryRequest(encodeQueryRequest(request)).fragments).toHaveLength(1);
  }
});

describe('a tree that no parser makes is refused', () => {
  const codec = messageCodec<object>('federation.proto', 'comity.federation.v1.QueryRequest');
  const vector = { vector: { matchers: [{ name: '__name__', op: '=', value: 'x' }] } };
  const matching = { card: 'one-to-one', on: false };
  const one = { startMs: 0, stepMs: 1, steps: 1 };
  const decode = (expr: object, partial = false, { grid = one, lookbackMs = 1 } = {}) =>
    decodeQueryRequest(codec.encode({ version: 2, lookbackMs, fragments: [{ partial, expr, grid }] }));

  it.each<[string, object, RegExp]>([
    ['a range vector', { matrix: { selector: vector.vector, rangeMs: 1000 } }, /must be a vector/],
    ['a number', { number: 1 }, /must be a vector/],
    ['nothing', {}, /unknown node/],
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
    [
      'a kind of matching that is none',
      { binary: { op: '+', left: vector, right: vector, matching: { ...matching, card: 'all' } } },
      /unknown matching/,
    ],
    ['an operator that is none', { binary: { op: '<=>', left: vector, right: vector, matching } }, /unknown operator/],
    ['a function that is none', { call: { func: 'exfiltrate', args: [vector] } }, /exfiltrate/],
    [
      'topk, which has no partial',
      { aggregate: { op: 'topk', expr: vector, param: { number: 1 } } },
      /unknown aggregation/,
    ],
    ['a matcher that is none', { vector: { matchers: [{ name: 'a', op: '~', value: '' }] } }, /unknown matcher/],
    ['a number of arguments that is wrong', { call: { func: 'rate', args: [] } }, /rate/],
  ])('%s', (_name, expr, reason) => expect(() => decode(expr)).toThrow(reason));

  it('a partial of what is no aggregation, a lookback of nothing, too many selectors', () => {
    expect(() => decode(vector, true)).toThrow(/only an aggregation/);
    expect(() => decode(vector, false, { lookbackMs: 0 })).toThrow(/lookback/);
    for (const grid of [
      { ...one, steps: 1_000_000 },
      { ...one, steps: 0 },
      { ...one, stepMs: 0 },
    ]) {
      expect(() => decode(vector, false, { grid })).toThrow(/a fragment's grid/);
    }
  });
});

it('an answer comes back with its status and refusals', () => {
  const request = requestFor('sum(a) + sum(b)');
  const rows = [
    { labels: ['job', 'x'], columns: { present: Uint8Array.of(1), fields: [Float64Array.of(3), Float64Array.of(0)] } },
  ];
  const answer = { status: STATUS, fragments: [{ rows }, { refusal: { code: 'class_sealed', name: 'b' } as const }] };
  expect(decodeQueryAnswer(encodeQueryAnswer(answer, request.fragments), request)).toEqual(answer);
});

it('another version is refused by name', () => {
  const codec = messageCodec<{ version: number }>('federation.proto', 'comity.federation.v1.QueryRequest');
  expect(() => decodeQueryRequest(codec.encode({ version: 9 }))).toThrow(
    /unsupported: version 9 of the federation protocol/,
  );
});

it('any bytes are read or refused with a typed error', () => {
  const request = requestFor('sum by (job) (rate(x[5m])) / on (job) topk(2, up)');
  const valid = encodeQueryRequest(request);
  const answer = encodeQueryAnswer(
    { status: STATUS, fragments: request.fragments.map(() => ({ rows: [] })) },
    request.fragments,
  );
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
        for (const bytes of [Uint8Array.from(valid), Uint8Array.from(answer)]) {
          for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
          only(() => decodeQueryRequest(bytes));
          only(() => decodeQueryAnswer(bytes, request));
        }
        only(() => decodeQueryRequest(noise));
      },
    ),
    { numRuns: 1500 },
  );
});
