import { describe, expect, it } from 'vitest';
import { quantileOfSorted, sortNanFirst } from '../../src/engine/quantile.ts';

describe('sortNanFirst', () => {
  // On both sides of the size from which the native sort is used.
  it.each([0, 1, 5, 48, 49, 300])('of %d values', (length) => {
    const mixed = Array.from({ length }, (_none, i) =>
      i % 5 === 3 ? NaN : i % 7 === 2 ? -Infinity : (i * 7919) % 101,
    );
    const sorted = Float64Array.from(mixed);
    sortNanFirst(sorted);
    const numbers = mixed.filter((value) => !Number.isNaN(value)).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const nans = Array.from({ length: length - numbers.length }, () => NaN);
    expect([...sorted]).toEqual([...nans, ...numbers]);
  });
});

it.each<[number, number[], number]>([
  [0.5, [], NaN],
  [NaN, [1], NaN],
  [-0.1, [1], -Infinity],
  [1.1, [1], Infinity],
  [0, [1, 2], 1],
  [1, [1, 2], 2],
  [0.25, [1, 2, 3], 1.5],
])('the %d-quantile of %j is %d', (phi, values, want) => {
  expect(quantileOfSorted(phi, Float64Array.from(values))).toBe(want);
});
