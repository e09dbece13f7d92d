import { OTLP_LIMITS } from './bounds.ts';
import type { MessageSchema } from './schema.ts';

/**
 * Thrown by walks over bytes that know only the usual encodings, where they meet anything else, malformed or not: the
 * decoder that knows them all then takes over. Compared by identity and never shown.
 */
export const UNUSUAL = new Error('an encoding that the walk over bytes does not know');

/**
 * Where the content ends whose length stands at `at`; it must not pass `end`. Lengths of five bytes, which no request has,
 * are unusual.
 */
export function contentEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) throw UNUSUAL;
  let length = bytes[at]!;
  let pos = at + 1;
  if (length >= 128) {
    length &= 127;
    let shift = 7;
    let byte = 128;
    while (byte >= 128) {
      if (pos >= end || shift > 21) throw UNUSUAL;
      byte = bytes[pos++]!;
      length |= (byte & 127) << shift;
      shift += 7;
    }
  }
  if (length > end - pos) throw UNUSUAL;
  return pos + length;
}

/** Where the content starts whose length stands at `at`, after `contentEnd` has accepted it. */
export function contentStart(bytes: Uint8Array, at: number): number {
  let pos = at;
  while (bytes[pos]! >= 128) pos++;
  return pos + 1;
}

/** The end of a varint of at most ten bytes at `at`. */
export function varintEnd(bytes: Uint8Array, at: number, end: number): number {
  let pos = at;
  while (pos < end && pos - at < 10) if (bytes[pos++]! < 128) return pos;
  throw UNUSUAL;
}

/** The value of a varint below 2^28; longer ones are unusual, as negative numbers are where this is used. */
export function smallVarint(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let pos = at; pos < end && pos < at + 4; pos++) {
    const byte = bytes[pos]!;
    value |= (byte & 127) << ((pos - at) * 7);
    if (byte < 128) return value;
  }
  throw UNUSUAL;
}

/** A field's tag: number * 8 + wire type. Tags of more than two bytes are unusual. */
export function tagAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at]!;
  if (first < 128) return first;
  if (at + 1 >= end) throw UNUSUAL;
  const second = bytes[at + 1]!;
  // A second byte of zero makes two tags out of one.
  if (second >= 128 || second === 0) throw UNUSUAL;
  return (first & 127) | (second << 7);
}

/** The end of the field whose tag is `tag` and stands at `at`, whatever is in it. */
export function fieldEnd(bytes: Uint8Array, at: number, end: number, tag: number): number {
  const pos = at + (tag < 128 ? 1 : 2);
  if (tag < 8) throw UNUSUAL;
  switch (tag & 7) {
    case 0:
      return varintEnd(bytes, pos, end);
    case 1:
      return fits(pos + 8, end);
    case 2:
      return contentEnd(bytes, pos, end);
    case 5:
      return fits(pos + 4, end);
    default:
      throw UNUSUAL;
  }
}

/** As `fieldEnd`, for a field that the walk does not read: a field of the schema in another form is unusual. */
export function otherFieldEnd(bytes: Uint8Array, at: number, end: number, schema: MessageSchema): number {
  const tag = tagAt(bytes, at, end);
  if (schema.byNumber[tag >>> 3] !== undefined) throw UNUSUAL;
  return fieldEnd(bytes, at, end, tag);
}

/**
 * Walks through a message without making anything of it, and counts its messages and list elements as the decoder does.
 * What it accepts, the decoder accepts.
 */
export function checkMessage(
  schema: MessageSchema,
  bytes: Uint8Array,
  start: number,
  end: number,
  depth: number,
): number {
  if (depth > OTLP_LIMITS.depth) throw UNUSUAL;
  let elements = 0;
  let pos = start;
  while (pos < end) {
    const tag = tagAt(bytes, pos, end);
    const field = schema.byNumber[tag >>> 3];
    const next = fieldEnd(bytes, pos, end, tag);
    if (field !== undefined) {
      const from = pos + (tag < 128 ? 1 : 2);
      if (field.message !== undefined) {
        if ((tag & 7) !== 2) throw UNUSUAL;
        elements += 1 + checkMessage(field.message, bytes, contentStart(bytes, from), next, depth + 1);
      } else if ((tag & 7) === field.wireType) {
        if (field.repeated) elements++;
      } else if (field.repeated && (tag & 7) === 2) {
        elements += packedCount(bytes, contentStart(bytes, from), next, field.wireType);
      } else {
        throw UNUSUAL;
      }
    }
    pos = next;
  }
  return elements;
}

/** How many values a packed list has. */
function packedCount(bytes: Uint8Array, start: number, end: number, wireType: number): number {
  if (wireType !== 0) {
    const size = wireType === 1 ? 8 : 4;
    if ((end - start) % size !== 0) throw UNUSUAL;
    return (end - start) / size;
  }
  let count = 0;
  for (let pos = start; pos < end; count++) pos = varintEnd(bytes, pos, end);
  return count;
}

function fits(pos: number, end: number): number {
  if (pos > end) throw UNUSUAL;
  return pos;
}
