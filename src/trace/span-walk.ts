import { ComityError } from '../base/errors.ts';
import { byteTable, type ByteTable } from '../wire/byte-table.ts';
import { OTLP_LIMITS } from '../wire/otlp/bounds.ts';
import {
  checkMessage,
  contentEnd,
  contentStart,
  fieldEnd,
  otherFieldEnd,
  tagAt,
  UNUSUAL,
} from '../wire/otlp/fields.ts';
import type { Resource, Span } from '../wire/otlp/messages.ts';
import { decodeProtobufPart } from '../wire/otlp/protobuf.ts';
import { RESOURCE, SCOPE, SPAN, TRACE_REQUEST } from '../wire/otlp/schema.ts';
import type { TranslateOptions, Translation } from '../wire/otlp/translation.ts';
import { spanGroups, type SpanGroup, type SpanGroups } from './span-groups.ts';
import { addSpan, groupOf, spanIntake, spanResource, spanTranslation, takeSpan } from './span-intake.ts';
import type { SpanIntake, SpanResource } from './span-intake.ts';
import { spanSketch, type SpanSketch } from './span-sketch.ts';

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
): Translation | undefined {
  const walk: SpanWalk = {
    bytes: body,
    options,
    caches,
    intake: spanIntake(options, caches.groups),
    sketch: spanSketch(body),
    elements: 0,
  };
  try {
    walkRequest(walk);
  } catch (error) {
    if (error === UNUSUAL || (error instanceof ComityError && error.code !== 'internal')) return undefined;
    throw error;
  }
  return spanTranslation(walk.intake, nowMs);
}

interface SpanWalk {
  readonly bytes: Uint8Array;
  readonly options: TranslateOptions;
  readonly caches: SpanCaches;
  readonly intake: SpanIntake;
  readonly sketch: SpanSketch;
  elements: number;
}

const RESOURCE_SPANS = TRACE_REQUEST.byName.get('resourceSpans')!.message!;
const SCOPE_SPANS = RESOURCE_SPANS.byName.get('scopeSpans')!.message!;

/** How deep messages are nested in a request. */
const RESOURCE_DEPTH = 2;
const SCOPE_DEPTH = 3;
const SPAN_DEPTH = 3;

function walkRequest(walk: SpanWalk): void {
  const { bytes } = walk;
  const end = bytes.length;
  for (let pos = 0; pos < end;) {
    if (bytes[pos] === 0x0a /* resource_spans */) {
      const next = contentEnd(bytes, pos + 1, end);
      walkResource(walk, contentStart(bytes, pos + 1), next);
      pos = next;
    } else {
      pos = otherFieldEnd(bytes, pos, end, TRACE_REQUEST);
    }
  }
}

function walkResource(walk: SpanWalk, start: number, end: number): void {
  const { bytes } = walk;
  let resourceAt = -1;
  for (let pos = start; pos < end;) {
    if (bytes[pos] === 0x0a /* resource */) {
      // Two of them would be merged.
      if (resourceAt >= 0) throw UNUSUAL;
      resourceAt = pos;
      pos = contentEnd(bytes, pos + 1, end);
    } else if (bytes[pos] === 0x12 /* scope_spans */ || bytes[pos] === 0x1a /* schema_url */) {
      pos = contentEnd(bytes, pos + 1, end);
    } else {
      pos = otherFieldEnd(bytes, pos, end, RESOURCE_SPANS);
    }
  }
  // A resource that was not sent says as much as an empty one, but is no message.
  const resource =
    resourceAt < 0
      ? cachedResource(walk, 0, 0)
      : cachedResource(walk, contentStart(bytes, resourceAt + 1), contentEnd(bytes, resourceAt + 1, end));
  count(walk, 1 + resource.elements + (resourceAt < 0 ? 0 : 1));
  for (let pos = start; pos < end;) {
    const next = fieldEnd(bytes, pos, end, tagAt(bytes, pos, end));
    if (bytes[pos] === 0x12) walkScope(walk, resource, contentStart(bytes, pos + 1), next);
    pos = next;
  }
}

function cachedResource({ bytes, caches, options }: SpanWalk, start: number, end: number): CachedResource {
  const known = caches.resources.get(bytes, start, end);
  if (known !== undefined) return known;
  const { message, elements } = decodeProtobufPart(RESOURCE, bytes, start, end, RESOURCE_DEPTH);
  const resource = spanResource(message as unknown as Resource, options);
  const cached = { id: ++caches.lastId, resource, elements };
  caches.resources.set(bytes, start, end, cached);
  return cached;
}

function walkScope(walk: SpanWalk, resource: CachedResource, start: number, end: number): void {
  const { bytes } = walk;
  count(walk, 1);
  for (let pos = start; pos < end;) {
    if (bytes[pos] === 0x12 /* spans */) {
      const next = contentEnd(bytes, pos + 1, end);
      walkSpan(walk, resource, contentStart(bytes, pos + 1), next);
      pos = next;
    } else if (bytes[pos] === 0x0a /* scope */) {
      const next = contentEnd(bytes, pos + 1, end);
      count(walk, 1 + checkMessage(SCOPE, bytes, contentStart(bytes, pos + 1), next, SCOPE_DEPTH));
      pos = next;
    } else if (bytes[pos] === 0x1a /* schema_url */) {
      pos = contentEnd(bytes, pos + 1, end);
    } else {
      pos = otherFieldEnd(bytes, pos, end, SCOPE_SPANS);
    }
  }
}

function walkSpan(walk: SpanWalk, cached: CachedResource, start: number, end: number): void {
  const { bytes, caches, intake, sketch } = walk;
  const { resource, id } = cached;
  count(walk, 1 + sketch.read(start, end, SPAN_DEPTH));
  if (sketch.complete && sketch.nanoseconds >= 0 && resource.service !== '') {
    const known = caches.found.get(sketch.key, 0, sketch.keyLength, id);
    if (known !== undefined) {
      takeSpan(intake, resource, known, sketch.nanoseconds / 1e9);
      return;
    }
  }
  const span = decodeProtobufPart(SPAN, bytes, start, end, SPAN_DEPTH).message as unknown as Span;
  addSpan(intake, resource, span);
  if (!sketch.complete || resource.service === '') return;
  const group = groupOf(intake, resource, span.attributes, span.kind, span.status?.code ?? 0);
  if (group !== undefined) caches.found.set(sketch.key, 0, sketch.keyLength, group, id);
}

/** Past the bound of elements the decoder of whole requests has to say so. */
function count(walk: SpanWalk, elements: number): void {
  walk.elements += elements;
  if (walk.elements > OTLP_LIMITS.elements) throw UNUSUAL;
}
