import { expect, test } from 'vitest';
import { histogramFraction, histogramQuantile } from '../../src/model/histogram-quantile.ts';
import { histogramVariance } from '../../src/model/histogram-variance.ts';
import { randomFrom } from '../random.ts';
import { parse, randomHistogram } from './histogram-notation.ts';

// Wants are what Prometheus 3.15 answers, in every bit.
test.each<[histogram: string, q: number, want: number, nan?: string]>([
  ['0/0.5/2 [1:4 3:4]', 0.5, 1.6817928305074292],
  ['0/0.5/2 [1:4 3:4]', 0.1, 0.25],
  ['0/0.5/2 [1:4] [1:4]', 0.5, 0],
  ['0/0.5/2 [] [1:4]', 0.9, -0.14999999999999997],
  ['0/0.5/2 [] [1:4]', 0.3, -1.4640856959456254],
  ['0/0.5/2 [1:4 3:4]', 1, 8],
  ['0/0.5/2 [1:4 3:4]', 0, 0],
  ['0/0.5/2 [1:4 3:4]', -0.1, -Infinity],
  ['0/0.5/2 [1:4 3:4]', 1.1, Infinity],
  ['0/0.5/2 [1:4 3:4]', NaN, NaN],
  ['0/0.5/0 []', 0.5, NaN],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 0.1, 0.4],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 0.6, 2.8],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 0.99, 4],
  ['-1,2 [0:2 1:2]', 0.1, -1],
  ['0/0/0 [1:4 2:4 3:2] #12 =NaN', 0.9, NaN, 'result'],
  // A bucket that begins within the zero bucket begins where that ends.
  ['0/1.5/2 [1:4 3:4]', 0.3, 1.611854897735313],
  ['0/1.5/2 [] [1:4 3:4]', 0.7, -1.611854897735313],
  // Interpolated in the highest bucket, not in the one of the rank.
  ['0/0/0 [1:4 2:4 3:2] #12 =NaN', 0.5, 8, 'skew'],
  ['0/0/0 [1:4 2:4 3:2] #10 =NaN', 0.5, 5.65685424949238],
  // The count says more than the buckets do.
  ['0/0/0 [] #3', 0.5, 0],
  ['0/0/0 [1:1] #3', 0, 1],
])('quantile of %s at %d', (histogram, q, want, nan = 'none') => {
  expect(histogramQuantile(q, parse(histogram))).toEqual({ value: want, nan });
});

test.each<[histogram: string, lower: number, upper: number, want: number, nan?: string]>([
  ['0/0.5/2 [1:4 3:4]', 0, 1.5, 0.43398500028846254],
  ['0/0.5/2 [1:4 3:4]', -1, 0.25, 0.1],
  ['0/0.5/2 [1:4 3:4]', -Infinity, Infinity, 1],
  ['0/0.5/2 [] [1:4 3:4]', -6, -1.5, 0.3999999999999999],
  ['0/0.5/2 [1:4]', NaN, 1, NaN],
  ['0/0.5/0 []', 0, 1, NaN],
  ['0/1.5/2 [1:4 3:4]', 1, 1.7, 0.24069647935161917],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 1.5, 3, 0.25],
  ['1,2 [0:2 1:2]', -Infinity, 1.5, 0.75],
  // A custom bucket that holds 0 begins there, as the zero bucket would.
  ['-5,5 [0:2 1:2 2:2]', -2, 2.5, 0.16666666666666666],
  ['1,2 [0:2]', 2, 1, 0],
  ['0/0/0 [1:4 2:4] #10 =NaN', 0, 2, 0.4, 'skew'],
  ['0/0/0 [1:4 2:4] #8 =NaN', 0, 2, 0.5],
])('fraction of %s from %d to %d', (histogram, lower, upper, want, nan = 'none') => {
  expect(histogramFraction(lower, upper, parse(histogram))).toEqual({ value: want, nan });
});

test.each<[histogram: string, want: number]>([
  ['0/0.5/2 [1:4 3:4] =12', 8.251774900609146],
  ['0/0/0 [1:4] [3:4] =-12', 12.886038969321072],
  ['1,2,4 [1:2 2:2] =9', 0.5625],
  ['1,2,4 [0:2 1:2]', Infinity],
  ['0/0/0 []', NaN],
])('variance of %s', (histogram, want) => expect(histogramVariance(parse(histogram))).toBe(want));

test('fractions undo quantiles', () => {
  const seed = Number(process.env['COMITY_SEED'] ?? 90_210);
  const random = randomFrom(seed);
  for (let run = 0; run < 2_000; run++) {
    const histogram = randomHistogram(random, false, () => random.int(1, 5));
    const q = random.float(0.01, 0.99);
    // Where nothing lies in a bucket below its own zero threshold, ranks and bounds rise together.
    const isSound = [...histogram.layout.positive, ...histogram.layout.negative].every(
      (index) => 2 ** ((index - 1) * 2 ** -histogram.layout.schema) >= histogram.layout.zeroThreshold,
    );
    // A zero bucket of no width holds all its observations at once.
    if (!isSound || histogram.layout.zeroThreshold === 0) continue;
    const { value } = histogramQuantile(q, histogram);
    const { value: part } = histogramFraction(-Infinity, value, histogram);
    expect(Math.abs(part - q), `seed ${seed} run ${run}`).toBeLessThan(1e-9);
  }
});
