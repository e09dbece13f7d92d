import { nanos, span, text, type Json } from '../wire/otlp-requests.ts';
import type { Canaries } from './canaries.ts';

/** Attributes of every kind and class that must not leave. */
function forbidden(words: Canaries, place: string): Json[] {
  const word = (key: string): string => words.word(`${place} ${key}`);
  const nested = {
    kvlistValue: { values: [{ key: 'k', value: { arrayValue: { values: [{ stringValue: word('nested') }] } } }] },
  };
  return [
    text('user.email', word('user.email')),
    text('user.id', word('user.id')),
    text('userEmail', word('userEmail')),
    text('url.full', word('url.full')),
    text('baggage.a', word('baggage')),
    text('demo.customer', word('demo.customer')),
    text(words.word(`${place}, a key`), 'x'),
    { key: 'enduser.id', value: nested },
    { key: 'client.port', value: { intValue: String(words.count(`${place} client.port, a whole number`)) } },
    { key: 'geo.lat', value: { doubleValue: words.number(`${place} geo.lat, a number`) } },
    { key: 'db.query.text', value: { bytesValue: Buffer.from(word('bytes')).toString('base64') } },
    { key: 'http.request.header.cookie', value: { arrayValue: { values: [{ stringValue: word('header') }] } } },
  ];
}

/** Spans with a canary in every place; `way`: how they are sent. */
export function otlpSpans(words: Canaries, way: string, endMs: number): Json {
  const place = (what: string): string => `span by ${way}: ${what}`;
  const word = (what: string): string => words.word(place(what));
  const spans = [1, 2, 3].map((i) => ({
    ...span(2, endMs, 5 * i, [
      ...forbidden(words, place('attribute')),
      text('http.request.method', word('http.request.method')),
      text('http.route', `/orders?${word('http.route')}`),
      text('url.template', `/people/${word('an e-mail address in url.template')}@example.com`),
      text('rpc.service', `${word('an e-mail address in rpc.service')}@example.com`),
      text('error.type', `${word('an e-mail address in error.type')}@example.com`),
    ]),
    spanId: Buffer.from(`span${i}${way}`.padEnd(8).slice(0, 8)).toString('hex'),
    name: word('name'),
    traceState: `a=${word('tracestate')}`,
    status: { code: 2, message: word('status message') },
    events: [{ name: word('event'), timeUnixNano: nanos(endMs), attributes: forbidden(words, place('event')) }],
    links: [{ traceState: word('link tracestate'), attributes: forbidden(words, place('link')) }],
  }));
  const scope = { name: word('scope'), version: word('scope version'), attributes: forbidden(words, place('scope')) };
  const resource = { attributes: [text('service.name', `span-${way}`), ...forbidden(words, place('resource'))] };
  return { resourceSpans: [{ resource, schemaUrl: word('schema'), scopeSpans: [{ scope, spans }] }] };
}

/** Metrics of every kind with canaries in their attributes, scopes, resources and exemplars. */
export function otlpMetrics(words: Canaries, way: string, endMs: number): Json {
  const timeUnixNano = nanos(endMs);
  const place = (what: string): string => `metric by ${way}: ${what}`;
  const point = (what: string): Json => ({
    timeUnixNano,
    attributes: forbidden(words, place(what)),
    exemplars: [
      {
        timeUnixNano,
        asDouble: words.number(place(`${what} exemplar's value`)),
        filteredAttributes: forbidden(words, place(`${what} exemplar`)).slice(0, 6),
      },
    ],
  });
  const histogram = { ...point('histogram'), count: '1', sum: 1, bucketCounts: ['1', '0'], explicitBounds: [1] };
  const native = {
    ...point('native'),
    count: '1',
    sum: 1,
    scale: 0,
    zeroCount: '0',
    positive: { offset: 0, bucketCounts: ['1'] },
  };
  const sealed = { timeUnixNano, asDouble: words.number(place('sealed gauge')) };
  const metrics = [
    { name: `otlp.${way}.gauge`, gauge: { dataPoints: [{ ...point('gauge'), asDouble: 1 }] } },
    {
      name: `otlp.${way}.sum`,
      sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...point('sum'), asInt: '1' }] },
    },
    { name: `otlp.${way}.histogram`, histogram: { aggregationTemporality: 2, dataPoints: [histogram] } },
    { name: `otlp.${way}.native`, exponentialHistogram: { aggregationTemporality: 2, dataPoints: [native] } },
    {
      name: `secret.${way}.${words.word(place('name of a sealed metric'))}`,
      description: words.word(place('description of a sealed metric')),
      gauge: { dataPoints: [sealed] },
    },
  ];
  const scope = { name: words.word(place('scope')), attributes: forbidden(words, place('scope')) };
  const attributes = [
    text('service.name', `otlp-${way}`),
    text('service.instance.id', words.word(place('service.instance.id'))),
    ...forbidden(words, place('resource')),
  ];
  return { resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ scope, metrics }] }] };
}
