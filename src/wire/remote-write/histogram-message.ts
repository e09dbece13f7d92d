import { LIMITS } from '../../base/limits.ts';
import { BYTES, FIXED64, VARINT, type Cursor } from './cursor.ts';
import {
  readDouble,
  readEnd,
  readInt64,
  readSint32,
  readSint64,
  readTag,
  readUint32,
  readUint64,
  skipField,
  wrongWireType,
} from './cursor.ts';

/** One side of a histogram as it is sent. */
export interface WireSide {
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

/** Everything that a message of either version says, before it is looked at. */
export interface RawHistogram {
  isFloat: boolean;
  countInt: number;
  countFloat: number;
  schema: number;
  zeroThreshold: number;
  zeroCountInt: number;
  zeroCountFloat: number;
  hint: number;
  timeMs: number;
  startMs: number;
  /** In a column, so that the bits of a NaN stay what they are. */
  readonly sum: Float64Array;
  readonly positive: WireSide;
  readonly negative: WireSide;
  readonly bounds: Float64Array;
  boundCount: number;
  /** Set when there is more than the limits allow. */
  tooLarge: boolean;
}

/** Room for any histogram within the limits, to be filled again and again. */
export function rawHistogram(): RawHistogram {
  return {
    isFloat: false,
    countInt: 0,
    countFloat: 0,
    schema: 0,
    zeroThreshold: 0,
    zeroCountInt: 0,
    zeroCountFloat: 0,
    hint: 0,
    timeMs: 0,
    startMs: 0,
    sum: new Float64Array(1),
    positive: wireSide(),
    negative: wireSide(),
    bounds: new Float64Array(LIMITS.boundsPerHistogram),
    boundCount: 0,
    tooLarge: false,
  };
}

/**
 * Fills `raw` from the message that ends at `end`: those of remote write 1.0 and 2.0 are alike. Of a oneof the member that
 * comes last holds.
 */
export function readHistogram(cursor: Cursor, end: number, raw: RawHistogram): void {
  reset(raw);
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    switch (tag) {
      case (1 << 3) | VARINT:
        raw.countInt = readUint64(cursor, end);
        raw.countFloat = 0;
        raw.isFloat = false;
        break;
      case (2 << 3) | FIXED64:
        raw.countFloat = readDouble(cursor, end);
        raw.countInt = 0;
        raw.isFloat = true;
        break;
      case (3 << 3) | FIXED64:
        readSum(cursor, end, raw);
        break;
      case (4 << 3) | VARINT:
        raw.schema = readSint32(cursor, end);
        break;
      case (5 << 3) | FIXED64:
        raw.zeroThreshold = readDouble(cursor, end);
        break;
      case (6 << 3) | VARINT:
        raw.zeroCountInt = readUint64(cursor, end);
        raw.zeroCountFloat = 0;
        break;
      case (7 << 3) | FIXED64:
        raw.zeroCountFloat = readDouble(cursor, end);
        raw.zeroCountInt = 0;
        break;
      case (14 << 3) | VARINT:
        raw.hint = readUint32(cursor, end);
        break;
      case (15 << 3) | VARINT:
        raw.timeMs = readInt64(cursor, end);
        break;
      case (17 << 3) | VARINT:
        raw.startMs = readInt64(cursor, end);
        break;
      default:
        readRepeated(cursor, end, raw, tag);
    }
  }
}

function readRepeated(cursor: Cursor, end: number, raw: RawHistogram, tag: number): void {
  const field = tag >>> 3;
  const side = field < 11 ? raw.negative : raw.positive;
  if (field === 8 || field === 11) readSpan(cursor, end, raw, side, tag);
  else if (field === 9 || field === 12) readDeltas(cursor, end, raw, side, tag);
  else if (field === 10 || field === 13)
    side.countCount = readDoubles(cursor, end, raw, side.counts, side.countCount, tag);
  else if (field === 16) raw.boundCount = readDoubles(cursor, end, raw, raw.bounds, raw.boundCount, tag);
  else if (field >= 1 && field <= 17) throw wrongWireType(cursor, 'Histogram', tag);
  else skipField(cursor, tag, end);
}

/** The bits are copied as two words: a NaN that passes through a number may lose its payload. */
function readSum(cursor: Cursor, end: number, raw: RawHistogram): void {
  const { at, view } = cursor;
  readDouble(cursor, end);
  const words = new Uint32Array(raw.sum.buffer);
  words[0] = view.getUint32(at, true);
  words[1] = view.getUint32(at + 4, true);
}

function readSpan(cursor: Cursor, end: number, raw: RawHistogram, side: WireSide, tag: number): void {
  if ((tag & 7) !== BYTES) throw wrongWireType(cursor, 'Histogram', tag);
  const spanEnd = readEnd(cursor, end);
  let offset = 0;
  let length = 0;
  while (cursor.at < spanEnd) {
    const inner = readTag(cursor, spanEnd);
    if (inner === ((1 << 3) | VARINT)) offset = readSint32(cursor, spanEnd);
    else if (inner === ((2 << 3) | VARINT)) length = readUint32(cursor, spanEnd);
    else if (inner >>> 3 === 1 || inner >>> 3 === 2) throw wrongWireType(cursor, 'BucketSpan', inner);
    else skipField(cursor, inner, spanEnd);
  }
  if (side.spans === side.offsets.length) {
    raw.tooLarge = true;
    return;
  }
  side.offsets[side.spans] = offset;
  side.lengths[side.spans] = length;
  side.spans++;
}

/** Numbers may be packed in one field, or have a field each. */
function readDeltas(cursor: Cursor, end: number, raw: RawHistogram, side: WireSide, tag: number): void {
  const wireType = tag & 7;
  if (wireType !== BYTES && wireType !== VARINT) throw wrongWireType(cursor, 'Histogram', tag);
  const packedEnd = wireType === BYTES ? readEnd(cursor, end) : end;
  do {
    if (wireType === BYTES && cursor.at === packedEnd) return;
    const delta = readSint64(cursor, packedEnd);
    if (side.deltaCount < side.deltas.length) side.deltas[side.deltaCount++] = delta;
    else raw.tooLarge = true;
  } while (wireType === BYTES);
}

/** Adds to `column`, which holds `length` numbers, and returns how many it holds then. */
function readDoubles(
  cursor: Cursor,
  end: number,
  raw: RawHistogram,
  column: Float64Array,
  length: number,
  tag: number,
): number {
  const wireType = tag & 7;
  if (wireType !== BYTES && wireType !== FIXED64) throw wrongWireType(cursor, 'Histogram', tag);
  const packedEnd = wireType === BYTES ? readEnd(cursor, end) : end;
  let used = length;
  do {
    if (wireType === BYTES && cursor.at === packedEnd) return used;
    const value = readDouble(cursor, packedEnd);
    if (used < column.length) column[used++] = value;
    else raw.tooLarge = true;
  } while (wireType === BYTES);
  return used;
}

function wireSide(): WireSide {
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

function reset(raw: RawHistogram): void {
  raw.isFloat = false;
  raw.countInt = 0;
  raw.countFloat = 0;
  raw.schema = 0;
  raw.zeroThreshold = 0;
  raw.zeroCountInt = 0;
  raw.zeroCountFloat = 0;
  raw.hint = 0;
  raw.timeMs = 0;
  raw.startMs = 0;
  raw.sum[0] = 0;
  raw.boundCount = 0;
  raw.tooLarge = false;
  for (const side of [raw.positive, raw.negative]) {
    side.spans = 0;
    side.deltaCount = 0;
    side.countCount = 0;
  }
}
