import { describe, expect, test } from 'vitest';
import { labelKey, readAnswer, type Answer, type AnswerSeries } from './answer.ts';
import { compareAnswers, groupKey, type CompareOptions, type Ranking } from './compare.ts';

type Points = Readonly<Record<number, number>>;

const ERROR: Answer = { kind: 'error', status: 422, errorType: 'execution', message: 'many-to-many matching' };

/** Series by a short name that becomes the label `s`. */
function answer(series: Readonly<Record<string, Points>>): Answer {
  const entries = Object.entries(series).map(([name, points]): [string, AnswerSeries] => {
    const labels = new Map([['s', name]]);
    const byTime = new Map(Object.entries(points).map(([time, value]) => [Number(time), value]));
    return [labelKey(labels), { labels, points: byTime }];
  });
  return { kind: 'data', resultType: 'matrix', series: new Map(entries) };
}

function check(want: Answer, got: Answer, equal: boolean, options?: CompareOptions): void {
  expect(compareAnswers(want, got, options) === undefined).toBe(equal);
  expect(compareAnswers(got, want, options) === undefined).toBe(equal);
}

describe('compareAnswers', () => {
  const two = answer({ a: { 1: 5, 2: 0.1 + 0.2 }, b: { 1: -1 } });

  test.for<[what: string, want: Answer, got: Answer, equal: boolean]>([
    ['itself', two, two, true],
    ['nothing', answer({}), answer({}), true],
    ['the last bit', two, answer({ a: { 1: 5, 2: 0.3 }, b: { 1: -1 } }), true],
    ['NaN', answer({ a: { 1: NaN } }), answer({ a: { 1: NaN } }), true],
    ['infinity', answer({ a: { 1: Infinity } }), answer({ a: { 1: Infinity } }), true],
    ['zeros of two signs', answer({ a: { 1: 0 } }), answer({ a: { 1: -0 } }), true],
    ['errors', ERROR, { ...ERROR, message: 'in other words' }, true],
    ['a perturbed value', two, answer({ a: { 1: 5.000_000_000_1, 2: 0.3 }, b: { 1: -1 } }), false],
    ['a value beyond 1e-12', answer({ a: { 1: 1 } }), answer({ a: { 1: 1 + 3e-12 } }), false],
    ['a dropped series', two, answer({ a: { 1: 5, 2: 0.3 } }), false],
    ['a missing step', two, answer({ a: { 1: 5 }, b: { 1: -1 } }), false],
    ['a moved step', answer({ a: { 1: 5 } }), answer({ a: { 2: 5 } }), false],
    ['a renamed series', answer({ a: { 1: 5 } }), answer({ b: { 1: 5 } }), false],
    ['NaN and a number', answer({ a: { 1: NaN } }), answer({ a: { 1: 0 } }), false],
    ['infinities of two signs', answer({ a: { 1: Infinity } }), answer({ a: { 1: -Infinity } }), false],
    ['infinity and a large number', answer({ a: { 1: Infinity } }), answer({ a: { 1: 1.7e308 } }), false],
    ['an error and an empty answer', ERROR, answer({}), false],
    ['two types', answer({}), { kind: 'data', resultType: 'vector', series: new Map() }, false],
  ])('%s', ([, want, got, equal]) => check(want, got, equal));

  test.for<[what: string, terms: number | undefined, equal: boolean]>([
    ['no terms known', undefined, false],
    ['terms that explain it', 1e16, true],
    ['terms that do not', 1e12, false],
    ['infinite terms, which explain nothing', Infinity, false],
  ])('cancelled terms: %s', ([, sum, equal]) => {
    check(answer({ a: { 1: 1 } }), answer({ a: { 1: 9 } }), equal, { terms: () => sum });
  });
});

describe('topk', () => {
  const ranking = (k: number): Ranking => ({ k, largest: true, group: () => '' });

  test.for<[what: string, k: number, want: Answer, got: Answer, equal: boolean]>([
    ['the same', 2, answer({ a: { 1: 9 }, b: { 1: 5 } }), answer({ a: { 1: 9 }, b: { 1: 5 } }), true],
    ['another of the tied', 2, answer({ a: { 1: 9 }, b: { 1: 5 } }), answer({ a: { 1: 9 }, c: { 1: 5 } }), true],
    ['ties alone', 1, answer({ a: { 1: 5 } }), answer({ b: { 1: 5 } }), true],
    ['NaN ties', 1, answer({ a: { 1: NaN } }), answer({ b: { 1: NaN } }), true],
    ['another at the top', 2, answer({ a: { 1: 9 }, b: { 1: 5 } }), answer({ c: { 1: 9 }, b: { 1: 5 } }), false],
    [
      'another in a group that is not full',
      3,
      answer({ a: { 1: 9 }, b: { 1: 5 } }),
      answer({ a: { 1: 9 }, c: { 1: 5 } }),
      false,
    ],
    ['another value', 2, answer({ a: { 1: 9 }, b: { 1: 5 } }), answer({ a: { 1: 9 }, b: { 1: 6 } }), false],
    ['one too few', 2, answer({ a: { 1: 9 }, b: { 1: 5 } }), answer({ a: { 1: 9 } }), false],
    ['at one step only', 1, answer({ a: { 1: 9, 2: 9 } }), answer({ a: { 1: 9 }, b: { 2: 8 } }), false],
  ])('%s', ([, k, want, got, equal]) => check(want, got, equal, { ranking: ranking(k) }));

  test('groups by or without labels', () => {
    const labels = new Map([
      ['__name__', 'm'],
      ['a', '1'],
      ['b', '2'],
    ]);
    expect(groupKey(labels, false, ['a'])).toBe('{a="1"}');
    expect(groupKey(labels, true, ['a'])).toBe('{b="2"}');
  });
});

describe('readAnswer', () => {
  const body = (result: unknown, resultType = 'vector'): string =>
    JSON.stringify({ status: 'success', data: { resultType, result } });

  test('reads values that JSON has no numbers for', () => {
    const result = ['NaN', '+Inf', '-Inf', '1e-7'].map((value, i) => ({
      metric: { i: String(i) },
      value: [1.5, value],
    }));
    const read = readAnswer(200, body(result));
    const values = read.kind === 'data' ? [...read.series.values()].map(({ points }) => points.get(1500)) : [];
    expect(values).toEqual([NaN, Infinity, -Infinity, 1e-7]);
  });

  test.for<[what: string, status: number, body: string]>([
    ['a success with another status', 500, body([])],
    ['a value that is not a number', 200, body([{ metric: {}, value: [1, 'many'] }])],
    ['an empty value', 200, body([{ metric: {}, value: [1, ''] }])],
    [
      'a series twice',
      200,
      body([
        { metric: {}, value: [1, '1'] },
        { metric: {}, value: [1, '1'] },
      ]),
    ],
    ['an unknown type', 200, body([], 'tensor')],
    ['no JSON', 502, '<html>'],
  ])('refuses %s', ([, status, text]) => {
    expect(() => readAnswer(status, text)).toThrow();
  });
});
