import { LIMITS } from '../../base/limits.ts';
import { zigZag } from '../proto-cursor.ts';
import { contentEnd, contentStart, otherFieldEnd, smallVarint, UNUSUAL, varintEnd } from './fields.ts';
import { addNativeRow, exponentialHistogram, type DenseBuckets, type ExponentialPoint } from './native-histogram.ts';
import { commonFieldEnd, noFields, timeOf, type PointTags } from './point-fields.ts';
import { countedPoint, decodeExemplars, knownPoint, NO_EXEMPLARS } from './point-series.ts';
import { count, startMillisAt, unsigned64At, type BytesContext, type PointWalk } from './point-walk.ts';
import { EXPONENTIAL_POINT } from './schema.ts';

/** Counts of the buckets of the point at hand. */
const positiveCounts = new Float64Array(LIMITS.bucketsPerHistogram);
const negativeCounts = new Float64Array(LIMITS.bucketsPerHistogram);

const TAGS: PointTags = { schema: EXPONENTIAL_POINT, attributes: 0x0a, exemplars: 0x5a, flags: 0x50 };

/** Adds a point of an exponential histogram. False for one that has to be decoded, for example to be rejected. */
export function addExponentialBytes(walk: PointWalk, context: BytesContext, start: number, end: number): boolean {
  const { bytes, view } = walk;
  const fields = noFields();
  let countAt = -1;
  let sumAt = -1;
  let zeroCountAt = -1;
  let positiveAt = -1;
  let negativeAt = -1;
  let scale = 0;
  let pos = start;
  while (pos < end) {
    switch (bytes[pos]) {
      case 0x21 /* count */:
        countAt = pos + 1;
        pos += 9;
        break;
      case 0x29 /* sum */:
        sumAt = pos + 1;
        pos += 9;
        break;
      case 0x30 /* scale */:
        scale = zigZag(smallVarint(bytes, pos + 1, end));
        pos = varintEnd(bytes, pos + 1, end);
        break;
      case 0x39 /* zero_count */:
        zeroCountAt = pos + 1;
        pos += 9;
        break;
      case 0x42 /* positive */:
        // Two of them would be merged.
        if (positiveAt >= 0) return false;
        positiveAt = pos + 1;
        pos = contentEnd(bytes, pos + 1, end);
        break;
      case 0x4a /* negative */:
        if (negativeAt >= 0) return false;
        negativeAt = pos + 1;
        pos = contentEnd(bytes, pos + 1, end);
        break;
      case 0x61 /* min */:
      case 0x69 /* max */:
      case 0x71 /* zero_threshold */:
        pos += 9;
        break;
      default:
        pos = commonFieldEnd(walk, TAGS, fields, pos, end);
    }
  }
  if (pos !== end) throw UNUSUAL;
  const timeMs = timeOf(walk, fields);
  if (timeMs === 0) return false;
  const positive = positiveAt < 0 ? NO_BUCKETS : readBuckets(bytes, positiveAt, end, positiveCounts);
  const negative = negativeAt < 0 ? NO_BUCKETS : readBuckets(bytes, negativeAt, end, negativeCounts);
  if (positive === undefined || negative === undefined) return false;
  const { attributesAt: from, attributesEnd: to, stale, hasExemplars } = fields;
  const point: ExponentialPoint = {
    timeMs,
    startMs: startMillisAt(view, fields.startAt),
    stale,
    count: countAt < 0 ? 0 : unsigned64At(view, countAt),
    sum: sumAt < 0 ? undefined : view.getFloat64(sumAt, true),
    scale,
    zeroCount: zeroCountAt < 0 ? 0 : unsigned64At(view, zeroCountAt),
    positive,
    negative,
  };
  const known = knownPoint(walk, context, from, to);
  const converted = exponentialHistogram(point, known?.layout);
  if ('fault' in converted) return false;
  count(walk, positive.length + negative.length + (positiveAt < 0 ? 0 : 1) + (negativeAt < 0 ? 0 : 1));
  const exemplars = hasExemplars ? decodeExemplars(walk, start, end, TAGS.exemplars) : NO_EXEMPLARS;
  const series = countedPoint(walk, context, EXPONENTIAL_POINT, known, from, to);
  if (series === undefined) return true;
  series.layout = converted.histogram.layout;
  addNativeRow(context, series.handle, point, converted.histogram, exemplars);
  return true;
}

const NO_BUCKETS: DenseBuckets = { offset: 0, counts: new Float64Array(0), length: 0 };

/** Reads the buckets whose length stands at `at`; undefined when they are too many or not packed in one run. */
function readBuckets(bytes: Uint8Array, at: number, end: number, counts: Float64Array): DenseBuckets | undefined {
  const to = contentEnd(bytes, at, end);
  let offset = 0;
  let length = 0;
  let packed = false;
  for (let pos = contentStart(bytes, at); pos < to;) {
    if (bytes[pos] === 0x08 /* offset */) {
      offset = zigZag(smallVarint(bytes, pos + 1, to));
      pos = varintEnd(bytes, pos + 1, to);
    } else if (bytes[pos] === 0x12 /* bucket_counts, packed */) {
      if (packed) return undefined;
      packed = true;
      const last = contentEnd(bytes, pos + 1, to);
      pos = contentStart(bytes, pos + 1);
      while (pos < last) {
        if (length === counts.length) return undefined;
        const next = varintEnd(bytes, pos, last);
        counts[length++] = next === pos + 1 ? bytes[pos]! : varintAt(bytes, pos, next);
        pos = next;
      }
    } else {
      pos = otherFieldEnd(bytes, pos, to, BUCKETS);
    }
  }
  return { offset, counts, length };
}

const BUCKETS = EXPONENTIAL_POINT.byName.get('positive')!.message!;

/** The varint `[at, end)` as the nearest float. Ten bytes, which counts do not have, are unusual. */
function varintAt(bytes: Uint8Array, at: number, end: number): number {
  if (end - at > 9) throw UNUSUAL;
  let low = 0;
  let high = 0;
  for (let pos = at; pos < end; pos++) {
    const part = bytes[pos]! & 127;
    const i = pos - at;
    // The fifth byte is the one that both words share.
    if (i < 4) low |= part << (i * 7);
    else if (i === 4) {
      low |= part << 28;
      high = part >>> 4;
    } else high |= part << (i * 7 - 32);
  }
  return (high >>> 0) * 2 ** 32 + (low >>> 0);
}
