import { ComityError, messageOf } from '../base/errors.ts';
import type { NoteVerifier } from '../base/note-key.ts';
import { decodeLeaf } from './canonical.ts';
import { openCheckpoint, readCheckpoint, type NoteSignature, type SignedCheckpoint } from './checkpoint.ts';
import { ledgerOrigin } from './open-ledger.ts';
import { cosignedAt } from './witness.ts';

/** What has been proved of a ledger. */
export interface VerifiedLedger {
  readonly origin: string;
  /** The vkey of the key that signs it. */
  readonly key: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** By witness, of those whose keys were given. */
  readonly witnesses: readonly WitnessedSize[];
  /** How many checkpoints were compared with the leaves. */
  readonly checkpoints: number;
}

/** The largest checkpoint that a witness has cosigned. */
export interface WitnessedSize {
  readonly name: string;
  readonly size: number;
  /** Seconds since the epoch. */
  readonly at: number;
}

export interface VerifyOptions {
  /** Takes signatures of keys that were not given for a fault: they prove nothing. */
  readonly isStrict?: boolean | undefined;
  readonly onProgress?: ((done: number, all: number) => void) | undefined;
}

/** Leaves between two reports of progress. */
export const PROGRESS_LEAVES = 10_000;

/** What several checkpoints of one log have in common while they are verified. */
export interface CheckpointVerifier {
  readonly origin: string;
  readonly key: NoteVerifier;
  /** Proves the log's signature and the witnesses' on it; `name` is that of the file in errors. Throws `bad_data`. */
  open(note: string, name: string): SignedCheckpoint;
  /** Proves one cosignature. Throws `bad_data`. */
  cosignature(checkpoint: SignedCheckpoint, signature: NoteSignature, name: string): void;
  witnesses(): readonly WitnessedSize[];
}

/** Finds the log's key by the origin of one of its checkpoints. Throws `bad_config` where no such key was given. */
export function checkpointVerifier(
  note: string,
  keys: readonly NoteVerifier[],
  { isStrict = false }: VerifyOptions,
): CheckpointVerifier {
  const { origin } = named('checkpoint', () => readCheckpoint(note));
  const key = keys.find(({ name, type }) => name === origin && type === 'ed25519');
  if (key === undefined) {
    const given = keys.map(({ name }) => name).join(', ') || 'none';
    throw new ComityError(
      'bad_config',
      `checkpoint: no key of the log ${JSON.stringify(origin)} was given (given: ${given})`,
    );
  }
  const witnesses = new Map<string, WitnessedSize>();

  function cosignature(checkpoint: SignedCheckpoint, signature: NoteSignature, name: string): void {
    const id = `${signature.name}+${signature.id}`;
    const verifier = keys.find((one) => `${one.name}+${one.id}` === id);
    if (verifier === undefined) {
      if (isStrict) throw bad(name, `no key was given for the signature of ${id}, so it proves nothing`);
      return;
    }
    const at = cosignedAt(checkpoint.body, signature, verifier);
    if (at === undefined) throw bad(name, `the signature of ${id} does not fit`);
    if ((witnesses.get(id)?.size ?? -1) < checkpoint.size) {
      witnesses.set(id, { name: signature.name, size: checkpoint.size, at });
    }
  }

  return {
    origin,
    key,
    open(note, name) {
      const checkpoint = named(name, () => openCheckpoint(note, key));
      for (const one of checkpoint.signatures) {
        if (one.name !== key.name || one.id !== key.id) cosignature(checkpoint, one, name);
      }
      return checkpoint;
    },
    cosignature,
    witnesses: () => [...witnesses.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** Reads a leaf whose hash is right, and looks whether it is one of this log. Throws `bad_data`. */
export function checkLeaf(bytes: Uint8Array, index: number, origin: string): void {
  const { domain, agent } = named(`leaf ${index}`, () => decodeLeaf(bytes));
  const of = ledgerOrigin(domain, agent);
  if (of !== origin) throw bad(`leaf ${index}`, `it is of ${of}, not of ${origin}`);
}

export function bad(name: string, fault: string): ComityError {
  return new ComityError('bad_data', `${name}: ${fault}`);
}

/** What it throws begins with the name of what was looked at. */
export function named<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw bad(name, messageOf(error).replace(/^(checkpoint|leaf): /, ''));
  }
}
