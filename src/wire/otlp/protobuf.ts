import protobuf from 'protobufjs';
import { ComityError, messageOf } from '../../base/errors.ts';
import { OTLP_LIMITS } from './bounds.ts';
import type { Int64, UnixNano } from './messages.ts';
import { NO_VALUES, type FieldSchema, type MessageSchema, type MutableMessage } from './schema.ts';

/**
 * Decodes a protobuf message by its table. protobufjs reads the primitives; the walk is ours, because a generated
 * decoder can neither bound how many objects a body makes nor say where in the message a fault lies.
 *
 * Throws `bad_data` with the field's path and the byte offset, `body_too_large` when the request has too many elements.
 */
export function decodeProtobuf(schema: MessageSchema, body: Uint8Array): MutableMessage {
  return decodeProtobufPart(schema, body, 0, body.length, 0).message;
}

/**
 * Decodes `body[start, end)` as a message that is nested `depth` messages deep, and says how many messages and list elements
 * are in it. The places in its errors are as if it were not nested.
 */
export function decodeProtobufPart(
  schema: MessageSchema,
  body: Uint8Array,
  start: number,
  end: number,
  depth: number,
): { readonly message: MutableMessage; readonly elements: number } {
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const reader = protobuf.Reader.create(buffer);
  reader.pos = start;
  reader.len = end;
  const walk: Walk = { reader, buffer, depth, fields: [], indexes: [], elements: 0 };
  try {
    const message = readMessage(walk, schema, { ...schema.empty }, false);
    return { message, elements: walk.elements };
  } catch (error) {
    if (error instanceof ComityError) throw error;
    throw malformed(walk, messageOf(error));
  }
}

interface Walk {
  readonly reader: protobuf.Reader;
  readonly buffer: Buffer;
  /** How deep the outermost message is nested itself. */
  readonly depth: number;
  /** The fields that the walk is inside of, outermost first. */
  readonly fields: FieldSchema[];
  /** For each of them its index in a list, -1 where it is none. */
  readonly indexes: number[];
  elements: number;
}

/** Reads fields into `message` until the reader's limit. `merging` says that it may hold fields already. */
function readMessage(walk: Walk, schema: MessageSchema, message: MutableMessage, merging: boolean): MutableMessage {
  const { reader } = walk;
  if (walk.depth + walk.fields.length > OTLP_LIMITS.depth) {
    throw malformed(walk, `nested deeper than ${OTLP_LIMITS.depth} messages`);
  }
  // Clearing all rivals of each oneof member would be half of the work of an attribute, so the member that was read
  // before is remembered instead.
  let chosen: FieldSchema | undefined;
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    const wireType = tag & 7;
    const field = schema.byNumber[tag >>> 3];
    if (field === undefined) {
      skipUnknown(walk, schema, tag >>> 3, wireType);
    } else if (field.repeated) {
      readRepeated(walk, field, wireType, message);
    } else {
      readSingle(walk, schema, field, wireType, message);
      if (field.rivals.length === 0) continue;
      if (merging) for (const rival of field.rivals) message[rival] = undefined;
      else if (chosen !== undefined && chosen !== field) message[chosen.name] = undefined;
      chosen = field;
    }
  }
  if (reader.pos !== reader.len) throw malformed(walk, 'a value passes the end of its message');
  return message;
}

function readSingle(
  walk: Walk,
  schema: MessageSchema,
  field: FieldSchema,
  wireType: number,
  message: MutableMessage,
): void {
  if (wireType !== field.wireType) throw wrongWireType(walk, schema, field, wireType);
  if (field.message !== undefined) {
    // protobuf merges a message that is sent in two parts.
    const before = message[field.name] as MutableMessage | undefined;
    message[field.name] = readNested(walk, field, -1, before);
  } else {
    message[field.name] = readScalar(walk, field);
  }
}

function readRepeated(walk: Walk, field: FieldSchema, wireType: number, message: MutableMessage): void {
  let values = message[field.name] as unknown[];
  if (values === NO_VALUES) {
    values = [];
    message[field.name] = values;
  }
  if (field.message !== undefined) {
    if (wireType !== 2) throw wrongWireType(walk, undefined, field, wireType);
    values.push(readNested(walk, field, values.length, undefined));
  } else if (wireType === field.wireType) {
    countElement(walk);
    values.push(readScalar(walk, field));
  } else if (wireType === 2) {
    const outerEnd = enter(walk);
    while (walk.reader.pos < walk.reader.len) {
      countElement(walk);
      values.push(readScalar(walk, field));
    }
    if (walk.reader.pos !== walk.reader.len) throw malformed(walk, `a value passes the end of ${field.name}`);
    walk.reader.len = outerEnd;
  } else {
    throw wrongWireType(walk, undefined, field, wireType);
  }
}

