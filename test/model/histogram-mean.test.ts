import { expect, test } from 'vitest';
import {
  addToHistogramMean,
  finishHistogramMean,
  mergeHistogramMean,
  startHistogramMean,
  type HistogramMean,
} from '../../src/model/histogram-mean.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { randomFrom } from '../random.ts';
import { parse, printAll, randomHistogram } from './histogram-notation.ts';

function meanOf(terms: readonly NativeHistogram[]): HistogramMean {
  const mean = startHistogramMean(terms[0]!);
  for (const term of terms.slice(1)) expect(addToHistogramMean(mean, term)).toBeDefined();
  return mean;
}

// Wants are what Prometheus 3.15 answers to avg_over_time.
test.each<[terms: string[], want: string, isIncremental: boolean]>([
  [['0/0/1 [1:2 2:0]'], '0/0/1 [1:2 2:0] #3 =9', false],
  [['1,2 [0:1 2:2]', '1,3 [0:2 1:4]', '1,2,3 [0:0]'], '1 [0:1 1:2] #3 =9', false],
  [
    ['0/0/1 [1:1] =1e308', '0/0/2 [1:3] =1e308', '0/0/0 [2:3] =1e308'],
    '0/0/1 [1:1.3333333333333333 2:1] #3.333333333333333 =1e+308',
    true,
  ],
  [
    ['0/0/0 [1:1.7e308] #1 =1', '0/0/0 [1:1.7e308 2:3] #1 =2', '0/0/0 [1:1.7e308] #1 =3', '0/0/0 [2:3] #4 =6'],
    '0/0/0 [1:1.2749999999999999e+308 2:1.5] #1.75 =3',
    true,
  ],
])('%j', (terms, want, isIncremental) => {
  const mean = meanOf(terms.map(parse));
  expect(printAll(finishHistogramMean(mean))).toBe(want);
  expect(printAll(finishHistogramMean(mean))).toBe(want);
  expect([mean.count, mean.isIncremental]).toEqual([terms.length, isIncremental]);
});

test('kinds that do not add leave the state as it was', () => {
  for (const mean of [meanOf([parse('1,2 [0:1]')]), meanOf([parse('1 [0:1] =1e308'), parse('1 [0:1] =1e308')])]) {
    const before = printAll(finishHistogramMean(mean));
    expect(addToHistogramMean(mean, parse('0/0/1 []'))).toBeUndefined();
    expect(mergeHistogramMean(mean, startHistogramMean(parse('0/0/1 []')))).toBeUndefined();
    expect(printAll(finishHistogramMean(mean))).toBe(before);
  }
});

test('a mean of means of parts is the mean of all terms', () => {
  const seed = Number(process.env['COMITY_SEED'] ?? 4_711);
  const random = randomFrom(seed);
  for (let run = 0; run < 500; run++) {
    const isCustom = random.chance(0.3);
    const { schema } = randomHistogram(random, isCustom, () => 1).layout;
    // Some runs overflow in one part, some in both, some only where the parts meet.
    const huge = random.pick([0, 0.1, 0.5]);
    const terms = Array.from({ length: random.int(2, 9) }, () => {
      const { layout, ...term } = randomHistogram(random, isCustom, () => random.int(0, 9));
      const sum = random.chance(huge) ? random.pick([1e308, 1.5e308]) : term.sum;
      return { ...term, sum, layout: { ...layout, schema, zeroThreshold: 0 } };
    });
    const cut = random.int(1, terms.length - 1);
    const merged = meanOf(terms.slice(0, cut));
    const other = meanOf(terms.slice(cut));
    const untouched = printAll(finishHistogramMean(other));
    expect(mergeHistogramMean(merged, other)).toBeDefined();
    expect(printAll(finishHistogramMean(other))).toBe(untouched);
    const want = finishHistogramMean(meanOf(terms));
    const got = finishHistogramMean(merged);
    const numbers = ({ count, sum, zeroCount, positive, negative }: NativeHistogram): number[] =>
      [count, sum, zeroCount, ...positive, ...negative].filter((value) => value !== 0);
    expect(numbers(got).length, `seed ${seed} run ${run}`).toBe(numbers(want).length);
    numbers(got).forEach((value, i) => {
      expect(Math.abs(value / numbers(want)[i]! - 1), `seed ${seed} run ${run}`).toBeLessThan(1e-12);
    });
  }
});
