import type { AdmittedAttributes, AdmittedResource, AdmittedScalar, AdmittedSpan } from '../model/span.ts';
import type { CountedAdmission } from '../policy/admit.ts';
import { admitSpans } from '../policy/admit-span.ts';
import { spansJson, type Json } from '../policy/admitted-json.ts';
import { valueText } from '../wire/otlp/any-value.ts';
import type { ExportTraceServiceRequest, KeyValue, Span } from '../wire/otlp/messages.ts';
import { changesOf, type Change } from './redact-diff.ts';

/** What admission makes of a request for spans. */
export interface RedactedSpans {
  readonly changes: readonly Change[];
  /** OTLP/JSON of what is stored. */
  readonly stored: Json;
  /** Spans without an id, of which nothing is stored. */
  readonly rejected: number;
}

export function redactSpans(request: ExportTraceServiceRequest, admission: CountedAdmission): RedactedSpans {
  const { resources, rejected } = admitSpans(request, admission);
  return { changes: changesOf(said(request), stored(resources)), stored: spansJson(resources), rejected };
}

function said({ resourceSpans }: ExportTraceServiceRequest): Map<string, string> {
  const found = places();
  for (const [i, { resource, schemaUrl, scopeSpans }] of resourceSpans.entries()) {
    found.text(`resource ${i} schema url`, schemaUrl);
    saidAttributes(found, `resource ${i}`, resource?.attributes ?? []);
    for (const [k, { scope, schemaUrl: scopeSchema, spans }] of scopeSpans.entries()) {
      const place = `scope ${i}.${k}`;
      found.text(`${place} name`, scope?.name ?? '');
      found.text(`${place} version`, scope?.version ?? '');
      found.text(`${place} schema url`, scopeSchema);
      saidAttributes(found, place, scope?.attributes ?? []);
      for (const span of spans) saidSpan(found, span);
    }
  }
  return found.all;
}

function saidSpan(found: Places, span: Span): void {
  const place = `span ${span.spanId}`;
  found.text(`${place} trace id`, span.traceId);
  found.text(`${place} parent id`, span.parentSpanId);
  found.text(`${place} trace state`, span.traceState);
  found.text(`${place} name`, span.name);
  found.text(`${place} status message`, span.status?.message ?? '');
  found.number(`${place} status code`, span.status?.code ?? 0);
  saidAttributes(found, place, span.attributes);
  for (const [i, event] of span.events.entries()) {
    found.text(`${place} event ${i} name`, event.name);
    saidAttributes(found, `${place} event ${i}`, event.attributes);
  }
  for (const link of span.links) {
    const linkPlace = `${place} link ${link.spanId}`;
    found.text(`${linkPlace} trace id`, link.traceId);
    found.text(`${linkPlace} trace state`, link.traceState);
    saidAttributes(found, linkPlace, link.attributes);
  }
}

function stored(resources: readonly AdmittedResource[]): Map<string, string> {
  const found = places();
  for (const [i, resource] of resources.entries()) {
    found.text(`resource ${i} schema url`, resource.schemaUrl);
    storedAttributes(found, `resource ${i}`, resource);
    for (const [k, scope] of resource.scopes.entries()) {
      const place = `scope ${i}.${k}`;
      found.text(`${place} name`, scope.name);
      found.text(`${place} version`, scope.version);
      found.text(`${place} schema url`, scope.schemaUrl);
      storedAttributes(found, place, scope);
      for (const span of scope.spans) storedSpan(found, span);
    }
  }
  return found.all;
}

function storedSpan(found: Places, span: AdmittedSpan): void {
  const place = `span ${span.spanId}`;
  found.text(`${place} trace id`, span.traceId);
  found.text(`${place} parent id`, span.parentSpanId);
  found.text(`${place} name`, span.name);
  found.number(`${place} status code`, span.statusCode);
  storedAttributes(found, place, span);
  for (const [i, event] of span.events.entries()) {
    found.text(`${place} event ${i} name`, event.name);
    storedAttributes(found, `${place} event ${i}`, event);
  }
  for (const link of span.links) {
    const linkPlace = `${place} link ${link.spanId}`;
    found.text(`${linkPlace} trace id`, link.traceId);
    storedAttributes(found, linkPlace, link);
  }
}

function saidAttributes(found: Places, place: string, attributes: readonly KeyValue[]): void {
  for (const { key, value } of attributes) {
    const text = value?.stringValue === undefined ? valueText(value) : JSON.stringify(value.stringValue);
    found.value(`${place} [${printable(key)}]`, text);
  }
}

function storedAttributes(found: Places, place: string, { attributes }: AdmittedAttributes): void {
  for (const { key, value } of attributes) {
    const text = value.type === 'array' ? `[${value.value.map(scalarText).join(',')}]` : scalarText(value);
    found.value(`${place} [${printable(key)}]`, text);
  }
}

function scalarText({ type, value }: AdmittedScalar): string {
  if (type === 'string') return JSON.stringify(value);
  return Object.is(value, -0) ? '-0' : String(value);
}

/** Without the marks around it, if nothing in it could be taken for something else. */
function printable(key: string): string {
  return /^[\w./-]+$/.test(key) ? key : JSON.stringify(key);
}

interface Places {
  readonly all: Map<string, string>;
  text(place: string, text: string): void;
  number(place: string, value: number): void;
  value(place: string, text: string): void;
}

function places(): Places {
  const all = new Map<string, string>();
  // The same may be said twice, as by two spans of one id.
  const add = (place: string, text: string): void => {
    let free = place;
    for (let i = 2; all.has(free); i++) free = `${place} (${i})`;
    all.set(free, text);
  };
  return {
    all,
    text: (place, text) => (text === '' ? undefined : add(place, JSON.stringify(text))),
    number: (place, value) => (value === 0 ? undefined : add(place, String(value))),
    value: add,
  };
}
