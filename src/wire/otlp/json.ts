import { ComityError, messageOf } from '../../base/errors.ts';
import { OTLP_LIMITS } from './bounds.ts';
import { placeOfBadUtf8, placeOfFault } from './json-fault.ts';
import type { Int64, UnixNano } from './messages.ts';
import { NO_VALUES, type FieldSchema, type MessageSchema, type MutableMessage } from './schema.ts';

/**
 * Decodes an OTLP/JSON message by its table (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding):
 * lowerCamelCase keys, hexadecimal trace and span ids, other bytes in base64, 64-bit integers as strings or numbers,
 * enums as integers; unknown keys are ignored and `null` means absent.
 *
 * Throws `bad_data` with the field's path or the line and column of a syntax error, `body_too_large` when it has too many
 * elements.
 */
export function decodeJson(schema: MessageSchema, body: Uint8Array): MutableMessage {
  const { longIntegers } = surveyJson(body);
  const value = parse(body, longIntegers);
  return readMessage(schema, value, { path: [], elements: 0 });
}

interface Walk {
  /** Keys and indexes from the body to the value at hand. */
  readonly path: (string | number)[];
  elements: number;
}

/**
 * Looks at the structure before any object is made: refuses what would nest too deep or make too many values, and says
 * whether an integer is too long for a double.
 */
function surveyJson(body: Uint8Array): { longIntegers: boolean } {
  let depth = 0;
  /** Of each object around the byte at hand, its members so far; less than none stands for an array. */
  const members = new Int32Array(OTLP_LIMITS.jsonDepth + 1);
  let values = 0;
  let digits = 0;
  let longIntegers = false;
  let inString = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]!;
    if (inString) {
      if (byte === 0x5c /* \ */) i++;
      else if (byte === 0x22 /* " */) inString = false;
      continue;
    }
    if (byte >= 0x30 && byte <= 0x39) {
      if (++digits >= 16) longIntegers = true;
      continue;
    }
    digits = 0;
    if (byte === 0x22) {
      inString = true;
    } else if (byte === 0x2c /* , */) {
      values++;
      if (members[depth]! >= 0 && ++members[depth]! >= OTLP_LIMITS.jsonMembers) {
        throw new ComityError(
          'bad_data',
          `malformed JSON at byte ${i}: more than ${OTLP_LIMITS.jsonMembers} members in one object`,
        );
      }
    } else if (byte === 0x7b /* { */ || byte === 0x5b /* [ */) {
      values++;
      if (++depth > OTLP_LIMITS.jsonDepth) {
        throw new ComityError(
          'bad_data',
          `malformed JSON at byte ${i}: nested deeper than ${OTLP_LIMITS.jsonDepth} objects and arrays`,
        );
      }
      members[depth] = byte === 0x7b ? 0 : -1;
    } else if ((byte === 0x7d /* } */ || byte === 0x5d) /* ] */ && depth > 0) {
      depth--;
    }
    if (values > OTLP_LIMITS.jsonValues) {
      throw new ComityError(
        'body_too_large',
        `the request has more than ${OTLP_LIMITS.jsonValues} JSON values. Send smaller batches`,
      );
    }
  }
  return { longIntegers };
}

function parse(body: Uint8Array, longIntegers: boolean): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new ComityError('bad_data', `malformed JSON at ${placeOfBadUtf8(body)}: the body is not UTF-8`);
  }
  try {
    // The reviver visits every value, which is slow: it is used only where a double would lose digits.
    return longIntegers ? JSON.parse(text, keepLongInteger) : JSON.parse(text);
  } catch (error) {
    const reason = messageOf(error);
    throw new ComityError('bad_data', `malformed JSON at ${placeOfFault(body)}: ${reason}`);
  }
}

function keepLongInteger(_key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  // 20 digits hold every 64-bit integer; longer ones would make BigInt slow.
  return source !== undefined && /^-?\d{1,20}$/.test(source) ? BigInt(source) : value;
}

