import { nativeMessage, readCounts, readDeltas, readSpan, resetNative, type NativeMessage } from '../native-message.ts';
import { readSint32, readTag, skipField, VARINT, type ProtoCursor } from '../proto-cursor.ts';
import { readExemplar, readTimestamp, type ExemplarMessage } from './exemplar-message.ts';
import { bytesField, doubleField, expectType, uint64Field } from './fields.ts';

/** One `io.prometheus.client.Histogram`, classic, native or both. */
export interface HistogramMessage extends NativeMessage {
  startMs: number;
  /** Of the classic buckets. */
  readonly bounds: number[];
  /** Cumulative, of the classic buckets. */
  readonly counts: number[];
  /** Of the classic buckets. */
  readonly bucketExemplars: (ExemplarMessage | undefined)[];
  readonly exemplars: ExemplarMessage[];
}

export function histogramMessage(): HistogramMessage {
  return { ...nativeMessage(), startMs: 0, bounds: [], counts: [], bucketExemplars: [], exemplars: [] };
}

/** Makes the message as new. */
export function resetHistogram(histogram: HistogramMessage): void {
  resetNative(histogram);
  histogram.startMs = 0;
  histogram.bounds.length = 0;
  histogram.counts.length = 0;
  histogram.bucketExemplars.length = 0;
  histogram.exemplars.length = 0;
}

/** Reads the message that ends at `end` into one that may hold fields already. */
export function readHistogram(cursor: ProtoCursor, end: number, into: HistogramMessage): void {
  const { positive, negative } = into;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    switch (tag >>> 3) {
      case 1:
        into.countInt = uint64Field(cursor, end, tag);
        break;
      case 2:
        into.sum[0] = doubleField(cursor, end, tag);
        break;
      case 3:
        readBucket(cursor, bytesField(cursor, end, tag), into);
        break;
      case 4:
        into.countFloat = doubleField(cursor, end, tag);
        break;
      case 5:
        expectType(cursor, tag, VARINT);
        into.schema = readSint32(cursor, end);
        break;
      case 6:
        into.zeroThreshold = doubleField(cursor, end, tag);
        break;
      case 7:
        into.zeroCountInt = uint64Field(cursor, end, tag);
        break;
      case 8:
        into.zeroCountFloat = doubleField(cursor, end, tag);
        break;
      case 9:
        readSpan(cursor, end, tag, into, negative);
        break;
      case 10:
        readDeltas(cursor, end, tag, into, negative);
        break;
      case 11:
        readCounts(cursor, end, tag, into, negative);
        break;
      case 12:
        readSpan(cursor, end, tag, into, positive);
        break;
      case 13:
        readDeltas(cursor, end, tag, into, positive);
        break;
      case 14:
        readCounts(cursor, end, tag, into, positive);
        break;
      case 15:
        into.startMs = readTimestamp(cursor, bytesField(cursor, end, tag));
        break;
      case 16:
        into.exemplars.push(readExemplar(cursor, bytesField(cursor, end, tag)));
        break;
      default:
        skipField(cursor, tag, end);
    }
  }
  // Nothing on the wire says so: a float that is not zero does.
  into.isFloat = into.countFloat > 0 || into.zeroCountFloat > 0;
}

function readBucket(cursor: ProtoCursor, end: number, into: HistogramMessage): void {
  let count = 0;
  let countFloat = 0;
  let bound = 0;
  let exemplar: ExemplarMessage | undefined;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if (field === 1) count = uint64Field(cursor, end, tag);
    else if (field === 2) bound = doubleField(cursor, end, tag);
    else if (field === 3) exemplar = readExemplar(cursor, bytesField(cursor, end, tag));
    else if (field === 4) countFloat = doubleField(cursor, end, tag);
    else skipField(cursor, tag, end);
  }
  into.bounds.push(bound);
  // The float overrides the integer, unless it is zero.
  into.counts.push(countFloat === 0 ? count : countFloat);
  into.bucketExemplars.push(exemplar);
}
