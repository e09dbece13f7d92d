import { LIMITS } from '../../base/limits.ts';
import { addClassicRows, boundsFault, classicSeries, type ExplicitPoint } from './classic-histogram.ts';
import { contentEnd, contentStart, UNUSUAL } from './fields.ts';
import type { DataPoint } from './messages.ts';
import { saltOf, type CachedBounds, type CachedClassic } from './metric-caches.ts';
import { addNativeRow, customHistogram } from './native-histogram.ts';
import { commonFieldEnd, noFields, timeOf, type PointTags } from './point-fields.ts';
import { countedPoint, decodeExemplars, knownPoint, NO_EXEMPLARS } from './point-series.ts';
import { count, POINT_DEPTH, startMillisAt, unsigned64At } from './point-walk.ts';
import type { BytesContext, PointWalk } from './point-walk.ts';
import { baseLabels } from './points.ts';
import { decodeProtobufPart } from './protobuf.ts';
import { HISTOGRAM_POINT } from './schema.ts';

/** Counts of the buckets of the point at hand. */
const bucketCounts = new Float64Array(LIMITS.boundsPerHistogram + 1);

const TAGS: PointTags = { schema: HISTOGRAM_POINT, attributes: 0x4a, exemplars: 0x42, flags: 0x50 };

/** Adds a point of an explicit histogram. False for one that has to be decoded, for example to be rejected. */
export function addHistogramBytes(walk: PointWalk, context: BytesContext, start: number, end: number): boolean {
  const { bytes, view } = walk;
  const fields = noFields();
  let countAt = -1;
  let sumAt = -1;
  let countsAt = -1;
  let boundsAt = -1;
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
      case 0x32 /* bucket_counts, packed */:
        if (countsAt >= 0) return false;
        countsAt = pos + 1;
        pos = contentEnd(bytes, pos + 1, end);
        break;
      case 0x3a /* explicit_bounds, packed */:
        if (boundsAt >= 0) return false;
        boundsAt = pos + 1;
        pos = contentEnd(bytes, pos + 1, end);
        break;
      case 0x59 /* min */:
      case 0x61 /* max */:
        pos += 9;
        break;
      default:
        pos = commonFieldEnd(walk, TAGS, fields, pos, end);
    }
  }
  if (pos !== end) throw UNUSUAL;
  const timeMs = timeOf(walk, fields);
  if (timeMs === 0) return false;
  const bounds = boundsAt < 0 ? cachedBounds(walk, 0, 0) : boundsOf(walk, boundsAt, end);
  const buckets = countsAt < 0 ? 0 : readCounts(walk, countsAt, end);
  if (bounds === undefined || (buckets !== 0 && buckets !== bounds.sent + 1)) return false;
  const { attributesAt: from, attributesEnd: to, stale, hasExemplars } = fields;
  const point: ExplicitPoint = {
    timeMs,
    startMs: startMillisAt(view, fields.startAt),
    stale,
    count: countAt < 0 ? 0 : unsigned64At(view, countAt),
    sum: sumAt < 0 ? undefined : view.getFloat64(sumAt, true),
    bounds: bounds.finite,
    bucketCounts,
    buckets,
  };
  const isCustom = walk.options.convertHistogramsToNhcb === true;
  const known = isCustom ? knownPoint(walk, context, from, to) : undefined;
  const converted = isCustom ? customHistogram(point, known?.layout) : undefined;
  if (converted !== undefined && 'fault' in converted) return false;
  count(walk, bounds.sent + buckets);
  const exemplars = hasExemplars ? decodeExemplars(walk, start, end, TAGS.exemplars) : NO_EXEMPLARS;
  if (converted !== undefined) {
    const series = countedPoint(walk, context, HISTOGRAM_POINT, known, from, to);
    if (series === undefined) return true;
    series.layout = converted.histogram.layout;
    addNativeRow(context, series.handle, point, converted.histogram, exemplars);
    return true;
  }
  const series = cachedClassic(walk, context, bounds, from, to);
  if (series !== undefined) addClassicRows(context, series.series, point, exemplars);
  return true;
}

/** Reads the bucket counts whose length stands at `at`. Says how many there are; too many are not read. */
function readCounts({ bytes, view }: PointWalk, at: number, end: number): number {
  const to = contentEnd(bytes, at, end);
  const from = contentStart(bytes, at);
  if ((to - from) % 8 !== 0) throw UNUSUAL;
  const length = (to - from) / 8;
  if (length > bucketCounts.length) return length;
  for (let i = 0; i < length; i++) bucketCounts[i] = unsigned64At(view, from + i * 8);
  return length;
}

/** The bounds whose length stands at `at`; undefined when they are not in order or too many. */
function boundsOf(walk: PointWalk, at: number, end: number): CachedBounds | undefined {
  const to = contentEnd(walk.bytes, at, end);
  return cachedBounds(walk, contentStart(walk.bytes, at), to);
}

function cachedBounds({ bytes, view, caches }: PointWalk, start: number, end: number): CachedBounds | undefined {
  const known = caches.bounds.get(bytes, start, end);
  if (known !== undefined) return known;
  if ((end - start) % 8 !== 0) throw UNUSUAL;
  const sent = (end - start) / 8;
  if (sent > LIMITS.boundsPerHistogram) return undefined;
  const values = new Float64Array(sent);
  for (let i = 0; i < sent; i++) values[i] = view.getFloat64(start + i * 8, true);
  if (boundsFault(values) !== undefined) return undefined;
  const finite = values.at(-1) === Infinity ? values.slice(0, -1) : values;
  const bounds = { id: caches.nextId(), finite, sent };
  caches.bounds.set(bytes, start, end, bounds);
  return bounds;
}

function cachedClassic(
  walk: PointWalk,
  context: BytesContext,
  bounds: CachedBounds,
  start: number,
  end: number,
): CachedClassic | undefined {
  const { bytes, caches } = walk;
  const { cachedResource: resource, cachedFamily: family } = context;
  const salt = saltOf(saltOf(resource.id, family.id), bounds.id);
  const known = caches.classics.get(bytes, start, end, salt);
  if (known !== undefined && known.resource === resource && known.family === family && known.bounds === bounds) {
    count(walk, known.elements);
    return known;
  }
  const { message, elements } = decodeProtobufPart(HISTOGRAM_POINT, bytes, start, end, POINT_DEPTH);
  count(walk, elements);
  const base = baseLabels(context, (message as unknown as DataPoint).attributes, 2);
  if (base === undefined) return undefined;
  const series = classicSeries(context, base, bounds.finite);
  const classic: CachedClassic = { resource, family, bounds, series, elements };
  caches.classics.set(bytes, start, end, classic, salt);
  caches.classicSeries += bounds.finite.length + 3;
  return classic;
}
