import { checkMessage, contentEnd, contentStart, fieldEnd, smallVarint, tagAt, UNUSUAL } from '../wire/otlp/fields.ts';
import { SPAN } from '../wire/otlp/schema.ts';
import { NAMING_KEYS } from './span-name.ts';

/** What span metrics need of one span after another, without decoding any of it. */
export interface SpanSketch {
  /**
   * Reads the span `[start, end)`, `depth` messages deep, and returns how many messages and list elements are in it. Throws
   * `UNUSUAL` unless all of it is well-formed.
   */
  read(start: number, end: number, depth: number): number;
  /** Whether the rest holds: false for spans whose times are missing, and those that say something twice or at length. */
  readonly complete: boolean;
  /** From start to end; below zero for a span that ends before it starts. */
  readonly nanoseconds: number;
  /** The first `keyLength` bytes differ wherever the naming attributes, the kind or the status code do. */
  readonly key: Uint8Array;
  readonly keyLength: number;
}

/** Room for the naming attributes of any reasonable span; the rest is decoded each time. */
const KEY_BYTES = 1024;

const ATTRIBUTE = SPAN.byName.get('attributes')!.message!;
const STATUS = SPAN.byName.get('status')!.message!;

/** The naming keys as bytes, by their lengths. */
const KEYS_BY_LENGTH: readonly (readonly Uint8Array[] | undefined)[] = keysByLength();

export function spanSketch(bytes: Uint8Array): SpanSketch {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const key = new Uint8Array(KEY_BYTES);
  const keyView = new DataView(key.buffer);
  let keyLength = 0;
  let complete = false;
  let nanoseconds = 0;

  /** Copies `[start, end)`, an attribute that makes names, into the key with its length before it. */
  function addToKey(start: number, end: number): void {
    const length = end - start;
    if (keyLength + length + 4 > KEY_BYTES) {
      complete = false;
      return;
    }
    keyView.setUint32(keyLength, length, true);
    keyLength += 4;
    for (let i = start; i < end; i++) key[keyLength++] = bytes[i]!;
  }

  function read(start: number, end: number, depth: number): number {
    let elements = 0;
    let startAt = -1;
    let endAt = -1;
    let kind = 0;
    let status = 0;
    let statuses = 0;
    let pos = start;
    keyLength = 8;
    complete = true;
    while (pos < end) {
      switch (bytes[pos]) {
        case 0x0a /* trace_id */:
        case 0x12 /* span_id */:
        case 0x1a /* trace_state */:
        case 0x22 /* parent_span_id */:
        case 0x2a /* name */:
          pos = contentEnd(bytes, pos + 1, end);
          break;
        case 0x30 /* kind */:
          kind = smallVarint(bytes, pos + 1, end);
          pos = fieldEnd(bytes, pos, end, 0x30);
          break;
        case 0x39 /* start_time_unix_nano */:
          startAt = pos + 1;
          pos += 9;
          break;
        case 0x41 /* end_time_unix_nano */:
          endAt = pos + 1;
          pos += 9;
          break;
        case 0x4a /* attributes */: {
          const next = contentEnd(bytes, pos + 1, end);
          const from = contentStart(bytes, pos + 1);
          const isPlain = isPlainAttribute(bytes, from, next);
          elements += 1 + (isPlain ? 1 : checkMessage(ATTRIBUTE, bytes, from, next, depth + 1));
          if (isNaming(bytes, from, next)) addToKey(from, next);
          pos = next;
          break;
        }
        case 0x7a /* status */: {
          const next = contentEnd(bytes, pos + 1, end);
          const from = contentStart(bytes, pos + 1);
          elements += 1 + checkMessage(STATUS, bytes, from, next, depth + 1);
          status = statusCode(bytes, from, next);
          // Two of them would be merged.
          if (++statuses > 1) complete = false;
          pos = next;
          break;
        }
        default: {
          const next = fieldEnd(bytes, pos, end, tagAt(bytes, pos, end));
          elements += checkMessage(SPAN, bytes, pos, next, depth);
          pos = next;
        }
      }
    }
    if (pos !== end) throw UNUSUAL;
    keyView.setUint32(0, kind, true);
    keyView.setUint32(4, status, true);
    if (startAt < 0 || endAt < 0 || isZero(startAt) || isZero(endAt)) complete = false;
    else nanoseconds = difference(endAt, startAt);
    return elements;
  }

  function isZero(at: number): boolean {
    return view.getUint32(at, true) === 0 && view.getUint32(at + 4, true) === 0;
  }

  /** One 64-bit integer less another, as the nearest float. */
  function difference(a: number, b: number): number {
    const high = view.getUint32(a + 4, true) - view.getUint32(b + 4, true);
    return high * 2 ** 32 + (view.getUint32(a, true) - view.getUint32(b, true));
  }

  return {
    read,
    key,
    get complete() {
      return complete;
    },
    get nanoseconds() {
      return nanoseconds;
    },
    get keyLength() {
      return keyLength;
    },
  };
}

/** Whether an attribute is a key and then a value that is a string, as most are. */
function isPlainAttribute(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end || bytes[start] !== 0x0a /* key */) return false;
  const valueAt = contentEnd(bytes, start + 1, end);
  if (valueAt >= end || bytes[valueAt] !== 0x12 /* value */ || contentEnd(bytes, valueAt + 1, end) !== end)
    return false;
  const at = contentStart(bytes, valueAt + 1);
  return at < end && bytes[at] === 0x0a /* string_value */ && contentEnd(bytes, at + 1, end) === end;
}

/**
 * Whether an attribute may be one that names are made of. One whose key is long, or not followed by its value alone, is
 * taken for one, whatever it is.
 */
function isNaming(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end || bytes[start] !== 0x0a /* key */) return true;
  const length = bytes[start + 1]!;
  const valueAt = start + 2 + length;
  if (length >= 128 || valueAt >= end) return true;
  if (bytes[valueAt] !== 0x12 /* value */ || contentEnd(bytes, valueAt + 1, end) !== end) return true;
  const keys = KEYS_BY_LENGTH[length];
  if (keys === undefined) return false;
  for (const key of keys) {
    let i = 0;
    while (i < length && bytes[start + 2 + i] === key[i]) i++;
    if (i === length) return true;
  }
  return false;
}

/** The code of a well-formed status: the last one counts. */
function statusCode(bytes: Uint8Array, start: number, end: number): number {
  let code = 0;
  for (let pos = start; pos < end;) {
    const tag = tagAt(bytes, pos, end);
    if (tag === 0x18) code = smallVarint(bytes, pos + 1, end);
    pos = fieldEnd(bytes, pos, end, tag);
  }
  return code;
}

function keysByLength(): Uint8Array[][] {
  const byLength: Uint8Array[][] = [];
  for (const key of NAMING_KEYS) (byLength[key.length] ??= []).push(Buffer.from(key));
  return byLength;
}
