import { describe, expect, it } from 'vitest';
import { histogramBuilder } from '../../src/model/growing-histograms.ts';
import { startHistogramMean, addToHistogramMean, finishHistogramMean } from '../../src/model/histogram-mean.ts';
import { addToHistogramSum, finishHistogramSum, startHistogramSum } from '../../src/model/histogram-sum.ts';
import { compacted } from '../../src/model/histogram-arithmetic.ts';
import { CUSTOM_BUCKETS, GAUGE, histogramAt, RESET_UNKNOWN, type NativeHistogram } from '../../src/model/histogram.ts';
import { finishHistograms } from '../../src/partial/finish-histograms.ts';
import {
  addHistograms,
  mergeHistograms,
  zeroHistograms,
  type HistogramAggregate,
  type HistogramOrder,
  type PartialHistograms,
} from '../../src/partial/partial-histograms.ts';
import { custom, exponential } from '../engine/native-series.ts';
import { randomFrom, type Random } from '../random.ts';

/** The state of histograms at one step. */
function stateOf(
  histograms: readonly NativeHistogram[],
  aggregate: HistogramAggregate,
  order: HistogramOrder = 'anyOrder',
): PartialHistograms {
  const state = zeroHistograms(Uint8Array.of(0));
  for (const histogram of histograms) {
    const builder = histogramBuilder(1);
    builder.set(0, histogram);
    addHistograms(state, builder.build(1)!, Uint8Array.of(1), 'h', aggregate, order);
  }
  return state;
}

function merged(states: readonly PartialHistograms[], aggregate: HistogramAggregate): PartialHistograms {
  const into = zeroHistograms(Uint8Array.of(0));
  // As between threads.
  for (const state of states) mergeHistograms(into, structuredClone(state), aggregate);
  return into;
}

function valueOf(state: PartialHistograms, aggregate: HistogramAggregate): NativeHistogram | undefined {
  const { histograms, present } = finishHistograms(state, Uint8Array.of(1), aggregate);
  return present[0] === 1 ? histogramAt(histograms!, 0) : undefined;
}

/** What Prometheus computes, one histogram after the other. */
function inOrder(histograms: readonly NativeHistogram[], aggregate: HistogramAggregate): NativeHistogram {
  const [first, ...rest] = histograms;
  if (aggregate === 'sum') {
    const sum = startHistogramSum(first!);
    for (const histogram of rest) addToHistogramSum(sum, histogram);
    return compacted(finishHistogramSum(sum));
  }
  const mean = startHistogramMean(first!);
  for (const histogram of rest) addToHistogramMean(mean, histogram);
  return compacted(finishHistogramMean(mean));
}

/** Bucket index -> count, without what is nearly zero. */
function numbersOf(histogram: NativeHistogram): Record<string, number> {
  const { layout, count, sum, zeroCount, positive, negative } = histogram;
  const numbers: Record<string, number> = { count, sum, zeroCount };
  layout.positive.forEach((index, i) => (numbers[`+${index}`] = positive[i]!));
  layout.negative.forEach((index, i) => (numbers[`-${index}`] = negative[i]!));
  return numbers;
}

function expectClose(got: NativeHistogram | undefined, want: NativeHistogram, text: string): void {
  expect(got?.layout.schema, text).toBe(want.layout.schema);
  expect([...got!.layout.bounds], text).toEqual([...want.layout.bounds]);
  expect(got!.hint, text).toBe(want.hint);
  const [a, b] = [numbersOf(got!), numbersOf(want)];
  expect(Object.keys(a).sort(), text).toEqual(Object.keys(b).sort());
  for (const [key, value] of Object.entries(b)) {
    const bound = 1e-12 * Math.max(Math.abs(value), b['count']!);
    expect(Math.abs(a[key]! - value), `${text}: ${key} ${a[key]} against ${value}`).toBeLessThanOrEqual(bound);
  }
}

const SEED = Number(process.env['COMITY_SEED'] ?? Date.now() % 1_000_000);
const CASES = 300;

/** A histogram without a zero threshold: only thresholds that differ make the order of addition show. */
function anyHistogram(
  random: Random,
  schemas: readonly number[],
  bounds: readonly (readonly number[])[],
): NativeHistogram {
  const schema = random.pick(schemas);
  const count = (): number => random.float(0, 1000);
  const some = (indexes: readonly number[]): [number, number][] => random.subset(indexes, 0.6).map((i) => [i, count()]);
  const sum = random.float(-100, 100);
  if (schema !== CUSTOM_BUCKETS) {
    const indexes = [-3, -2, -1, 0, 1, 2, 5];
    const hint = random.pick([RESET_UNKNOWN, RESET_UNKNOWN, GAUGE]);
    return { ...exponential(schema, some(indexes), { negative: some(indexes), zero: [0, count()], sum }), hint };
  }
  const own = random.pick(bounds);
  return { ...custom(own, some([...own.keys(), own.length])), sum };
}

const KINDS: readonly (readonly [what: string, schemas: readonly number[], bounds: readonly (readonly number[])[]])[] =
  [
    ['of one schema', [2], []],
    ['of several schemas', [-1, 0, 3], []],
    ['with the same custom bounds', [CUSTOM_BUCKETS], [[1, 2, 4]]],
    [
      'with several custom bounds',
      [CUSTOM_BUCKETS],
      [
        [1, 2, 4],
        [1, 4, 8],
        [0.5, 1, 2, 4],
      ],
    ],
  ];

