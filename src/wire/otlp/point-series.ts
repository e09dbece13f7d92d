import { contentEnd, contentStart, fieldEnd, tagAt, UNUSUAL } from './fields.ts';
import type { DataPoint, Exemplar } from './messages.ts';
import { saltOf, type CachedPoint } from './metric-caches.ts';
import { count, POINT_DEPTH, type BytesContext, type PointWalk } from './point-walk.ts';
import { metricSeries } from './points.ts';
import { decodeProtobufPart } from './protobuf.ts';
import { NUMBER_POINT, type MessageSchema } from './schema.ts';

/** The series of a point by the bytes of its attributes, which are its fields of that name with their tags. */
export function knownPoint(
  { bytes, caches }: PointWalk,
  { cachedResource: resource, cachedFamily: family }: BytesContext,
  start: number,
  end: number,
): CachedPoint | undefined {
  const known = caches.points.get(bytes, start, end, saltOf(resource.id, family.id));
  return known !== undefined && known.resource === resource && known.family === family ? known : undefined;
}

/**
 * `known`, or else what is made of the attributes, which are fields of `schema`; counts their elements. Undefined after a
 * rejection.
 */
export function countedPoint(
  walk: PointWalk,
  context: BytesContext,
  schema: MessageSchema,
  known: CachedPoint | undefined,
  start: number,
  end: number,
): CachedPoint | undefined {
  if (known !== undefined) {
    count(walk, known.elements);
    return known;
  }
  const { bytes, caches } = walk;
  const { cachedResource: resource, cachedFamily: family } = context;
  const { message, elements } = decodeProtobufPart(schema, bytes, start, end, POINT_DEPTH);
  count(walk, elements);
  const handle = metricSeries(context, (message as unknown as DataPoint).attributes);
  if (handle === undefined) return undefined;
  const point: CachedPoint = { resource, family, handle, elements, layout: undefined };
  caches.points.set(bytes, start, end, point, saltOf(resource.id, family.id));
  return point;
}

export const NO_EXEMPLARS: readonly Exemplar[] = [];

/** The exemplars of the point `[start, end)`, which are its fields of this tag. */
export function decodeExemplars(walk: PointWalk, start: number, end: number, exemplarTag: number): Exemplar[] {
  const { bytes } = walk;
  const exemplars: Exemplar[] = [];
  for (let pos = start; pos < end;) {
    const tag = tagAt(bytes, pos, end);
    const next = fieldEnd(bytes, pos, end, tag);
    if (tag === exemplarTag) {
      const from = contentStart(bytes, pos + 1);
      const { message, elements } = decodeProtobufPart(EXEMPLAR, bytes, from, next, POINT_DEPTH + 1);
      count(walk, elements + 1);
      exemplars.push(message as unknown as Exemplar);
    }
    pos = next;
  }
  return exemplars;
}

/**
 * A run of length-delimited fields of one tag: `runEnd` is where the one before ended, 0 for the first. Returns where the
 * field at `at` ends. A second run is unusual.
 */
export function runOn(bytes: Uint8Array, at: number, end: number, runEnd: number): number {
  if (runEnd > 0 && runEnd !== at) throw UNUSUAL;
  return contentEnd(bytes, at + 1, end);
}

const EXEMPLAR = NUMBER_POINT.byName.get('exemplars')!.message!;
