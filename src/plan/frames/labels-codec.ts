import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { assertBounds, messageCodec } from '../../base/proto.ts';
import { shareRegexMeter, startRegexMeter, type Matcher } from '../../model/matcher.ts';
import { decodeMatcher } from './expr-codec.ts';
import type { MatcherMessage } from './expr-message.ts';
import { decodeRefusal, encodeRefusal, type Refusal, type RefusalMessage } from './refusal-codec.ts';
import { decodeStatus, type DomainStatus } from './status-codec.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

export interface LabelsQuery {
  /** The label whose values are asked for; empty for label names. */
  readonly name: string;
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

export type LabelsAnswer = { readonly status: DomainStatus } & (
  | { readonly values: readonly string[] }
  | { readonly refusal: Refusal }
);

const labelsRequest = messageCodec<LabelsRequestMessage>('federation.proto', 'comity.federation.v1.LabelsRequest');
const labelsAnswer = messageCodec<LabelsAnswerMessage>('federation.proto', 'comity.federation.v1.LabelsAnswer');

export function encodeLabelsRequest({ selectors, ...rest }: LabelsQuery): Uint8Array {
  const sets = selectors.map((matchers) => ({ matchers }));
  return labelsRequest.encode({ version: FEDERATION_VERSION, ...rest, selectors: sets });
}

export function decodeLabelsRequest(bytes: Uint8Array): LabelsQuery {
  assertBounds(bytes, { fields: LIMITS.selectorsPerRequest + OTHER_FIELDS });
  const message = decodeStrict(labelsRequest, bytes);
  const { name, fromMs, toMs, limit } = message;
  if (message.selectors.length > LIMITS.selectorsPerRequest) throw new ComityError('limit', 'too many selectors');
  const selectors = message.selectors.map((set) => set.matchers.map(decodeMatcher));
  const meter = startRegexMeter();
  for (const matcher of selectors.flat()) shareRegexMeter(matcher, meter);
  return { name, fromMs, toMs, limit, selectors };
}

export function encodeLabelsAnswer(answer: LabelsAnswer): Uint8Array {
  const result =
    'refusal' in answer ? { values: [], refusal: encodeRefusal(answer.refusal) } : { values: answer.values };
  return labelsAnswer.encode({ version: FEDERATION_VERSION, status: answer.status, refusal: null, ...result });
}

/** Reads a domain's answer to a request for at most `limit` values, and refuses one that says more. */
export function decodeLabelsAnswer(bytes: Uint8Array, limit: number): LabelsAnswer {
  assertBounds(bytes, { fields: limit + OTHER_FIELDS, bytes: { [VALUES]: LIMITS.labelBytes } });
  const message = decodeStrict(labelsAnswer, bytes);
  const status = decodeStatus(message.status);
  return message.refusal === null
    ? { status, values: message.values }
    : { status, refusal: decodeRefusal(message.refusal, 0) };
}

/** At least the fields of the messages that are not repeated. */
const OTHER_FIELDS = 8;

/** The number of LabelsAnswer's field `values`. */
const VALUES = 3;

interface LabelsRequestMessage extends Versioned {
  name: string;
  selectors: { matchers: readonly MatcherMessage[] }[];
  fromMs: number;
  toMs: number;
  limit: number;
}

interface LabelsAnswerMessage extends Versioned {
  status: DomainStatus | null;
  values: readonly string[];
  refusal: RefusalMessage | null;
}
