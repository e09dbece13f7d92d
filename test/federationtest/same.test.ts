import { expect, test } from 'vitest';
import {
  answerDifference,
  closeValues,
  hangsOnOrder,
  noteSetDifference,
  withoutDetail,
} from '../../src/federationtest/same.ts';
import { drawFrom } from '../../src/federationtest/draw.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { SequenceValue } from '../../src/promqltest/command.ts';
import type { Result } from '../../src/promqltest/result.ts';

test.each<[number, number, number | undefined, boolean]>([
  [1, 1, undefined, true],
  [1, 1 + 1e-13, undefined, true],
  [1, 1 + 1e-11, undefined, false],
  [0, 1e-14, undefined, false],
  [0, 1e-14, 100, true],
  [0, 1e-12, 100, false],
  [NaN, NaN, undefined, true],
  [NaN, 1, 1e300, false],
  [Infinity, Infinity, undefined, true],
  [Infinity, -Infinity, Infinity, false],
  [0, -0, undefined, true],
])('%f and %f, of terms %f, are equal: %s', (want, got, terms, equal) => {
  expect(closeValues(want, got, terms)).toBe(equal);
});

const float = (value: number): SequenceValue => ({ kind: 'float', value });

function vector(...series: readonly (readonly [string, number])[]): Result {
  return {
    kind: 'vector',
    series: series.map(([a, value]) => ({ labels: labelsOf({ a }), points: [{ timeMs: 0, value: float(value) }] })),
  };
}

test.each<[string, Result, Result, boolean, string | undefined]>([
  ['the same', vector(['x', 1]), vector(['x', 1]), false, undefined],
  ['another order', vector(['x', 1], ['y', 2]), vector(['y', 2], ['x', 1]), false, undefined],
  ['another order where there is one', vector(['x', 1], ['y', 2]), vector(['y', 2], ['x', 1]), true, 'another order'],
  ['a series less', vector(['x', 1], ['y', 2]), vector(['x', 1]), false, 'is missing'],
  ['a series more', vector(['x', 1]), vector(['x', 1], ['y', 2]), false, 'an unexpected series'],
  ['a series twice', vector(['x', 1]), vector(['x', 1], ['x', 1]), false, 'two series'],
  ['another value', vector(['x', 1]), vector(['x', 2]), false, 'another value'],
  ['another kind', vector(['x', 1]), { kind: 'scalar', value: float(1) }, false, 'a scalar where a vector'],
  ['a matrix', vector(['x', 1]), { kind: 'matrix', series: [] }, false, 'a matrix where a vector'],
  ['a text', { kind: 'string', value: 'a' }, { kind: 'string', value: 'b' }, false, 'another string'],
])('answers differ by %s', (_, want, got, ordered, problem) => {
  const difference = answerDifference(want, got, ordered)?.problem;
  if (problem === undefined) expect(difference).toBeUndefined();
  else expect(difference).toContain(problem);
});

test('only finite numbers may turn out equal once their terms are known', () => {
  expect(answerDifference(vector(['x', 1]), vector(['x', 2]), false)?.isClose).toBe(true);
  expect(answerDifference(vector(['x', NaN]), vector(['x', 2]), false)?.isClose).toBe(false);
  expect(answerDifference(vector(['x', 1], ['y', 1]), vector(['x', 2]), false)?.isClose).toBe(false);
  expect(answerDifference(vector(['x', 0]), vector(['x', 1e-14]), false, () => 100)).toBeUndefined();
});

test('notes are compared as sets', () => {
  expect(noteSetDifference('info', ['a', 'b'], ['b', 'a', 'a'])).toBeUndefined();
  expect(noteSetDifference('info', ['a'], [])?.problem).toBe('a missing info');
  expect(noteSetDifference('warning', [], ['a'])?.problem).toBe('an unexpected warning');
});

test('what notes say of single samples can be left out', () => {
  const text = 'PromQL info: input needed to be fixed (see x)';
  const detail =
    ', from buckets 1 to 2, with a max diff of 3, over 4 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z';
  expect(withoutDetail(`${text}${detail} (1:25)`)).toBe(`${text} (1:25)`);
  expect(withoutDetail('overlaps (3 occurrences) (1:2)')).toBe('overlaps (1:2)');
  expect(withoutDetail('nothing (1:2)')).toBe('nothing (1:2)');
});

test('one info hangs on the order of addition, and only beside its warning', () => {
  const info = 'PromQL info: mismatched custom buckets were reconciled during aggregation (1:5)';
  const warning =
    'vector contains a mix of histograms with exponential and custom buckets schemas for metric name "x" (1:5)';
  expect([hangsOnOrder(info, [warning]), hangsOnOrder(info, []), hangsOnOrder('another', [warning])]).toEqual([
    true,
    false,
    false,
  ]);
});

test('choices hang on the seed and what they are for, and on nothing else', () => {
  const draw = drawFrom(7);
  const before = draw.index(1_000, 'a', 1);
  draw.index(1_000, 'b');
  expect(draw.index(1_000, 'a', 1)).toBe(before);
  expect(drawFrom(7).index(1_000, 'a', 1)).toBe(before);
  const others = Array.from({ length: 20 }, (_, seed) => drawFrom(seed).index(1_000, 'a', 1));
  expect(new Set(others).size).toBeGreaterThan(15);
  const some = draw.some(3, 5, 'x');
  expect(some.size).toBe(3);
  expect([...some].every((index) => index >= 0 && index < 5)).toBe(true);
  expect(draw.some(9, 2, 'x').size).toBe(2);
  const counts = [0, 0, 0];
  for (let i = 0; i < 3_000; i++) counts[draw.index(3, 'even', i)]!++;
  for (const count of counts) expect(count).toBeGreaterThan(900);
});
