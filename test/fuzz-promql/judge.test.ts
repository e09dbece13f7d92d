import { expect, test } from 'vitest';
import { readAnswer, type Answer, type Data } from './answer.ts';
import { call, literal, print, type Node } from './grammar.ts';
import { judgeAnswers } from './judge.ts';
import type { When } from './scope.ts';

const AT: When = { kind: 'instant', timeMs: 1000 };
const STEPS: When = { kind: 'range', startMs: 1000, endMs: 3000, stepMs: 1000 };

const x: Node = { kind: 'selector', name: 'x', matchers: [], time: {} };
const top: Node = { kind: 'aggregate', op: 'topk', param: literal(1), expr: x };
const firstOne: Node = { kind: 'aggregate', op: 'limitk', param: literal(1), expr: x };
const gap: Node = { kind: 'binary', op: '-', left: { kind: 'aggregate', op: 'sum', expr: x }, right: literal(1) };
const pinned: Node = {
  kind: 'call',
  func: 'sum_over_time',
  args: [{ kind: 'subquery', expr: { ...x, time: { at: '2' } }, range: '2s', step: '1s', time: {} }],
};

function byLabel(...names: readonly string[]): Node {
  return call('sort_by_label', x, ...names.map((name) => literal(`"${name}"`)));
}

interface Notes {
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

type Shown =
  | string
  | {
      readonly count: string;
      readonly sum: string;
      readonly buckets?: readonly (readonly [number, string, string, string])[];
    };

/** An instant answer: pairs of the label `s` and what stands there. */
function vector(pairs: readonly (readonly [string, Shown])[], notes: Notes = {}): Answer {
  const result = pairs.map(([s, value]) => ({
    metric: { s },
    [typeof value === 'string' ? 'value' : 'histogram']: [1, value],
  }));
  return readAnswer(200, JSON.stringify({ status: 'success', data: { resultType: 'vector', result }, ...notes }));
}

/** An instant answer of series with these labels. */
function labelled(...metrics: readonly Readonly<Record<string, string>>[]): Answer {
  const result = metrics.map((metric) => ({ metric, value: [1, '1'] }));
  return readAnswer(200, JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
}

/** A range's answer: for each series its values at 1, 2, …, nothing where one is empty. */
function matrix(series: readonly (readonly [string, readonly string[]])[]): Answer {
  const result = series.map(([s, values]) => ({
    metric: { s },
    values: values.flatMap((value, i) => (value === '' ? [] : [[i + 1, value]])),
  }));
  return readAnswer(200, JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } }));
}

function failure(status: number, errorType: string, error: string): Answer {
  return readAnswer(status, JSON.stringify({ status: 'error', errorType, error }));
}

function histogram(sum: string, upper = '2', boundaries = 0): Shown {
  return { count: '3', sum, buckets: [[boundaries, '1', upper, '3']] };
}

const many = (from: number): string[] => [
  ...Array.from({ length: 10 }, (_, i) => `note ${from + i}`),
  '5 more info annotations omitted',
];

interface Case {
  readonly node?: Node;
  readonly when?: When;
  readonly want: Answer;
  readonly got: Answer;
  /** What the oracle answers to other questions, by their text; the case's own text is what it says again. */
  readonly oracle?: Readonly<Record<string, Answer>>;
  readonly byInstants?: Answer;
  /** The part of the query that gives a series two samples at one time. */
  readonly twins?: string;
}

/** The verdict in a few words, with what was needed for it. */
async function verdict({ node = x, when = AT, want, got, oracle = {}, byInstants, twins }: Case): Promise<string> {
  const data = (answer: Answer | undefined): Data | undefined => (answer?.kind === 'data' ? answer : undefined);
  const found = await judgeAnswers({ node, when }, want, got, {
    ask: (other) => Promise.resolve(data(oracle[print(other)])),
    askTried: () => Promise.resolve(undefined),
    hasTwins: (other) => Promise.resolve(twins === print(other)),
    again: (same) => Promise.resolve([data(oracle[print(same)])]),
    byInstants: () => Promise.resolve(data(byInstants)),
  });
  if (found.kind === 'wrong') return `wrong ${found.difference.kind}`;
  if (found.kind === 'unsupported') return 'unsupported';
  return ['equal', ...(found.empty ? ['empty'] : []), ...found.tolerances].join(', ');
}

