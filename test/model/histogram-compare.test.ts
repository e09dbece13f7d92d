import { expect, test } from 'vitest';
import { equalHistograms, resetBetween } from '../../src/model/histogram-compare.ts';
import { GAUGE, NOT_RESET, RESET } from '../../src/model/histogram.ts';
import { parse } from './histogram-notation.ts';

test.each<[a: string, b: string, want: boolean]>([
  ['0/0.5/1 [1:2 3:1] [0:1]', '0/0.5/1 [1:2 3:1] [0:1]', true],
  ['0/0.5/1 [1:2]', '0/0.5/1 [1:2] kept', true],
  ['0/0.5/1 [1:2]', '0/0.5/1 [1:2] =7', false],
  ['0/0.5/1 [1:2]', '0/0.5/1 [1:2] #7 =9', false],
  ['0/0.5/1 [1:2]', '0/0.5/2 [1:2] #3', false],
  ['0/0.5/1 [1:2]', '0/0.25/1 [1:2]', false],
  ['0/0.5/1 [1:2]', '1/0.5/1 [1:2]', false],
  ['0/0.5/1 [1:2]', '0/0.5/1 [2:2]', false],
  ['0/0.5/1 [1:2]', '0/0.5/1 [1:2 2:0]', false],
  ['0/0.5/1 [1:2]', '0/0.5/1 [] [1:2]', false],
  ['0/0.5/1 [1:2 2:1]', '0/0.5/1 [1:1 2:2]', false],
  ['0/0.5/1 [] =NaN', '0/0.5/1 [] =NaN', true],
  ['0/0.5/0 [] =0', '0/0.5/0 [] =-0', false],
  ['1,2 [0:1]', '1,2 [0:1]', true],
  ['1,2 [0:1]', '1,3 [0:1]', false],
  ['0,2 [0:1]', '-0,2 [0:1]', true],
  ['1,2 [0:1]', '0/0/0 [0:1]', false],
])('%s equals %s: %s', (a, b, want) => {
  expect(equalHistograms(parse(a), parse(b))).toBe(want);
  expect(equalHistograms(parse(b), parse(a))).toBe(want);
});

// As Prometheus 3.15 answers them.
test.each<[previous: string, current: string, want: boolean]>([
  ['0/0/1 [1:2]', '0/0/1 [1:2 3:1]', false],
  ['0/0/1 [1:2]', '0/0/1 [2:3]', true],
  ['0/0/1 [1:2] =9', '0/0/1 [1:2] =1', false],
  ['0/0/1 [1:0 2:1]', '0/0/1 [2:1]', false],
  ['0/0/1 [2:1]', '0/0/1 [] #5', true],
  ['0/0/2 [1:2]', '0/0/1 [1:5]', true],
  ['0/0/0 [1:2] #9', '0/0/0 [1:2] #8', true],
  ['0/0/0 [1:2] [1:3]', '0/0/0 [1:5] [1:2]', true],
  ['1/0/0 [1:2 2:2]', '0/0/0 [1:4]', false],
  ['1/0/0 [1:2 2:2]', '0/0/0 [1:3 2:5]', true],
  ['0/0/0 [1:2]', '1/0/0 [1:5]', true],
  ['0/1/0 [1:2]', '0/0.5/0 [1:5]', true],
  ['0/0.5/1 [0:2 1:1]', '0/1/3 [1:1]', false],
  ['0/0.5/1 [0:2 1:1]', '0/1/2 [1:5]', true],
  ['0/0.5/1 [1:1]', '0/1.5/9 [2:5]', true],
  ['0/0.5/1 [1:0]', '0/1.5/9 [2:5]', false],
  // The finer bucket below the threshold counts in the merged bucket too, as in a sum.
  ['1/0/0 [1:5 2:7]', '0/1.414213562373095/5 [1:8]', true],
  ['1/0/0 [1:5 2:7]', '0/1.414213562373095/5 [1:12]', false],
  ['1,2 [0:1 1:1]', '1,2 [0:1 1:2]', false],
  ['1,2 [0:2]', '1,2 [0:1 1:2]', true],
  ['1,2 [0:1 1:1]', '1 [0:1 1:1]', false],
  ['1,2 [0:1 1:1]', '2 [0:1 1:5]', true],
  ['1,2,3 [0:1 2:5]', '1,3 [0:1 1:4 2:1]', true],
  ['1,2 [0:1]', '0/0/1 [1:1]', true],
  ['0/0/1 []', '1,2 [0:1]', true],
  // A threshold that is no number is nobody's, and ends the search.
  ['0/0.5/1 [1:1]', '0/NaN/1 [1:1]', true],
])('from %s to %s: %s', (previous, current, want) => {
  const [before, after] = [parse(previous), parse(current)];
  expect(resetBetween(before, after)).toBe(want);
  expect(resetBetween(before, { ...after, hint: GAUGE })).toBe(want);
  expect(resetBetween(before, { ...after, hint: RESET })).toBe(true);
  expect(resetBetween(before, { ...after, hint: NOT_RESET })).toBe(false);
  expect(resetBetween({ ...before, hint: RESET }, after)).toBe(want);
});
