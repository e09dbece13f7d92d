import { describe, expect, it, test } from 'vitest';
import type { ComityError } from '../../src/base/errors.ts';
import { partialOf } from '../../src/partial/algebra.ts';
import { HIGH_HALF, logarithm } from '../../src/partial/fast-logarithm.ts';
import { assertRelativeError, NO_KEY, sketchKeys } from '../../src/partial/sketch-keys.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { mergedSketches, settled, withRow, zeroSketches } from '../../src/partial/sketch.ts';
import { randomFrom, type Random } from '../random.ts';
import { quantileError, sketched } from './exact.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Date.now() % 1_000_000);

const PHIS: readonly number[] = [0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1];
const ERRORS: readonly number[] = [1e-6, 0.001, 0.01, 0.05, 0.5, 0.99];

/** Values that a sketch could get wrong. */
const SETS: Readonly<Record<string, (random: Random) => number[]>> = {
  'of a few decades': (random) => listOf(random.int(1, 500), () => Math.exp(random.float(-3, 3))),
  'of both signs': (random) => listOf(random.int(1, 500), () => random.float(-1, 1) * 10 ** random.int(-5, 5)),
  'of all magnitudes': (random) => listOf(200, () => random.float(-10, 10) * 10 ** random.int(-320, 307)),
  'at the ends of bins': (random) => {
    const gamma = 1.01 / 0.99;
    return listOf(200, () => gamma ** random.int(-1000, 1000) * (1 + random.int(-2, 2) * Number.EPSILON));
  },
  'that are powers of two and their neighbours': (random) =>
    listOf(200, () => 2 ** random.int(-1060, 1023) * (1 + random.int(-2, 1) * Number.EPSILON)),
  denormal: (random) => listOf(50, () => random.int(-9, 9) * Number.MIN_VALUE),
  'next to the largest': (random) => listOf(50, () => Number.MAX_VALUE * random.float(0.3, 1)),
  'with infinities': (random) => listOf(30, () => random.pick([Infinity, -Infinity, 1, -1, 0, 2, 5])),
  'with NaN': (random) => listOf(30, () => random.pick([NaN, 1, 2, 3, -Infinity])),
  'of zeros': (random) => listOf(30, () => random.pick([0, -0, 0, 1e-9])),
  'of one value': (random) => listOf(random.int(1, 9), () => 42.5),
  'far apart in two heaps': (random) => listOf(101, () => random.pick([1e-9, 1e9]) * random.float(0.99, 1.01)),
};

function listOf(length: number, make: () => number): number[] {
  return Array.from({ length }, make);
}

describe(`the quantile of a sketch is within its error (seed ${SEED})`, () => {
  it.each(Object.keys(SETS))('of values %s', (name) => {
    const random = randomFrom(SEED);
    for (let i = 0; i < 30; i++) {
      const values = Float64Array.from(SETS[name]!(random));
      const relativeError = random.pick(ERRORS);
      for (const phi of [...PHIS, random.next()]) {
        const wrong = quantileError(phi, relativeError, values, sketched(phi, relativeError, values));
        expect(wrong, `case ${i}, relative error ${relativeError}`).toBeUndefined();
      }
    }
  });

  it.each<[phi: number, values: number[], want: number]>([
    [-0.1, [1, 2], -Infinity],
    [1.1, [1, 2], Infinity],
    [NaN, [1, 2], NaN],
    [0, [NaN, 1], NaN],
    [1, [NaN, Infinity], NaN],
    [0, [-Infinity, NaN], NaN],
    [0.5, [-Infinity, 0, Infinity], NaN],
    [0.5, [-Infinity, -Infinity, 5], -Infinity],
    [0.5, [0, -0, 0], 0],
  ])('the %s-quantile of %j is %s', (phi, values, want) => {
    expect(sketched(phi, 0.01, Float64Array.from(values))).toBe(want);
    expect(quantileError(phi, 0.01, Float64Array.from(values), want)).toBeUndefined();
  });
});

describe('the keys of a sketch', () => {
  it.each(ERRORS)(`are in the order of the values, and stand for them, with an error of %s (seed ${SEED})`, (error) => {
    const random = randomFrom(SEED);
    const { write, valueOf, largest } = sketchKeys(error);
    const values = Float64Array.from(
      listOf(400, () => random.pick([1, -1]) * random.float(1, 10) * 10 ** random.int(-323, 307)),
    ).sort();
    const keys = new Int32Array(values.length);
    write(values, new Uint8Array(values.length).fill(1), keys, 0);
    for (const [i, key] of keys.entries()) {
      const value = values[i]!;
      expect(Math.abs(valueOf(key) - value), `${value}`).toBeLessThanOrEqual(
        (error + 1e-12) * Math.abs(value) + Number.MIN_VALUE,
      );
      if (i > 0) expect(key).toBeGreaterThanOrEqual(keys[i - 1]!);
      expect(Math.abs(key)).toBeLessThan(largest);
      expect(Math.sign(key)).toBe(Math.sign(value));
    }
  });

  it('have places of their own for what is no number between', () => {
    const { write, valueOf, largest } = sketchKeys(0.01);
    const values = Float64Array.of(NaN, -Infinity, -Number.MAX_VALUE, -Number.MIN_VALUE, -0, 0, 5e-324, Infinity, NaN);
    const keys = new Int32Array(values.length);
    write(values, Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 0), keys, 0);
    expect([...keys]).toEqual([-largest - 1, -largest, -largest + 1, -1, 0, 0, 1, largest, NO_KEY]);
    expect([-largest - 1, -largest, 0, largest].map(valueOf)).toEqual([NaN, -Infinity, 0, Infinity]);
  });

  it.each([0, -1, 1, 1.5, NaN, Infinity, 1e-7])('an error of %s is refused', (error) => {
    expect(() => assertRelativeError(error)).toThrow(/a sketch can have a relative error from 0.000001 to below 1/);
  });
});

