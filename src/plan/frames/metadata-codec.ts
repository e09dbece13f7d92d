import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import type { Metadata, MetricType } from '../../model/batch.ts';
import { decodeRefusal, encodeRefusal, type Refusal, type RefusalMessage } from './refusal-codec.ts';
import { assertAnswerTo, decodeRequestId } from './request-id.ts';
import { decodeStatus, encodeStatus, statusBounds, type DomainStatus, type StatusMessage } from './status-codec.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

/** What is known of a metric family, or of all. */
export interface MetadataQuery {
  readonly id: Uint8Array;
  /** Empty for all. */
  readonly metric: string;
  /** Families. */
  readonly limit: number;
  /** How long the hub still waits for the answer. */
  readonly timeLeftMs: number;
}

export type MetadataAnswer = { readonly id: Uint8Array; readonly status: DomainStatus } & (
  | {
      /** In the order of their names; one has an entry for each thing that is said of it. */
      readonly families: readonly Metadata[];
      /** Whether there are more of them. */
      readonly isCut: boolean;
    }
  | { readonly refusal: Refusal }
);

const metadataRequest = messageCodec<MetadataQuery & Versioned>(
  'federation.proto',
  'comity.federation.v1.MetadataRequest',
);
const metadataAnswer = messageCodec<MetadataAnswerMessage>('federation.proto', 'comity.federation.v1.MetadataAnswer');

export function encodeMetadataRequest(query: MetadataQuery): Uint8Array {
  return metadataRequest.encode({ version: FEDERATION_VERSION, ...query });
}

export function decodeMetadataRequest(bytes: Uint8Array): MetadataQuery {
  const { id, metric, limit, timeLeftMs } = decodeStrict(metadataRequest, bytes, { fields: OTHER_FIELDS });
  return { id: decodeRequestId(id), metric, limit, timeLeftMs };
}

export function encodeMetadataAnswer(answer: MetadataAnswer): Uint8Array {
  const { id, status } = answer;
  const base = { version: FEDERATION_VERSION, id, status: encodeStatus(status) };
  if ('refusal' in answer) return metadataAnswer.encode({ ...base, refusal: encodeRefusal(answer.refusal) });
  return metadataAnswer.encode({ ...base, families: [...answer.families], cut: answer.isCut });
}

/** Reads a domain's answer to a request for at most `limit` families, and refuses one that says more. */
export function decodeMetadataAnswer(
  bytes: Uint8Array,
  asked: Pick<MetadataQuery, 'id' | 'metric' | 'limit'>,
): MetadataAnswer {
  const message = decodeStrict(metadataAnswer, bytes, {
    fields: asked.limit + OTHER_FIELDS,
    counts: { [FAMILIES]: asked.limit },
    nested: {
      [STATUS]: statusBounds,
      [FAMILIES]: { fields: 4, bytes: { 1: LIMITS.labelBytes, 3: LIMITS.labelBytes, 4: HELP_BYTES } },
    },
  });
  const { id, families = [], refusal, cut = false } = message;
  assertAnswerTo(asked.id, id);
  const status = decodeStatus(message.status ?? null);
  if (refusal) {
    if (families.length > 0 || cut) throw new ComityError('bad_data', 'malformed MetadataAnswer: more than a refusal');
    return { id, status, refusal: decodeRefusal(refusal, 0) };
  }
  const read = families.map(({ metric, type, unit, help }) => {
    if (metric === '' || (asked.metric !== '' && metric !== asked.metric) || !TYPES.has(type)) {
      throw new ComityError('bad_data', 'malformed Family');
    }
    return { metric, type: type as MetricType, unit, help };
  });
  return { id, status, families: read, isCut: cut };
}

/** At least the fields of the messages that are not repeated. */
const OTHER_FIELDS = 8;

/** Numbers of MetadataAnswer's fields. */
const STATUS = 2;
const FAMILIES = 3;

/** Help is cut at its limit in characters, which can have three bytes each. */
const HELP_BYTES = 3 * LIMITS.helpBytes;

const TYPES: ReadonlySet<string> = new Set<MetricType>([
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
  'unknown',
]);

interface MetadataAnswerMessage extends Versioned {
  id: Uint8Array;
  status: StatusMessage | null;
  families?: { metric: string; type: string; unit: string; help: string }[];
  refusal?: RefusalMessage | null;
  cut?: boolean;
}
