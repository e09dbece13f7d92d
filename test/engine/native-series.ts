import { CUSTOM_BUCKETS, RESET_UNKNOWN, type NativeHistogram } from '../../src/model/histogram.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { series, type STALE } from '../memory-source.ts';

export type NativeSample = number | typeof STALE | NativeHistogram;

/** A series whose samples `[time in ms, value]` may be native histograms. */
export function nativeSeries(
  labels: Readonly<Record<string, string>>,
  samples: readonly (readonly [number, NativeSample])[],
): SeriesColumns {
  const made = series(labels, samples);
  for (const [i, [, value]] of samples.entries()) {
    // A float that would spoil every result it gets into.
    if (typeof value === 'object') made.values[i] = 1e300;
  }
  return made;
}

/** A histogram with exponential buckets: pairs of index and count. */
export function exponential(
  schema: number,
  positive: readonly (readonly [number, number])[],
  rest: {
    negative?: readonly (readonly [number, number])[];
    zero?: [threshold: number, count: number];
    sum?: number;
  } = {},
): NativeHistogram {
  const { negative = [], zero: [zeroThreshold, zeroCount] = [0, 0], sum = 1.5 } = rest;
  const total = (pairs: readonly (readonly [number, number])[]): number =>
    pairs.reduce((all, [, count]) => all + count, 0);
  return {
    layout: {
      schema,
      zeroThreshold,
      positive: Int32Array.from(positive, ([index]) => index),
      negative: Int32Array.from(negative, ([index]) => index),
      bounds: new Float64Array(0),
    },
    hint: RESET_UNKNOWN,
    count: zeroCount + total(positive) + total(negative),
    sum,
    zeroCount,
    positive: Float64Array.from(positive, ([, count]) => count),
    negative: Float64Array.from(negative, ([, count]) => count),
  };
}

/** A histogram with custom bounds: pairs of position and count. */
export function custom(bounds: readonly number[], buckets: readonly (readonly [number, number])[]): NativeHistogram {
  const base = exponential(0, buckets);
  return { ...base, layout: { ...base.layout, schema: CUSTOM_BUCKETS, bounds: Float64Array.from(bounds) } };
}
