import { LIMITS } from '../base/limits.ts';
import type { HistogramLayout, NativeHistogram } from '../model/histogram.ts';
import type { NativeMessage, NativeSide } from './native-message.ts';

/** Buckets by index, ascending, as a layout has them: room that is used again. */
export interface Buckets {
  readonly indexes: Int32Array;
  readonly counts: Float64Array;
  length: number;
}

/** Room for the buckets of either side of any histogram within the limits. */
export function bucketRoom(): Buckets {
  const size = Math.max(LIMITS.bucketsPerHistogram, LIMITS.boundsPerHistogram + 1);
  return { indexes: new Int32Array(size), counts: new Float64Array(size), length: 0 };
}

/** A histogram but for its buckets. */
export interface NativeNumbers {
  readonly schema: number;
  readonly zeroThreshold: number;
  /** Upper bounds of custom buckets. */
  readonly bounds: ArrayLike<number>;
  readonly hint: number;
  readonly count: number;
  readonly sum: number;
  readonly zeroCount: number;
}

/**
 * The histogram of checked parts. Its counts are those of the room and only valid until that is used again. `before` is a
 * layout to share if it fits.
 */
export function nativeHistogram(
  numbers: NativeNumbers,
  positive: Buckets,
  negative: Buckets,
  before: HistogramLayout | undefined,
): NativeHistogram {
  const { hint, count, sum, zeroCount } = numbers;
  return {
    layout: layoutOf(numbers, positive, negative, before),
    hint,
    count,
    // A NaN off the wire may have the bits of a staleness marker.
    sum: sum === sum ? sum : NaN,
    zeroCount,
    positive: countsOf(positive),
    negative: countsOf(negative),
  };
}

const NO_COUNTS = new Float64Array(0);

/** A view, unless there is nothing to see: views cost more than most histograms' buckets. */
function countsOf({ counts, length }: Buckets): Float64Array {
  return length === 0 ? NO_COUNTS : counts.subarray(0, length);
}

export function countOf(message: NativeMessage): number {
  return message.isFloat ? message.countFloat : message.countInt;
}

export function zeroCountOf(message: NativeMessage): number {
  return message.isFloat ? message.zeroCountFloat : message.zeroCountInt;
}

/**
 * Writes the buckets of a message into the room for them and says what is wrong with them and with the counts; undefined
 * when nothing is. Without `compact` spans must not go back, as Prometheus has it (model/histogram/histogram.go,
 * Validate); with it empty buckets are left out first, as it does with scrapes.
 */
export function bucketsFault(
  message: NativeMessage,
  compact: boolean,
  positive: Buckets,
  negative: Buckets,
): string | undefined {
  if (message.tooLarge) {
    return `more than ${LIMITS.bucketsPerHistogram} buckets or ${LIMITS.boundsPerHistogram} custom bounds`;
  }
  const { isFloat } = message;
  const fault =
    sideFault('positive', message.positive, isFloat, compact, positive) ??
    sideFault('negative', message.negative, isFloat, compact, negative);
  if (fault !== undefined) return fault;
  const count = countOf(message);
  const zeroCount = zeroCountOf(message);
  if (zeroCount < 0) return `the zero bucket has the count ${zeroCount}`;
  if (count < 0) return `its count is ${count}`;
  return isFloat ? undefined : countFault(count, message.sum[0]!, zeroCount, positive, negative);
}

/** Counts from here on are no longer exact, so that their sums are compared with some room. */
const EXACT = 2 ** 53;
const INEXACT_SHARE = 2 ** -40;

/** What is wrong with the count of an integer histogram beside its buckets; undefined when nothing is. */
export function countFault(
  count: number,
  sum: number,
  zeroCount: number,
  positive: Buckets,
  negative: Buckets,
): string | undefined {
  const inBuckets = zeroCount + total(positive) + total(negative);
  const room = inBuckets < EXACT ? 0 : inBuckets * INEXACT_SHARE;
  // Observations of NaN are in the count and make the sum NaN, but they are in no bucket.
  const isLess = inBuckets < count - room && sum === sum;
  if (inBuckets <= count + room && !isLess) return undefined;
  return `its buckets hold ${inBuckets} observations, its count is ${count}`;
}

