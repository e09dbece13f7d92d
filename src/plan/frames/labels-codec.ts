import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { MatcherMessage } from './expr-message.ts';
import { decodeRefusal, encodeRefusal, type Refusal, type RefusalMessage } from './refusal-codec.ts';
import { assertAnswerTo, decodeRequestId } from './request-id.ts';
import { decodeSelectors, encodeSelectors } from './selectors-codec.ts';
import { decodeStatus, encodeStatus, statusBounds, type DomainStatus, type StatusMessage } from './status-codec.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

export interface LabelsQuery {
  /** The label whose values are asked for; empty for label names. */
  readonly name: string;
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

export interface LabelsRequest extends LabelsQuery {
  /** Another for each request. */
  readonly id: Uint8Array;
}

export type LabelsAnswer = { readonly status: DomainStatus } & (
  | { readonly values: readonly string[] }
  | { readonly refusal: Refusal }
) & { /** The request's. */ readonly id: Uint8Array };

const labelsRequest = messageCodec<LabelsRequestMessage>('federation.proto', 'comity.federation.v1.LabelsRequest');
const labelsAnswer = messageCodec<LabelsAnswerMessage>('federation.proto', 'comity.federation.v1.LabelsAnswer');

export function encodeLabelsRequest({ selectors, ...rest }: LabelsRequest): Uint8Array {
  return labelsRequest.encode({ version: FEDERATION_VERSION, ...rest, selectors: encodeSelectors(selectors) });
}

export function decodeLabelsRequest(bytes: Uint8Array): LabelsRequest {
  const message = decodeStrict(labelsRequest, bytes, { fields: LIMITS.selectorsPerRequest + OTHER_FIELDS });
  const { name, fromMs, toMs, limit } = message;
  const selectors = decodeSelectors(message.selectors);
  return { name, fromMs, toMs, limit, selectors, id: decodeRequestId(message.id) };
}

export function encodeLabelsAnswer(answer: LabelsAnswer): Uint8Array {
  const result =
    'refusal' in answer ? { values: [], refusal: encodeRefusal(answer.refusal) } : { values: answer.values };
  const status = encodeStatus(answer.status);
  return labelsAnswer.encode({ version: FEDERATION_VERSION, status, refusal: null, ...result, id: answer.id });
}

/** Reads a domain's answer to a request for at most `limit` values, and refuses one that says more. */
export function decodeLabelsAnswer(
  bytes: Uint8Array,
  { limit, id: asked }: Pick<LabelsRequest, 'limit' | 'id'>,
): LabelsAnswer {
  const message = decodeStrict(labelsAnswer, bytes, {
    fields: limit + OTHER_FIELDS,
    bytes: { [VALUES]: LIMITS.labelBytes },
    nested: { [STATUS]: statusBounds },
  });
  const id = assertAnswerTo(asked, message.id);
  const status = decodeStatus(message.status);
  return message.refusal === null
    ? { id, status, values: message.values }
    : { id, status, refusal: decodeRefusal(message.refusal, 0) };
}

/** At least the fields of the messages that are not repeated. */
const OTHER_FIELDS = 8;

/** Numbers of LabelsAnswer's fields. */
const STATUS = 2;
const VALUES = 3;

interface LabelsRequestMessage extends Versioned {
  name: string;
  selectors: { matchers: readonly MatcherMessage[] }[];
  fromMs: number;
  toMs: number;
  limit: number;
  id: Uint8Array;
}

interface LabelsAnswerMessage extends Versioned {
  id: Uint8Array;
  status: StatusMessage | null;
  values: readonly string[];
  refusal: RefusalMessage | null;
}
