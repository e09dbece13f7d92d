import { LIMITS } from '../../base/limits.ts';
import { GAUGE, RESET_UNKNOWN, SCHEMA_MAX, SCHEMA_MIN, type NativeHistogram } from '../../model/histogram.ts';
import type { BucketsMessage, HistogramMessage } from './histogram-message.ts';

/**
 * Whether a histogram is meant as a native one. One without any observation and a zero bucket of no breadth has an empty
 * span to say so.
 */
export function isNative({ positive, negative, zeroThreshold, zeroCount }: HistogramMessage): boolean {
  return positive.spans.length > 0 || negative.spans.length > 0 || zeroThreshold > 0 || zeroCount > 0;
}

/**
 * The native histogram of a message, without its empty buckets, or why it is none
 * (https://prometheus.io/docs/specs/native_histograms/): Prometheus refuses the scrape for that.
 */
export function nativeHistogram(message: HistogramMessage, isGauge: boolean): NativeHistogram | string {
  const { schema, zeroThreshold, sum } = message;
  if (schema < SCHEMA_MIN || schema > SCHEMA_MAX)
    return `schema ${schema}, which is not from ${SCHEMA_MIN} to ${SCHEMA_MAX}`;
  const isFloat = message.countFloat > 0 || message.zeroCountFloat > 0;
  const positive = sideOf(message.positive, isFloat);
  if (typeof positive === 'string') return `positive buckets: ${positive}`;
  const negative = sideOf(message.negative, isFloat);
  if (typeof negative === 'string') return `negative buckets: ${negative}`;
  const count = isFloat ? message.countFloat : message.count;
  const zeroCount = isFloat ? message.zeroCountFloat : message.zeroCount;
  if (count < 0) return `a count of ${count}`;
  if (zeroCount < 0) return `a zero count of ${zeroCount}`;
  if (!isFloat) {
    const inBuckets = zeroCount + total(positive.counts) + total(negative.counts);
    // Observations of NaN are in the count and make the sum NaN, but they are in no bucket.
    if (sum !== sum ? inBuckets > count : inBuckets !== count)
      return `a count of ${count} beside ${inBuckets} in its buckets`;
  }
  return {
    layout: {
      schema,
      zeroThreshold,
      positive: positive.indexes,
      negative: negative.indexes,
      bounds: new Float64Array(0),
    },
    hint: isGauge ? GAUGE : RESET_UNKNOWN,
    count,
    sum,
    zeroCount,
    positive: positive.counts,
    negative: negative.counts,
  };
}

interface Side {
  readonly indexes: Int32Array;
  readonly counts: Float64Array;
}

const INT32_MAX = 2 ** 31 - 1;

function sideOf({ spans, deltas, counts }: BucketsMessage, isFloat: boolean): Side | string {
  const given = isFloat ? counts : deltas;
  const buckets = given.length;
  if (buckets > LIMITS.bucketsPerHistogram) return `${buckets} of them: ${LIMITS.bucketsPerHistogram} are allowed`;
  let wanted = 0;
  for (let i = 1; i < spans.length; i += 2) wanted += spans[i]!;
  if (wanted !== buckets) return `the spans need ${wanted} of them, there are ${buckets}`;
  const indexes = new Int32Array(buckets);
  const kept = new Float64Array(buckets);
  let used = 0;
  let next = 0;
  let count = 0;
  let at = 0;
  for (let i = 0; i < spans.length; i += 2) {
    at += spans[i]!;
    for (let left = spans[i + 1]!; left > 0; left--, at++, next++) {
      count = isFloat ? given[next]! : count + given[next]!;
      if (count < 0) return `number ${next + 1} has a count of ${count}`;
      if (Math.abs(at) > INT32_MAX) return `number ${next + 1} has the index ${at}`;
      if (count === 0) continue;
      // Of spans that go back, only those count that hold observations.
      if (used > 0 && at <= indexes[used - 1]!)
        return `number ${next + 1} has an index that is not above those before it`;
      indexes[used] = at;
      kept[used++] = count;
    }
  }
  if (used === buckets) return { indexes, counts: kept };
  return { indexes: indexes.slice(0, used), counts: kept.slice(0, used) };
}

function total(counts: Float64Array): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
