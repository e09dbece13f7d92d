import type {
  AdmittedAttributes,
  AdmittedEvent,
  AdmittedLink,
  AdmittedResource,
  AdmittedScalar,
  AdmittedScope,
  AdmittedSpan,
  AdmittedValue,
} from '../model/span.ts';

/** A value of JSON. */
export type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };

/** Admitted spans as OTLP/JSON, a request that can be sent on. What is empty or zero is left out. */
export function spansJson(resources: readonly AdmittedResource[]): Json {
  return { resourceSpans: resources.map(resourceJson) };
}

function resourceJson(resource: AdmittedResource): Json {
  return {
    resource: attributesJson(resource),
    scopeSpans: resource.scopes.map(scopeJson),
    ...text('schemaUrl', resource.schemaUrl),
  };
}

function scopeJson(scope: AdmittedScope): Json {
  return {
    scope: { ...text('name', scope.name), ...text('version', scope.version), ...attributesJson(scope) },
    spans: scope.spans.map(spanJson),
    ...text('schemaUrl', scope.schemaUrl),
  };
}

function spanJson(span: AdmittedSpan): Json {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...text('parentSpanId', span.parentSpanId),
    ...number('flags', span.flags),
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: String(span.startTimeUnixNano),
    endTimeUnixNano: String(span.endTimeUnixNano),
    ...attributesJson(span),
    ...list('events', span.events.map(eventJson)),
    ...number('droppedEventsCount', span.droppedEvents),
    ...list('links', span.links.map(linkJson)),
    ...number('droppedLinksCount', span.droppedLinks),
    ...(span.statusCode === 0 ? {} : { status: { code: span.statusCode } }),
  };
}

function eventJson(event: AdmittedEvent): Json {
  return { timeUnixNano: String(event.timeUnixNano), name: event.name, ...attributesJson(event) };
}

function linkJson(link: AdmittedLink): Json {
  return { traceId: link.traceId, spanId: link.spanId, ...number('flags', link.flags), ...attributesJson(link) };
}

function attributesJson({ attributes, droppedAttributes }: AdmittedAttributes): Readonly<Record<string, Json>> {
  return {
    ...list(
      'attributes',
      attributes.map(({ key, value }) => ({ key, value: valueJson(value) })),
    ),
    ...number('droppedAttributesCount', droppedAttributes),
  };
}

function valueJson(value: AdmittedValue): Json {
  return value.type === 'array' ? { arrayValue: { values: value.value.map(scalarJson) } } : scalarJson(value);
}

function scalarJson(scalar: AdmittedScalar): Json {
  switch (scalar.type) {
    case 'string':
      return { stringValue: scalar.value };
    case 'bool':
      return { boolValue: scalar.value };
    case 'int':
      return { intValue: String(scalar.value) };
    case 'double':
      return { doubleValue: Number.isFinite(scalar.value) ? scalar.value : String(scalar.value) };
  }
}

function text(name: string, value: string): Readonly<Record<string, Json>> {
  return value === '' ? {} : { [name]: value };
}

function number(name: string, value: number): Readonly<Record<string, Json>> {
  return value === 0 ? {} : { [name]: value };
}

function list(name: string, values: readonly Json[]): Readonly<Record<string, Json>> {
  return values.length === 0 ? {} : { [name]: values };
}
