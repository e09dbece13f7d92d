import { compress } from 'snappyjs';
import { setStaleAt } from '../../src/model/series.ts';
import { encodeWriteRequest } from '../oracle/remote-write.ts';
import {
  cellOf,
  delayOf,
  deltaOf,
  nativeDeltaOf,
  nativeOf,
  SCHEMA,
  valueOf,
  type Kind,
  type Schedule,
  type Series,
} from './schedule.ts';

/** One request of a round. */
export interface Request {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly samples: number;
}

/** Kinds that go into one request; each round has a request of each group. */
export const GROUPS: readonly (readonly Kind[])[] = [
  ['counter'],
  ['gauge', 'churn'],
  ['otlp_gauge', 'otlp_sum'],
  ['histogram'],
  ['delta', 'delta_histogram'],
];

export function groupOf(kind: Kind): number {
  return GROUPS.findIndex((kinds) => kinds.includes(kind));
}

/** The request of a group in a round; undefined when there is nothing to send. */
export function makeRequest(schedule: Schedule, group: number, round: number): Request | undefined {
  const parts: { series: Series; rounds: readonly number[] }[] = [];
  let samples = 0;
  for (const series of seriesOf(schedule, group, round)) {
    const rounds = roundsSentWith(schedule, series, round);
    if (rounds.length === 0) continue;
    parts.push({ series, rounds });
    samples += rounds.length;
  }
  if (samples === 0) return undefined;
  const request = group < 2 ? remoteWrite(schedule, parts) : otlp(schedule, parts);
  return { ...request, samples };
}

/** The series of a group that may have something to send in a round. */
function* seriesOf({ lasting, slots, inSlot, delayMax }: Schedule, group: number, round: number): Iterable<Series> {
  const kinds = GROUPS[group]!;
  for (const series of lasting) if (kinds.includes(series.kind)) yield series;
  if (!kinds.includes('churn')) return;
  for (let slot = 0; slot < slots; slot++) {
    let series = inSlot(slot, Math.max(0, round - delayMax));
    yield series;
    while (series.lastRound < round) {
      series = inSlot(slot, series.lastRound + 1);
      yield series;
    }
  }
}

/** In order of time. */
function roundsSentWith(schedule: Schedule, series: Series, round: number): readonly number[] {
  const rounds: number[] = [];
  for (let of = Math.max(0, round - schedule.delayMax); of <= round; of++) {
    if (delayOf(schedule, series, of) === round - of && cellOf(schedule, series, of) !== 'none') rounds.push(of);
  }
  return rounds;
}

type Parts = readonly { readonly series: Series; readonly rounds: readonly number[] }[];

function remoteWrite(schedule: Schedule, parts: Parts): Omit<Request, 'samples'> {
  const columns = parts.map(({ series, rounds }) => {
    const values = Float64Array.from(rounds, (round) => valueOf(schedule, series, round));
    for (const [i, round] of rounds.entries()) {
      if (cellOf(schedule, series, round) === 'stale') setStaleAt(values, i);
    }
    const times = Float64Array.from(rounds, (round) => schedule.timeOf(series, round));
    return { labels: series.labels, times, values };
  });
  return {
    path: '/api/v1/write',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    },
    body: Buffer.from(compress(encodeWriteRequest(columns))),
  };
}

const CUMULATIVE = 2;
const DELTA = 1;
/** The flag of a data point that says there is none any more. */
const NO_RECORDED_VALUE = 1;

function otlp(schedule: Schedule, parts: Parts): Omit<Request, 'samples'> {
  const points = new Map<Kind, unknown[]>();
  for (const { series, rounds } of parts) {
    let list = points.get(series.kind);
    if (list === undefined) points.set(series.kind, (list = []));
    for (const round of rounds) list.push(dataPoint(schedule, series, round));
  }
  const metrics = [...points].map(([kind, dataPoints]) => {
    const isMonotonic = true;
    switch (kind) {
      case 'otlp_sum':
        return { name: 'soak_otlp_sum', sum: { aggregationTemporality: CUMULATIVE, isMonotonic, dataPoints } };
      case 'delta':
        return { name: 'soak_delta', sum: { aggregationTemporality: DELTA, isMonotonic, dataPoints } };
      case 'histogram':
        return { name: 'soak_latency', exponentialHistogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
      case 'delta_histogram':
        return { name: 'soak_delta_latency', exponentialHistogram: { aggregationTemporality: DELTA, dataPoints } };
      default:
        return { name: 'soak_otlp_gauge', gauge: { dataPoints } };
    }
  });
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'soak' } }] };
  return {
    path: '/v1/metrics',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] })),
  };
}

function dataPoint(schedule: Schedule, series: Series, round: number): unknown {
  const attributes = [
    { key: 'series', value: { stringValue: series.key } },
    { key: 'bucket', value: { stringValue: `b${series.bucket}` } },
  ];
  const timeUnixNano = `${schedule.timeOf(series, round)}000000`;
  if (cellOf(schedule, series, round) === 'stale') return { attributes, timeUnixNano, flags: NO_RECORDED_VALUE };
  const startMs = schedule.timeOf(series, round) - schedule.stepMs;
  const startTimeUnixNano = `${startMs}000000`;
  switch (series.kind) {
    case 'histogram': {
      // The start of a cumulative series says when it began; unknown here.
      return { attributes, timeUnixNano, ...exponential(nativeOf(series, round)) };
    }
    case 'delta_histogram':
      return { attributes, timeUnixNano, startTimeUnixNano, ...exponential(nativeDeltaOf(series, round)) };
    case 'delta':
      return { attributes, timeUnixNano, startTimeUnixNano, asDouble: deltaOf(series.number, round) };
    default:
      return { attributes, timeUnixNano, asDouble: valueOf(schedule, series, round) };
  }
}

function exponential({ counts, count, sum }: ReturnType<typeof nativeOf>): object {
  return { count: String(count), sum, scale: SCHEMA, positive: { offset: 0, bucketCounts: counts.map(String) } };
}
