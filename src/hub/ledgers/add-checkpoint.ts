import { ComityError } from '../../base/errors.ts';
import type { NoteVerifier } from '../../base/note-key.ts';
import { openCheckpoint, readCheckpoint, type Checkpoint } from '../../ledger/checkpoint.ts';
import { EMPTY_ROOT, isConsistent, isEqual } from '../../ledger/merkle.ts';
import { cosignatureLine, readAddCheckpoint, SIZE_MEDIA_TYPE, type AddCheckpoint } from '../../ledger/witness.ts';
import type { Witness } from './witness.ts';

/** What a witness answers to a request for a cosignature. */
export interface CosignReply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/**
 * Answers `add-checkpoint` of https://c2sp.org/tlog-witness: vouches for a checkpoint of one of `logs` that has grown out of
 * the newest that the witness knows. What it vouches for is on disk when it says so. Throws what keeps that from being written.
 */
export function addCheckpoint(
  body: string,
  {
    witness,
    logs,
    nowMs,
  }: { readonly witness: Witness; readonly logs: readonly NoteVerifier[]; readonly nowMs: number },
): CosignReply {
  let asked: AddCheckpoint;
  let checkpoint: Checkpoint;
  try {
    asked = readAddCheckpoint(body);
    checkpoint = readCheckpoint(asked.checkpoint);
  } catch (error) {
    if (error instanceof ComityError && error.code === 'bad_data') return said(400, error.message);
    throw error;
  }
  const { oldSize, proof, checkpoint: note } = asked;
  const ofOrigin = logs.filter(({ name }) => name === checkpoint.origin);
  if (ofOrigin.length === 0) return said(404, 'this log is not known here');
  const by = ofOrigin.find((verifier) => isSignedBy(note, verifier));
  if (by === undefined) return said(403, 'no key that is known here has signed it');
  if (witness.fork(by.vkey) !== undefined) return said(409, 'this log has forked');

  const { size, root } = checkpoint;
  if (oldSize > size) return said(400, 'the old size is more than the checkpoint’s');
  const latest = witness.latest(by.vkey);
  if (oldSize !== (latest?.size ?? 0)) return conflict(latest?.size ?? 0);
  const to = { size, root, checkpoint: note };
  if (latest !== undefined && size === latest.size && !isEqual(root, latest.root)) {
    const why = `it has signed two logs of ${size} entries`;
    witness.addFork(by.vkey, { why, atMs: nowMs, checkpoints: [latest.checkpoint, note] });
    return said(409, 'another log of this size is known here');
  }
  if (!isConsistent(latest ?? EMPTY, to, proof)) return said(422, 'the proof does not hold');
  // An empty log is the start of every other: there is nothing to remember.
  if (size > 0 && !witness.advance(by.vkey, latest, to)) return conflict(witness.latest(by.vkey)?.size ?? 0);
  return { status: 200, type: 'text/plain; charset=utf-8', body: cosignatureLine(note, witness.signer, nowMs) };
}

const EMPTY = { size: 0, root: EMPTY_ROOT };

function isSignedBy(note: string, verifier: NoteVerifier): boolean {
  try {
    openCheckpoint(note, verifier);
    return true;
  } catch (error) {
    if (error instanceof ComityError && error.code === 'bad_data') return false;
    throw error;
  }
}

function conflict(size: number): CosignReply {
  return { status: 409, type: SIZE_MEDIA_TYPE, body: `${size}\n` };
}

function said(status: number, words: string): CosignReply {
  return { status, type: 'text/plain; charset=utf-8', body: `${words}\n` };
}
