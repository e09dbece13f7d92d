import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { NoteSigner, NoteVerifier } from '../base/note-key.ts';
import { HASH_BYTES } from './merkle.ts';

/** The head of a log (https://c2sp.org/tlog-checkpoint). */
export interface Checkpoint {
  /** The name of the log, which is that of its key as well. */
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** A checkpoint as a signed note (https://c2sp.org/signed-note). */
export interface SignedCheckpoint extends Checkpoint {
  /** What is signed, with its last newline. */
  readonly body: string;
  readonly signatures: readonly NoteSignature[];
}

export interface NoteSignature {
  readonly name: string;
  /** The key's id: 8 hex digits. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** Signatures on one note; the specification asks for 16 at the least. */
const SIGNATURES_MAX = 64;

/** The signed note of a checkpoint. Ed25519 is deterministic: the same checkpoint gives the same bytes. */
export function signCheckpoint(checkpoint: Checkpoint, signer: NoteSigner): string {
  const body = bodyOf(checkpoint);
  return `${body}\n${signatureLine(signer, signer.sign(Buffer.from(body)))}`;
}

/**
 * Reads a signed checkpoint that the log's own key has signed. Throws `bad_data` naming what is wrong. Signatures of other
 * keys are left alone.
 */
export function openCheckpoint(note: string, verifier: Pick<NoteVerifier, 'name' | 'id' | 'verify'>): SignedCheckpoint {
  const checkpoint = readCheckpoint(note);
  const { origin, signatures, body } = checkpoint;
  const key = `${verifier.name}+${verifier.id}`;
  if (origin !== verifier.name) throw bad(`it is of the log ${JSON.stringify(origin)}, not of ${verifier.name}`);
  const own = signatures.filter(({ name, id }) => name === verifier.name && id === verifier.id);
  if (own.length === 0) throw bad(`it has no signature of ${key}`);
  const message = Buffer.from(body);
  if (!own.every(({ bytes }) => verifier.verify(message, bytes))) throw bad(`the signature of ${key} does not fit`);
  return checkpoint;
}

/** Reads a signed checkpoint without judging its signatures. Throws `bad_data`. */
export function readCheckpoint(note: string): SignedCheckpoint {
  if (note.length > LIMITS.checkpointBytes) throw bad(`it is longer than ${LIMITS.checkpointBytes} characters`);
  if (!note.isWellFormed() || CONTROL.test(note)) throw bad('it has characters that no note may have');
  const gap = note.lastIndexOf('\n\n');
  if (gap === -1 || !note.endsWith('\n') || gap + 2 === note.length) throw bad('it is no signed note');
  const lines = note.slice(gap + 2, -1).split('\n');
  if (lines.length > SIGNATURES_MAX) throw bad(`it has more than ${SIGNATURES_MAX} signatures`);
  const body = note.slice(0, gap + 1);
  return { ...readBody(body), body, signatures: lines.map(readSignatureLine) };
}

/** Everything below U+0020 but the newline. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/;

/** Reads one signature line without its newline. Throws `bad_data`. */
export function readSignatureLine(line: string): NoteSignature {
  const match = /^— ([^\s+\p{Z}]+) ([A-Za-z0-9+/=]+)$/u.exec(line);
  const [, name = '', text = ''] = match ?? [];
  const bytes = base64(text);
  if (bytes === undefined || bytes.length <= ID_BYTES) throw bad('a signature line is malformed');
  return { name, id: bytes.subarray(0, ID_BYTES).toString('hex'), bytes: bytes.subarray(ID_BYTES) };
}

const ID_BYTES = 4;

/** A signature line with its newline. */
export function signatureLine(key: { readonly name: string; readonly id: string }, signature: Uint8Array): string {
  return `— ${key.name} ${Buffer.concat([Buffer.from(key.id, 'hex'), signature]).toString('base64')}\n`;
}

/** Undefined where another text would be the same bytes: what is signed has one form only. */
export function base64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** Lines after the third may stand in the checkpoints of other logs; ours have none. */
function readBody(body: string): Checkpoint {
  const [origin, size, root, ...rest] = body.split('\n');
  if (origin === undefined || origin === '' || size === undefined || root === undefined) {
    throw bad('it has not three lines');
  }
  if (rest.length !== 1 || rest[0] !== '') throw bad('it does not end after three lines');
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size))) throw bad('its size is no number');
  const hash = base64(root);
  if (hash?.length !== HASH_BYTES) throw bad(`its root is not ${HASH_BYTES} bytes in base64`);
  return { origin, size: Number(size), root: hash };
}

function bodyOf({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
}

function bad(fault: string): ComityError {
  return new ComityError('bad_data', `checkpoint: ${fault}`);
}