const one = vector([['a', '1']]);
const sorted: Node = call('sort', x);

test.each<[what: string, given: Case, want: string]>([
  ['the same', { want: one, got: one }, 'equal'],
  ['nothing', { want: vector([]), got: vector([]) }, 'equal, empty'],
  ['another value', { want: one, got: vector([['a', '2']]) }, 'wrong value'],
  [
    'the last bit',
    { want: vector([['a', '0.1']]), got: vector([['a', '0.10000000000000002']]) },
    'equal, relative 1e-12',
  ],
  [
    'another last digit of a value that became a label',
    {
      node: { kind: 'aggregate', op: 'count_values', param: literal('"s"'), expr: gap },
      want: vector([['0.1', '1']]),
      got: vector([['0.10000000000000002', '1']]),
    },
    'equal, digits of a label',
  ],
  [
    'another last digit of a sample that became a label',
    {
      node: { kind: 'aggregate', op: 'count_values', param: literal('"s"'), expr: x },
      want: vector([['0.1', '1']]),
      got: vector([['0.10000000000000002', '1']]),
    },
    'wrong series',
  ],
  ['more than 1e-12', { want: vector([['a', '1']]), got: vector([['a', '1.000000000002']]) }, 'wrong value'],
  ['NaN and NaN', { want: vector([['a', 'NaN']]), got: vector([['a', 'NaN']]) }, 'equal'],
  ['NaN and a number', { want: vector([['a', 'NaN']]), got: one }, 'wrong value'],
  ['the two infinities', { want: vector([['a', '+Inf']]), got: vector([['a', '-Inf']]) }, 'wrong value'],
  ['the two zeros', { want: vector([['a', '0']]), got: vector([['a', '-0']]) }, 'equal, sign of zero'],
  [
    'a series too few',
    {
      want: vector([
        ['a', '1'],
        ['b', '1'],
      ]),
      got: one,
    },
    'wrong series',
  ],
  [
    'a series too many',
    {
      want: one,
      got: vector([
        ['a', '1'],
        ['b', '1'],
      ]),
    },
    'wrong series',
  ],
  ['another label', { want: one, got: vector([['b', '1']]) }, 'wrong series'],
  ['a vector instead of a matrix', { want: one, got: matrix([['a', ['1']]]) }, 'wrong outcome'],
  ['a step too few', { when: STEPS, want: matrix([['a', ['1', '2']]]), got: matrix([['a', ['1', '']]]) }, 'wrong step'],
  [
    'a step too many',
    { when: STEPS, want: matrix([['a', ['1', '']]]), got: matrix([['a', ['1', '2']]]) },
    'wrong step',
  ],
  ['equal histograms', { want: vector([['a', histogram('2')]]), got: vector([['a', histogram('2')]]) }, 'equal'],
  ['another sum', { want: vector([['a', histogram('2')]]), got: vector([['a', histogram('3')]]) }, 'wrong value'],
  [
    'another bound',
    { want: vector([['a', histogram('2')]]), got: vector([['a', histogram('2', '4')]]) },
    'wrong value',
  ],
  [
    'another boundary',
    { want: vector([['a', histogram('2')]]), got: vector([['a', histogram('2', '2', 3)]]) },
    'wrong value',
  ],
  ['a float for a histogram', { want: vector([['a', histogram('2')]]), got: one }, 'wrong value'],
  [
    'NaN in a bucket that one side does not have',
    {
      want: vector([
        [
          'a',
          {
            count: 'NaN',
            sum: 'NaN',
            buckets: [
              [0, '1', '2', 'NaN'],
              [0, '2', '4', 'NaN'],
            ],
          },
        ],
      ]),
      got: vector([['a', { count: 'NaN', sum: 'NaN', buckets: [[0, '2', '4', 'NaN']] }]]),
    },
    'equal, NaN in empty buckets',
  ],
  [
    'a count in a bucket that one side does not have',
    {
      want: vector([
        [
          'a',
          {
            count: '3',
            sum: '1',
            buckets: [
              [0, '1', '2', '1'],
              [0, '2', '4', '2'],
            ],
          },
        ],
      ]),
      got: vector([['a', { count: '3', sum: '1', buckets: [[0, '2', '4', '2']] }]]),
    },
    'wrong value',
  ],
  [
    'another order of an instant',
    {
      want: vector([
        ['a', '1'],
        ['b', '2'],
      ]),
      got: vector([
        ['b', '2'],
        ['a', '1'],
      ]),
    },
    'equal',
  ],
  [
    'another order of what was to be sorted',
    {
      node: sorted,
      want: vector([
        ['a', '1'],
        ['b', '2'],
      ]),
      got: vector([
        ['b', '2'],
        ['a', '1'],
      ]),
    },
    'wrong order',
  ],
  [
    'another order of labels',
    {
      node: byLabel('s', 't'),
      want: vector([
        ['a', '1'],
        ['b', '1'],
      ]),
      got: vector([
        ['b', '1'],
        ['a', '1'],
      ]),
    },
    'wrong order',
  ],
  [
    'another order where a label is missing on one side',
    {
      node: byLabel('t', 's'),
      want: labelled({ s: 'a' }, { s: 'b', t: '1' }),
      got: labelled({ s: 'b', t: '1' }, { s: 'a' }),
    },
    'equal',
  ],
  [
    'another order of equals',
    {
      node: sorted,
      want: vector([
        ['a', '1'],
        ['b', '1'],
      ]),
      got: vector([
        ['b', '1'],
        ['a', '1'],
      ]),
    },
    'equal',
  ],
  [
    'another order of a range',
    {
      when: STEPS,
      want: matrix([
        ['a', ['1']],
        ['b', ['1']],
      ]),
      got: matrix([
        ['b', ['1']],
        ['a', ['1']],
      ]),
    },
    'wrong order',
  ],
  ['a warning too few', { want: vector([], { warnings: ['w'] }), got: vector([]) }, 'wrong notes'],
  [
    'an info at another place',
    { want: vector([], { infos: ['i (1:1)'] }), got: vector([], { infos: ['i (1:2)'] }) },
    'wrong notes',
  ],
  [
    'infos in another order',
    { want: vector([], { infos: ['i', 'j'] }), got: vector([], { infos: ['j', 'i'] }) },
    'equal, empty',
  ],
  [
    'other ten of many infos',
    { want: vector([], { infos: many(0) }), got: vector([], { infos: many(3) }) },
    'equal, empty, notes beyond the first ten',
  ],
  [
    'notes that the oracle has in some orders only',
    { want: vector([], { infos: ['i'] }), got: vector([]), oracle: { x: vector([]) } },
    'equal, empty, order of series',
  ],
  [
    'equal errors',
    { want: failure(422, 'execution', 'a {b="}"}'), got: failure(422, 'execution', 'a {b="}"}') },
    'equal, empty',
  ],
  [
    'errors of other series',
    { want: failure(422, 'execution', 'dup m{a="1"} [{b="}"}]'), got: failure(422, 'execution', 'dup {c="2"} [{}]') },
    'equal, empty, text of an error',
  ],
  ['other errors', { want: failure(422, 'execution', 'a'), got: failure(422, 'execution', 'b') }, 'wrong outcome'],
  [
    'other words for bad data',
    { want: failure(400, 'bad_data', 'a'), got: failure(400, 'bad_data', 'b') },
    'equal, empty',
  ],
  [
    'another kind of error',
    { want: failure(422, 'execution', 'a'), got: failure(400, 'bad_data', 'a') },
    'wrong outcome',
  ],
  ['an error instead of an answer', { want: one, got: failure(422, 'execution', 'a') }, 'wrong outcome'],
  ['an answer instead of an error', { want: failure(422, 'execution', 'a'), got: one }, 'wrong outcome'],
  [
    'a float and a histogram with the same labels',
    { want: one, got: failure(422, 'execution', 'vector cannot contain metrics with the same labelset'), twins: 'x' },
    'equal, a float and a histogram at one time',
  ],
  [
    'two floats with the same labels',
    { want: one, got: failure(422, 'execution', 'vector cannot contain metrics with the same labelset') },
    'wrong outcome',
  ],
  ['what is not supported', { want: one, got: failure(422, 'execution', 'unsupported: it') }, 'unsupported'],
  ['an answer that is no JSON of Prometheus', { want: one, got: failure(200, 'unreadable', '') }, 'wrong outcome'],
  [
    'another of the tied',
    {
      node: top,
      want: one,
      got: vector([['b', '1']]),
      oracle: {
        x: vector([
          ['a', '1'],
          ['b', '1'],
        ]),
      },
    },
    'equal, ties at the root',
  ],
  [
    'one that is not tied',
    {
      node: top,
      want: vector([['a', '2']]),
      got: vector([['b', '1']]),
      oracle: {
        x: vector([
          ['a', '2'],
          ['b', '1'],
        ]),
      },
    },
    'wrong series',
  ],
  [
    'any one of some',
    {
      node: firstOne,
      want: one,
      got: vector([['b', '7']]),
      oracle: {
        x: vector([
          ['a', '1'],
          ['b', '7'],
        ]),
      },
    },
    'equal, ties at the root',
  ],
  [
    'one that was never there',
    {
      node: firstOne,
      want: one,
      got: vector([['c', '7']]),
      oracle: {
        x: vector([
          ['a', '1'],
          ['b', '7'],
        ]),
      },
    },
    'wrong series',
  ],
  [
    'a difference that noise makes',
    {
      node: gap,
      want: vector([['a', '3e-16']]),
      got: vector([['a', '5e-16']]),
      oracle: noisy('3e-16', '9e-16'),
    },
    'equal, ill-conditioned',
  ],
  [
    'a difference that is larger than noise',
    {
      node: gap,
      want: vector([['a', '3e-16']]),
      got: vector([['a', '5e-14']]),
      oracle: noisy('3e-16', '9e-16'),
    },
    'wrong value',
  ],
  [
    'noise that changes more than a little',
    { node: gap, want: one, got: vector([['a', '2']]), oracle: noisy('7', '2') },
    'wrong value',
  ],
  [
    'a pinned selector in a subquery, right at each step',
    {
      node: pinned,
      when: STEPS,
      want: matrix([['a', ['1']]]),
      got: matrix([['a', ['2']]]),
      byInstants: matrix([['a', ['2']]]),
    },
    'equal, @ within a subquery, step by step',
  ],
  [
    'a pinned selector in a subquery, wrong at each step',
    {
      node: pinned,
      when: STEPS,
      want: matrix([['a', ['1']]]),
      got: matrix([['a', ['3']]]),
      byInstants: matrix([['a', ['2']]]),
    },
    'wrong value',
  ],
])('%s', async (_what, given, want) => {
  expect(await verdict(given)).toBe(want);
});

/** Answers to `gap` with noise: undisturbed, and with any other noise. */
function noisy(undisturbed: string, disturbed: string): Record<string, Answer> {
  const noises = [
    ['1.0000000000000004', '1'],
    ['0.9999999999999997', '1'],
    ...['0.1', '0.7', '0.3'].map((k) => [k, k]),
  ];
  return Object.fromEntries(
    [['1', '1'], ...noises].map(([times, over], i) => [
      `((sum(x) * ${times}) / ${over}) - 1`,
      vector([['a', i === 0 ? undisturbed : disturbed]]),
    ]),
  );
}
