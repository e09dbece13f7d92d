import { ComityError } from '../base/errors.ts';
import type { NoteVerifier } from '../base/note-key.ts';
import type { Receipt } from '../plan/frames/receipt-codec.ts';
import { decodeLeaf } from './canonical.ts';
import { openCheckpoint } from './checkpoint.ts';
import type { ReleaseLeaf } from './leaf.ts';
import { isEqual, leafHash, rootByInclusion } from './merkle.ts';
import { commitment } from './recorder.ts';

/** What a receipt has proved. */
export interface Recorded {
  readonly leaf: ReleaseLeaf;
  readonly index: number;
  /** Of the log under whose checkpoint the leaf stands. */
  readonly size: number;
  readonly root: Uint8Array;
}

/**
 * Proves that the log of this key holds the record of exactly this request and answer. Heartbeats share a leaf that commits
 * to none of them and bounds their length. Throws `bad_data` that says what does not fit.
 */
export function verifyReceipt(
  receipt: Receipt,
  request: Uint8Array,
  answer: Uint8Array,
  verifier: Pick<NoteVerifier, 'name' | 'id' | 'verify'>,
): Recorded {
  try {
    return verified(receipt, request, answer, verifier);
  } catch (error) {
    if (error instanceof ComityError) throw new ComityError('bad_data', `receipt: ${error.message}`, { cause: error });
    throw error;
  }
}

function verified(
  { leaf: bytes, index, checkpoint, proof, requestSalt, answerSalt }: Receipt,
  request: Uint8Array,
  answer: Uint8Array,
  verifier: Pick<NoteVerifier, 'name' | 'id' | 'verify'>,
): Recorded {
  const { size, root } = openCheckpoint(checkpoint, verifier);
  const proved = rootByInclusion(index, size, leafHash(bytes), proof);
  if (proved === undefined || !isEqual(proved, root))
    throw bad('the proof does not lead from the leaf to the checkpoint');
  const leaf = decodeLeaf(bytes);
  if (leaf.kind !== 'release') throw bad(`its leaf records no answer: it is of kind ${leaf.kind}`);
  if (leaf.times !== undefined) {
    if (leaf.what !== 'status' || leaf.request !== '' || leaf.answer !== '') throw bad('only heartbeats share a leaf');
    if (answer.length > leaf.bytes)
      throw bad(`its leaf is for answers of up to ${leaf.bytes} bytes, not ${answer.length}`);
  } else {
    if (leaf.bytes !== answer.length) throw bad(`its leaf is for ${leaf.bytes} bytes, not ${answer.length}`);
    if (leaf.request !== commitment(requestSalt, request)) throw bad('its leaf is for another request');
    if (leaf.answer !== commitment(answerSalt, answer)) throw bad('its leaf is for another answer');
  }
  return { leaf, index, size, root };
}

function bad(fault: string): ComityError {
  return new ComityError('bad_data', fault);
}
