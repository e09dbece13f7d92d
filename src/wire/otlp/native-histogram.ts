import { LIMITS } from '../../base/limits.ts';
import { ADD_ONCE, SET, type SeriesHandle } from '../../model/batch.ts';
import {
  CUSTOM_BUCKETS,
  RESET_UNKNOWN,
  SCHEMA_MAX,
  SCHEMA_MIN,
  type HistogramLayout,
  type NativeHistogram,
} from '../../model/histogram.ts';
import { bucketRoom, countFault, nativeHistogram, type Buckets, type NativeNumbers } from '../native-histogram.ts';
import { explicitPoint, type ExplicitPoint } from './classic-histogram.ts';
import { addExemplars } from './exemplars.ts';
import { took } from './intake.ts';
import type { Exemplar, ExponentialBuckets, ExponentialHistogramDataPoint, HistogramDataPoint } from './messages.ts';
import { rejectPoint, type PointContext, type PointTimes } from './point-context.ts';
import { metricSeries, pointTimes } from './points.ts';

/** The numbers of a point of an exponential histogram. */
export interface ExponentialPoint extends PointTimes {
  readonly count: number;
  readonly sum: number | undefined;
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: DenseBuckets;
  readonly negative: DenseBuckets;
}

/** Counts of `length` buckets that follow one another, the first of which has the index `offset` in OTLP. */
export interface DenseBuckets {
  readonly offset: number;
  readonly counts: ArrayLike<number>;
  readonly length: number;
}

/** A native histogram, or why there is none. */
export type Converted = { readonly histogram: NativeHistogram } | { readonly fault: string };

/** OTLP has no threshold that senders set in practice; Prometheus's receiver takes this one. */
const ZERO_THRESHOLD = 1e-128;

/** Adds the native histogram that an exponential one becomes, unless it is rejected. */
export function addExponentialPoint(context: PointContext, point: ExponentialHistogramDataPoint): void {
  const times = pointTimes(context, point);
  if (times === undefined) return;
  const numbers: ExponentialPoint = {
    ...times,
    count: Number(point.count),
    sum: point.sum,
    scale: point.scale,
    zeroCount: Number(point.zeroCount),
    positive: denseBuckets(point.positive),
    negative: denseBuckets(point.negative),
  };
  const converted = exponentialHistogram(numbers, undefined);
  if ('fault' in converted) {
    rejectPoint(context, 'bad_histogram', converted.fault);
    return;
  }
  const handle = metricSeries(context, point.attributes);
  if (handle !== undefined) addNativeRow(context, handle, numbers, converted.histogram, point.exemplars);
}

/** Adds the native histogram with custom buckets that an explicit one becomes, unless it is rejected. */
export function addCustomBucketsPoint(context: PointContext, point: HistogramDataPoint): void {
  const numbers = explicitPoint(context, point);
  if (numbers === undefined) return;
  const converted = customHistogram(numbers, undefined);
  if ('fault' in converted) {
    rejectPoint(context, 'bad_histogram', converted.fault);
    return;
  }
  const handle = metricSeries(context, point.attributes);
  if (handle !== undefined) addNativeRow(context, handle, numbers, converted.histogram, point.exemplars);
}

/** Adds the row of a point that has been converted. The histogram's numbers are copied. */
export function addNativeRow(
  context: PointContext,
  handle: SeriesHandle,
  point: PointTimes,
  histogram: NativeHistogram,
  exemplars: readonly Exemplar[],
): void {
  const { intake, family } = context;
  const series = intake.builder.series(handle);
  if (point.stale) {
    intake.builder.stale(series, point.timeMs);
  } else if (family.mode === SET) {
    intake.builder.histogram(series, point.timeMs, histogram, SET, point.startMs);
  } else {
    intake.adds = true;
    intake.builder.histogram(series, point.timeMs, histogram, ADD_ONCE);
  }
  addExemplars(context, series, point, exemplars);
  took(intake, family, point.timeMs, point.stale);
}

/**
 * An exponential histogram as a native one: finer than Prometheus's finest schema it is made coarser, buckets without
 * observations are left out. Its counts are only valid until the next call. `previous` is a layout to share if it fits.
 */