function readNested(walk: Walk, field: FieldSchema, index: number, into: MutableMessage | undefined): MutableMessage {
  const schema = field.message!;
  countElement(walk);
  walk.fields.push(field);
  walk.indexes.push(index);
  const outerEnd = enter(walk);
  const message = readMessage(walk, schema, into ?? { ...schema.empty }, into !== undefined);
  walk.reader.len = outerEnd;
  walk.fields.pop();
  walk.indexes.pop();
  return message;
}

/** Reads a length and narrows the reader to it. Returns the limit to restore. */
function enter(walk: Walk): number {
  const { reader } = walk;
  const length = reader.size();
  const outerEnd = reader.len;
  const end = reader.pos + length;
  if (end > outerEnd) throw malformed(walk, `a length of ${length} bytes passes the end`);
  reader.len = end;
  return outerEnd;
}

function readScalar(walk: Walk, field: FieldSchema): unknown {
  const { reader } = walk;
  switch (field.kind) {
    case 'string':
      return reader.string();
    case 'bool':
      return reader.bool();
    case 'double':
      return reader.double();
    case 'int32':
      return reader.int32();
    case 'uint32':
      return reader.uint32();
    case 'sint32':
      return reader.sint32();
    case 'fixed32':
      return reader.fixed32();
    case 'nanos':
      return readNanos(walk);
    case 'fixed64':
      return readFixed64(walk, false);
    case 'sfixed64':
      return readFixed64(walk, true);
    case 'int64':
      return readVarint64(reader, true);
    case 'uint64':
      return readVarint64(reader, false);
    case 'bytes':
      return reader.bytes();
    case 'id':
      return Buffer.from(reader.bytes()).toString('hex');
    case 'message':
      throw new TypeError(`field ${field.name} is no scalar`);
  }
}

function readNanos(walk: Walk): UnixNano {
  const at = advance(walk, 8);
  return walk.buffer.readBigUInt64LE(at);
}

function readFixed64(walk: Walk, signed: boolean): Int64 {
  const at = advance(walk, 8);
  return int64(walk.buffer.readUInt32LE(at), walk.buffer.readUInt32LE(at + 4), signed);
}

function readVarint64(reader: protobuf.Reader, signed: boolean): Int64 {
  const long = signed ? reader.int64() : reader.uint64();
  if (typeof long === 'number') return long;
  return int64(long.low >>> 0, long.high >>> 0, signed);
}

function int64(low: number, high: number, signed: boolean): Int64 {
  const top = signed ? high | 0 : high;
  const value = top * 2 ** 32 + low;
  if (Number.isSafeInteger(value)) return value;
  return (BigInt(top) << 32n) | BigInt(low);
}

function advance(walk: Walk, bytes: number): number {
  const { reader } = walk;
  const at = reader.pos;
  if (at + bytes > reader.len) throw malformed(walk, `${bytes} bytes are needed, ${reader.len - at} are left`);
  reader.pos = at + bytes;
  return at;
}

function skipUnknown(walk: Walk, schema: MessageSchema, number: number, wireType: number): void {
  // Groups left protobuf before OTLP began; a nested one would also make the skip recursive.
  if (number === 0 || wireType === 3 || wireType === 4 || wireType > 5) {
    throw malformed(walk, `field ${number} of ${schema.name} has wire type ${wireType}`);
  }
  walk.reader.skipType(wireType);
}

function countElement(walk: Walk): void {
  if (++walk.elements > OTLP_LIMITS.elements) {
    throw new ComityError(
      'body_too_large',
      `the request has more than ${OTLP_LIMITS.elements} messages and list elements. Send smaller batches`,
    );
  }
}

function wrongWireType(
  walk: Walk,
  schema: MessageSchema | undefined,
  field: FieldSchema,
  wireType: number,
): ComityError {
  const owner = schema === undefined ? '' : `${schema.name}.`;
  return malformed(walk, `field ${owner}${field.name} has wire type ${wireType} instead of ${field.wireType}`);
}

function malformed(walk: Walk, reason: string): ComityError {
  let path = '';
  for (const [depth, field] of walk.fields.entries()) {
    const index = walk.indexes[depth]!;
    path += `${depth === 0 ? '' : '.'}${field.name}${index < 0 ? '' : `[${index}]`}`;
  }
  const place = path === '' ? '' : ` in ${path}`;
  return new ComityError('bad_data', `malformed protobuf at byte ${walk.reader.pos}${place}: ${reason}`);
}
