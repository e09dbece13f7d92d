import { LIMITS } from '../base/limits.ts';
import {
  BYTES,
  FIXED64,
  readDouble,
  readEnd,
  readSint32,
  readSint64,
  readTag,
  readUint32,
  skipField,
  VARINT,
  wrongWireType,
  type ProtoCursor,
} from './proto-cursor.ts';

/**
 * What a native histogram says in protobuf, before it is looked at. Prometheus has two messages for it that differ in their
 * field numbers: `prometheus.Histogram` in remote write and `io.prometheus.client.Histogram` in scrapes.
 */
export interface NativeMessage {
  /** Whether the counts are floats; the other ones are 0 then. */
  isFloat: boolean;
  countInt: number;
  countFloat: number;
  schema: number;
  zeroThreshold: number;
  zeroCountInt: number;
  zeroCountFloat: number;
  /** In a column, so that the bits of a NaN stay what they are. */
  readonly sum: Float64Array;
  readonly positive: NativeSide;
  readonly negative: NativeSide;
  /** Upper bounds of custom buckets. */
  readonly customBounds: Float64Array;
  customBoundCount: number;
  /** Set when there is more than the limits allow: the rest was not kept. */
  tooLarge: boolean;
}

/** One side of a histogram as it is sent. */
export interface NativeSide {
  readonly offsets: Int32Array;
  readonly lengths: Float64Array;
  spans: number;
  /** Bucket counts of an integer histogram, each as the difference to the one before. */
  readonly deltas: Float64Array;
  deltaCount: number;
  /** Bucket counts of a float histogram. */
  readonly counts: Float64Array;
  countCount: number;
}

/** Room for any histogram within the limits, to be filled again and again. */
export function nativeMessage(): NativeMessage {
  return {
    isFloat: false,
    countInt: 0,
    countFloat: 0,
    schema: 0,
    zeroThreshold: 0,
    zeroCountInt: 0,
    zeroCountFloat: 0,
    sum: new Float64Array(1),
    positive: nativeSide(),
    negative: nativeSide(),
    customBounds: new Float64Array(LIMITS.boundsPerHistogram),
    customBoundCount: 0,
    tooLarge: false,
  };
}

/** Makes the message as new. */
export function resetNative(message: NativeMessage): void {
  message.isFloat = false;
  message.countInt = 0;
  message.countFloat = 0;
  message.schema = 0;
  message.zeroThreshold = 0;
  message.zeroCountInt = 0;
  message.zeroCountFloat = 0;
  message.sum[0] = 0;
  message.customBoundCount = 0;
  message.tooLarge = false;
  resetSide(message.positive);
  resetSide(message.negative);
}

/** Reads a BucketSpan. */
export function readSpan(cursor: ProtoCursor, end: number, tag: number, into: NativeMessage, side: NativeSide): void {
  if ((tag & 7) !== BYTES) throw wrongWireType(cursor, 'Histogram', tag);
  const spanEnd = readEnd(cursor, end);
  let offset = 0;
  let length = 0;
  while (cursor.at < spanEnd) {
    const inner = readTag(cursor, spanEnd);
    if (inner === ((1 << 3) | VARINT)) offset = readSint32(cursor, spanEnd);
    else if (inner === ((2 << 3) | VARINT)) length = readUint32(cursor, spanEnd);
    else if (inner >>> 3 <= 2) throw wrongWireType(cursor, 'BucketSpan', inner);
    else skipField(cursor, inner, spanEnd);
  }
  if (side.spans === side.offsets.length) {
    into.tooLarge = true;
    return;
  }
  side.offsets[side.spans] = offset;
  side.lengths[side.spans] = length;
  side.spans++;
}

/** Reads counts as differences: packed in one field, or one of those that have a field each. */
export function readDeltas(cursor: ProtoCursor, end: number, tag: number, into: NativeMessage, side: NativeSide): void {
  const wireType = tag & 7;
  if (wireType !== BYTES && wireType !== VARINT) throw wrongWireType(cursor, 'Histogram', tag);
  const packedEnd = wireType === BYTES ? readEnd(cursor, end) : end;
  do {
    if (wireType === BYTES && cursor.at === packedEnd) return;
    const delta = readSint64(cursor, packedEnd);
    if (side.deltaCount < side.deltas.length) side.deltas[side.deltaCount++] = delta;
    else into.tooLarge = true;
  } while (wireType === BYTES);
}

/** As `readDeltas`, for the counts of a float histogram. */
export function readCounts(cursor: ProtoCursor, end: number, tag: number, into: NativeMessage, side: NativeSide): void {
  side.countCount = readDoubles(cursor, end, tag, into, side.counts, side.countCount);
}

/** As `readDeltas`, for the bounds of custom buckets. */
export function readCustomBounds(cursor: ProtoCursor, end: number, tag: number, into: NativeMessage): void {
  into.customBoundCount = readDoubles(cursor, end, tag, into, into.customBounds, into.customBoundCount);
}

/** Adds to `column`, which holds `length` numbers, and returns how many it holds then. */
function readDoubles(
  cursor: ProtoCursor,
  end: number,
  tag: number,
  into: NativeMessage,
  column: Float64Array,
  length: number,
): number {
  const wireType = tag & 7;
  if (wireType !== BYTES && wireType !== FIXED64) throw wrongWireType(cursor, 'Histogram', tag);
  const packedEnd = wireType === BYTES ? readEnd(cursor, end) : end;
  let used = length;
  do {
    if (wireType === BYTES && cursor.at === packedEnd) return used;
    const value = readDouble(cursor, packedEnd);
    if (used < column.length) column[used++] = value;
    else into.tooLarge = true;
  } while (wireType === BYTES);
  return used;
}

function nativeSide(): NativeSide {
  const size = LIMITS.bucketsPerHistogram;
  return {
    offsets: new Int32Array(size),
    lengths: new Float64Array(size),
    spans: 0,
    deltas: new Float64Array(size),
    deltaCount: 0,
    counts: new Float64Array(size),
    countCount: 0,
  };
}

function resetSide(side: NativeSide): void {
  side.spans = 0;
  side.deltaCount = 0;
  side.countCount = 0;
}