export function exponentialHistogram(point: ExponentialPoint, previous: HistogramLayout | undefined): Converted {
  const { scale, positive, negative } = point;
  if (scale < SCHEMA_MIN) return { fault: `the scale ${scale} is below ${SCHEMA_MIN}, the coarsest that is stored` };
  const buckets = positive.length + negative.length;
  if (buckets > LIMITS.bucketsPerHistogram) {
    return { fault: `${buckets} buckets, the limit is ${LIMITS.bucketsPerHistogram}` };
  }
  // Shifts by more than 31 do the same as by 31, but not in JavaScript.
  const shift = Math.min(Math.max(scale - SCHEMA_MAX, 0), 31);
  if (!collectDense(positive, shift, positiveRoom) || !collectDense(negative, shift, negativeRoom)) {
    return { fault: 'an index of a bucket passes 32 bits' };
  }
  const schema = Math.min(scale, SCHEMA_MAX);
  return checked(point, schema, ZERO_THRESHOLD, NO_BOUNDS, point.zeroCount, previous);
}

/**
 * An explicit histogram as a native one with custom buckets, with the same care for its counts and `previous` as above. One
 * that has no buckets but a count gets the one that holds everything.
 */
export function customHistogram(point: ExplicitPoint, previous: HistogramLayout | undefined): Converted {
  const bounds = point.buckets === 0 ? NO_BOUNDS : point.bounds;
  const { indexes, counts } = positiveRoom;
  let used = 0;
  for (let i = 0; i < bounds.length; i++) {
    if (point.bucketCounts[i] === 0) continue;
    indexes[used] = i;
    counts[used++] = point.bucketCounts[i]!;
  }
  let rest = point.buckets === 0 ? point.count : 0;
  // An explicit +Inf is none of `bounds`: what is counted up to it and beyond it is one bucket.
  for (let i = bounds.length; i < point.buckets; i++) rest += point.bucketCounts[i]!;
  if (rest !== 0) {
    indexes[used] = bounds.length;
    counts[used++] = rest;
  }
  positiveRoom.length = used;
  negativeRoom.length = 0;
  return checked(point, CUSTOM_BUCKETS, 0, bounds, 0, previous);
}

/** Buckets with observations of the histogram at hand. */
const positiveRoom = bucketRoom();
const negativeRoom = bucketRoom();
const NO_BOUNDS = new Float64Array(0);
const NO_BUCKETS: DenseBuckets = { offset: 0, counts: [], length: 0 };

function denseBuckets(buckets: ExponentialBuckets | undefined): DenseBuckets {
  if (buckets === undefined) return NO_BUCKETS;
  const counts = buckets.bucketCounts;
  return counts.length > LIMITS.bucketsPerHistogram
    ? { offset: buckets.offset, counts: [], length: counts.length }
    : { offset: buckets.offset, counts: counts.map(Number), length: counts.length };
}

/** Writes the buckets with observations to `into`; false when an index is out of range. */
function collectDense({ offset, counts, length }: DenseBuckets, shift: number, into: Buckets): boolean {
  if (offset + length > 0x7fff_fffe) return false;
  let used = 0;
  for (let i = 0; i < length; i++) {
    const count = counts[i]!;
    if (count === 0) continue;
    // OTLP's bucket 0 starts at 1, Prometheus's ends there.
    const index = ((offset + i) >> shift) + 1;
    if (used > 0 && into.indexes[used - 1] === index) {
      into.counts[used - 1]! += count;
    } else {
      into.indexes[used] = index;
      into.counts[used++] = count;
    }
  }
  into.length = used;
  return true;
}

/** The histogram of the buckets at hand, if its count is theirs. */
function checked(
  point: PointTimes & { readonly count: number; readonly sum: number | undefined },
  schema: number,
  zeroThreshold: number,
  bounds: ArrayLike<number>,
  zeroCount: number,
  previous: HistogramLayout | undefined,
): Converted {
  const { count, sum = 0 } = point;
  const fault = point.stale ? undefined : countFault(count, sum, zeroCount, positiveRoom, negativeRoom);
  if (fault !== undefined) return { fault };
  const numbers: NativeNumbers = { schema, zeroThreshold, bounds, hint: RESET_UNKNOWN, count, sum, zeroCount };
  return { histogram: nativeHistogram(numbers, positiveRoom, negativeRoom, previous) };
}
