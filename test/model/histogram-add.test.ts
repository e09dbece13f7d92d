import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addHistograms, canAdd, limitBuckets, zeroHistogram } from '../../src/model/histogram-add.ts';
import { bucketBound } from '../../src/model/histogram-bounds.ts';
import {
  CUSTOM_BUCKETS,
  GAUGE,
  NOT_RESET,
  RESET,
  RESET_UNKNOWN,
  type NativeHistogram,
} from '../../src/model/histogram.ts';
import { parse, print, total } from './histogram-notation.ts';

const NO_BOUNDS = new Float64Array(0);

function check(a: string, b: string, want: string): void {
  for (const [left, right] of [
    [a, b],
    [b, a],
  ] as const) {
    const [one, two] = [parse(left), parse(right)];
    const sum = addHistograms(one, two);
    expect(print(sum)).toBe(want);
    expect([sum.count, sum.sum]).toEqual([one.count + two.count, one.sum + two.sum]);
    // The operands stay as they are.
    expect([print(one), print(two)]).toEqual([print(parse(left)), print(parse(right))]);
  }
}

test('buckets are added by index', () => {
  check('0/0.5/1 [1:2 3:1]', '0/0.5/4 [2:5 3:1]', '0/0.5/5 [1:2 2:5 3:2]');
  check('0/0.5/1 [1:2] [4:1]', '0/0.5/0 [1:1] [2:2]', '0/0.5/1 [1:3] [2:2 4:1]');
  check('0/0/0 []', '0/0/0 [-3:1]', '0/0/0 [-3:1]');
});

test('the coarser schema holds', () => {
  // Bucket i of schema 1 ends at 2^(i/2): 1 and 2 lie in bucket 1 of schema 0, which ends at 2, and 0 in its bucket 0.
  check('0/0/0 [0:1 1:1 2:1]', '1/0/0 [-1:1 0:10 1:100 2:1000 3:10000]', '0/0/0 [0:12 1:1101 2:10001]');
  check('-1/0/0 [1:1]', '1/0/0 [1:1 4:1 5:1]', '-1/0/0 [1:3 2:1]');
});

test('the larger zero threshold holds, moved up to the end of a bucket that it would split', () => {
  check('0/1/1 [1:1]', '0/0.25/1 [0:5 1:1]', '0/1/7 [1:2]');
  // 3 splits the bucket from 2 to 4 where that has counts.
  check('0/3/1 []', '0/0.25/1 [1:5 2:1 3:1]', '0/4/8 [3:1]');
  check('0/3/1 []', '0/0.25/1 [1:5 2:0 3:1]', '0/3/7 [3:1]');
  // The threshold that was moved up to 4 splits a bucket of the other one, which moves it up to 16.
  check('-2/3/1 [1:1]', '-1/0.25/1 [1:5] [2:1]', '-2/16/9 []');
});

test('of custom bounds those are kept that both have', () => {
  check('1,2,3 [0:1 1:1 3:1]', '1,2,3 [0:1 2:1]', '1,2,3 [0:2 1:1 2:1 3:1]');
  check('1,2,3,4 [0:1 1:1 2:1 3:1 4:1]', '2,4,8 [0:10 1:10 2:10 3:10]', '2,4 [0:12 1:12 2:21]');
  check('1,2 [0:1 2:5]', '3,4 [0:1]', ' [0:7]');
});

test('hints of a sum', () => {
  const hint = (a: number, b: number): number =>
    addHistograms({ ...parse('0/0/0 []'), hint: a }, { ...parse('0/0/0 []'), hint: b }).hint;
  expect(hint(RESET, RESET)).toBe(RESET);
  expect(hint(RESET, NOT_RESET)).toBe(RESET_UNKNOWN);
  expect(hint(NOT_RESET, RESET_UNKNOWN)).toBe(RESET_UNKNOWN);
  expect(hint(GAUGE, NOT_RESET)).toBe(GAUGE);
  expect(hint(RESET_UNKNOWN, GAUGE)).toBe(GAUGE);
});

test('an observation in a bucket within its own zero bucket is kept', () => {
  check('0/1/1 [2:1]', '0/1/1 [0:5 1:2]', '0/1/2 [0:5 1:2 2:1]');
  check('0/1.414213562373095/1 [2:1]', '1/0/0 [1:5 2:7 3:1]', '0/1.414213562373095/6 [1:7 2:2]');
});

test('kinds of buckets', () => {
  expect(canAdd(parse('0/0/0 []'), parse('5/1/0 []'))).toBe(true);
  expect(canAdd(parse('1,2 []'), parse('3 []'))).toBe(true);
  expect(canAdd(parse('0/0/0 []'), parse('1,2 []'))).toBe(false);
});

