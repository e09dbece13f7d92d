import { LIMITS } from '../base/limits.ts';
import { batchBuilder, type BatchBuilder } from '../model/batch-builder.ts';
import { ADD } from '../model/batch.ts';
import { labelsFrom, type Labels } from '../model/labels.ts';
import { valueText } from '../wire/otlp/any-value.ts';
import { isTooLong, namedLabels, resourceLabels, type ResourceLabels, type Stream } from '../wire/otlp/attributes.ts';
import { SPAN_KINDS, STATUS_CODES, type ExportTraceServiceRequest, type Span } from '../wire/otlp/messages.ts';
import { plainDecimal } from '../wire/otlp/numbers.ts';
import { quoted, rejections } from '../wire/otlp/rejections.ts';
import type { Translation } from '../wire/otlp/translate.ts';
import { spanName } from './span-name.ts';

const CALLS = 'traces_spanmetrics_calls_total';
const LATENCY = 'traces_spanmetrics_latency';

/** Upper bounds of the latency histogram in seconds, those of Tempo's metrics generator. */
export const LATENCY_BOUNDS_SECONDS: readonly number[] = [
  0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384,
];

export interface SpanMetricsOptions {
  /** The name of the domain: the value of the domain label. */
  readonly domain: string;
  readonly domainLabel: string;
  /** The time of the rows. Spans count when they arrive: their own times lie minutes apart and out of order. */
  readonly nowMs: number;
}

/**
 * Request rate, errors and duration from spans, with Tempo's names: `traces_spanmetrics_calls_total` and the classic
 * histogram `traces_spanmetrics_latency` in seconds, by `service`, `job`, `span_name`, `span_kind` and `status_code`.
 * Every series has one row of mode ADD, whatever the number of its spans. A span without a service, or that ends before
 * it starts, is rejected.
 */
export function spanMetrics(request: ExportTraceServiceRequest, options: SpanMetricsOptions): Translation {
  const rejected = rejections();
  const groups = new Map<string, Group>();
  const streams = new Map<string, Stream>();
  let taken = 0;
  for (const part of request.resourceSpans) {
    const resource = resourceLabels(part.resource, options);
    const service = serviceOf(resource);
    for (const scope of part.scopeSpans) {
      for (const span of scope.spans) {
        if (service === '') {
          rejected.add('no_service', `span ${quoted(span.spanId)}: its resource has no service.name`);
          continue;
        }
        const fault = spanFault(span);
        if (fault !== undefined) {
          rejected.add('bad_span', `span ${quoted(span.spanId)}: ${fault}`);
          continue;
        }
        const name = spanName(span);
        if (isTooLong(name) || isTooLong(service) || isTooLong(resource.job)) {
          rejected.add('label_too_long', `span ${quoted(span.spanId)}: a label passes ${LIMITS.labelBytes} bytes`);
          continue;
        }
        count(groups, span, name, service, resource);
        streams.set(JSON.stringify([resource.job, resource.instance]), {
          job: resource.job,
          instance: resource.instance,
        });
        taken++;
      }
    }
  }
  const builder = batchBuilder();
  for (const group of groups.values()) addRows(builder, group, options.nowMs);
  return { batch: builder.build(), taken, rejected: rejected.build(), streams: [...streams.values()] };
}

/** The spans of one request that share all labels. */
interface Group {
  /** Without the metric name. */
  readonly labels: Labels;
  calls: number;
  seconds: number;
  /** Spans by the first bound that holds them; the last entry holds those beyond all bounds. */
  readonly buckets: number[];
}

function serviceOf(resource: ResourceLabels): string {
  const attribute = resource.attributes.find(({ key }) => key === 'service.name');
  return valueText(attribute?.value);
}

function spanFault(span: Span): string | undefined {
  if (span.startTimeUnixNano === 0n || span.endTimeUnixNano === 0n) return 'its start or end time is missing';
  if (span.endTimeUnixNano < span.startTimeUnixNano) return 'it ends before it starts';
  return undefined;
}

function count(groups: Map<string, Group>, span: Span, name: string, service: string, resource: ResourceLabels): void {
  const kind = SPAN_KINDS[span.kind] ?? SPAN_KINDS[0];
  const status = STATUS_CODES[span.status?.code ?? 0] ?? STATUS_CODES[0];
  const key = JSON.stringify([service, resource.job, name, kind, status]);
  let group = groups.get(key);
  if (group === undefined) {
    const labels = labelsFrom([
      ['service', service],
      ['job', resource.job],
      ['span_name', name],
      ['span_kind', kind],
      ['status_code', status],
      [resource.domainLabel, resource.domain],
    ]);
    const buckets = [...LATENCY_BOUNDS_SECONDS, Infinity].map(() => 0);
    group = { labels, calls: 0, seconds: 0, buckets };
    groups.set(key, group);
  }
  const seconds = Number(span.endTimeUnixNano - span.startTimeUnixNano) / 1e9;
  const at = LATENCY_BOUNDS_SECONDS.findIndex((bound) => seconds <= bound);
  const bucket = at < 0 ? LATENCY_BOUNDS_SECONDS.length : at;
  group.calls++;
  group.seconds += seconds;
  group.buckets[bucket]! += 1;
}

/** Buckets without a span get their row too: a histogram without all of its buckets gives wrong quantiles. */
function addRows(builder: BatchBuilder, group: Group, nowMs: number): void {
  const { labels, calls, seconds, buckets } = group;
  builder.add(namedLabels(labels, CALLS), nowMs, calls, ADD);
  builder.add(namedLabels(labels, `${LATENCY}_sum`), nowMs, seconds, ADD);
  builder.add(namedLabels(labels, `${LATENCY}_count`), nowMs, calls, ADD);
  let below = 0;
  for (const [i, bound] of LATENCY_BOUNDS_SECONDS.entries()) {
    below += buckets[i]!;
    builder.add(namedLabels(labels, `${LATENCY}_bucket`, 'le', plainDecimal(bound)), nowMs, below, ADD);
  }
  builder.add(namedLabels(labels, `${LATENCY}_bucket`, 'le', '+Inf'), nowMs, calls, ADD);
}
