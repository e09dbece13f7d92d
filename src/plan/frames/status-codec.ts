import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec, type MessageBounds } from '../../base/proto.ts';
import type { TimeRange } from '../read-range.ts';
import { decodeRanges, rangesBytes } from './ranges-codec.ts';
import { assertAnswerTo, decodeRequestId } from './request-id.ts';
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
  /** Times that this agent missed because it was down: ascending and apart. */
  readonly gaps: readonly TimeRange[];
  /** SHA-256 of the signed bundle that the policy came with, in hex; empty for a policy without. */
  readonly bundleDigest: string;
  /** 0 for a policy without a bundle. */
  readonly bundleVersion: number;
  readonly policyState: PolicyState;
}

/** `in force`, or why nothing leaves. */
export type PolicyState = (typeof POLICY_STATES)[number];

const POLICY_STATES = ['in force', 'expired', 'unreadable', 'rolled back'] as const;

/** The DomainStatus message of proto/federation.proto. */
export interface StatusMessage extends Omit<DomainStatus, 'gaps' | 'policyState'> {
  readonly gapFromMs: readonly number[];
  readonly gapToMs: readonly number[];
  readonly policyState: string;
}

const statusRequest = messageCodec<Versioned & { id: Uint8Array }>(
  'federation.proto',
  'comity.federation.v1.StatusRequest',
);
const statusAnswer = messageCodec<Versioned & { status: StatusMessage | null; id: Uint8Array }>(
  'federation.proto',
  'comity.federation.v1.StatusAnswer',
);
const errorAnswer = messageCodec<Versioned & { code: string }>('federation.proto', 'comity.federation.v1.ErrorAnswer');

/** A request for nothing but the status. `id`: another for each request. */
export function encodeStatusRequest(id: Uint8Array): Uint8Array {
  return statusRequest.encode({ version: FEDERATION_VERSION, id });
}

export function decodeStatusRequest(bytes: Uint8Array): { readonly id: Uint8Array } {
  return { id: decodeRequestId(decodeStrict(statusRequest, bytes, { fields: 2 }).id) };
}

/** `id`: the request's. */
export function encodeStatusAnswer({ status, id }: StatusAnswer): Uint8Array {
  return statusAnswer.encode({ version: FEDERATION_VERSION, status: encodeStatus(status), id });
}

export function decodeStatusAnswer(bytes: Uint8Array, asked: { readonly id: Uint8Array }): StatusAnswer {
  const message = decodeStrict(statusAnswer, bytes, { fields: 3, nested: { 2: statusBounds } });
  const id = assertAnswerTo(asked.id, message.id);
  return { id, status: decodeStatus(message.status) };
}

interface StatusAnswer {
  readonly status: DomainStatus;
  readonly id: Uint8Array;
}

/** The answer to a request that could not be read: its code, and the version that would have been. */
export function encodeErrorAnswer(code: string): Uint8Array {
  return errorAnswer.encode({ version: FEDERATION_VERSION, code });
}

/** Codes are words; whoever answers with a page of something else is no agent. */
const ERROR_BYTES_MAX = 1_024;

/** Reads the error of an agent of any version; versions before 3 sent theirs as well. Throws `bad_data`. */
export function decodeErrorAnswer(bytes: Uint8Array): { readonly version: number; readonly code: string } {
  if (bytes.length > ERROR_BYTES_MAX) throw new ComityError('bad_data', 'malformed ErrorAnswer: its length');
  const { version, code } = errorAnswer.decode(bytes);
  return { version, code };
}

/** Of a DomainStatus. What a hub keeps of a domain is no longer than a label may be. */
export const statusBounds: MessageBounds = {
  fields: 13,
  bytes: {
    1: LIMITS.labelBytes,
    2: LIMITS.labelBytes,
    9: rangesBytes(LIMITS.agentGaps),
    10: rangesBytes(LIMITS.agentGaps),
    11: LIMITS.labelBytes,
    13: LIMITS.labelBytes,
  },
};

export function encodeStatus({ gaps, ...rest }: DomainStatus): StatusMessage {
  return { ...rest, gapFromMs: gaps.map(({ fromMs }) => fromMs), gapToMs: gaps.map(({ toMs }) => toMs) };
}

/** Throws `bad_data` for what no agent says of itself. */
export function decodeStatus(message: StatusMessage | null): DomainStatus {
  if (message === null) throw new ComityError('bad_data', 'malformed answer: no status');
  const { gapFromMs, gapToMs, ...rest } = message;
  const { expectedStreams, observedStreams, settledUntilMs, heldFromMs, rawBytesHeld, releasedBytes } = rest;
  const policyState = POLICY_STATES.find((state) => state === rest.policyState);
  const isNumber = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
  if (observedStreams > expectedStreams) throw broken('more streams than are expected');
  if (!isNumber(settledUntilMs) || !Number.isSafeInteger(heldFromMs)) throw broken('times that none can be');
  if (!isNumber(rawBytesHeld) || !isNumber(releasedBytes)) throw broken('its numbers of bytes');
  if (policyState === undefined || !isNumber(rest.bundleVersion)) throw broken('what it says of its policy');
  return { ...rest, policyState, gaps: decodeRanges(gapFromMs, gapToMs, LIMITS.agentGaps, 'DomainStatus') };
}

function broken(what: string): ComityError {
  return new ComityError('bad_data', `malformed DomainStatus: ${what}`);
}
