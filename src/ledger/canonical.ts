import canonicalize from 'canonicalize';
import { ComityError, messageOf } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Leaf } from './leaf.ts';
import { leafFault } from './leaf-schema.ts';

/** A leaf as the log has it: canonical JSON (RFC 8785) in UTF-8. Fields that are undefined are left out. Throws `limit` when it is too long. */
export function encodeLeaf(leaf: Leaf): Uint8Array {
  const text = canonicalize(leaf);
  // A copy of its own: what is posted to another thread takes the whole buffer that it lies in along.
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > LIMITS.leafBytes) {
    throw new ComityError(
      'limit',
      `the record of this in the ledger would have ${bytes.length} bytes, and ${LIMITS.leafBytes} at most can be kept: ask for fewer expressions at once`,
    );
  }
  return bytes;
}

/** Reads a leaf. Throws `bad_data` when it is not canonical or not what a leaf of this version looks like. */
export function decodeLeaf(bytes: Uint8Array): Leaf {
  if (bytes.length > LIMITS.leafBytes) throw bad(`it is longer than ${LIMITS.leafBytes} bytes`);
  let value: unknown;
  let canonical: string | undefined;
  let text: string;
  try {
    text = UTF8.decode(bytes);
    value = JSON.parse(text);
    canonical = canonicalize(value);
  } catch (error) {
    throw bad(messageOf(error));
  }
  if (text !== canonical) throw bad('it is not in canonical form (RFC 8785)');
  const fault = leafFault(value);
  if (fault !== undefined) throw bad(fault);
  return value as Leaf;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function bad(fault: string): ComityError {
  return new ComityError('bad_data', `leaf: ${fault}`);
}
