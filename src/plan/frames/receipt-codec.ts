import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

/** The proof that an agent's ledger has an answer. Nothing of it is believed before `verifyReceipt` has looked at it. */
export interface Receipt {
  /** The entry of the log, canonical JSON. */
  readonly leaf: Uint8Array;
  /** Of the leaf in the log, from 0. */
  readonly index: number;
  /** A signed note of C2SP tlog-checkpoint. */
  readonly checkpoint: string;
  /** Hashes of 32 bytes, from the leaf up (RFC 6962, 2.1.1). */
  readonly proof: readonly Uint8Array[];
  /** 16 bytes each: a commitment of the leaf is SHA-256(salt || bytes). Zeros where the leaf commits to no bytes. */
  readonly requestSalt: Uint8Array;
  readonly answerSalt: Uint8Array;
  /** The ledger's verifier key (C2SP signed-note), as it says itself. */
  readonly key: string;
}

const released = messageCodec<Versioned & { answer: Uint8Array; receipt: Receipt | null }>(
  'federation.proto',
  'comity.federation.v1.Released',
);

/** The body of an answer: its bytes and their receipt. */
export function encodeReleased(answer: Uint8Array, receipt: Receipt): Uint8Array {
  return released.encode({ version: FEDERATION_VERSION, answer, receipt });
}

/** Reads what an agent let out, and nothing of the answer in it. Throws `bad_data`, and `unsupported` for another version. */
export function decodeReleased(bytes: Uint8Array): {
  readonly answer: Uint8Array;
  /** Undefined where there is none. */
  readonly receipt: Receipt | undefined;
} {
  const { answer, receipt } = decodeStrict(released, bytes, { fields: 3, nested: { [RECEIPT]: RECEIPT_BOUNDS } });
  return { answer, receipt: receipt === null ? undefined : checkReceipt(receipt) };
}

/** Bytes of a hash, and of a receipt's salts. */
export const HASH_BYTES = 32;
const SALT_BYTES = 16;

/** No log with numbers that JavaScript has is deeper. */
export const PROOF_HASHES_MAX = 64;

/** Numbers of the messages' fields. */
const RECEIPT = 3;
const LEAF = 1;
const CHECKPOINT = 3;
const PROOF = 4;
const KEY = 7;

const RECEIPT_BOUNDS = {
  fields: 6 + PROOF_HASHES_MAX,
  counts: { [PROOF]: PROOF_HASHES_MAX },
  bytes: {
    [LEAF]: LIMITS.leafBytes,
    [CHECKPOINT]: LIMITS.checkpointBytes,
    [PROOF]: HASH_BYTES,
    [KEY]: LIMITS.labelBytes,
  },
};

function checkReceipt(receipt: Receipt): Receipt {
  const { index, proof, requestSalt, answerSalt } = receipt;
  const broken = (what: string): ComityError => new ComityError('bad_data', `malformed Receipt: ${what}`);
  if (!Number.isSafeInteger(index)) throw broken('the index');
  if (!proof.every((hash) => hash.length === HASH_BYTES)) throw broken('length of a hash');
  if (requestSalt.length !== SALT_BYTES || answerSalt.length !== SALT_BYTES) throw broken('length of a salt');
  return receipt;
}
