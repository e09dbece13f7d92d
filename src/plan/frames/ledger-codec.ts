import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import { HASH_BYTES, PROOF_HASHES_MAX } from './receipt-codec.ts';
import { assertAnswerTo, decodeRequestId } from './request-id.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

/** How the ledger got from one size to the next is asked. */
export interface LedgerRequest {
  /** Ascending, each at least 1, at most `LIMITS.ledgerSizes`. */
  readonly sizes: readonly number[];
  readonly id: Uint8Array;
}

export interface LedgerAnswer {
  /**
   * From each size asked that the log has reached to the next of them, and from the last of them to the checkpoint's: lists of
   * hashes of 32 bytes (RFC 6962, 2.1.2), empty between equal sizes.
   */
  readonly proofs: readonly (readonly Uint8Array[])[];
  /** The newest, a signed note of C2SP tlog-checkpoint. */
  readonly checkpoint: string;
  /** The request's. */
  readonly id: Uint8Array;
}

const ledgerRequest = messageCodec<Versioned & { sizes: readonly number[]; id: Uint8Array }>(
  'federation.proto',
  'comity.federation.v1.LedgerRequest',
);
const ledgerAnswer = messageCodec<LedgerAnswerMessage>('federation.proto', 'comity.federation.v1.LedgerAnswer');

export function encodeLedgerRequest(request: LedgerRequest): Uint8Array {
  return ledgerRequest.encode({ version: FEDERATION_VERSION, ...request });
}

/** Throws `bad_data` for sizes that are too many, or not ascending. */
export function decodeLedgerRequest(bytes: Uint8Array): LedgerRequest {
  const bounds = { fields: LIMITS.ledgerSizes + 2, bytes: { [SIZES]: LIMITS.ledgerSizes * VARINT_BYTES_MAX } };
  const { sizes, id } = decodeStrict(ledgerRequest, bytes, bounds);
  if (sizes.length > LIMITS.ledgerSizes) throw new ComityError('bad_data', 'malformed LedgerRequest: too many sizes');
  const isAscending = sizes.every((size, at) => Number.isSafeInteger(size) && size > (at === 0 ? 0 : sizes[at - 1]!));
  if (!isAscending) throw new ComityError('bad_data', 'malformed LedgerRequest: its sizes are not ascending');
  return { sizes, id: decodeRequestId(id) };
}

export function encodeLedgerAnswer({ proofs, checkpoint, id }: LedgerAnswer): Uint8Array {
  const message = { proofs: proofs.map((hashes) => ({ hashes })), checkpoint, id };
  return ledgerAnswer.encode({ version: FEDERATION_VERSION, ...message });
}

/** Reads an agent's answer; whether its proofs hold is not looked at. Throws `bad_data`. */
export function decodeLedgerAnswer(bytes: Uint8Array, asked: Pick<LedgerRequest, 'sizes' | 'id'>): LedgerAnswer {
  const { proofs, checkpoint, id } = decodeStrict(ledgerAnswer, bytes, {
    fields: asked.sizes.length + 3,
    counts: { [PROOFS]: asked.sizes.length },
    bytes: { [CHECKPOINT]: LIMITS.checkpointBytes },
    nested: { [PROOFS]: { fields: PROOF_HASHES_MAX * 2, bytes: { [HASHES]: HASH_BYTES } } },
  });
  if (!proofs.every(({ hashes }) => hashes.every((hash) => hash.length === HASH_BYTES))) {
    throw new ComityError('bad_data', 'malformed LedgerAnswer: length of a hash');
  }
  return { id: assertAnswerTo(asked.id, id), proofs: proofs.map(({ hashes }) => hashes), checkpoint };
}

const VARINT_BYTES_MAX = 10;

/** Numbers of the messages' fields. */
const SIZES = 2;
const PROOFS = 2;
const CHECKPOINT = 3;
const HASHES = 1;

interface LedgerAnswerMessage extends Versioned {
  readonly proofs: readonly { readonly hashes: readonly Uint8Array[] }[];
  readonly checkpoint: string;
  readonly id: Uint8Array;
}