function readMessage(schema: MessageSchema, value: unknown, walk: Walk): MutableMessage {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(walk, 'an object', value);
  }
  if (++walk.elements > OTLP_LIMITS.elements) {
    throw new ComityError(
      'body_too_large',
      `the request has more than ${OTLP_LIMITS.elements} messages. Send smaller batches`,
    );
  }
  const message: MutableMessage = { ...schema.empty };
  for (const [key, member] of Object.entries(value)) {
    const field = schema.byName.get(key);
    if (field === undefined || member === null) continue;
    walk.path.push(key);
    message[key] = field.repeated ? readList(field, member, walk) : readValue(field, member, walk);
    for (const rival of field.rivals) message[rival] = undefined;
    walk.path.pop();
  }
  return message;
}

function readList(field: FieldSchema, value: unknown, walk: Walk): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(walk, 'an array', value);
  if (value.length === 0) return NO_VALUES;
  const list: unknown[] = [];
  for (let i = 0; i < value.length; i++) {
    walk.path.push(i);
    list.push(readValue(field, value[i], walk));
    walk.path.pop();
  }
  return list;
}

function readValue(field: FieldSchema, value: unknown, walk: Walk): unknown {
  switch (field.kind) {
    case 'message':
      return readMessage(field.message!, value, walk);
    case 'string':
      if (typeof value !== 'string') throw wrong(walk, 'a string', value);
      return value.toWellFormed();
    case 'bool':
      if (typeof value !== 'boolean') throw wrong(walk, 'true or false', value);
      return value;
    case 'double':
      return readDouble(value, walk);
    case 'int32':
    case 'sint32':
      return readInteger(value, -(2n ** 31n), 2n ** 31n, walk);
    case 'uint32':
    case 'fixed32':
      return readInteger(value, 0n, 2n ** 32n, walk);
    case 'int64':
    case 'sfixed64':
      return readInteger(value, -(2n ** 63n), 2n ** 63n, walk);
    case 'uint64':
    case 'fixed64':
      return readInteger(value, 0n, 2n ** 64n, walk);
    case 'nanos':
      return BigInt(readInteger(value, 0n, 2n ** 64n, walk)) satisfies UnixNano;
    case 'id':
      return readHex(value, walk);
    case 'bytes':
      return readBase64(value, walk);
  }
}

function readDouble(value: unknown, walk: Walk): number {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    if (value === 'NaN') return NaN;
    if (value === 'Infinity' || value === '-Infinity') return Number(value);
    if (/^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(value)) return Number(value);
  }
  throw wrong(walk, 'a number', value);
}

function readInteger(value: unknown, minimum: bigint, end: bigint, walk: Walk): Int64 {
  if (typeof value === 'number' && Number.isSafeInteger(value)) {
    // Comparing a number with a bigint is exact.
    if (value < minimum || value >= end) throw wrong(walk, `an integer in [${minimum}, ${end})`, value);
    return value;
  }
  const integer = toBigInt(value);
  if (integer === undefined || integer < minimum || integer >= end) {
    throw wrong(walk, `an integer in [${minimum}, ${end})`, value);
  }
  const narrow = Number(integer);
  return Number.isSafeInteger(narrow) ? narrow : integer;
}

function toBigInt(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  return undefined;
}

function readHex(value: unknown, walk: Walk): string {
  if (typeof value !== 'string' || value.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(value)) {
    throw wrong(walk, 'an id in hexadecimal', value);
  }
  return value.toLowerCase();
}

function readBase64(value: unknown, walk: Walk): Uint8Array {
  if (typeof value !== 'string' || !/^[-\w+/]*={0,2}$/.test(value)) throw wrong(walk, 'bytes in base64', value);
  return Buffer.from(value, 'base64');
}

function wrong(walk: Walk, wanted: string, value: unknown): ComityError {
  let place = '';
  for (const part of walk.path) {
    if (typeof part === 'number') place += `[${part}]`;
    else place += place === '' ? part : `.${part}`;
  }
  const got = value === null ? 'null' : Array.isArray(value) ? 'an array' : `${typeof value} ${preview(value)}`;
  return new ComityError('bad_data', `${place === '' ? 'the body' : place} must be ${wanted}, not ${got.trimEnd()}`);
}

function preview(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? `${value}` : '';
}
