import { GAUGE, RESET_UNKNOWN, SCHEMA_MAX, SCHEMA_MIN, type NativeHistogram } from '../../model/histogram.ts';
import { bucketRoom, bucketsFault, countOf, nativeHistogram, zeroCountOf } from '../native-histogram.ts';
import type { HistogramMessage } from './histogram-message.ts';

/**
 * Whether a histogram is meant as a native one. One without any observation and a zero bucket of no breadth has an empty
 * span to say so, as has one whose observations are all in the zero bucket and counted by a float.
 */
export function isNative({ positive, negative, zeroThreshold, zeroCountInt }: HistogramMessage): boolean {
  return positive.spans > 0 || negative.spans > 0 || zeroThreshold > 0 || zeroCountInt > 0;
}

const positiveRoom = bucketRoom();
const negativeRoom = bucketRoom();

/**
 * The native histogram of a message, without its empty buckets, or why it is none
 * (https://prometheus.io/docs/specs/native_histograms/): Prometheus refuses the scrape for that. Its counts are only valid
 * until the next call.
 */
export function nativeOf(message: HistogramMessage, isGauge: boolean): NativeHistogram | string {
  const { schema, zeroThreshold } = message;
  if (schema < SCHEMA_MIN || schema > SCHEMA_MAX)
    return `its schema is ${schema}, which is not from ${SCHEMA_MIN} to ${SCHEMA_MAX}`;
  const fault = bucketsFault(message, true, positiveRoom, negativeRoom);
  if (fault !== undefined) return fault;
  const numbers = {
    schema,
    zeroThreshold,
    bounds: NO_BOUNDS,
    hint: isGauge ? GAUGE : RESET_UNKNOWN,
    count: countOf(message),
    sum: message.sum[0]!,
    zeroCount: zeroCountOf(message),
  };
  return nativeHistogram(numbers, positiveRoom, negativeRoom, undefined);
}

const NO_BOUNDS = new Float64Array(0);
