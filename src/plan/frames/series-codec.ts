import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { MatcherMessage } from './expr-message.ts';
import { decodeLabelSets, encodeLabelSets, labelSetsBounds, type LabelSetsMessage } from './label-sets-codec.ts';
import { decodeRefusal, encodeRefusal, type Refusal, type RefusalMessage } from './refusal-codec.ts';
import { assertAnswerTo, decodeRequestId } from './request-id.ts';
import { decodeSelectors, encodeSelectors } from './selectors-codec.ts';
import { decodeStatus, encodeStatus, statusBounds, type DomainStatus, type StatusMessage } from './status-codec.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

/** Which series there are in a time range, in ms, both ends included: those that one of the selectors picks. */
export interface SeriesQuery {
  readonly id: Uint8Array;
  /** At least one. */
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
  /** How long the hub still waits for the answer. */
  readonly timeLeftMs: number;
}

export type SeriesAnswer = { readonly id: Uint8Array; readonly status: DomainStatus } & (
  | {
      /** In order. */
      readonly series: readonly Labels[];
      /** Whether there are more of them. */
      readonly isCut: boolean;
      /** Whether the policy may keep series back that the selectors pick, whatever there is. */
      readonly isSelective: boolean;
    }
  | { readonly refusal: Refusal }
);

const seriesRequest = messageCodec<SeriesRequestMessage>('federation.proto', 'comity.federation.v1.SeriesRequest');
const seriesAnswer = messageCodec<SeriesAnswerMessage>('federation.proto', 'comity.federation.v1.SeriesAnswer');

export function encodeSeriesRequest({ selectors, ...rest }: SeriesQuery): Uint8Array {
  return seriesRequest.encode({ version: FEDERATION_VERSION, ...rest, selectors: encodeSelectors(selectors) });
}

export function decodeSeriesRequest(bytes: Uint8Array): SeriesQuery {
  const { id, fromMs, toMs, limit, timeLeftMs, selectors } = decodeStrict(seriesRequest, bytes, REQUEST_BOUNDS);
  return { id: decodeRequestId(id), fromMs, toMs, limit, timeLeftMs, selectors: decodeSelectors(selectors) };
}

export function encodeSeriesAnswer(answer: SeriesAnswer): Uint8Array {
  const { id, status } = answer;
  const base = { version: FEDERATION_VERSION, id, status: encodeStatus(status) };
  if ('refusal' in answer) return seriesAnswer.encode({ ...base, refusal: encodeRefusal(answer.refusal) });
  const { series, isCut, isSelective } = answer;
  return seriesAnswer.encode({ ...base, series: encodeLabelSets(series), cut: isCut, selective: isSelective });
}

/** Reads a domain's answer to a request for at most `limit` series, and refuses one that says more. */
export function decodeSeriesAnswer(bytes: Uint8Array, asked: Pick<SeriesQuery, 'id' | 'limit'>): SeriesAnswer {
  const bounds = { fields: OTHER_FIELDS, nested: { [STATUS]: statusBounds, [SERIES]: labelSetsBounds(asked.limit) } };
  const message = decodeStrict(seriesAnswer, bytes, bounds);
  const { id, series, refusal, cut = false, selective = false } = message;
  assertAnswerTo(asked.id, id);
  const status = decodeStatus(message.status ?? null);
  if (refusal) {
    if (series || cut || selective) throw new ComityError('bad_data', 'malformed SeriesAnswer: more than a refusal');
    return { id, status, refusal: decodeRefusal(refusal, 0) };
  }
  if (!series || series.pairs.length > asked.limit) throw new ComityError('bad_data', 'malformed SeriesAnswer: series');
  return { id, status, series: decodeLabelSets(series), isCut: cut, isSelective: selective };
}

/** At least the fields of the messages that are not repeated. */
const OTHER_FIELDS = 8;

const REQUEST_BOUNDS = { fields: LIMITS.selectorsPerRequest + OTHER_FIELDS };

/** Numbers of SeriesAnswer's fields. */
const STATUS = 2;
const SERIES = 3;

interface SeriesRequestMessage extends Versioned {
  id: Uint8Array;
  selectors: { matchers: readonly MatcherMessage[] }[];
  fromMs: number;
  toMs: number;
  limit: number;
  timeLeftMs: number;
}

interface SeriesAnswerMessage extends Versioned {
  id: Uint8Array;
  status: StatusMessage | null;
  series?: LabelSetsMessage | null;
  refusal?: RefusalMessage | null;
  cut?: boolean;
  selective?: boolean;
}
