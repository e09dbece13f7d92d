import type { Matcher } from '../../src/model/matcher.ts';
import {
  decodeExemplarsAnswer,
  decodeExemplarsRequest,
  encodeExemplarsAnswer,
  encodeExemplarsRequest,
} from '../../src/plan/frames/exemplars-codec.ts';
import {
  decodeMetadataAnswer,
  decodeMetadataRequest,
  encodeMetadataAnswer,
  encodeMetadataRequest,
} from '../../src/plan/frames/metadata-codec.ts';
import {
  decodeSeriesAnswer,
  decodeSeriesRequest,
  encodeSeriesAnswer,
  encodeSeriesRequest,
} from '../../src/plan/frames/series-codec.ts';
import type { DomainStatus } from '../../src/plan/frames/status-codec.ts';
import { REQUEST_ID as ID } from './beside.ts';

/** A message whose bytes are kept in fixtures/federation, with what it says beside it. */
export interface Golden {
  readonly name: string;
  encode(): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

const SELECTORS: readonly (readonly Matcher[])[] = [
  [{ name: '__name__', op: '=', value: 'up' }],
  [{ name: 'a', op: '!~', value: 'b|c' }],
];
const TIMES = { fromMs: Number.MIN_SAFE_INTEGER, toMs: 1_767_225_600_000, timeLeftMs: 9_500 };
const UP = ['__name__', 'up', 'domain', 'eu-west', 'job', 'büro'];
const QUEUE = ['__name__', 'queue', 'domain', 'eu-west'];

/** The messages of lists. */
export function listGoldens(status: DomainStatus): readonly Golden[] {
  const about = { id: ID, status };
  return [
    {
      name: 'series-request',
      encode: () => encodeSeriesRequest({ id: ID, selectors: SELECTORS, ...TIMES, limit: 100 }),
      decode: decodeSeriesRequest,
    },
    {
      name: 'series-answer',
      encode: () => encodeSeriesAnswer({ ...about, series: [QUEUE, UP], isCut: true, isSelective: true }),
      decode: (bytes) => decodeSeriesAnswer(bytes, { id: ID, limit: 2 }),
    },
    {
      name: 'series-refused',
      encode: () => encodeSeriesAnswer({ ...about, refusal: { code: 'class_aggregate', name: 'm' } }),
      decode: (bytes) => decodeSeriesAnswer(bytes, { id: ID, limit: 2 }),
    },
    {
      name: 'metadata-request',
      encode: () => encodeMetadataRequest({ id: ID, metric: 'up', limit: 10, timeLeftMs: 9_500 }),
      decode: decodeMetadataRequest,
    },
    {
      name: 'metadata-answer',
      encode: () =>
        encodeMetadataAnswer({
          ...about,
          families: [
            { metric: 'latency_seconds', type: 'histogram', unit: 'seconds', help: 'How long it took.' },
            { metric: 'up', type: 'gauge', unit: '', help: '' },
          ],
          isCut: true,
        }),
      decode: (bytes) => decodeMetadataAnswer(bytes, { id: ID, metric: '', limit: 2 }),
    },
    {
      name: 'metadata-refused',
      encode: () => encodeMetadataAnswer({ ...about, refusal: { code: 'unsupported', name: '' } }),
      decode: (bytes) => decodeMetadataAnswer(bytes, { id: ID, metric: '', limit: 2 }),
    },
    {
      name: 'exemplars-request',
      encode: () => encodeExemplarsRequest({ id: ID, selectors: SELECTORS, ...TIMES }),
      decode: decodeExemplarsRequest,
    },
    {
      name: 'exemplars-answer',
      encode: () =>
        encodeExemplarsAnswer({
          ...about,
          series: [
            {
              labels: QUEUE,
              exemplars: [
                { timeMs: 1_767_225_600_000, value: 0.25, labels: ['trace_id', '4bf9'] },
                { timeMs: 1_767_225_600_001, value: -Infinity, labels: [] },
              ],
            },
            { labels: UP, exemplars: [{ timeMs: -1, value: NaN, labels: ['trace_id', '4bf9'] }] },
          ],
          isCut: false,
          isSelective: true,
        }),
      decode: (bytes) => decodeExemplarsAnswer(bytes, { id: ID }),
    },
    {
      name: 'exemplars-refused',
      encode: () => encodeExemplarsAnswer({ ...about, refusal: { code: 'matcher_not_permitted', name: 'user' } }),
      decode: (bytes) => decodeExemplarsAnswer(bytes, { id: ID }),
    },
  ];
}