test('too many buckets go to a coarser schema', () => {
  const limit = (text: string, max: number): string | undefined => {
    const limited = limitBuckets(parse(text), max);
    return limited && print(limited);
  };
  expect(limit('1/0/3 [1:1 2:1 3:1] [1:1]', 4)).toBe('1/0/3 [1:1 2:1 3:1] [1:1]');
  expect(limit('1/0/3 [1:1 2:1 3:1] [1:1]', 3)).toBe('0/0/3 [1:2 2:1] [1:1]');
  expect(limit('1/0/3 [1:1 2:1 3:1] [1:1]', 2)).toBe('-1/0/3 [1:3] [1:1]');
  expect(limit('1/0/3 [1:1 2:1 3:1] [1:1]', 1)).toBeUndefined();
  expect(limit('1,2 [0:1 1:1]', 1)).toBeUndefined();
});

/** Whole counts: their sums are exact in any order. */
const SIDE = fc
  .uniqueArray(fc.integer({ min: -12, max: 12 }), { maxLength: 8 })
  .chain((indexes) =>
    fc
      .array(fc.integer({ min: 0, max: 4 }), { minLength: indexes.length, maxLength: indexes.length })
      .map((counts) => ({ indexes: Int32Array.from(indexes).sort(), counts: Float64Array.from(counts) })),
  );

const EXPONENTIAL = fc
  .record({
    schema: fc.integer({ min: -4, max: 8 }),
    zeroThreshold: fc.constantFrom(0, 2 ** -128, 0.001, 0.5, 1, 1.3, 8, 100),
    zeroCount: fc.integer({ min: 0, max: 9 }),
    sum: fc.integer({ min: -100, max: 100 }),
    hint: fc.integer({ min: 0, max: 3 }),
    positive: SIDE,
    negative: SIDE,
  })
  .map(({ schema, zeroThreshold, positive, negative, ...rest }): NativeHistogram => ({
    ...rest,
    layout: {
      schema,
      zeroThreshold,
      positive: positive.indexes,
      negative: negative.indexes,
      bounds: NO_BOUNDS,
    },
    count: rest.zeroCount + total(positive.counts) + total(negative.counts),
    positive: positive.counts,
    negative: negative.counts,
  }));

const CUSTOM = fc.uniqueArray(fc.integer({ min: -5, max: 5 }), { maxLength: 6 }).chain((bounds) =>
  fc
    .array(fc.integer({ min: 0, max: 4 }), { minLength: bounds.length + 1, maxLength: bounds.length + 1 })
    .map((counts): NativeHistogram => ({
      layout: {
        schema: CUSTOM_BUCKETS,
        zeroThreshold: 0,
        positive: Int32Array.from(counts, (_, i) => i),
        negative: new Int32Array(0),
        bounds: Float64Array.from(bounds).sort(),
      },
      hint: RESET_UNKNOWN,
      count: total(Float64Array.from(counts)),
      sum: counts.length,
      zeroCount: 0,
      positive: Float64Array.from(counts),
      negative: new Float64Array(0),
    })),
);

test('adding is commutative, has a zero, and loses no observation', () => {
  for (const arbitrary of [EXPONENTIAL, CUSTOM]) {
    fc.assert(
      fc.property(arbitrary, arbitrary, (a, b) => {
        const sum = addHistograms(a, b);
        const turned = addHistograms(b, a);
        expect(populated(turned)).toEqual(populated(sum));
        expect([sum.count, sum.sum]).toEqual([a.count + b.count, a.sum + b.sum]);
        expect(sum.zeroCount + total(sum.positive) + total(sum.negative)).toBe(sum.count);
        expect(populated(addHistograms({ ...zeroHistogram(a), hint: a.hint }, a))).toEqual(populated(a));
        for (const indexes of [sum.layout.positive, sum.layout.negative]) {
          expect([...indexes]).toEqual([...new Set(indexes)].sort((x, y) => x - y));
        }
      }),
      { numRuns: 2_000 },
    );
  }
});

test('no observation moves further than to the end of a coarser bucket, or into the zero bucket', () => {
  fc.assert(
    fc.property(EXPONENTIAL, EXPONENTIAL, (a, b) => {
      const sum = addHistograms(a, b);
      const { schema, zeroThreshold } = sum.layout;
      // Of each operand, what lies up to a bound that all of them have.
      for (let index = -14; index <= 14; index++) {
        const bound = bucketBound(sum.layout, index);
        if (bound < zeroThreshold) continue;
        const upTo = (one: NativeHistogram): number => {
          const shift = one.layout.schema - schema;
          let count = one.zeroCount + total(one.negative);
          one.layout.positive.forEach((at, i) => {
            if (at <= index * 2 ** shift) count += one.positive[i]!;
          });
          return count;
        };
        expect(upTo(sum)).toBe(upTo(a) + upTo(b));
      }
    }),
    { numRuns: 1_000 },
  );
});

/** Buckets by index without empty ones: the order of the operands may leave different empty ones. */
function populated(one: NativeHistogram): unknown {
  const list = (indexes: Int32Array, counts: Float64Array): number[][] =>
    Array.from(indexes, (index, i) => [index, counts[i]!]).filter(([, count]) => count !== 0);
  const { schema, zeroThreshold, bounds } = one.layout;
  return {
    layout: [schema, zeroThreshold, ...bounds],
    rest: [one.hint, one.zeroCount],
    positive: list(one.layout.positive, one.positive),
    negative: list(one.layout.negative, one.negative),
  };
}
