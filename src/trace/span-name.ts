import type { Admission } from '../model/admission.ts';
import { valueText } from '../wire/otlp/any-value.ts';
import { SPAN_KINDS, type AnyValue, type KeyValue } from '../wire/otlp/messages.ts';

/** The attributes that a span's name is made of. */
export const NAMING_KEYS: readonly string[] = [
  'http.request.method',
  'http.method',
  'http.route',
  'rpc.service',
  'rpc.method',
  'db.system.name',
  'db.system',
  'db.operation.name',
  'db.operation',
  'messaging.system',
  'messaging.operation.name',
];

/**
 * The name that a span is known by, built from attributes that are templates by convention; the span's own name may hold a
 * user's id, an address or a query. `GET /orders/{id}` for HTTP, the method alone where there is no route,
 * `OrderService/Place` for RPC, `SELECT postgresql` for databases and `send kafka` for messages, without the operation where
 * that is not known, and else the kind: `server`, `client`, …
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/). An attribute that may not be stored is as if
 * absent, and so is one that is a list, a map or bytes.
 */
export function spanName(
  attributes: readonly KeyValue[],
  kind: number,
  admission: Pick<Admission, 'attribute'>,
): string {
  const attribute = (key: string): string => {
    const value = attributes.find((candidate) => candidate.key === key)?.value;
    const text = isPlain(value) ? valueText(value) : '';
    return text === '' ? '' : (admission.attribute(key, text) ?? '');
  };
  const method = attribute('http.request.method') || attribute('http.method');
  if (method !== '') {
    const verb = HTTP_METHODS.has(method) ? method : 'HTTP';
    const route = withoutQuery(attribute('http.route'));
    return route === '' ? verb : `${verb} ${route}`;
  }
  const service = attribute('rpc.service');
  const call = attribute('rpc.method');
  if (service !== '' && call !== '') return `${service}/${call}`;
  const database = attribute('db.system.name') || attribute('db.system');
  if (database !== '') return named(attribute('db.operation.name') || attribute('db.operation'), database);
  const broker = attribute('messaging.system');
  if (broker !== '') return named(attribute('messaging.operation.name'), broker);
  const word = SPAN_KINDS[kind] ?? SPAN_KINDS[0];
  return word.slice('SPAN_KIND_'.length).toLowerCase();
}

function isPlain(value: AnyValue | undefined): boolean {
  return value?.arrayValue === undefined && value?.kvlistValue === undefined && value?.bytesValue === undefined;
}

function named(operation: string, system: string): string {
  return operation === '' ? system : `${operation} ${system}`;
}

/** The methods that the conventions know; a client can send any word as its method. */
export const HTTP_METHODS: ReadonlySet<string> = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);

/** A route has no query; where an instrumentation reports the target instead, at least that part is cut off. */
function withoutQuery(route: string): string {
  return route.replace(/[?#].*$/s, '');
}