test(`logarithms are as good as those of Math (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  const wrong: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    const value = random.chance(0.2)
      ? 1 + random.float(-1e-3, 1e-3)
      : random.float(1, 10) * 10 ** random.int(-320, 307);
    const high = new Uint32Array(Float64Array.of(value).buffer)[HIGH_HALF]!;
    if (!(Math.abs(logarithm(value, high) - Math.log(value)) <= 3e-13)) wrong.push(value);
  }
  expect(wrong).toEqual([]);
});

describe('sketches', () => {
  it(`have the same bins whether they were filled at once or merged (seed ${SEED})`, () => {
    const random = randomFrom(SEED);
    for (const [steps, rows, spread] of [
      [1, 3000, 2],
      [3, 200, 300],
      // From here on keys are sorted into bins that are there before.
      [20_000, 9, 1],
      [300, 600, 2],
      [300, 600, 100],
    ] as const) {
      const { write } = sketchKeys(0.01);
      const present = Uint8Array.from({ length: steps }, () => (random.chance(0.9) ? 1 : 0));
      const naive = Array.from({ length: steps }, () => new Map<number, number>());
      let all = zeroSketches(steps);
      const parts = [zeroSketches(steps), zeroSketches(steps)];
      for (let row = 0; row < rows; row++) {
        const values = Float64Array.from(
          { length: steps },
          () => random.pick([0, NaN, -1, 1, 1, 1, 1, 1]) * 10 ** random.float(-spread, spread),
        );
        const keys = new Int32Array(steps);
        write(values, present, keys, 0);
        for (const [step, key] of keys.entries()) {
          if (key !== NO_KEY) naive[step]!.set(key, (naive[step]!.get(key) ?? 0) + 1);
        }
        const put = (into: Int32Array, at: number): void => into.set(keys, at);
        all = withRow(all, put);
        const part = random.int(0, 1);
        parts[part] = withRow(parts[part]!, put);
      }
      const merged = mergedSketches(parts[0]!, parts[1]!);
      expect(merged).toEqual(settled(all));
      const bins = naive.flatMap((ofStep) => [...ofStep].sort(([one], [other]) => one - other));
      expect([...merged.keys]).toEqual(bins.map(([key]) => key));
      expect([...merged.counts]).toEqual(bins.map(([, count]) => count));
      let end = 0;
      expect([...merged.starts]).toEqual([0, ...naive.map(({ size }) => (end += size))]);
    }
  });

  it('with too many bins are an error and never coarser', () => {
    const of = (from: number, count: number): ReturnType<typeof zeroSketches> =>
      Array.from({ length: count }, (_, i) => from + i).reduce(
        (sketches, key) => withRow(sketches, (keys, at) => (keys[at] = key)),
        zeroSketches(1),
      );
    const full = settled(of(0, LIMITS.binsPerSketch));
    expect(full.keys.length).toBe(LIMITS.binsPerSketch);
    expect(mergedSketches(full, of(5, 1)).keys.length).toBe(LIMITS.binsPerSketch);
    for (const more of [
      () => mergedSketches(full, of(LIMITS.binsPerSketch, 1)),
      () => settled(of(0, LIMITS.binsPerSketch + 1)),
    ]) {
      expect(more).toThrow(expect.objectContaining({ code: 'limit' }) as ComityError);
    }
  });

  it.each([
    { answer: 'sketch', relativeError: 0.01, expr: { op: 'sum' } },
    {
      answer: 'sketch',
      relativeError: 0.01,
      expr: { op: 'quantile', param: { kind: 'string', value: 'x', span: { start: 0, end: 0 } } },
    },
    {
      answer: 'sketch',
      relativeError: 2,
      expr: { op: 'quantile', param: { kind: 'number', value: 0.5, span: { start: 0, end: 0 } } },
    },
    { answer: 'partial', expr: { op: 'quantile' } },
  ] as const)('%j has no algebra', (aggregation) => {
    expect(() => partialOf(aggregation)).toThrow(expect.objectContaining({ code: 'bad_data' }) as ComityError);
  });
});
