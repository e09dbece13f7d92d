import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import type { SeriesExemplars } from '../../model/batch.ts';
import type { Matcher } from '../../model/matcher.ts';
import { packFloats, readFloats } from './blocks.ts';
import type { MatcherMessage } from './expr-message.ts';
import { decodeLabelSets, encodeLabelSets, labelSetsBounds, type LabelSetsMessage } from './label-sets-codec.ts';
import { decodeRefusal, encodeRefusal, type Refusal, type RefusalMessage } from './refusal-codec.ts';
import { assertAnswerTo, decodeRequestId } from './request-id.ts';
import { decodeSelectors, encodeSelectors } from './selectors-codec.ts';
import { decodeStatus, encodeStatus, statusBounds, type DomainStatus, type StatusMessage } from './status-codec.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

/** The exemplars in a time range, in ms, both ends included, of the series that one of the selectors picks. */
export interface ExemplarsQuery {
  readonly id: Uint8Array;
  /** At least one. */
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
  /** How long the hub still waits for the answer. */
  readonly timeLeftMs: number;
}

export type ExemplarsAnswer = { readonly id: Uint8Array; readonly status: DomainStatus } & (
  | {
      /** In order; each has an exemplar. */
      readonly series: readonly SeriesExemplars[];
      /** Whether there are more of them. */
      readonly isCut: boolean;
      /** Whether the policy may keep some back that the selectors pick, whatever there is. */
      readonly isSelective: boolean;
    }
  | { readonly refusal: Refusal }
);

const request = messageCodec<ExemplarsRequestMessage>('federation.proto', 'comity.federation.v1.ExemplarsRequest');
const answer = messageCodec<ExemplarsAnswerMessage>('federation.proto', 'comity.federation.v1.ExemplarsAnswer');

export function encodeExemplarsRequest({ selectors, ...rest }: ExemplarsQuery): Uint8Array {
  return request.encode({ version: FEDERATION_VERSION, ...rest, selectors: encodeSelectors(selectors) });
}

export function decodeExemplarsRequest(bytes: Uint8Array): ExemplarsQuery {
  const { id, fromMs, toMs, timeLeftMs, selectors } = decodeStrict(request, bytes, REQUEST_BOUNDS);
  return { id: decodeRequestId(id), fromMs, toMs, timeLeftMs, selectors: decodeSelectors(selectors) };
}

export function encodeExemplarsAnswer(given: ExemplarsAnswer): Uint8Array {
  const { id, status } = given;
  const base = { version: FEDERATION_VERSION, id, status: encodeStatus(status) };
  if ('refusal' in given) return answer.encode({ ...base, refusal: encodeRefusal(given.refusal) });
  const { series, isCut, isSelective } = given;
  const all = series.flatMap(({ exemplars }) => exemplars);
  return answer.encode({
    ...base,
    series: encodeLabelSets(series.map(({ labels }) => labels)),
    counts: series.map(({ exemplars }) => exemplars.length),
    labels: encodeLabelSets(all.map(({ labels }) => labels)),
    times: packFloats(Float64Array.from(all, ({ timeMs }) => timeMs)),
    values: packFloats(Float64Array.from(all, ({ value }) => value)),
    cut: isCut,
    selective: isSelective,
  });
}

/** Reads a domain's answer to a request for exemplars. */
export function decodeExemplarsAnswer(bytes: Uint8Array, asked: Pick<ExemplarsQuery, 'id'>): ExemplarsAnswer {
  const message = decodeStrict(answer, bytes, {
    fields: OTHER_FIELDS,
    nested: {
      [STATUS]: statusBounds,
      [SERIES]: labelSetsBounds(LIMITS.exemplars),
      [LABELS]: labelSetsBounds(LIMITS.exemplars),
    },
    bytes: { [COUNTS]: LIMITS.exemplars * 3, [TIMES]: LIMITS.exemplars * 8, [VALUES]: LIMITS.exemplars * 8 },
    // Packed, they are one field.
    counts: { [COUNTS]: 1 },
  });
  const { id, refusal, cut = false, selective = false } = message;
  assertAnswerTo(asked.id, id);
  const status = decodeStatus(message.status ?? null);
  if (refusal) {
    if (message.series || message.labels || cut || selective) throw malformed('more than a refusal');
    return { id, status, refusal: decodeRefusal(refusal, 0) };
  }
  return { id, status, series: decodeSeries(message), isCut: cut, isSelective: selective };
}

function decodeSeries({ series, labels, counts = [], times, values }: ExemplarsAnswerMessage): SeriesExemplars[] {
  if (!series || !labels || times === undefined || values === undefined) throw malformed('nothing to read');
  const sets = decodeLabelSets(series);
  const own = decodeLabelSets(labels);
  const timesOf = readFloats(times, 'times');
  const valuesOf = readFloats(values, 'values');
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (counts.length !== sets.length || counts.includes(0)) throw malformed('counts');
  if (total !== own.length || total !== timesOf.length || total !== valuesOf.length) throw malformed('exemplars');
  if (!timesOf.every(Number.isSafeInteger)) throw malformed('times');
  let at = 0;
  return sets.map((set, i) => ({
    labels: set,
    exemplars: Array.from({ length: counts[i]! }, () => {
      const one = { timeMs: timesOf[at]!, value: valuesOf[at]!, labels: own[at]! };
      at++;
      return one;
    }),
  }));
}

function malformed(what: string): ComityError {
  return new ComityError('bad_data', `malformed ExemplarsAnswer: ${what}`);
}

/** At least the fields of the messages that are not repeated. */
const OTHER_FIELDS = 12;

const REQUEST_BOUNDS = { fields: LIMITS.selectorsPerRequest + OTHER_FIELDS };

/** Numbers of ExemplarsAnswer's fields. */
const STATUS = 2;
const SERIES = 3;
const COUNTS = 4;
const LABELS = 5;
const TIMES = 6;
const VALUES = 7;

interface ExemplarsRequestMessage extends Versioned {
  id: Uint8Array;
  selectors: { matchers: readonly MatcherMessage[] }[];
  fromMs: number;
  toMs: number;
  timeLeftMs: number;
}

interface ExemplarsAnswerMessage extends Versioned {
  id: Uint8Array;
  status: StatusMessage | null;
  series?: LabelSetsMessage | null;
  counts?: number[];
  labels?: LabelSetsMessage | null;
  times?: Uint8Array;
  values?: Uint8Array;
  refusal?: RefusalMessage | null;
  cut?: boolean;
  selective?: boolean;
}
