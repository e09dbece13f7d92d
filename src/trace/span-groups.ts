import type { BatchBuilder } from '../model/batch-builder.ts';
import { ADD, seriesHandle, type SeriesHandle } from '../model/batch.ts';
import { labelsFrom, type Labels } from '../model/labels.ts';
import { namedLabels } from '../wire/otlp/attributes.ts';
import { SPAN_KINDS, STATUS_CODES } from '../wire/otlp/messages.ts';
import { plainDecimal } from '../wire/otlp/numbers.ts';
import type { TranslateOptions } from '../wire/otlp/translation.ts';

const CALLS = 'traces_spanmetrics_calls_total';
const LATENCY = 'traces_spanmetrics_latency';

/** Upper bounds of the latency histogram in seconds, those of Tempo's metrics generator. */
export const LATENCY_BOUNDS_SECONDS: readonly number[] = [
  0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384,
];

/** The spans of one request that share all labels. */
export interface SpanGroup {
  /** Of `_calls_total`, `_sum`, `_count`, one bucket for each bound and the one of +Inf. */
  readonly handles: readonly SeriesHandle[];
  /** The request that the numbers below are of. */
  request: number;
  calls: number;
  seconds: number;
  /** Spans by the first bound that holds them; the last entry holds those beyond all bounds. */
  readonly buckets: number[];
}

/** What tells groups apart. */
export interface SpanGroupKey {
  readonly service: string;
  readonly job: string;
  readonly name: string;
  readonly kind: number;
  readonly status: number;
}

/** The groups of all requests so far, kept for their handles. */
export interface SpanGroups {
  /** The one group of these labels. */
  find(key: SpanGroupKey): SpanGroup;
  readonly size: number;
}

export function spanGroups(options: TranslateOptions): SpanGroups {
  const groups = new Map<string, SpanGroup>();
  return {
    find({ service, job, name, kind, status }) {
      const kindName = SPAN_KINDS[kind] ?? SPAN_KINDS[0];
      const statusName = STATUS_CODES[status] ?? STATUS_CODES[0];
      const key = JSON.stringify([service, job, name, kindName, statusName]);
      const known = groups.get(key);
      if (known !== undefined) return known;
      const labels = labelsFrom([
        ['service', service],
        ['job', job],
        ['span_name', name],
        ['span_kind', kindName],
        ['status_code', statusName],
        [options.domainLabel, options.domain],
      ]);
      const group = { handles: handlesOf(labels, options), request: 0, calls: 0, seconds: 0, buckets: noSpans() };
      groups.set(key, group);
      return group;
    },
    get size() {
      return groups.size;
    },
  };
}

/** Counts a span that took so many seconds. */
export function countSpan(group: SpanGroup, seconds: number): void {
  let at = 0;
  while (at < LATENCY_BOUNDS_SECONDS.length && !(seconds <= LATENCY_BOUNDS_SECONDS[at]!)) at++;
  group.calls++;
  group.seconds += seconds;
  group.buckets[at]! += 1;
}

/** Starts a group's numbers for a request. */
export function startGroup(group: SpanGroup, request: number): void {
  group.request = request;
  group.calls = 0;
  group.seconds = 0;
  group.buckets.fill(0);
}

/** Buckets without a span get their row too: a histogram without all of its buckets gives wrong quantiles. */
export function addGroupRows(builder: BatchBuilder, group: SpanGroup, nowMs: number): void {
  const { handles, calls, seconds, buckets } = group;
  const row = (index: number, value: number): void =>
    builder.sample(builder.series(handles[index]!), nowMs, value, ADD);
  builder.beginPoint();
  row(0, calls);
  row(1, seconds);
  row(2, calls);
  let below = 0;
  for (let i = 0; i < buckets.length; i++) {
    below += buckets[i]!;
    row(FIRST_BUCKET + i, below);
  }
  builder.endPoint();
}

const FIRST_BUCKET = 3;

function noSpans(): number[] {
  return [...LATENCY_BOUNDS_SECONDS, Infinity].map(() => 0);
}

function handlesOf(labels: Labels, options: TranslateOptions): SeriesHandle[] {
  const handle = (name: string, le?: string): SeriesHandle =>
    seriesHandle(
      options.admission.series(le === undefined ? namedLabels(labels, name) : namedLabels(labels, name, 'le', le)),
    );
  return [
    handle(CALLS),
    handle(`${LATENCY}_sum`),
    handle(`${LATENCY}_count`),
    ...LATENCY_BOUNDS_SECONDS.map((bound) => handle(`${LATENCY}_bucket`, plainDecimal(bound))),
    handle(`${LATENCY}_bucket`, '+Inf'),
  ];
}
