import { ComityError } from '../../base/errors.ts';
import { contentEnd, contentStart, fieldEnd, otherFieldEnd, tagAt, UNUSUAL } from './fields.ts';
import { count } from './point-walk.ts';
import type { MessageSchema } from './schema.ts';

/** What is made of the parts of a request: those for metrics and for traces differ in what their scopes hold. */
export interface RequestVisitor<Resource extends { readonly elements: number }> {
  /** The request, and how many messages and list elements it has so far. */
  readonly walk: { readonly bytes: Uint8Array; elements: number };
  /** The resource whose bytes these are; none for one that was not sent, which says as much as an empty one. */
  resource(start: number, end: number): Resource;
  /** Messages and list elements in the scope's own message. */
  scope(start: number, end: number): number;
  /** A metric or span. */
  item(resource: Resource, start: number, end: number): void;
  resourceEnd(resource: Resource): void;
}

/**
 * Walks over the bytes of a request. False for one that is malformed, too large or in an unusual encoding: the decoder of
 * whole requests then has to say what it is.
 */
export function walkRequest<Resource extends { readonly elements: number }>(
  visitor: RequestVisitor<Resource>,
  schema: MessageSchema,
): boolean {
  const { bytes } = visitor.walk;
  const end = bytes.length;
  try {
    for (let pos = 0; pos < end;) {
      if (bytes[pos] === 0x0a /* resource_metrics, resource_spans */) {
        const next = contentEnd(bytes, pos + 1, end);
        walkResource(visitor, schema.byNumber[1]!.message!, contentStart(bytes, pos + 1), next);
        pos = next;
      } else {
        pos = otherFieldEnd(bytes, pos, end, schema);
      }
    }
  } catch (error) {
    if (error === UNUSUAL || (error instanceof ComityError && error.code !== 'internal')) return false;
    throw error;
  }
  return true;
}

function walkResource<Resource extends { readonly elements: number }>(
  visitor: RequestVisitor<Resource>,
  schema: MessageSchema,
  start: number,
  end: number,
): void {
  const { bytes } = visitor.walk;
  let resourceAt = -1;
  for (let pos = start; pos < end;) {
    if (bytes[pos] === 0x0a /* resource */) {
      // Two of them would be merged.
      if (resourceAt >= 0) throw UNUSUAL;
      resourceAt = pos;
      pos = contentEnd(bytes, pos + 1, end);
    } else if (bytes[pos] === 0x12 /* scope_metrics, scope_spans */ || bytes[pos] === 0x1a /* schema_url */) {
      pos = contentEnd(bytes, pos + 1, end);
    } else {
      pos = otherFieldEnd(bytes, pos, end, schema);
    }
  }
  const resource =
    resourceAt < 0
      ? visitor.resource(0, 0)
      : visitor.resource(contentStart(bytes, resourceAt + 1), contentEnd(bytes, resourceAt + 1, end));
  // One that was not sent is no message.
  count(visitor.walk, 1 + resource.elements + (resourceAt < 0 ? 0 : 1));
  for (let pos = start; pos < end;) {
    const next = fieldEnd(bytes, pos, end, tagAt(bytes, pos, end));
    if (bytes[pos] === 0x12) {
      walkScope(visitor, schema.byNumber[2]!.message!, resource, contentStart(bytes, pos + 1), next);
    }
    pos = next;
  }
  visitor.resourceEnd(resource);
}

function walkScope<Resource extends { readonly elements: number }>(
  visitor: RequestVisitor<Resource>,
  schema: MessageSchema,
  resource: Resource,
  start: number,
  end: number,
): void {
  const { bytes } = visitor.walk;
  count(visitor.walk, 1);
  for (let pos = start; pos < end;) {
    if (bytes[pos] === 0x12 /* metrics, spans */) {
      const next = contentEnd(bytes, pos + 1, end);
      visitor.item(resource, contentStart(bytes, pos + 1), next);
      pos = next;
    } else if (bytes[pos] === 0x0a /* scope */) {
      const next = contentEnd(bytes, pos + 1, end);
      count(visitor.walk, 1 + visitor.scope(contentStart(bytes, pos + 1), next));
      pos = next;
    } else if (bytes[pos] === 0x1a /* schema_url */) {
      pos = contentEnd(bytes, pos + 1, end);
    } else {
      pos = otherFieldEnd(bytes, pos, end, schema);
    }
  }
}

/** How deep messages are nested in a request. */
export const RESOURCE_DEPTH = 2;
export const SCOPE_DEPTH = 3;
export const ITEM_DEPTH = 3;
