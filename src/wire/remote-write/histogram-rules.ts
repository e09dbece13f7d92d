import { CUSTOM_BUCKETS, SCHEMA_MAX, SCHEMA_MIN } from '../../model/histogram.ts';
import type { RawHistogram, WireSide } from './histogram-message.ts';

/** Buckets by index, as a layout has them. */
export interface Buckets {
  readonly indexes: Int32Array;
  readonly counts: Float64Array;
  length: number;
}

/** Schemas up to here are known to Prometheus, and received with fewer buckets. */
const SCHEMA_MAX_RESERVED = 52;

const INT32_MAX = 2 ** 31 - 1;

/** What is wrong with the schema and the bounds; undefined when nothing is. */
export function schemaFault(raw: RawHistogram): string | undefined {
  const { schema, boundCount, bounds } = raw;
  if (schema !== CUSTOM_BUCKETS) {
    if (schema < SCHEMA_MIN || schema > SCHEMA_MAX_RESERVED) {
      return `the schema ${schema} is neither ${SCHEMA_MIN} to ${SCHEMA_MAX} nor ${CUSTOM_BUCKETS}`;
    }
    if (boundCount > 0) return `custom bounds with schema ${schema}`;
    if (!(raw.zeroThreshold >= 0 && raw.zeroThreshold < Infinity)) return `a zero threshold of ${raw.zeroThreshold}`;
    return undefined;
  }
  for (let i = 0; i < boundCount; i++) {
    const bound = bounds[i]!;
    if (!(i === 0 || bound > bounds[i - 1]!) || bound !== bound) return 'custom bounds that do not ascend';
  }
  if (boundCount > 0 && bounds[boundCount - 1] === Infinity) return 'a custom bound of +Inf';
  if (raw.zeroThreshold !== 0) return `a zero threshold of ${raw.zeroThreshold} with custom bounds`;
  if ((raw.isFloat ? raw.zeroCountFloat : raw.zeroCountInt) !== 0) return 'a zero bucket with custom bounds';
  const { negative } = raw;
  if (negative.spans > 0 || (raw.isFloat ? negative.countCount : negative.deltaCount) > 0) {
    return 'negative buckets with custom bounds';
  }
  return customSpansFault(raw);
}

/** Writes the indexes that the spans name into `buckets`. */
export function spanIndexes(side: WireSide, isFloat: boolean, buckets: Buckets): string | undefined {
  const given = isFloat ? side.countCount : side.deltaCount;
  let index = 0;
  let used = 0;
  for (let span = 0; span < side.spans; span++) {
    const offset = side.offsets[span]!;
    const length = side.lengths[span]!;
    if (span > 0 && offset < 0) return `span ${span + 1} has the offset ${offset}`;
    index += offset;
    if (used + length > given) return `spans for more than the ${given} buckets given`;
    if (index + length > INT32_MAX) return 'bucket indexes beyond 32 bits';
    for (let i = 0; i < length; i++) buckets.indexes[used++] = index++;
  }
  buckets.length = used;
  return used === given ? undefined : `spans for ${used} buckets, ${given} are given`;
}

/** Writes the counts into `buckets`, whose indexes are there. */
export function countBuckets(side: WireSide, isFloat: boolean, buckets: Buckets): void {
  if (isFloat) {
    buckets.counts.set(side.counts.subarray(0, buckets.length));
    return;
  }
  let count = 0;
  for (let i = 0; i < buckets.length; i++) {
    count += side.deltas[i]!;
    buckets.counts[i] = count;
  }
}

/** Counts from here on are no longer exact, so that their sums are compared with some room. */
const EXACT = 2 ** 53;
const INEXACT_SHARE = 2 ** -40;

/** What is wrong with the counts; undefined when nothing is. Buckets of a known finer schema are merged first. */
export function histogramFault(raw: RawHistogram, positive: Buckets, negative: Buckets): string | undefined {
  const zeroCount = raw.isFloat ? raw.zeroCountFloat : raw.zeroCountInt;
  const count = raw.isFloat ? raw.countFloat : raw.countInt;
  const lowest = Math.min(lowestOf(positive), lowestOf(negative), zeroCount);
  if (lowest < 0) return `a bucket with the count ${lowest}`;
  if (count < 0) return `the count ${count}`;
  if (!raw.isFloat) {
    const inBuckets = sumOf(positive) + sumOf(negative) + zeroCount;
    const room = inBuckets < EXACT ? 0 : inBuckets * INEXACT_SHARE;
    // Observations of NaN are in no bucket.
    const hasNaN = raw.sum[0] !== raw.sum[0];
    if (inBuckets > count + room || (!hasNaN && inBuckets < count - room)) {
      return `${inBuckets} observations in its buckets and the count ${count}`;
    }
  }
  if (raw.schema > SCHEMA_MAX) {
    reduce(positive, raw.schema - SCHEMA_MAX);
    reduce(negative, raw.schema - SCHEMA_MAX);
  }
  return undefined;
}

function customSpansFault({ positive, boundCount }: RawHistogram): string | undefined {
  let reach = 0;
  for (let span = 0; span < positive.spans; span++) {
    const offset = positive.offsets[span]!;
    if (offset < 0) return `span ${span + 1} has the offset ${offset}`;
    reach += offset + positive.lengths[span]!;
  }
  return reach > boundCount + 1 ? `${boundCount} custom bounds and buckets up to ${reach}` : undefined;
}

function lowestOf({ counts, length }: Buckets): number {
  let lowest = 0;
  for (let i = 0; i < length; i++) if (counts[i]! < lowest) lowest = counts[i]!;
  return lowest;
}

function sumOf({ counts, length }: Buckets): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += counts[i]!;
  return sum;
}

/** Merges each 2^shift buckets, in place: bucket i ends where bucket ceil(i / 2^shift) of the coarser schema does, or before. */
function reduce(buckets: Buckets, shift: number): void {
  const { indexes, counts } = buckets;
  const factor = 2 ** shift;
  let used = 0;
  for (let i = 0; i < buckets.length; i++) {
    const index = Math.ceil(indexes[i]! / factor);
    const count = counts[i]!;
    if (used > 0 && indexes[used - 1] === index) {
      counts[used - 1]! += count;
    } else {
      indexes[used] = index;
      counts[used++] = count;
    }
  }
  buckets.length = used;
}
