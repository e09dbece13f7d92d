import { expect, it } from 'vitest';
import { bucketBound } from '../../src/model/histogram-bounds.ts';
import { CUSTOM_BUCKETS } from '../../src/model/histogram.ts';

const bound = (schema: number, index: number): number => bucketBound({ schema, bounds: new Float64Array(0) }, index);

/** The powers of two that floats have, by doubling, which is exact. */
function* powers(): Iterable<[exponent: number, value: number]> {
  let value = Number.MIN_VALUE;
  for (let exponent = -1074; exponent < 1024; exponent++, value *= 2) yield [exponent, value];
}

it('whole powers of two are exact in every schema', () => {
  for (const [exponent, value] of powers()) {
    for (let schema = 0; schema <= 8; schema++) expect(bound(schema, exponent * 2 ** schema)).toBe(value);
    for (let schema = -4; schema < 0; schema++) {
      if (exponent % 2 ** -schema === 0) expect(bound(schema, exponent / 2 ** -schema)).toBe(value);
    }
  }
});

it('schemas share their bounds and each is greater than the one before', () => {
  for (let schema = 1; schema <= 8; schema++) {
    for (let index = -600; index < 600; index++) {
      expect(bound(schema, index * 2)).toBe(bound(schema - 1, index));
      expect(bound(schema, index)).toBeLessThan(bound(schema, index + 1));
      const exact = 2 ** (index / 2 ** schema);
      expect(Math.abs(bound(schema, index) / exact - 1)).toBeLessThan(1e-15);
    }
  }
});

// As Prometheus 3.15 answers them.
it.each<[number, number, number]>([
  [1, 1, 1.414213562373095],
  [2, 3, 1.6817928305074288],
  [3, -1, 0.9170040432046711],
  [8, -1, 0.9972960560854698],
  [0, 1024, Number.MAX_VALUE],
  [0, 1025, Infinity],
  [8, 1024 * 256, Number.MAX_VALUE],
  [8, 1024 * 256 + 1, Infinity],
  [-4, 64, Number.MAX_VALUE],
  [-4, 65, Infinity],
  [0, -1074, 5e-324],
  [0, -1075, 0],
  [1, -2149, 5e-324],
  [0, 2 ** 31 - 1, Infinity],
  [-4, -(2 ** 31), 0],
])('schema %d ends bucket %d at %d', (schema, index, want) => expect(bound(schema, index)).toBe(want));

it('custom bounds are as listed, between the infinities', () => {
  const bounds = Float64Array.of(-1, 2.5);
  expect([-1, 0, 1, 2].map((index) => bucketBound({ schema: CUSTOM_BUCKETS, bounds }, index))).toEqual([
    -Infinity,
    -1,
    2.5,
    Infinity,
  ]);
});
