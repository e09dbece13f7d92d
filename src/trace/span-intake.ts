import { LIMITS } from '../base/limits.ts';
import { batchBuilder } from '../model/batch-builder.ts';
import type { Stream } from '../model/stream.ts';
import { isTooLong, quoted } from '../wire/sender-text.ts';
import type { KeyValue, Resource, Span } from '../wire/otlp/messages.ts';
import { rejections, type PointRejectReason, type Rejections } from '../wire/otlp/rejections.ts';
import { IDENTIFYING, resourceValues, streamOfValues } from '../wire/otlp/resource.ts';
import type { TranslateOptions, Translation } from '../wire/otlp/translation.ts';
import { addGroupRows, countSpan, startGroup, type SpanGroup, type SpanGroups } from './span-groups.ts';
import { spanName } from './span-name.ts';

/** What a resource gives to its spans. */
export interface SpanResource {
  /** Empty where it has none: then its spans are rejected. */
  readonly service: string;
  readonly stream: Stream;
  /** Equal for equal streams only. */
  readonly streamKey: string;
}

/** What is gathered of one request for spans. */
export interface SpanIntake {
  readonly options: TranslateOptions;
  readonly groups: SpanGroups;
  readonly rejected: Rejections;
  readonly streams: Map<string, Stream>;
  /** The groups that have spans in this request. */
  readonly active: SpanGroup[];
  /** Tells the request from all others of the same groups. */
  readonly request: number;
  lastStream: Stream | undefined;
  taken: number;
}

export function spanIntake(options: TranslateOptions, groups: SpanGroups): SpanIntake {
  const request = ++requests;
  return {
    options,
    groups,
    rejected: rejections(),
    streams: new Map(),
    active: [],
    request,
    lastStream: undefined,
    taken: 0,
  };
}

export function spanResource(resource: Resource | undefined, { admission }: TranslateOptions): SpanResource {
  const values = new Map<string, string>();
  for (const [key, text] of resourceValues(resource)) {
    const admitted = IDENTIFYING.has(key) ? admission.attribute(key, text) : undefined;
    if (admitted !== undefined) values.set(key, admitted);
  }
  const stream = streamOfValues(values);
  return {
    service: values.get('service.name') ?? '',
    stream,
    streamKey: JSON.stringify([stream.job, stream.instance]),
  };
}

/** Counts a span, or rejects it. */
export function addSpan(intake: SpanIntake, resource: SpanResource, span: Span): void {
  if (resource.service === '') {
    rejectSpan(intake, span, 'no_service', 'its resource has no service.name');
    return;
  }
  const fault = spanFault(span);
  if (fault !== undefined) {
    rejectSpan(intake, span, 'bad_span', fault);
    return;
  }
  const group = groupOf(intake, resource, span.attributes, span.kind, span.status?.code ?? 0);
  if (group === undefined) {
    rejectSpan(intake, span, 'label_too_long', `a label passes ${LIMITS.labelBytes} bytes`);
    return;
  }
  takeSpan(intake, resource, group, Number(span.endTimeUnixNano - span.startTimeUnixNano) / 1e9);
}

/** The group of a span with these attributes; undefined when a label of it would be too long. */
export function groupOf(
  { options, groups }: SpanIntake,
  { service, stream }: SpanResource,
  attributes: readonly KeyValue[],
  kind: number,
  status: number,
): SpanGroup | undefined {
  const name = spanName(attributes, kind, options.admission);
  if (isTooLong(name) || isTooLong(service) || isTooLong(stream.job)) return undefined;
  return groups.find({ service, job: stream.job, name, kind, status });
}

export function takeSpan(intake: SpanIntake, resource: SpanResource, group: SpanGroup, seconds: number): void {
  if (group.request !== intake.request) {
    startGroup(group, intake.request);
    intake.active.push(group);
  }
  countSpan(group, seconds);
  // Most resources come once in a request, with many spans.
  if (intake.lastStream !== resource.stream) {
    intake.lastStream = resource.stream;
    intake.streams.set(resource.streamKey, resource.stream);
  }
  intake.taken++;
}

/** Spans count when they arrive: their own times lie minutes apart and out of order. */
export function spanTranslation(intake: SpanIntake, nowMs: number): Translation {
  const builder = batchBuilder();
  for (const group of intake.active) addGroupRows(builder, group, nowMs);
  return {
    build: (delivery) => builder.build(delivery),
    adds: intake.active.length > 0,
    taken: intake.taken,
    rejected: intake.rejected.build(),
    streams: Array.from(intake.streams.values(), (stream) => ({
      ...stream,
      earliestMs: nowMs,
      latestMs: nowMs,
    })),
  };
}

let requests = 0;

function rejectSpan(intake: SpanIntake, span: Span, reason: PointRejectReason, detail: string): void {
  intake.rejected.add(reason, `span ${quoted(span.spanId)}: ${detail}`);
}

function spanFault(span: Span): string | undefined {
  if (span.startTimeUnixNano === 0n || span.endTimeUnixNano === 0n) return 'its start or end time is missing';
  if (span.endTimeUnixNano < span.startTimeUnixNano) return 'it ends before it starts';
  return undefined;
}
