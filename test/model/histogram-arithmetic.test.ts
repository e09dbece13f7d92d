import { expect, test } from 'vitest';
import { compacted, differenceOf, divided, hasOverflow, scaled, sumOf } from '../../src/model/histogram-arithmetic.ts';
import { GAUGE, NOT_RESET, RESET, RESET_UNKNOWN } from '../../src/model/histogram.ts';
import { randomFrom } from '../random.ts';
import { parse, print, printAll, randomHistogram } from './histogram-notation.ts';

/** Wants are what Prometheus 3.15 answers, empty buckets included. */
function check(a: string, b: string, want: { sum?: string; difference?: string; reconciled?: boolean }): void {
  const [one, two] = [parse(a), parse(b)];
  const sum = sumOf(one, two)!;
  const difference = differenceOf(one, two)!;
  if (want.sum !== undefined) expect(printAll(sum.histogram)).toBe(want.sum);
  if (want.difference !== undefined) expect(printAll(difference.histogram)).toBe(want.difference);
  expect([sum.boundsReconciled, difference.boundsReconciled]).toEqual(Array(2).fill(want.reconciled ?? false));
  expect([printAll(one), printAll(two)]).toEqual([printAll(parse(a)), printAll(parse(b))]);
}

test('buckets are added and subtracted by index', () => {
  check('0/0.5/1 [1:2 3:1]', '0/0.5/4 [2:5 3:1]', {
    sum: '0/0.5/5 [1:2 2:5 3:2] #14 =42',
    difference: '0/0.5/-3 [1:2 2:-5 3:0] #-6 =-18',
  });
  check('0/0.5/1 [1:2 3:1] [0:1]', '0/0.5/1 [1:1 3:1] [0:3]', {
    sum: '0/0.5/2 [1:3 3:2] [0:4] #11 =33',
    difference: '0/0.5/0 [1:1 3:0] [0:-2] #-1 =-3',
  });
});

test('schemas and zero buckets are reconciled', () => {
  check('0/0/0 [0:1 1:1 2:1]', '1/0/0 [-1:1 0:10 1:100 2:1000 3:10000]', {
    sum: '0/0/0 [0:12 1:1101 2:10001] #11114 =33342',
  });
  check('-2/3/1 [1:1]', '-1/0.25/1 [1:5] [2:1]', { sum: '-2/16/9 [] #9 =27' });
});

test('what Prometheus counts twice or not at all is so here', () => {
  // The threshold lies between finer buckets of the second operand, which become one that reaches beyond it.
  check('0/1.414213562373095/1 [2:1]', '1/0/0 [1:5 2:7 3:1]', {
    sum: '0/1.414213562373095/6 [1:12 2:2] #15 =45',
  });
  // A bucket within its own zero bucket.
  check('0/1/1 [2:1]', '0/1/1 [0:5 1:2]', { sum: '0/1/2 [1:2 2:1] #10 =30' });
  check('0/1/1 [0:5 1:2]', '0/1/1 [2:1]', { sum: '0/1/2 [0:5 1:2 2:1] #10 =30' });
});

test('of custom bounds those are kept that both have', () => {
  check('1,2,3 [0:1 1:1 3:1]', '1,2,3 [0:1 2:0]', { sum: '1,2,3 [0:2 1:1 2:0 3:1] #4 =12' });
  check('1,2,3 [0:1 1:1 3:1]', '2,3,4 [0:1 2:0 3:2]', { sum: '2,3 [0:3 2:3] #6 =18', reconciled: true });
  check('1 [0:1 1:2]', '2 [0:5]', { sum: ' [0:8] #8 =24', difference: ' [0:-2] #-2 =-6', reconciled: true });
});

test('exponential and custom buckets have nothing in common', () => {
  expect(sumOf(parse('0/0/0 [1:1]'), parse('1,2 [0:1]'))).toBeUndefined();
  expect(differenceOf(parse('1,2 [0:1]'), parse('0/0/0 [1:1]'))).toBeUndefined();
});

