import { expect, test } from 'vitest';
import { trimmed } from '../../src/model/histogram-trim.ts';
import { parse, printAll } from './histogram-notation.ts';

// Wants are what Prometheus 3.15 answers, in every bit.
test.each<[histogram: string, side: 'lower' | 'upper', bound: number, want: string]>([
  ['0/0.5/2 [1:4 3:4] [2:3]', 'upper', 3, '0/0.5/2 [1:4] [2:3] #9 =-2.8284271247461907'],
  [
    '0/0.5/2 [1:4 3:4] [2:3]',
    'upper',
    6,
    '0/0.5/2 [1:4 3:2.3398500028846243] [2:3] #11.339850002884624 =8.634450038687962',
  ],
  ['0/0.5/2 [1:4 3:4] [2:3]', 'lower', 6, '0/0.5/0 [3:1.6601499971153757] #1.6601499971153757 =11.501856572756623'],
  [
    '0/0.5/2 [1:4 3:4] [2:3]',
    'lower',
    -3,
    '0/0.5/2 [1:4 3:4] [2:1.754887502163469] #11.754887502163468 =23.98569231117409',
  ],
  // The zero bucket begins at 0 below positive buckets only, and ends there above negative ones only.
  ['0/0.5/2 [1:4]', 'lower', 0.25, '0/0.5/1 [1:4] #5 =6.031854249492381'],
  ['0/0.5/2 [] [1:4]', 'upper', -0.125, '0/0.5/1.5 [] [1:4] #5.5 =-6.125604249492381'],
  ['0/0.5/2 [1:4] [1:4]', 'upper', 0.25, '0/0.5/1.5 [] [1:4] #5.5 =-5.844354249492381'],
  // Nothing is trimmed: not even the sum is estimated, nor are empty buckets dropped.
  ['0/0.5/2 [1:4 3:0] kept', 'upper', 100, '0/0.5/2 [1:4 3:0] #6 =18 kept'],
  ['0/0.5/2 [1:4 3:0]', 'lower', -Infinity, '0/0.5/2 [1:4 3:0] #6 =18'],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 'upper', 3, '1,2,4 [0:2 1:2 2:1] #5 =6.5'],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 'lower', 3, '1,2,4 [2:1 3:2] #3 =11.5'],
  // The lowest custom bucket is taken to begin at 0; of the highest one, nothing is known to lie below a bound within.
  ['1,2,4 [0:2 1:2 2:2 3:2]', 'upper', 0.5, '1,2,4 [0:1] #1 =0.25'],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 'lower', 0.5, '1,2,4 [0:1 1:2 2:2 3:2] #7 =17.75'],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 'upper', 9, '1,2,4 [0:2 1:2 2:2] #6 =10'],
  ['1,2,4 [0:2 1:2 2:2 3:2]', 'lower', 9, '1,2,4 [3:2] #2 =18'],
  ['-1,2 [0:2 1:2]', 'upper', -3, '-1,2 [0:2] #2 =-6'],
  ['-1,2 [0:2 1:2]', 'lower', -3, '-1,2 [1:2] #2 =1'],
])('%s without what is beyond the %s bound %d', (histogram, side, bound, want) => {
  const operand = parse(histogram);
  expect(printAll(trimmed(operand, bound, side))).toBe(want);
  expect(printAll(operand)).toBe(printAll(parse(histogram)));
});
