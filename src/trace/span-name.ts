import { valueText } from '../wire/otlp/any-value.ts';
import { SPAN_KINDS, type Span } from '../wire/otlp/messages.ts';

/**
 * The name that a span's metrics carry, built from attributes that are templates by convention; the span's own name may
 * hold a user's id, an address or a query. `GET /orders/{id}` for HTTP, the method alone where there is no route,
 * `OrderService/Place` for RPC, and else the kind: `server`, `client`, …
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
 */
export function spanName(span: Span): string {
  const method = attribute(span, 'http.request.method') || attribute(span, 'http.method');
  if (method !== '') {
    const verb = HTTP_METHODS.has(method) ? method : 'HTTP';
    const route = withoutQuery(attribute(span, 'http.route'));
    return route === '' ? verb : `${verb} ${route}`;
  }
  const service = attribute(span, 'rpc.service');
  const call = attribute(span, 'rpc.method');
  if (service !== '' && call !== '') return `${service}/${call}`;
  const kind = SPAN_KINDS[span.kind] ?? SPAN_KINDS[0];
  return kind.slice('SPAN_KIND_'.length).toLowerCase();
}

/** The methods that the conventions know; a client can send any word as its method. */
const HTTP_METHODS: ReadonlySet<string> = new Set([
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

function attribute(span: Span, key: string): string {
  const found = span.attributes.find((candidate) => candidate.key === key);
  return valueText(found?.value);
}

/** A route has no query; where an instrumentation reports the target instead, at least that part is cut off. */
function withoutQuery(route: string): string {
  return route.replace(/[?#].*$/s, '');
}
