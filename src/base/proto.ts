import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { ComityError, messageOf } from './errors.ts';
import { LIMITS } from './limits.ts';

/**
 * Messages within messages that may be read or written: a fragment's tree takes two for each node. Well below what the
 * stack can hold.
 */
const DEPTH = LIMITS.expressionDepth * 2 + 32;
protobuf.util.recursionLimit = DEPTH;
protobuf.Reader.recursionLimit = DEPTH;

const PROTO_DIR = fileURLToPath(new URL('../../proto/', import.meta.url));

/** A message type read from `proto/`, with plain objects on both sides. `T` describes the decoded object. */
export interface MessageCodec<T> {
  encode(message: T): Uint8Array;
  /** Absent fields have their proto3 defaults; 64-bit integers are numbers. Throws `bad_data` on malformed bytes. */
  decode(bytes: Uint8Array): T;
  /**
   * The first field in the bytes, at any depth, that is not in the .proto file, such as `Expr field 23`; undefined when there
   * is none. Whoever gets `undefined` has read all that there is to read. Throws `bad_data` for malformed bytes, for a field
   * of another wire type, and for one that is there twice without being repeated, members of one oneof included.
   */
  unknownField(bytes: Uint8Array): string | undefined;
}

const roots = new Map<string, protobuf.Root>();

/** The codec of `type` (its full name) from the file `file` under `proto/`. */
export function messageCodec<T extends object>(file: string, type: string): MessageCodec<T> {
  const message = loadRoot(file).lookupType(type);
  return {
    encode: (object) => message.encode(message.fromObject(object)).finish(),
    decode(bytes) {
      try {
        return message.toObject(message.decode(bytes), { longs: Number, defaults: true, arrays: true }) as T;
      } catch (error) {
        const reason = messageOf(error);
        throw new ComityError('bad_data', `malformed ${message.name}: ${reason}`, { cause: error });
      }
    },
    unknownField(bytes) {
      const reader = protobuf.Reader.create(bytes);
      try {
        return findUnknown(reader, reader.len, message, 0);
      } catch (error) {
        if (error instanceof ComityError) throw error;
        throw new ComityError('bad_data', `malformed ${message.name}`, { cause: error });
      }
    },
  };
}

/** What a message may hold, by field number. Looked at on the wire, before objects are made of what it says. */
export interface MessageBounds {
  /** Fields in all, repetitions counted. */
  readonly fields: number;
  /** Repetitions of a field. */
  readonly counts?: Readonly<Record<number, number>>;
  /** Bytes of a length-delimited field: of each, for packed numbers. */
  readonly bytes?: Readonly<Record<number, number>>;
  readonly nested?: Readonly<Record<number, MessageBounds>>;
}

/** Throws `bad_data` for a message past its bounds. */
export function assertBounds(bytes: Uint8Array, bounds: MessageBounds): void {
  const reader = protobuf.Reader.create(bytes);
  try {
    walkBounds(reader, reader.len, bounds);
  } catch (error) {
    if (error instanceof ComityError) throw error;
    throw new ComityError('bad_data', 'malformed message', { cause: error });
  }
}

const LENGTH_DELIMITED = 2;

function walkBounds(reader: protobuf.Reader, end: number, { fields, counts, bytes, nested }: MessageBounds): void {
  const seen = new Map<number, number>();
  for (let left = fields; reader.pos < end; left--) {
    const tag = reader.uint32();
    const number = tag >>> 3;
    const count = (seen.get(number) ?? 0) + 1;
    seen.set(number, count);
    if (left <= 0 || count > (counts?.[number] ?? Infinity)) throw tooMany();
    if ((tag & 7) !== LENGTH_DELIMITED) {
      reader.skipType(tag & 7);
      continue;
    }
    const length = reader.uint32();
    if (length > (bytes?.[number] ?? Infinity)) throw tooMany();
    const inner = nested?.[number];
    if (inner === undefined) reader.skip(length);
    else walkBounds(reader, reader.pos + length, inner);
  }
}

/** Enums, which are in neither, are varints. */
const BASIC_WIRE_TYPES: Readonly<Record<string, number>> = protobuf.types.basic;
const PACKED_WIRE_TYPES: Readonly<Record<string, number>> = protobuf.types.packed;

function findUnknown(reader: protobuf.Reader, end: number, message: protobuf.Type, depth: number): string | undefined {
  if (depth > DEPTH || end > reader.len) throw malformed(message.name);
  // Fields and oneofs that are there already.
  const seen = new Set<unknown>();
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = message.fieldsById[tag >>> 3];
    if (field === undefined) return `${message.name} field ${tag >>> 3}`;
    const { resolvedType, repeated, partOf, type } = field.resolve();
    const isMessage = resolvedType instanceof protobuf.Type;
    if (!repeated) {
      // An optional field is a oneof of its own.
      const place = partOf ?? field;
      if (seen.has(place)) throw malformed(`${message.name}.${field.name}`);
      seen.add(place);
    }
    const wireType = tag & 7;
    const own = isMessage ? LENGTH_DELIMITED : (BASIC_WIRE_TYPES[type] ?? 0);
    const isPacked = repeated && wireType === LENGTH_DELIMITED && PACKED_WIRE_TYPES[type] !== undefined;
    if (wireType !== own && !isPacked) throw malformed(`${message.name}.${field.name}`);
    if (!isMessage) reader.skipType(wireType);
    else {
      const length = reader.uint32();
      const found = findUnknown(reader, reader.pos + length, resolvedType, depth + 1);
      if (found !== undefined) return found;
    }
  }
  if (reader.pos !== end) throw malformed(message.name);
  return undefined;
}

function malformed(what: string): ComityError {
  return new ComityError('bad_data', `malformed ${what}`);
}

function tooMany(): ComityError {
  return new ComityError('bad_data', 'malformed message: too many fields');
}

function loadRoot(file: string): protobuf.Root {
  let root = roots.get(file);
  if (root === undefined) {
    root = protobuf.loadSync(join(PROTO_DIR, file));
    roots.set(file, root);
  }
  return root;
}
