import { expect, test } from 'vitest';
import { scaled } from '../../src/model/histogram-arithmetic.ts';
import { histogramText } from '../../src/model/histogram-text.ts';
import { parse } from './histogram-notation.ts';

// As Prometheus 3.15 writes them.
test.each<[histogram: string, want: string]>([
  [
    '0/0.5/2 [1:4 3:0 4:1e7] [1:1 3:0.5] =-0.00001234',
    '{count:1.00000075e+07, sum:-1.234e-05, [-8,-4):0.5, [-2,-1):1, [-0.5,0.5]:2, (1,2]:4, (8,16]:1e+07}',
  ],
  ['1,2.5 [0:1 1:0 2:123456]', '{count:123457, sum:370371, [-Inf,1]:1, (2.5,+Inf]:123456}'],
  ['0/0/0 [] =NaN', '{count:0, sum:NaN}'],
  ['0/0/0 [] =-0', '{count:0, sum:-0}'],
  [
    '-4/0/0 [65:1] [65:2] =Infinity',
    '{count:3, sum:+Inf, [-Inf,-1.7976931348623157e+308):2, (1.7976931348623157e+308,+Inf]:1}',
  ],
  ['0/0.00001/1e6 [-2000:1] #999999', '{count:999999, sum:2.999997e+06, [-1e-05,1e-05]:1e+06, (0,0):1}'],
])('%s', (histogram, want) => expect(histogramText(parse(histogram))).toBe(want));

test('custom buckets have no zero bucket, whatever arithmetic makes of its count', () => {
  expect(histogramText(scaled(parse('1 [0:1]'), Infinity))).toBe('{count:+Inf, sum:+Inf, [-Inf,1]:+Inf}');
});
