import { byteTable, type ByteTable } from '../wire/byte-table.ts';
import { checkMessage } from '../wire/otlp/fields.ts';
import type { InstrumentationScope, Resource, Span } from '../wire/otlp/messages.ts';
import { count } from '../wire/otlp/point-walk.ts';
import { decodeProtobufPart } from '../wire/otlp/protobuf.ts';
import { ITEM_DEPTH, RESOURCE_DEPTH, SCOPE_DEPTH, walkRequest } from '../wire/otlp/request-walk.ts';
import { RESOURCE, SCOPE, SPAN, TRACE_REQUEST, type MessageSchema } from '../wire/otlp/schema.ts';
import type { TranslateOptions, Translation } from '../wire/otlp/translation.ts';
import { spanGroups, type SpanGroup, type SpanGroups } from './span-groups.ts';
import { addSpan, groupOf, spanIntake, spanResource, spanTranslation, takeSpan } from './span-intake.ts';
import type { SpanIntake, SpanResource } from './span-intake.ts';
import { spanSketch, type SpanSketch } from './span-sketch.ts';
import type { SpanSurvey } from './span-survey.ts';

/** What requests have in common, by the bytes that it was made of. */
export interface SpanCaches {
  readonly resources: ByteTable<CachedResource>;
  /** By what `spanSketch` makes of a span's naming attributes, kind and status; the salt is its resource's id. */
  readonly found: ByteTable<SpanGroup>;
  readonly groups: SpanGroups;
  lastId: number;
}

interface CachedResource {
  readonly id: number;
  readonly resource: SpanResource;
  /** Messages and list elements in its bytes. */
  readonly elements: number;
}

const RESOURCE_BYTES = 8 * 1024 * 1024;
const FOUND_BYTES = 32 * 1024 * 1024;

/** Groups that are kept between requests: each has 18 series, some 5 KB. */
const GROUPS = 20_000;

export function spanCaches(options: TranslateOptions): SpanCaches {
  return {
    resources: byteTable(RESOURCE_BYTES),
    found: byteTable(FOUND_BYTES),
    groups: spanGroups(options),
    lastId: 0,
  };
}

/** Whether the caches have to be made anew before the next request. */
export function isWornOut(caches: SpanCaches): boolean {
  return caches.groups.size > GROUPS;
}

/**
 * Translates a protobuf request by walking over its bytes: only what a group is made of is read, and decoded only where it
 * was not seen before. Undefined for a request that is malformed, too large or in an unusual encoding: the decoder of whole
 * requests then has to say what it is.
 */
export function translateSpanBytes(
  body: Uint8Array,
  options: TranslateOptions,
  caches: SpanCaches,
  nowMs: number,
  survey?: SpanSurvey,
): Translation | undefined {
  const walk: SpanWalk = {
    bytes: body,
    options,
    caches,
    intake: spanIntake(options, caches.groups),
    sketch: spanSketch(body),
    elements: 0,
    nowMs,
    survey,
  };
  const isWhole = walkRequest(
    {
      walk,
      resource: (start: number, end: number) => cachedResource(walk, start, end),
      scope: (start: number, end: number) => checkScope(walk, start, end),
      item: (resource: CachedResource, start: number, end: number) => walkSpan(walk, resource, start, end),
      resourceEnd: () => undefined,
    },
    TRACE_REQUEST,
  );
  return isWhole ? spanTranslation(walk.intake, nowMs) : undefined;
}

interface SpanWalk {
  readonly bytes: Uint8Array;
  readonly options: TranslateOptions;
  readonly caches: SpanCaches;
  readonly intake: SpanIntake;
  readonly sketch: SpanSketch;
  elements: number;
  readonly nowMs: number;
  readonly survey: SpanSurvey | undefined;
}

function checkScope({ bytes, survey, nowMs }: SpanWalk, start: number, end: number): number {
  const elements = checkMessage(SCOPE, bytes, start, end, SCOPE_DEPTH);
  if (survey?.isDue(nowMs, end - start) === true)
    survey.scope(decoded<InstrumentationScope>(SCOPE, bytes, start, end, SCOPE_DEPTH));
  return elements;
}

function cachedResource(walk: SpanWalk, start: number, end: number): CachedResource {
  const { bytes, caches, options, survey, nowMs } = walk;
  if (survey?.isDue(nowMs, end - start) === true)
    survey.resource(decoded<Resource>(RESOURCE, bytes, start, end, RESOURCE_DEPTH));
  const known = caches.resources.get(bytes, start, end);
  if (known !== undefined) return known;
  const { message, elements } = decodeProtobufPart(RESOURCE, bytes, start, end, RESOURCE_DEPTH);
  const resource = spanResource(message as unknown as Resource, options);
  const cached = { id: ++caches.lastId, resource, elements };
  caches.resources.set(bytes, start, end, cached);
  return cached;
}

function walkSpan(walk: SpanWalk, cached: CachedResource, start: number, end: number): void {
  const { bytes, caches, intake, sketch } = walk;
  const { resource, id } = cached;
  count(walk, 1 + sketch.read(start, end, ITEM_DEPTH));
  if (walk.survey?.isDue(walk.nowMs, end - start) === true)
    walk.survey.span(decoded<Span>(SPAN, bytes, start, end, ITEM_DEPTH));
  if (sketch.complete && sketch.nanoseconds >= 0 && resource.service !== '') {
    const known = caches.found.get(sketch.key, 0, sketch.keyLength, id);
    if (known !== undefined) {
      takeSpan(intake, resource, known, sketch.nanoseconds / 1e9);
      return;
    }
  }
  const span = decoded<Span>(SPAN, bytes, start, end, ITEM_DEPTH);
  addSpan(intake, resource, span);
  if (!sketch.complete || resource.service === '') return;
  const group = groupOf(intake, resource, span.attributes, span.kind, span.status?.code ?? 0);
  if (group !== undefined) caches.found.set(sketch.key, 0, sketch.keyLength, group, id);
}

function decoded<T>(schema: MessageSchema, bytes: Uint8Array, start: number, end: number, depth: number): T {
  return decodeProtobufPart(schema, bytes, start, end, depth).message as unknown as T;
}
