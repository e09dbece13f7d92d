import { ComityError } from '../../base/errors.ts';
import { messageCodec } from '../../base/proto.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

/** What a domain says of itself with every answer. */
export interface DomainStatus {
  readonly domain: string;
  readonly policyDigest: string;
  readonly expectedStreams: number;
  readonly observedStreams: number;
  /** 0 when unknown. */
  readonly settledUntilMs: number;
  /** No sample before this is held or can still come; 0 when unknown. */
  readonly heldFromMs: number;
  /** Bytes of the raw samples held, times and values alone. */
  readonly rawBytesHeld: number;
  /** Since the agent started. */
  readonly releasedBytes: number;
}

const statusAnswer = messageCodec<Versioned & { status: DomainStatus | null }>(
  'federation.proto',
  'comity.federation.v1.StatusAnswer',
);
const errorAnswer = messageCodec<Versioned & { code: string }>('federation.proto', 'comity.federation.v1.ErrorAnswer');

export function encodeStatusAnswer(status: DomainStatus): Uint8Array {
  return statusAnswer.encode({ version: FEDERATION_VERSION, status });
}

export function decodeStatusAnswer(bytes: Uint8Array): { status: DomainStatus } {
  const message = decodeStrict(statusAnswer, bytes);
  return { status: decodeStatus(message.status) };
}

/** The answer to a request that could not be read: its code, and the version that would have been. */
export function encodeErrorAnswer(code: string): Uint8Array {
  return errorAnswer.encode({ version: FEDERATION_VERSION, code });
}

/** Reads the error of an agent of any version; versions before 3 sent theirs as well. */
export function decodeErrorAnswer(bytes: Uint8Array): { readonly version: number; readonly code: string } {
  const { version, code } = errorAnswer.decode(bytes);
  return { version, code };
}

export function decodeStatus(status: DomainStatus | null): DomainStatus {
  if (status === null) throw new ComityError('bad_data', 'malformed answer: no status');
  return status;
}