test.each<[a: number, b: number, hint: number, collides: boolean]>([
  [RESET_UNKNOWN, RESET_UNKNOWN, RESET_UNKNOWN, false],
  [RESET, RESET, RESET, false],
  [NOT_RESET, NOT_RESET, NOT_RESET, false],
  [RESET, NOT_RESET, RESET_UNKNOWN, true],
  [NOT_RESET, RESET, RESET_UNKNOWN, true],
  [NOT_RESET, RESET_UNKNOWN, RESET_UNKNOWN, false],
  [RESET_UNKNOWN, RESET, RESET_UNKNOWN, false],
  [GAUGE, RESET, GAUGE, false],
  [NOT_RESET, GAUGE, GAUGE, false],
])('hints %d and %d make %d', (a, b, hint, collides) => {
  for (const operation of [sumOf, differenceOf]) {
    const result = operation({ ...parse('0/0/1 [1:1]'), hint: a }, { ...parse('0/0/1 [1:1]'), hint: b })!;
    expect([result.histogram.hint, result.resetCollision]).toEqual([hint, collides]);
  }
});

test('factors and divisors', () => {
  const histogram = parse('0/0.5/1 [1:2 3:0] [2:4] =-3 kept');
  expect(printAll(scaled(histogram, 2))).toBe('0/0.5/2 [1:4 3:0] [2:8] #14 =-6 kept');
  expect(printAll(scaled(histogram, -1))).toBe('0/0.5/-1 [1:-2 3:-0] [2:-4] #-7 =3 gauge');
  expect(printAll(divided(histogram, 2))).toBe('0/0.5/0.5 [1:1 3:0] [2:2] #3.5 =-1.5 kept');
  expect(printAll(divided(histogram, -1))).toBe('0/0.5/-1 [1:-2 3:-0] [2:-4] #-7 =3 gauge');
  expect(printAll(divided(histogram, 0))).toBe('0/0.5/Infinity [] #Infinity =-Infinity kept');
  expect(printAll(divided(parse('0/0/0 [1:0]'), -0))).toBe('0/0/NaN [] #NaN =NaN');
});

test('only empty buckets are dropped', () => {
  expect(print(compacted(parse('0/0/0 [-1:0 1:2 2:0 4:1 5:0] [1:0]')))).toBe('0/0/0 [1:2 4:1]');
  expect(print(compacted(parse('1,2,3 [0:0 1:-0 2:NaN 3:-1]')))).toBe('1,2,3 [2:NaN 3:-1]');
  const whole = parse('0/0/0 [1:2 3:1]');
  expect(compacted(whole)).toBe(whole);
});

test('overflow', () => {
  expect(hasOverflow(parse('0/0/1 [1:2 3:NaN]'))).toBe(false);
  for (const text of ['0/0/Infinity [] #1 =1', '0/0/1 [1:Infinity] #1 =1', '0/0/1 [1:1] [1:-Infinity] #1 =1']) {
    expect(hasOverflow(parse(text))).toBe(true);
  }
  expect(hasOverflow(parse('0/0/0 [] =-Infinity'))).toBe(true);
  expect(hasOverflow(parse('0/0/0 [] #Infinity =1'))).toBe(true);
  expect(hasOverflow(parse('-Infinity,1 [1:1]'))).toBe(true);
});

test('a sum less one operand is the other one, and layouts are shared where they can be', () => {
  const seed = Number(process.env['COMITY_SEED'] ?? 20_260_312);
  const random = randomFrom(seed);
  for (let run = 0; run < 2_000; run++) {
    const isCustom = random.chance(0.3);
    const count = (): number => random.int(0, 5);
    const a = randomHistogram(random, isCustom, count);
    // Buckets that are reconciled cannot be told apart again.
    const { schema, zeroThreshold, bounds } = a.layout;
    const other = randomHistogram(random, isCustom, count);
    const b = {
      ...other,
      layout: { ...other.layout, schema, zeroThreshold, bounds: isCustom ? bounds : other.layout.bounds },
    };
    if (b.layout.positive.some((index) => isCustom && index > bounds.length)) continue;
    const hides = [a, b].some(({ layout }) => zeroThreshold > 0 && [...layout.positive, ...layout.negative].length > 0);
    const sum = sumOf(a, b)!.histogram;
    expect([sum.count, sum.sum]).toEqual([a.count + b.count, a.sum + b.sum]);
    if (!hides) {
      const back = differenceOf(sum, b)!.histogram;
      expect(print(compacted(back)), `seed ${seed}`).toBe(print(compacted(a)));
    }
    expect(sumOf(a, { ...a })!.histogram.layout).toBe(a.layout);
  }
});
