import { randomBytes } from 'node:crypto';
import { messageCodec } from '../../src/base/proto.ts';
import type { Fragment } from '../../src/plan/distribute.ts';
import { encodeFragment } from '../../src/plan/frames/fragment-codec.ts';
import { FEDERATION_VERSION } from '../../src/plan/frames/version.ts';
import { varint } from './search.ts';

/* Messages as no codec of ours would write them. */

const PACKAGE = 'comity.federation.v1';

/** A QueryRequest with fragments in bytes; `more` stands in for any of its fields. */
export function rawQuery(fragments: readonly Uint8Array[], more: Readonly<Record<string, unknown>> = {}): Buffer {
  const codec = messageCodec('federation.proto', `${PACKAGE}.QueryRequest`);
  const message = {
    version: FEDERATION_VERSION,
    lookbackMs: 300_000,
    timeLeftMs: 30_000,
    features: [],
    coverage: [],
    fragments,
    id: randomBytes(8),
    ...more,
  };
  return Buffer.from(codec.encode(message));
}

/** Codes and names of the refusals in a QueryAnswer, and `''` for a fragment that has none. */
export function refusalsIn(answer: Uint8Array): readonly { readonly code: string; readonly name: string }[] {
  interface Answer {
    readonly fragments: readonly { readonly refusal?: { readonly code: string; readonly name: string } }[];
  }
  const { fragments } = messageCodec<Answer>('federation.proto', `${PACKAGE}.QueryAnswer`).decode(answer);
  return fragments.map(({ refusal }) => refusal ?? { code: '', name: '' });
}

/** A fragment with one more field at its end. */
export function fragmentWith(fragment: Fragment, more: Uint8Array): Buffer {
  return Buffer.concat([encodeFragment(fragment), more]);
}

/** A field: a whole number as a varint, text or bytes with their length. */
export function field(number: number, value: number | string | Uint8Array): Buffer {
  if (typeof value === 'number') return Buffer.concat([varint(number * 8), varint(value)]);
  const bytes = Buffer.from(value as Uint8Array);
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes]);
}
