import { ComityError } from '../base/errors.ts';
import type { ReleaseKind } from '../ledger/leaf.ts';

declare const RELEASED: unique symbol;

/**
 * Bytes that the border has decided to let out. The type is branded with a symbol that no other module can name, so only
 * `border/` makes one; and since a cast could still pretend, the bytes lie in a registry that only `seal` writes to.
 */
export interface Released {
  readonly [RELEASED]: true;
  /** What kind of answer it is, for counting. */
  readonly kind: AnswerKind;
  readonly byteLength: number;
}

/** What goes over the border: what the ledger records, and proofs about the ledger itself. */
export type AnswerKind = ReleaseKind | 'ledger';

const sealed = new WeakMap<object, Uint8Array>();

/** Makes a `Released`. For `seal-recorded.ts` alone: whoever else calls it has gone round the ledger (a test looks for that). */
export function seal(kind: AnswerKind, bytes: Uint8Array): Released {
  const released = Object.freeze({ kind, byteLength: bytes.byteLength });
  sealed.set(released, bytes);
  return released as unknown as Released;
}

/**
 * The bytes to send and their kind. Takes anything, since at run time a type proves nothing, and throws `not_released` for
 * what the border did not make.
 */
export function openReleased(value: unknown): { readonly kind: AnswerKind; readonly bytes: Uint8Array } {
  const bytes = typeof value === 'object' && value !== null ? sealed.get(value) : undefined;
  if (bytes === undefined) throw new ComityError('not_released', 'this value was not released by the border');
  return { kind: (value as Released).kind, bytes };
}
