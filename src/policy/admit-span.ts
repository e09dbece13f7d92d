import type {
  AdmittedAttribute,
  AdmittedAttributes,
  AdmittedEvent,
  AdmittedLink,
  AdmittedResource,
  AdmittedScope,
  AdmittedSpan,
} from '../model/span.ts';
import { spanName } from '../trace/span-name.ts';
import type {
  ExportTraceServiceRequest,
  InstrumentationScope,
  ResourceSpans,
  ScopeSpans,
  Span,
  SpanEvent,
  SpanLink,
} from '../wire/otlp/messages.ts';
import { SPAN_KINDS, STATUS_CODES } from '../wire/otlp/messages.ts';
import { admitAttributes } from './admit-attributes.ts';
import type { AdmitAction } from './admit-counts.ts';
import { OTHER } from './admit-values.ts';
import type { CountedAdmission } from './admit.ts';

/** What may be kept of a request for spans. */
export interface AdmittedSpans {
  readonly resources: readonly AdmittedResource[];
  /** Spans of which nothing is kept, for their ids are none. */
  readonly rejected: number;
}

/**
 * Admits whole spans: attributes of resources, scopes, spans, events and links by the tables, and of what else a span says
 * only what has a form of its own. Names are made anew, status messages and trace states dropped, ids checked, and whatever
 * the conventions do not know is left out.
 */
export function admitSpans(request: ExportTraceServiceRequest, admission: CountedAdmission): AdmittedSpans {
  const admit = spanAdmission(admission);
  const resources = request.resourceSpans.map((part) => admit.resource(part));
  return { resources, rejected: admit.rejected() };
}

/** The most events and links of one span: what SDKs send unless they are told otherwise. */
const EVENTS_MAX = 128;
const LINKS_MAX = 128;

function spanAdmission(admission: CountedAdmission) {
  let rejected = 0;

  function count(rule: string, reason: string, action: AdmitAction): void {
    admission.counters.of('span', rule, reason, action).count++;
  }

  function dropText(rule: string, text: string): void {
    if (text !== '') count(rule, 'prohibited', 'dropped');
  }

  function resource(part: ResourceSpans): AdmittedResource {
    return {
      ...admitAttributes(part.resource?.attributes ?? [], admission),
      schemaUrl: schemaUrl(part.schemaUrl),
      scopes: part.scopeSpans.map(scope),
    };
  }

  function scope(part: ScopeSpans): AdmittedScope {
    const { name = '', version = '', attributes = [] }: Partial<InstrumentationScope> = part.scope ?? {};
    return {
      name: name === '' ? '' : (admission.attribute('otel.scope.name', name) ?? ''),
      version: version === '' ? '' : (admission.attribute('otel.scope.version', version) ?? ''),
      ...admitAttributes(attributes, admission),
      schemaUrl: schemaUrl(part.schemaUrl),
      spans: part.spans.map(span).filter((one) => one !== undefined),
    };
  }

  function span(one: Span): AdmittedSpan | undefined {
    if (!isId(one.traceId, TRACE_ID_DIGITS) || !isId(one.spanId, SPAN_ID_DIGITS)) {
      rejected++;
      count('id', 'pattern', 'dropped');
      return undefined;
    }
    const events = one.events.slice(0, EVENTS_MAX).map(event);
    const links = one.links.slice(0, LINKS_MAX).flatMap((candidate) => link(candidate) ?? []);
    const kind = known(one.kind, SPAN_KINDS, 'kind');
    const admitted = admitAttributes(one.attributes, admission);
    dropText('trace state', one.traceState);
    dropText('status message', one.status?.message ?? '');
    return {
      traceId: one.traceId,
      spanId: one.spanId,
      parentSpanId: parentId(one.parentSpanId),
      flags: one.flags & FLAGS,
      name: name(one, kind, admitted),
      kind,
      startTimeUnixNano: one.startTimeUnixNano,
      endTimeUnixNano: one.endTimeUnixNano,
      statusCode: known(one.status?.code ?? 0, STATUS_CODES, 'status code'),
      ...admitted,
      events,
      droppedEvents: one.events.length - events.length,
      links,
      droppedLinks: one.links.length - links.length,
    };
  }

  /** The name by which the span's metrics know it too; what the sender called it is gone. */
  function name(one: Span, kind: number, { attributes }: AdmittedAttributes): string {
    const made = spanName(one.attributes, kind, { attribute: (key) => textOf(attributes, key) });
    if (one.name !== made && one.name !== '') count('name', 'prohibited', 'other');
    return made;
  }

  function event(one: SpanEvent): AdmittedEvent {
    const isKnown = EVENT_NAMES.has(one.name);
    count('event name', isKnown ? 'public' : 'unknown', isKnown ? 'kept' : 'other');
    return {
      timeUnixNano: one.timeUnixNano,
      name: isKnown ? one.name : OTHER,
      ...admitAttributes(one.attributes, admission),
    };
  }

  function link(one: SpanLink): AdmittedLink | undefined {
    dropText('trace state', one.traceState);
    if (!isId(one.traceId, TRACE_ID_DIGITS) || !isId(one.spanId, SPAN_ID_DIGITS)) {
      count('id', 'pattern', 'dropped');
      return undefined;
    }
    return {
      traceId: one.traceId,
      spanId: one.spanId,
      flags: one.flags & FLAGS,
      ...admitAttributes(one.attributes, admission),
    };
  }

  function parentId(id: string): string {
    if (id === '' || isId(id, SPAN_ID_DIGITS)) return id;
    count('id', 'pattern', 'dropped');
    return '';
  }

  function schemaUrl(url: string): string {
    if (url === '' || SCHEMA_URL.test(url)) return url;
    count('schema url', 'pattern', 'dropped');
    return '';
  }

  /** The number, if OTLP has a name for it. */
  function known(number: number, names: readonly string[], rule: string): number {
    if (names[number] !== undefined) return number;
    count(rule, 'unknown', 'other');
    return 0;
  }

  return { resource, rejected: () => rejected };
}

function textOf(attributes: readonly AdmittedAttribute[], key: string): string | undefined {
  const value = attributes.find((attribute) => attribute.key === key)?.value;
  return value === undefined || value.type === 'array' ? undefined : String(value.value);
}

const TRACE_ID_DIGITS = 32;
const SPAN_ID_DIGITS = 16;

function isId(id: string, digits: number): boolean {
  return id.length === digits && /^[0-9a-f]+$/.test(id) && !/^0+$/.test(id);
}

/** The W3C trace flags, and whether it is known that the parent is remote and whether it is (`SpanFlags` of OTLP). */
const FLAGS = 0x3ff;

/** Schemas of the conventions (https://opentelemetry.io/docs/specs/otel/schemas/). */
const SCHEMA_URL = /^https:\/\/opentelemetry\.io\/schemas\/[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/;

/** The events of spans that the conventions name; any other may be a line of a log. */
const EVENT_NAMES: ReadonlySet<string> = new Set([
  'exception',
  'message',
  'feature_flag',
  'feature_flag.evaluation',
  'rpc.message',
  'gen_ai.client.inference.operation.details',
  'gen_ai.evaluation.result',
  'gen_ai.system.message',
  'gen_ai.user.message',
  'gen_ai.assistant.message',
  'gen_ai.tool.message',
  'gen_ai.choice',
  'az.resource.log',
  'app.crash',
  'app.jank',
  'app.screen.click',
  'app.widget.click',
  'browser.web_vital',
  'device.app.lifecycle',
  'session.start',
  'session.end',
]);
