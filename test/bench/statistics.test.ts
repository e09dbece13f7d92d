import { expect, test } from 'vitest';
import { mean, median, percentile } from '../../bench/statistics.ts';

const TO_HUNDRED = Array.from({ length: 100 }, (_, i) => 100 - i);

test.each<[values: readonly number[], p: number, want: number | undefined]>([
  [[], 0.5, undefined],
  [[7], 0, 7],
  [[7], 1, 7],
  // By value, not by text.
  [[10, 9, 100], 0.5, 10],
  [TO_HUNDRED, 0, 1],
  [TO_HUNDRED, 0.5, 51],
  [TO_HUNDRED, 0.99, 100],
  [TO_HUNDRED, 0.98, 99],
  [TO_HUNDRED, 1, 100],
])('of %j the percentile %d is %s', (values, p, want) => {
  expect(percentile(values, p)).toBe(want);
});

test('median and mean', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 3, 1, 2])).toBe(3);
  expect(median([])).toBeUndefined();
  expect(mean([1, 2, 6])).toBe(3);
  expect(mean([])).toBeUndefined();
});
