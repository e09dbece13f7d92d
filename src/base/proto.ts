import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { ComityError } from './errors.ts';
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
        const reason = error instanceof Error ? error.message : String(error);
        throw new ComityError('bad_data', `malformed ${message.name}: ${reason}`, { cause: error });
      }
    },
  };
}

/** Refuses a message with more than `most` top-level fields, before objects are made of them. Throws `bad_data`. */
export function assertFieldCount(bytes: Uint8Array, most: number): void {
  const reader = protobuf.Reader.create(bytes);
  try {
    for (let fields = 1; reader.pos < reader.len; fields++) {
      if (fields > most) throw new ComityError('bad_data', 'malformed message: too many fields');
      reader.skipType(reader.uint32() & 7);
    }
  } catch (error) {
    if (error instanceof ComityError) throw error;
    throw new ComityError('bad_data', 'malformed message', { cause: error });
  }
}

function loadRoot(file: string): protobuf.Root {
  let root = roots.get(file);
  if (root === undefined) {
    root = protobuf.loadSync(join(PROTO_DIR, file));
    roots.set(file, root);
  }
  return root;
}
