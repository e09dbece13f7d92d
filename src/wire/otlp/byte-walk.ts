import { metricFamily, type PointKind } from './family.ts';
import {
  checkMessage,
  contentEnd,
  contentStart,
  fieldEnd,
  otherFieldEnd,
  smallVarint,
  tagAt,
  UNUSUAL,
} from './fields.ts';
import { endResource, intake, translationOf } from './intake.ts';
import type { Metric, Resource } from './messages.ts';
import type { CachedFamily, CachedResource, MetricCaches } from './metric-caches.ts';
import { addBytesPoint } from './byte-points.ts';
import { count, POINT_DEPTH, POINT_SCHEMAS, type BytesContext, type PointWalk } from './point-walk.ts';
import { decodeProtobufPart } from './protobuf.ts';
import { ITEM_DEPTH, RESOURCE_DEPTH, SCOPE_DEPTH, walkRequest } from './request-walk.ts';
import { resourceContext } from './resource.ts';
import { METRIC, METRICS_REQUEST, RESOURCE, SCOPE, type MessageSchema } from './schema.ts';
import type { MetricsOptions } from './translate.ts';
import type { Translation } from './translation.ts';

/**
 * Translates a protobuf request by walking over its bytes: what was seen before is found by its bytes, and only the rest is
 * decoded. Undefined for a request that is malformed, too large or in an unusual encoding: the decoder of whole requests
 * then has to say what it is.
 */
export function translateBytes(
  body: Uint8Array,
  options: MetricsOptions,
  promote: readonly string[],
  caches: MetricCaches,
  nowMs: number,
): Translation | undefined {
  const walk: PointWalk = {
    bytes: body,
    view: new DataView(body.buffer, body.byteOffset, body.byteLength),
    options,
    promote,
    caches,
    intake: intake(nowMs, likelyRows(body, caches)),
    elements: 0,
  };
  const isWhole = walkRequest(
    {
      walk,
      resource: (start: number, end: number) => cachedResource(walk, start, end),
      scope: (start: number, end: number) => checkedElements(walk, SCOPE, start, end, SCOPE_DEPTH),
      item: (resource: CachedResource, start: number, end: number) => walkMetric(walk, resource, start, end),
      resourceEnd: ({ context }: CachedResource) => endResource(walk.intake, context),
    },
    METRICS_REQUEST,
  );
  if (!isWhole) return undefined;
  caches.lastRows = walk.intake.builder.rows;
  return translationOf(walk.intake);
}

/** As many as of the request before; but a row is hardly less than the eight bytes of its value. */
function likelyRows(body: Uint8Array, { lastRows }: MetricCaches): number {
  return Math.min(lastRows, body.length >>> 3) + 16;
}

function cachedResource(walk: PointWalk, start: number, end: number): CachedResource {
  const { bytes, caches, options, promote } = walk;
  const known = caches.resources.get(bytes, start, end);
  if (known !== undefined) return known;
  const { message, elements } = decodeProtobufPart(RESOURCE, bytes, start, end, RESOURCE_DEPTH);
  const context = resourceContext(message as unknown as Resource, options, promote);
  const resource = { id: caches.nextId(), context, elements };
  caches.resources.set(bytes, start, end, resource);
  return resource;
}

/** The elements of a part that only has to be well-formed. */
function checkedElements(walk: PointWalk, schema: MessageSchema, start: number, end: number, depth: number): number {
  const { bytes, caches } = walk;
  const known = caches.checked.get(bytes, start, end, depth);
  if (known !== undefined) return known;
  const elements = checkMessage(schema, bytes, start, end, depth);
  caches.checked.set(bytes, start, end, elements, depth);
  return elements;
}

/** The kinds of points by the tags of the fields of a metric that hold them. */
const KINDS: readonly (PointKind | undefined)[] = Object.assign(Array.from<undefined>({ length: 128 }), {
  0x2a: 'gauge',
  0x3a: 'sum',
  0x4a: 'histogram',
  0x52: 'exponential',
  0x5a: 'summary',
});

function walkMetric(walk: PointWalk, resource: CachedResource, start: number, end: number): void {
  const { bytes } = walk;
  count(walk, 1);
  let pos = start;
  let tag = 0;
  while (pos < end) {
    tag = tagAt(bytes, pos, end);
    if (KINDS[tag] !== undefined) break;
    pos = fieldEnd(bytes, pos, end, tag);
  }
  const kind = pos < end ? KINDS[tag] : undefined;
  if (kind === undefined) {
    count(walk, checkMessage(METRIC, bytes, start, end, ITEM_DEPTH));
    return;
  }
  const data = contentEnd(bytes, pos + 1, end);
  if (data < end) checkTail(walk, data, end);
  walkData(walk, resource, kind, start, pos, data);
}

