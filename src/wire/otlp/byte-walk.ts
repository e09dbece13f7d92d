import { ComityError } from '../../base/errors.ts';
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
  try {
    walkRequest(walk);
  } catch (error) {
    if (error === UNUSUAL || (error instanceof ComityError && error.code !== 'internal')) return undefined;
    throw error;
  }
  caches.lastRows = walk.intake.builder.rows;
  return translationOf(walk.intake);
}

/** As many as of the request before; but a row is hardly less than the eight bytes of its value. */
function likelyRows(body: Uint8Array, { lastRows }: MetricCaches): number {
  return Math.min(lastRows, body.length >>> 3) + 16;
}

const RESOURCE_METRICS = METRICS_REQUEST.byName.get('resourceMetrics')!.message!;
const SCOPE_METRICS = RESOURCE_METRICS.byName.get('scopeMetrics')!.message!;

function walkRequest(walk: PointWalk): void {
  const { bytes } = walk;
  const end = bytes.length;
  let pos = 0;
  while (pos < end) {
    if (bytes[pos] === 0x0a /* resource_metrics */) {
      const next = contentEnd(bytes, pos + 1, end);
      walkResource(walk, contentStart(bytes, pos + 1), next);
      pos = next;
    } else {
      pos = otherFieldEnd(bytes, pos, end, METRICS_REQUEST);
    }
  }
}

function walkResource(walk: PointWalk, start: number, end: number): void {
  const { bytes } = walk;
  let resourceAt = -1;
  for (let pos = start; pos < end;) {
    if (bytes[pos] === 0x0a /* resource */) {
      // Two of them would be merged.
      if (resourceAt >= 0) throw UNUSUAL;
      resourceAt = pos;
      pos = contentEnd(bytes, pos + 1, end);
    } else if (bytes[pos] === 0x12 /* scope_metrics */ || bytes[pos] === 0x1a /* schema_url */) {
      pos = contentEnd(bytes, pos + 1, end);
    } else {
      pos = otherFieldEnd(bytes, pos, end, RESOURCE_METRICS);
    }
  }
  const resource =
    resourceAt < 0
      ? cachedResource(walk, 0, 0, false)
      : cachedResource(walk, contentStart(bytes, resourceAt + 1), contentEnd(bytes, resourceAt + 1, end), true);
  count(walk, 1 + resource.elements);
  for (let pos = start; pos < end;) {
    const next = fieldEnd(bytes, pos, end, tagAt(bytes, pos, end));
    if (bytes[pos] === 0x12) walkScope(walk, resource, contentStart(bytes, pos + 1), next);
    pos = next;
  }
  endResource(walk.intake, resource.context);
}

function cachedResource(walk: PointWalk, start: number, end: number, sent: boolean): CachedResource {
  const { bytes, caches, options, promote } = walk;
  const known = caches.resources.get(bytes, start, end, sent ? 1 : 0);
  if (known !== undefined) return known;
  const { message, elements } = decodeProtobufPart(RESOURCE, bytes, start, end, RESOURCE_DEPTH);
  const context = resourceContext(message as unknown as Resource, options, promote);
  const resource = { id: caches.nextId(), context, elements: elements + (sent ? 1 : 0) };
  caches.resources.set(bytes, start, end, resource, sent ? 1 : 0);
  return resource;
}

function walkScope(walk: PointWalk, resource: CachedResource, start: number, end: number): void {
  const { bytes } = walk;
  count(walk, 1);
  for (let pos = start; pos < end;) {
    if (bytes[pos] === 0x12 /* metrics */) {
      const next = contentEnd(bytes, pos + 1, end);
      walkMetric(walk, resource, contentStart(bytes, pos + 1), next);
      pos = next;
    } else if (bytes[pos] === 0x0a /* scope */) {
      const next = contentEnd(bytes, pos + 1, end);
      count(walk, 1 + checkedElements(walk, SCOPE, contentStart(bytes, pos + 1), next, SCOPE_DEPTH));
      pos = next;
    } else if (bytes[pos] === 0x1a /* schema_url */) {
      pos = contentEnd(bytes, pos + 1, end);
    } else {
      pos = otherFieldEnd(bytes, pos, end, SCOPE_METRICS);
    }
  }
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
    count(walk, checkMessage(METRIC, bytes, start, end, METRIC_DEPTH));
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
  count(walk, checkedElements(walk, METRIC, start, end, METRIC_DEPTH));
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
  const { message, elements } = decodeProtobufPart(METRIC, bytes, start, end, METRIC_DEPTH);
  const { name, description, unit } = message as unknown as Metric;
  const family = metricFamily({ name, description, unit, kind, temporality, isMonotonic });
  const cached = { id: caches.nextId(), family, elements };
  caches.families.set(bytes, start, end, cached, salt);
  return cached;
}

/** How deep messages are nested in a request. */
const RESOURCE_DEPTH = 2;
const SCOPE_DEPTH = 3;
const METRIC_DEPTH = 3;

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