describe.each<HistogramAggregate>(['sum', 'mean'])('the %s of histograms', (aggregate) => {
  it.each(KINDS)(
    `${'%s'} is Prometheus's in every bit when they come in order (seed ${SEED})`,
    (_what, schemas, bounds) => {
      const random = randomFrom(SEED);
      for (let i = 0; i < CASES; i++) {
        const histograms = Array.from({ length: random.int(1, 6) }, () => anyHistogram(random, schemas, bounds));
        const got = valueOf(stateOf(histograms, aggregate, 'inOrder'), aggregate);
        expect(numbersOf(got!), `case ${i}`).toEqual(numbersOf(inOrder(histograms, aggregate)));
      }
    },
  );

  it.each(KINDS)(`${'%s'} is the same however they are split and merged (seed ${SEED})`, (_what, schemas, bounds) => {
    const random = randomFrom(SEED);
    for (let i = 0; i < CASES; i++) {
      const histograms = Array.from({ length: random.int(1, 8) }, () => anyHistogram(random, schemas, bounds));
      const parts: NativeHistogram[][] = [[], [], []];
      for (const histogram of histograms) random.pick(parts).push(histogram);
      const states = parts.map((part) => stateOf(part, aggregate));
      const want = inOrder(histograms, aggregate);
      const [a, b, c] = states as [PartialHistograms, PartialHistograms, PartialHistograms];
      expectClose(valueOf(merged([a, b, c], aggregate), aggregate), want, `case ${i}`);
      expectClose(
        valueOf(merged([c, merged([b, a], aggregate)], aggregate), aggregate),
        want,
        `case ${i} the other way`,
      );
    }
  });

  it(`with different zero thresholds is the same in any order of parts (seed ${SEED})`, () => {
    const random = randomFrom(SEED);
    const whole = (indexes: readonly number[]): [number, number][] =>
      random.subset(indexes, 0.5).map((index) => [index, random.int(1, 9)]);
    for (let i = 0; i < CASES; i++) {
      // As many as a power of two, so that a mean is exact too.
      const states = Array.from({ length: 4 }, () => {
        const schema = random.pick([-2, -1, 0, 2, 3]);
        const zero: [number, number] = [random.pick([0.001, 0.25, 0.5, 0.6, 1, 3]), random.int(0, 5)];
        const [positive, negative] = [whole([-4, -1, 0, 1, 2, 3, 5, 9]), whole([-3, 0, 2, 4])];
        return stateOf([exponential(schema, positive, { zero, negative })], aggregate);
      });
      const value = valueOf(merged(states, aggregate), aggregate);
      expect(valueOf(merged(states.toReversed(), aggregate), aggregate), `case ${i}`).toEqual(value);
      const [a, b, ...rest] = states;
      const nested = [merged([...rest, a!], aggregate), b!];
      expect(valueOf(merged(nested, aggregate), aggregate), `case ${i}, nested`).toEqual(value);
    }
  });

  it('is none where exponential and custom buckets meet', () => {
    const both = [exponential(0, [[1, 1]]), custom([1, 2], [[0, 1]])];
    for (const state of [
      stateOf(both, aggregate, 'inOrder'),
      stateOf(both, aggregate),
      merged(
        both.map((one) => stateOf([one], aggregate)),
        aggregate,
      ),
    ]) {
      const finished = finishHistograms(state, Uint8Array.of(1), aggregate);
      expect([finished.present[0], finished.clashing]).toEqual([0, ['h']]);
    }
  });
});

it('what rounding loses crosses with the sums', () => {
  const [one, other] = [1e100, -1e100].map((sum) =>
    stateOf([exponential(0, [[1, 1]], { sum }), exponential(0, [[1, 1]], { sum: 1 })], 'sum'),
  );
  expect(valueOf(merged([one!, other!], 'sum'), 'sum')!.sum).toBe(2);
});

it('a mean of what would overflow does not', () => {
  const huge = { ...exponential(0, [[1, 1e308]]), count: 1e308 };
  for (const state of [
    stateOf([huge, huge, huge], 'mean', 'inOrder'),
    stateOf([huge, huge, huge], 'mean'),
    merged([stateOf([huge], 'mean'), stateOf([huge, huge], 'mean')], 'mean'),
    merged([stateOf([huge, huge], 'mean'), stateOf([huge, huge], 'mean')], 'mean'),
  ]) {
    const { count, positive } = valueOf(state, 'mean')!;
    expect(count / 1e308).toBeCloseTo(1, 12);
    expect(positive[0]! / 1e308).toBeCloseTo(1, 12);
  }
});

it('a bucket that comes later finds its place among those before', () => {
  const state = stateOf(
    [
      exponential(0, [[2, 1]]),
      exponential(0, [
        [-3, 4],
        [2, 1],
        [7, 2],
      ]),
    ],
    'sum',
  );
  expect(numbersOf(valueOf(state, 'sum')!)).toMatchObject({ '+-3': 4, '+2': 2, '+7': 2 });
});
