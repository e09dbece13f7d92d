import { expect, test } from 'vitest';
import { compare, difference, type Matrix, matrixOf } from '../../bench/answers.ts';

type Values = readonly (readonly [number, string])[];

function matrix(series: Readonly<Record<string, Values>>): Matrix {
  const result = Object.entries(series).map(([service, values]) => ({ metric: { service }, values }));
  return matrixOf(JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } }));
}

const WANT = {
  a: [
    [1, '1'],
    [2, '0'],
  ],
  b: [
    [1, 'NaN'],
    [2, '+Inf'],
  ],
} satisfies Record<string, Values>;

test.each<[string, Record<string, Values>, number, string | undefined]>([
  ['the same', WANT, 0, undefined],
  ['another order', { b: WANT.b, a: WANT.a }, 0, undefined],
  [
    'within the bound',
    {
      ...WANT,
      a: [
        [1, '1.0000000005'],
        [2, '0'],
      ],
    },
    1e-9,
    undefined,
  ],
  [
    'past the bound',
    {
      ...WANT,
      a: [
        [1, '1.000000002'],
        [2, '0'],
      ],
    },
    1e-9,
    '[["service","a"]] at 1 is 1.000000002, not 1',
  ],
  [
    'near zero',
    {
      ...WANT,
      a: [
        [1, '1'],
        [2, '1e-20'],
      ],
    },
    1e-9,
    '[["service","a"]] at 2 is 1e-20, not 0',
  ],
  [
    'a number for NaN',
    {
      ...WANT,
      b: [
        [1, '1'],
        [2, '+Inf'],
      ],
    },
    1e-9,
    '[["service","b"]] at 1 is 1, not NaN',
  ],
  [
    'the other infinity',
    {
      ...WANT,
      b: [
        [1, 'NaN'],
        [2, '-Inf'],
      ],
    },
    1e-9,
    '[["service","b"]] at 2 is -Inf, not +Inf',
  ],
  ['a series less', { a: WANT.a }, 1e-9, '[["service","b"]] is missing'],
  ['a series more', { ...WANT, c: [[1, '1']] }, 1e-9, '[["service","c"]] is too much'],
  ['a step less', { ...WANT, a: [[1, '1']] }, 1e-9, '[["service","a"]] has 1 steps, not 2'],
  [
    'another step',
    {
      ...WANT,
      a: [
        [1, '1'],
        [3, '0'],
      ],
    },
    1e-9,
    '[["service","a"]] has a step at 3, not at 2',
  ],
  [
    'other values, by shape alone',
    {
      ...WANT,
      a: [
        [1, '5'],
        [2, '6'],
      ],
    },
    Infinity,
    undefined,
  ],
  [
    'another step, by shape alone',
    {
      ...WANT,
      a: [
        [1, '5'],
        [3, '6'],
      ],
    },
    Infinity,
    '[["service","a"]] has a step at 3, not at 2',
  ],
])('%s', (_, got, relative, want) => {
  expect(difference(matrix(got), matrix(WANT), relative)).toBe(want);
});

test('two empty answers do not count as agreement', () => {
  expect(difference(matrix({}), matrix({}), 1e-9)).toMatch(/nothing to compare/);
});

test('an answer that is no matrix is said to be none', () => {
  expect(() => matrixOf('{"status":"success","data":{"resultType":"vector","result":[]}}')).toThrow(
    /a vector, not a matrix/,
  );
});

test.each<[string, Record<string, Values>, wrong: number, missing: number, offBy: number, first: RegExp | undefined]>([
  ['the same', WANT, 0, 0, 0, undefined],
  ['one missing', { b: WANT.b }, 0, 1, 0, /1 series are missing/],
  ['none', {}, 0, 2, 0, /2 series are missing/],
  ['one too much', { ...WANT, c: [[1, '1']] }, 1, 0, 0, /"c".* too much/],
  [
    'within the bound',
    {
      ...WANT,
      a: [
        [1, '1.0000000005'],
        [2, '0'],
      ],
    },
    0,
    0,
    5e-10,
    undefined,
  ],
  [
    'past the bound',
    {
      ...WANT,
      a: [
        [1, '0.75'],
        [2, '0'],
      ],
    },
    1,
    0,
    0.25,
    /is 0.75, not 1/,
  ],
  [
    'a number for NaN',
    {
      ...WANT,
      b: [
        [1, '3'],
        [2, '+Inf'],
      ],
    },
    1,
    0,
    1,
    /is 3, not NaN/,
  ],
  ['a step less', { ...WANT, a: [[2, '0']] }, 1, 0, 0, /1 steps, not 2/],
  [
    'wrong, missing and too much',
    {
      a: [
        [1, '2'],
        [2, '0'],
      ],
      c: [[1, '1']],
    },
    2,
    1,
    1,
    /too much/,
  ],
])('counted: %s', (_, got, wrong, missing, offBy, first) => {
  const found = compare(matrix(got), matrix(WANT), 1e-9);
  expect(found).toMatchObject({ series: 2, wrong, missing });
  expect(found.offBy).toBeCloseTo(offBy, 15);
  if (first === undefined) expect(found.first).toBe(undefined);
  else expect(found.first).toMatch(first);
});

test('counted: an empty answer is right where nothing is to be there', () => {
  expect(compare(matrix({}), matrix({}), 1e-9)).toMatchObject({ series: 0, wrong: 0, missing: 0 });
});