/** After its points a metric may only have what says nothing about them. */
function checkTail(walk: PointWalk, start: number, end: number): void {
  const { bytes } = walk;
  for (let pos = start; pos < end;) {
    const tag = tagAt(bytes, pos, end);
    const field = METRIC.byNumber[tag >>> 3];
    if (field !== undefined && field.name !== 'metadata') throw UNUSUAL;
    pos = fieldEnd(bytes, pos, end, tag);
  }
  count(walk, checkedElements(walk, METRIC, start, end, ITEM_DEPTH));
}

/** Walks over the field at `at` of the metric that starts at `start`. */
function walkData(
  walk: PointWalk,
  resource: CachedResource,
  kind: PointKind,
  start: number,
  at: number,
  end: number,
): void {
  const { bytes } = walk;
  count(walk, 1);
  const from = contentStart(bytes, at + 1);
  const schema = DATA_SCHEMAS[kind];
  let temporality = 0;
  let isMonotonic = false;
  let points = 0;
  // What tells how points are to be read mostly stands behind them.
  for (let pos = from; pos < end;) {
    const tag = bytes[pos]!;
    if (tag === 0x0a /* data_points */) {
      points++;
      pos = contentEnd(bytes, pos + 1, end);
    } else if (tag === 0x10 && HAS_TEMPORALITY[kind]) {
      temporality = smallVarint(bytes, pos + 1, end);
      pos = fieldEnd(bytes, pos, end, tag);
    } else if (tag === 0x18 && kind === 'sum') {
      isMonotonic = smallVarint(bytes, pos + 1, end) !== 0;
      pos = fieldEnd(bytes, pos, end, tag);
    } else {
      pos = otherFieldEnd(bytes, pos, end, schema);
    }
  }
  const sent = HAS_TEMPORALITY[kind] ? temporality : undefined;
  const family = cachedFamily(walk, kind, sent, isMonotonic, start, at);
  count(walk, points + family.elements);
  if (points === 0) return;
  const { fault, shownName } = family.family;
  if (fault !== undefined) walk.intake.rejected.add(fault.reason, `${shownName}: ${fault.detail}`, points);
  const { options, intake: gathered } = walk;
  const context: BytesContext = {
    intake: gathered,
    admission: options.admission,
    resource: resource.context,
    family: family.family,
    cachedResource: resource,
    cachedFamily: family,
  };
  for (let pos = from; pos < end;) {
    const next = fieldEnd(bytes, pos, end, tagAt(bytes, pos, end));
    if (bytes[pos] === 0x0a) {
      const pointAt = contentStart(bytes, pos + 1);
      if (fault === undefined) addBytesPoint(walk, context, pointAt, next);
      else count(walk, checkMessage(POINT_SCHEMAS[kind], bytes, pointAt, next, POINT_DEPTH));
    }
    pos = next;
  }
}

function cachedFamily(
  walk: PointWalk,
  kind: PointKind,
  temporality: number | undefined,
  isMonotonic: boolean,
  start: number,
  end: number,
): CachedFamily {
  const { bytes, caches } = walk;
  // A temporality that is none has one family for all: its points are rejected in the same words.
  const known = temporality === undefined ? 0 : temporality > 3 ? 3 : temporality;
  const salt = KIND_SALTS[kind] | (known << 3) | (isMonotonic ? 32 : 0);
  const found = caches.families.get(bytes, start, end, salt);
  if (found !== undefined) return found;
  const { message, elements } = decodeProtobufPart(METRIC, bytes, start, end, ITEM_DEPTH);
  const { name, description, unit } = message as unknown as Metric;
  const family = metricFamily({ name, description, unit, kind, temporality, isMonotonic });
  const cached = { id: caches.nextId(), family, elements };
  caches.families.set(bytes, start, end, cached, salt);
  return cached;
}

const KIND_SALTS: Readonly<Record<PointKind, number>> = {
  gauge: 0,
  sum: 1,
  histogram: 2,
  exponential: 3,
  summary: 4,
};

const HAS_TEMPORALITY: Readonly<Record<PointKind, boolean>> = {
  gauge: false,
  sum: true,
  histogram: true,
  exponential: true,
  summary: false,
};

const DATA_SCHEMAS: Readonly<Record<PointKind, MessageSchema>> = {
  gauge: METRIC.byName.get('gauge')!.message!,
  sum: METRIC.byName.get('sum')!.message!,
  histogram: METRIC.byName.get('histogram')!.message!,
  exponential: METRIC.byName.get('exponentialHistogram')!.message!,
  summary: METRIC.byName.get('summary')!.message!,
};
