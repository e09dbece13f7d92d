import type { Random } from '../random.ts';
import { CUSTOM_SCHEMA, type Histogram } from './samples.ts';

/** The histogram of a series at sample `i`. */
export type Histograms = (i: number) => Histogram;

export interface HistogramOptions {
  readonly isGauge: boolean;
  /** Whether schema, zero threshold and the kind of counts may change along the series. */
  readonly changes: boolean;
  /** Whether counts are whole numbers, whatever else. */
  readonly whole?: boolean;
}

/** A native histogram with exponential buckets: a counter that starts again now and then, or a gauge. */
export function exponentialHistograms({ isGauge, changes, whole }: HistogramOptions, random: Random): Histograms {
  let schema = random.pick([-4, -1, 0, 0, 1, 2, 3, 8]);
  const hasNegative = random.chance(0.4);
  const centre = random.int(-6, 10);
  const unit = whole === true ? 1 : random.pick([1, 1, 1, 0.5, 0.1]);
  const hasPositive = random.chance(0.9);
  const zeros = random.pick([4, 60]);
  let zeroThreshold = threshold();
  let sums = 0;
  let zeroCount = 0;
  let positive = new Map<number, number>();
  let negative = new Map<number, number>();
  restart();

  /**
   * A side that ever has buckets has one from the start, if an empty one. Prometheus adds later buckets to the earlier samples of
   * a chunk, and takes a histogram with an empty bucket for one that may have observations there.
   */
  function restart(): void {
    sums = 0;
    zeroCount = 0;
    positive = new Map(hasPositive ? [[centre, 0]] : []);
    negative = new Map(hasNegative ? [[centre, 0]] : []);
  }

  /** Mostly below all buckets; nothing keeps a sender from a zero bucket that holds others. */
  function threshold(): number {
    const some = random.pick([0, 0, 2.938735877055719e-39, 0.001, 0.25, 0.5, 1, 2.5, 3]);
    return random.chance(0.1) ? some : Math.min(some, 2 ** ((centre - 4) * 2 ** -schema));
  }

  /** A reset that only a bucket tells: it counts less, and another one as much more. */
  function shift(side: Map<number, number>): void {
    for (const [index, count] of side) {
      if (count === 0) continue;
      side.set(index, 0);
      side.set(index + 1, (side.get(index + 1) ?? 0) + count + unit);
      return;
    }
  }

  return (i) => {
    if (isGauge || (i > 0 && random.chance(0.05))) restart();
    if (changes && random.chance(0.06)) {
      restart();
      schema = random.pick([-4, 0, 1, 2, 5]);
      zeroThreshold = threshold();
    }
    if (changes && random.chance(0.06)) {
      restart();
      zeroThreshold = threshold();
    }
    for (let n = random.int(0, 6); n > 0; n--) {
      if (!hasNegative && !hasPositive) break;
      const side = hasNegative && (!hasPositive || random.chance(0.4)) ? negative : positive;
      const index = centre + random.int(-3, 4);
      side.set(index, (side.get(index) ?? 0) + random.int(0, 9) * unit);
      sums += random.float(-1, 4);
    }
    if (!isGauge && random.chance(0.05)) shift(random.pick([positive, negative]));
    if (random.chance(0.4)) zeroCount += random.int(0, zeros) * unit;
    return {
      schema,
      zeroThreshold,
      zeroCount,
      sum: whole !== true && random.chance(0.01) ? random.pick([NaN, Infinity, -Infinity]) : sums,
      positive: new Map(positive),
      negative: new Map(negative),
      bounds: [],
      isGauge,
    };
  };
}

const BOUND_SETS: readonly (readonly number[])[] = [
  [1, 2, 5, 10],
  [1, 2, 5, 10],
  [0.5, 1, 2.5, 5, 10],
  [-5, -1, 0, 1, 5],
  [2, 10],
  [3, 7],
  [],
];

/** A native histogram with custom buckets, whose bounds may change along the series. */
export function customHistograms({ isGauge, changes }: HistogramOptions, random: Random): Histograms {
  let bounds = random.pick(BOUND_SETS);
  let sums = 0;
  let positive = new Map<number, number>();
  return (i) => {
    const renewed = changes && random.chance(0.08);
    if (renewed) bounds = random.pick(BOUND_SETS);
    if (isGauge || renewed || (i > 0 && random.chance(0.05))) {
      positive = new Map();
      sums = 0;
    }
    for (let n = random.int(0, 5); n > 0; n--) {
      const index = random.int(0, bounds.length);
      positive.set(index, (positive.get(index) ?? 0) + random.int(0, 9));
      sums += random.float(-2, 8);
    }
    return {
      schema: CUSTOM_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      sum: sums,
      positive: new Map(positive),
      negative: new Map(),
      bounds,
      isGauge,
    };
  };
}