const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

function sideFault(
  name: string,
  side: NativeSide,
  isFloat: boolean,
  compact: boolean,
  into: Buckets,
): string | undefined {
  const { lengths, spans } = side;
  const { indexes, counts } = into;
  const given = isFloat ? side.countCount : side.deltaCount;
  let wanted = 0;
  for (let span = 0; span < spans; span++) wanted += lengths[span]!;
  if (wanted !== given) return `the spans are for ${wanted} ${name} buckets, ${given} are given`;
  const fault = spreadIndexes(name, side, compact, indexes);
  if (fault !== undefined) return fault;
  countBuckets(side, isFloat, given, counts);
  const lowest = lowestOf(counts, given);
  if (lowest < 0) return `${name} bucket ${counts.indexOf(lowest) + 1} has the count ${lowest}`;
  into.length = given;
  return compact ? dropEmpty(name, into) : undefined;
}

/** Writes the indexes that the spans name. */
function spreadIndexes(
  name: string,
  { offsets, lengths, spans }: NativeSide,
  mayGoBack: boolean,
  indexes: Int32Array,
): string | undefined {
  let index = 0;
  let next = 0;
  for (let span = 0; span < spans; span++) {
    const offset = offsets[span]!;
    if (span > 0 && offset < 0 && !mayGoBack) return `span ${span + 1} of the ${name} buckets has the offset ${offset}`;
    index += offset;
    const spanEnd = next + lengths[span]!;
    if (index < INT32_MIN || index + lengths[span]! > INT32_MAX) return `${name} buckets have indexes beyond 32 bits`;
    while (next < spanEnd) indexes[next++] = index++;
  }
  return undefined;
}

function countBuckets(side: NativeSide, isFloat: boolean, length: number, into: Float64Array): void {
  if (isFloat) {
    into.set(side.counts.subarray(0, length));
    return;
  }
  const { deltas } = side;
  let count = 0;
  for (let i = 0; i < length; i++) {
    count += deltas[i]!;
    into[i] = count;
  }
}

function lowestOf(counts: Float64Array, length: number): number {
  let lowest = 0;
  for (let i = 0; i < length; i++) if (counts[i]! < lowest) lowest = counts[i]!;
  return lowest;
}

/** Leaves empty buckets out. Of spans that go back, only those count that hold observations. */
function dropEmpty(name: string, buckets: Buckets): string | undefined {
  const { indexes, counts, length } = buckets;
  let used = 0;
  for (let i = 0; i < length; i++) {
    if (counts[i] === 0) continue;
    if (used > 0 && indexes[i]! <= indexes[used - 1]!) return `${name} bucket ${i + 1} is not above those before it`;
    indexes[used] = indexes[i]!;
    counts[used++] = counts[i]!;
  }
  buckets.length = used;
  return undefined;
}

function layoutOf(
  { schema, zeroThreshold, bounds }: NativeNumbers,
  positive: Buckets,
  negative: Buckets,
  before: HistogramLayout | undefined,
): HistogramLayout {
  if (
    before !== undefined &&
    before.schema === schema &&
    before.zeroThreshold === zeroThreshold &&
    startsWith(positive.indexes, positive.length, before.positive) &&
    startsWith(negative.indexes, negative.length, before.negative) &&
    startsWith(bounds, bounds.length, before.bounds)
  ) {
    return before;
  }
  return {
    schema,
    zeroThreshold,
    positive: positive.indexes.slice(0, positive.length),
    negative: negative.indexes.slice(0, negative.length),
    bounds: Float64Array.from(bounds),
  };
}

function startsWith(column: ArrayLike<number>, length: number, want: ArrayLike<number>): boolean {
  if (length !== want.length) return false;
  for (let i = 0; i < length; i++) if (column[i] !== want[i]) return false;
  return true;
}

function total({ counts, length }: Buckets): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += counts[i]!;
  return sum;
}
