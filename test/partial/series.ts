import type { Row } from '../../src/engine/rows.ts';
import { histogramBuilder } from '../../src/model/growing-histograms.ts';
import { GAUGE, NOT_RESET, RESET, RESET_UNKNOWN, type NativeHistogram } from '../../src/model/histogram.ts';
import { custom, exponential } from '../engine/native-series.ts';
import type { Random } from '../random.ts';
import { STEPS } from './states.ts';

/** What the numbers of a case are like. */
export type Numbers = 'plain' | 'extreme' | 'cancelling' | 'whole';

const EXTREMES: readonly number[] = [
  0,
  -0,
  NaN,
  Infinity,
  -Infinity,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  2.2e-308,
  1e308,
  -1e308,
  1.7e308,
  2 ** 53 + 2,
  2 ** 53,
  1e-300,
  1e100,
  -1e100,
  0.1,
  1,
];

/** Terms of which large ones take each other away. */
const CANCELLING: readonly number[] = [1e16, -1e16, 1, 1, 0.5, 1e100, -1e100, 3, -2, 1e-3, 2 ** 53, -(2 ** 53)];

function anyNumber(random: Random, numbers: Numbers): number {
  switch (numbers) {
    case 'plain':
      return random.float(-1000, 1000);
    case 'extreme':
      return random.chance(0.6) ? random.pick(EXTREMES) : random.float(-1, 1) * 10 ** random.int(-20, 20);
    case 'cancelling':
      return random.pick(CANCELLING);
    case 'whole':
      return random.int(-9, 9);
  }
}

/** Series of floats. */
export function floatSeries(random: Random, numbers: Numbers, length = random.int(0, 12)): Row[] {
  return Array.from({ length }, () => {
    const density = random.pick([0, 0.5, 1, 1, 1]);
    return {
      labels: [],
      values: Float64Array.from({ length: STEPS }, () => anyNumber(random, numbers)),
      present: Uint8Array.from({ length: STEPS }, () => (random.chance(density) ? 1 : 0)),
      dropsName: random.chance(0.2),
    };
  });
}

const BOUNDS: readonly (readonly number[])[] = [
  [1, 2, 4],
  [1, 4, 8],
  [0.5, 1, 2, 4],
];

/** What the histograms of a case are like. */
export type Kinds = 'one layout' | 'overflowing' | 'schemas' | 'thresholds' | 'custom' | 'everything';

/** Series of native histograms, some of them with floats or gaps at some steps. */
export function histogramSeries(random: Random, kinds: Kinds, length = random.int(0, 8)): Row[] {
  const hints = random.subset([RESET_UNKNOWN, GAUGE, RESET, NOT_RESET], 0.6);
  return Array.from({ length }, () => {
    const builder = histogramBuilder(STEPS);
    const values = new Float64Array(STEPS);
    const present = new Uint8Array(STEPS);
    for (let step = 0; step < STEPS; step++) {
      if (random.chance(0.15)) continue;
      present[step] = 1;
      if (random.chance(kinds === 'everything' ? 0.1 : 0.03)) values[step] = random.float(-9, 9);
      else builder.set(step, { ...anyHistogram(random, kinds), hint: random.pick([...hints, RESET_UNKNOWN]) });
    }
    const name = random.pick(['h', 'g', '']);
    const labels = name === '' ? [] : ['__name__', name];
    return { labels, values, present, histograms: builder.build(STEPS) };
  });
}

function anyHistogram(random: Random, kinds: Kinds): NativeHistogram {
  const isCustom = kinds === 'custom' || (kinds === 'everything' && random.chance(0.15));
  // Whole numbers add up exactly; what cancels shows whether rounding errors come along.
  const count = (): number => (kinds === 'thresholds' ? random.int(1, 9) : random.float(0, 1000));
  const some = (indexes: readonly number[]): [number, number][] => random.subset(indexes, 0.6).map((i) => [i, count()]);
  const sum =
    kinds === 'overflowing'
      ? random.pick([1.7e308, 1e308, -1e308, 1])
      : random.pick([random.int(-9, 9), 1e16, -1e16, 0.1, NaN]);
  if (isCustom) {
    const own = random.pick(BOUNDS);
    return { ...custom(own, some([...own.keys(), own.length])), sum };
  }
  const schema = kinds === 'one layout' || kinds === 'overflowing' ? 2 : random.pick([-2, -1, 0, 2, 3]);
  const threshold =
    kinds === 'thresholds' || kinds === 'everything' ? random.pick([0, 0.001, 0.25, 0.5, 0.6, 1, 3]) : 0.001;
  const indexes = [-3, -2, -1, 0, 1, 2, 5, 9];
  return exponential(schema, some(indexes), { negative: some(indexes), zero: [threshold, random.int(0, 5)], sum });
}
