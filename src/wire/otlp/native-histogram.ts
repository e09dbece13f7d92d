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
  took(intake, family, point.timeMs);
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
  const above = collectDense(positive, shift, positiveSide);
  const below = collectDense(negative, shift, negativeSide);
  if (above < 0 || below < 0) return { fault: 'an index of a bucket passes 32 bits' };
  const schema = Math.min(scale, SCHEMA_MAX);
  const layout = layoutOf(previous, schema, ZERO_THRESHOLD, above, below, NO_BOUNDS);
  return checked(point, point.zeroCount, layout, above, below);
}

/**
 * An explicit histogram as a native one with custom buckets, with the same care for its counts and `previous` as above. One
 * that has no buckets but a count gets the one that holds everything.
 */
export function customHistogram(point: ExplicitPoint, previous: HistogramLayout | undefined): Converted {
  const bounds = point.buckets === 0 ? NO_BOUNDS : point.bounds;
  let used = 0;
  for (let i = 0; i < bounds.length; i++) {
    if (point.bucketCounts[i] === 0) continue;
    positiveSide.indexes[used] = i;
    positiveSide.counts[used++] = point.bucketCounts[i]!;
  }
  let rest = point.buckets === 0 ? point.count : 0;
  // An explicit +Inf is none of `bounds`: what is counted up to it and beyond it is one bucket.
  for (let i = bounds.length; i < point.buckets; i++) rest += point.bucketCounts[i]!;
  if (rest !== 0) {
    positiveSide.indexes[used] = bounds.length;
    positiveSide.counts[used++] = rest;
  }
  return checked(point, 0, layoutOf(previous, CUSTOM_BUCKETS, 0, used, 0, bounds), used, 0);
}

/** Buckets with observations of the histogram at hand: their indexes and counts. */
interface Side {
  readonly indexes: Int32Array;
  readonly counts: Float64Array;
}

const positiveSide = side();
const negativeSide = side();
const NO_BOUNDS = new Float64Array(0);
const NO_BUCKETS: DenseBuckets = { offset: 0, counts: [], length: 0 };

function side(): Side {
  const most = Math.max(LIMITS.bucketsPerHistogram, LIMITS.boundsPerHistogram + 1);
  return { indexes: new Int32Array(most), counts: new Float64Array(most) };
}

function denseBuckets(buckets: ExponentialBuckets | undefined): DenseBuckets {
  if (buckets === undefined) return NO_BUCKETS;
  const counts = buckets.bucketCounts;
  return counts.length > LIMITS.bucketsPerHistogram
    ? { offset: buckets.offset, counts: [], length: counts.length }
    : { offset: buckets.offset, counts: counts.map(Number), length: counts.length };
}

/** How many buckets were written to `into`; -1 when an index is out of range. */
function collectDense({ offset, counts, length }: DenseBuckets, shift: number, into: Side): number {
  if (offset + length > 0x7fff_fffe) return -1;
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
  return used;
}

function layoutOf(
  previous: HistogramLayout | undefined,
  schema: number,
  zeroThreshold: number,
  above: number,
  below: number,
  bounds: ArrayLike<number>,
): HistogramLayout {
  if (
    previous !== undefined &&
    previous.schema === schema &&
    startsWith(positiveSide.indexes, above, previous.positive) &&
    startsWith(negativeSide.indexes, below, previous.negative) &&
    startsWith(bounds, bounds.length, previous.bounds)
  ) {
    return previous;
  }
  return {
    schema,
    zeroThreshold,
    positive: positiveSide.indexes.slice(0, above),
    negative: negativeSide.indexes.slice(0, below),
    bounds: bounds.length === 0 ? NO_BOUNDS : Float64Array.from(bounds),
  };
}

function startsWith(long: ArrayLike<number>, length: number, want: Int32Array | Float64Array): boolean {
  if (length !== want.length) return false;
  for (let i = 0; i < length; i++) if (long[i] !== want[i]) return false;
  return true;
}

/** Every observation is in a bucket, but for those that are not a number, which make the sum one that is none. */
function checked(
  point: PointTimes & { readonly count: number; readonly sum: number | undefined },
  zeroCount: number,
  layout: HistogramLayout,
  above: number,
  below: number,
): Converted {
  const { count } = point;
  const sum = point.sum ?? 0;
  let inBuckets = zeroCount;
  for (let i = 0; i < above; i++) inBuckets += positiveSide.counts[i]!;
  for (let i = 0; i < below; i++) inBuckets += negativeSide.counts[i]!;
  // Counts past 2^53 are rounded and can differ by that alone.
  const fits = sum !== sum ? inBuckets <= count : inBuckets === count || count > Number.MAX_SAFE_INTEGER;
  if (!fits && !point.stale) return { fault: `its buckets hold ${inBuckets} observations, its count is ${count}` };
  return {
    histogram: {
      layout,
      hint: RESET_UNKNOWN,
      count,
      // A NaN off the wire may have the bits of a staleness marker.
      sum: sum === sum ? sum : NaN,
      zeroCount,
      positive: positiveSide.counts.subarray(0, above),
      negative: negativeSide.counts.subarray(0, below),
    },
  };
}
