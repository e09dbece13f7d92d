import { readExemplar, readTimestamp, type ExemplarMessage } from './exemplar-message.ts';
import {
  doubleField,
  expectType,
  FIXED64,
  readDouble,
  readRepeated,
  readSint32,
  readSint64,
  readTag,
  readUint32,
  skipField,
  uint64Field,
  VARINT,
  within,
  type ProtoCursor,
} from './proto-cursor.ts';

/** One `io.prometheus.client.Histogram`, classic, native or both. */
export interface HistogramMessage {
  count: number;
  countFloat: number;
  sum: number;
  startMs: number;
  readonly bounds: number[];
  /** Cumulative, of the classic buckets. */
  readonly counts: number[];
  /** Of the classic buckets. */
  readonly bucketExemplars: (ExemplarMessage | undefined)[];
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  zeroCountFloat: number;
  readonly positive: BucketsMessage;
  readonly negative: BucketsMessage;
  readonly exemplars: ExemplarMessage[];
}

/** One side of a native histogram. */
export interface BucketsMessage {
  /** Offset and length in turn. */
  readonly spans: number[];
  /** Of integer histograms: each count less the one before it. */
  readonly deltas: number[];
  /** Of float histograms. */
  readonly counts: number[];
}

export function histogramMessage(): HistogramMessage {
  return {
    count: 0,
    countFloat: 0,
    sum: 0,
    startMs: 0,
    bounds: [],
    counts: [],
    bucketExemplars: [],
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    zeroCountFloat: 0,
    positive: { spans: [], deltas: [], counts: [] },
    negative: { spans: [], deltas: [], counts: [] },
    exemplars: [],
  };
}

/** Makes the message as new. */
export function resetHistogram(histogram: HistogramMessage): void {
  histogram.count = 0;
  histogram.countFloat = 0;
  histogram.sum = 0;
  histogram.startMs = 0;
  histogram.bounds.length = 0;
  histogram.counts.length = 0;
  histogram.bucketExemplars.length = 0;
  histogram.schema = 0;
  histogram.zeroThreshold = 0;
  histogram.zeroCount = 0;
  histogram.zeroCountFloat = 0;
  for (const side of [histogram.positive, histogram.negative]) {
    side.spans.length = 0;
    side.deltas.length = 0;
    side.counts.length = 0;
  }
  histogram.exemplars.length = 0;
}

/** Reads the message that the cursor is set to, into one that may hold fields already. */
export function readHistogram(cursor: ProtoCursor, into: HistogramMessage): void {
  const { positive, negative } = into;
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    switch (tag >>> 3) {
      case 1:
        into.count = uint64Field(cursor, tag);
        break;
      case 2:
        into.sum = doubleField(cursor, tag);
        break;
      case 3:
        within(cursor, tag, () => readBucket(cursor, into));
        break;
      case 4:
        into.countFloat = doubleField(cursor, tag);
        break;
      case 5:
        expectType(cursor, tag, VARINT);
        into.schema = readSint32(cursor);
        break;
      case 6:
        into.zeroThreshold = doubleField(cursor, tag);
        break;
      case 7:
        into.zeroCount = uint64Field(cursor, tag);
        break;
      case 8:
        into.zeroCountFloat = doubleField(cursor, tag);
        break;
      case 9:
        within(cursor, tag, () => readSpan(cursor, negative.spans));
        break;
      case 10:
        readRepeated(cursor, tag, VARINT, readSint64, negative.deltas);
        break;
      case 11:
        readRepeated(cursor, tag, FIXED64, readDouble, negative.counts);
        break;
      case 12:
        within(cursor, tag, () => readSpan(cursor, positive.spans));
        break;
      case 13:
        readRepeated(cursor, tag, VARINT, readSint64, positive.deltas);
        break;
      case 14:
        readRepeated(cursor, tag, FIXED64, readDouble, positive.counts);
        break;
      case 15:
        within(cursor, tag, () => (into.startMs = readTimestamp(cursor)));
        break;
      case 16:
        within(cursor, tag, () => into.exemplars.push(readExemplar(cursor)));
        break;
      default:
        skipField(cursor, tag);
    }
  }
}

function readBucket(cursor: ProtoCursor, into: HistogramMessage): void {
  let count = 0;
  let countFloat = 0;
  let bound = 0;
  let exemplar: ExemplarMessage | undefined;
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    const field = tag >>> 3;
    if (field === 1) count = uint64Field(cursor, tag);
    else if (field === 2) bound = doubleField(cursor, tag);
    else if (field === 3) within(cursor, tag, () => (exemplar = readExemplar(cursor)));
    else if (field === 4) countFloat = doubleField(cursor, tag);
    else skipField(cursor, tag);
  }
  into.bounds.push(bound);
  // The float overrides the integer, unless it is zero.
  into.counts.push(countFloat === 0 ? count : countFloat);
  into.bucketExemplars.push(exemplar);
}

function readSpan(cursor: ProtoCursor, into: number[]): void {
  let offset = 0;
  let length = 0;
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    const field = tag >>> 3;
    if (field !== 1 && field !== 2) {
      skipField(cursor, tag);
      continue;
    }
    expectType(cursor, tag, VARINT);
    if (field === 1) offset = readSint32(cursor);
    else length = readUint32(cursor);
  }
  into.push(offset, length);
}
