import { expect, test } from 'vitest';
import { compacted, scaled, sumOf } from '../../src/model/histogram-arithmetic.ts';
import {
  addToHistogramSum,
  finishHistogramSum,
  histogramSumOf,
  mergeHistogramSum,
  partsOfHistogramSum,
  startHistogramSum,
  type HistogramSum,
} from '../../src/model/histogram-sum.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { randomFrom } from '../random.ts';
import { parse, print, printAll, randomHistogram } from './histogram-notation.ts';

function sumUp(terms: readonly NativeHistogram[]): HistogramSum {
  const sum = startHistogramSum(terms[0]!);
  for (const term of terms.slice(1)) expect(addToHistogramSum(sum, term)).toBeDefined();
  return sum;
}

// Wants are what Prometheus 3.15 answers to sum_over_time.
test.each<[terms: string[], want: string]>([
  [['0/0/1 [1:1]'], '0/0/1 [1:1] #2 =6'],
  [
    [
      '0/0/0 [1:10000000000000000 2:1] =1e16',
      '0/0/0 [1:1 3:0.1] =1',
      '0/0/0 [1:1 3:0.2] =1',
      '0/0/0 [1:-10000000000000000 3:0.3] =-1e16',
    ],
    '0/0/0 [1:2 2:1 3:0.6] #2.3 =2',
  ],
  // What was lost goes along to a coarser schema and into the zero bucket.
  [
    ['1/0/0 [1:10000000000000000 2:1 3:0]', '1/0/0 [1:1 2:1]', '0/1/1 [1:1]'],
    '0/1/1 [1:10000000000000004] #10000000000000004 =30000000000000012',
  ],
  [
    ['1/0/0 [1:10000000000000000 2:10000000000000000]', '1/0/0 [1:1 2:1]', '0/0/0 [1:-20000000000000000]'],
    '0/0/0 [1:2] #2 =6',
  ],
  [
    ['1,2,3 [0:10000000000000000 1:1 2:0]', '1,3 [0:1 1:0]', '1,2,3 [0:1 1:0 3:-1]'],
    '1,3 [0:10000000000000002 1:1 2:-1] #10000000000000000 =30000000000000004',
  ],
])('%j', (terms, want) => {
  const sum = sumUp(terms.map(parse));
  expect(printAll(finishHistogramSum(sum))).toBe(want);
  // Finishing leaves the state as it was.
  expect(printAll(finishHistogramSum(sum))).toBe(want);
});

test('reconciled bounds and kinds that do not add', () => {
  const sum = startHistogramSum(parse('1,2 [0:1]'));
  expect(addToHistogramSum(sum, parse('1,2 [0:1]'))).toEqual({ boundsReconciled: false });
  expect(addToHistogramSum(sum, parse('1,3 [0:1]'))).toEqual({ boundsReconciled: true });
  const before = printAll(finishHistogramSum(sum));
  expect(addToHistogramSum(sum, parse('0/0/1 []'))).toBeUndefined();
  expect(mergeHistogramSum(sum, startHistogramSum(parse('0/0/1 []')))).toBeUndefined();
  expect(printAll(finishHistogramSum(sum))).toBe(before);
});

test('a state made of its parts goes on as the state itself', () => {
  const terms = ['0/0/0 [1:10000000000000000]', '0/0/0 [1:1]', '0/0/0 [1:1 2:1]'].map(parse);
  const sum = sumUp(terms);
  const { histogram, compensation } = partsOfHistogramSum(sum);
  expect(print(compensation!)).toBe('0/0/0 [1:2 2:0]');
  const copy = histogramSumOf({ histogram, compensation });
  for (const state of [sum, copy]) addToHistogramSum(state, parse('0/0/0 [1:-10000000000000000]'));
  expect(printAll(finishHistogramSum(copy))).toBe(printAll(finishHistogramSum(sum)));
  expect(print(finishHistogramSum(copy))).toBe('0/0/0 [1:2 2:1]');
  expect(partsOfHistogramSum(startHistogramSum(terms[0]!)).compensation).toBeUndefined();
});

test('a sum of sums of parts is the sum of all terms', () => {
  const seed = Number(process.env['COMITY_SEED'] ?? 31_337);
  const random = randomFrom(seed);
  for (let run = 0; run < 500; run++) {
    const isCustom = random.chance(0.3);
    // Of parts that only a compensated sum adds up without loss.
    const count = (): number => random.pick([0, 1, 3, 0.125, 2 ** 60]);
    const first = randomHistogram(random, isCustom, count);
    const terms = Array.from({ length: random.int(2, 9) }, () => {
      const { layout, ...term } = randomHistogram(random, isCustom, count);
      // Which buckets Prometheus counts twice depends on the order where schemas or zero buckets differ.
      const { schema } = first.layout;
      return { ...term, layout: { ...layout, schema, zeroThreshold: 0 } };
    });
    terms.push(
      ...terms.map((term) => scaled(term, -1)),
      randomHistogram(random, isCustom, () => 1),
    );
    const last = terms.pop()!;
    terms.push({ ...last, layout: { ...last.layout, schema: first.layout.schema, zeroThreshold: 0 } });
    const cut = random.int(1, terms.length - 1);
    const merged = sumUp(terms.slice(0, cut));
    const other = sumUp(terms.slice(cut));
    const untouched = printAll(finishHistogramSum(other));
    expect(mergeHistogramSum(merged, other)).toBeDefined();
    expect(printAll(finishHistogramSum(other))).toBe(untouched);
    const want = print(compacted(finishHistogramSum(sumUp(terms))));
    expect(print(compacted(finishHistogramSum(merged))), `seed ${seed} run ${run}`).toBe(want);
  }
});

test('the compensation is worth something', () => {
  const terms = Array.from({ length: 10 }, () => parse('0/0/0 [1:0.1]'));
  let naive = terms[0]!;
  for (const term of terms.slice(1)) naive = sumOf(naive, term)!.histogram;
  expect(naive.positive[0]).not.toBe(1);
  expect(finishHistogramSum(sumUp(terms)).positive[0]).toBe(1);
});
