import type { Random } from '../random.ts';
import { nanos, text, type Json } from '../wire/otlp-requests.ts';

/** What canaries are made of: a word that nothing in the project is called by. */
export const CANARY = 'kanari';

const FORBIDDEN = [
  'user.email',
  'url.full',
  'db.query.text',
  'demo.customer',
  'user.id',
  'enduser.id',
  'baggage.x',
  'kanari',
];

/**
 * A request for spans with a canary, a word or the number 47114711, in every place where nothing may be kept: in what is no
 * attribute, under forbidden keys, nested, and under public keys in the forms that no public value has.
 */
export function canaryRequest(random: Random, nowMs: number): Json {
  const word = (): string => `${CANARY}${random.int(0, 1e6)}`;
  const scalar = (): Json =>
    random.pick<Json>([
      { stringValue: word() },
      { intValue: '47114711' },
      { doubleValue: 47114711.5 },
      { bytesValue: Buffer.from(word()).toString('base64') },
    ]);
  const nested = (depth: number): Json => {
    if (depth > 2 || random.chance(0.6)) return scalar();
    const values = Array.from({ length: random.int(1, 3) }, () => nested(depth + 1));
    return random.chance(0.5)
      ? { arrayValue: { values } }
      : { kvlistValue: { values: values.map((value) => ({ key: word(), value })) } };
  };
  const attributes = (): Json[] => {
    const forbidden = random.subset(FORBIDDEN, 0.7).map((key) => ({ key, value: nested(0) }));
    // Public keys too, with what no public value is.
    const composite = {
      key: random.pick(['http.route', 'error.type']),
      value: { kvlistValue: { values: [{ key: 'k', value: nested(1) }] } },
    };
    const detected = text('rpc.service', `${word()}@example.com`);
    const fine = random.subset([text('http.request.method', 'GET'), text('db.system.name', 'redis')], 0.5);
    return [...forbidden, composite, detected, ...fine];
  };
  const id = (digits: number): string =>
    Array.from({ length: digits }, () => random.pick('123456789abcdef'.split(''))).join('');
  const one = (): Json => ({
    traceId: id(32),
    spanId: id(16),
    parentSpanId: random.chance(0.5) ? id(16) : '',
    traceState: `a=${word()}`,
    name: word(),
    kind: random.int(0, 5),
    flags: 47114711,
    startTimeUnixNano: nanos(nowMs),
    endTimeUnixNano: nanos(nowMs, 5),
    attributes: attributes(),
    droppedAttributesCount: 47114711,
    events: Array.from({ length: random.int(0, 2) }, () => ({
      timeUnixNano: nanos(nowMs),
      name: word(),
      attributes: attributes(),
      droppedAttributesCount: 47114711,
    })),
    droppedEventsCount: 47114711,
    links: Array.from({ length: random.int(0, 2) }, () => ({
      traceId: id(32),
      spanId: id(16),
      traceState: word(),
      attributes: attributes(),
      flags: 47114711,
    })),
    droppedLinksCount: 47114711,
    status: { code: random.int(0, 2), message: word() },
  });
  return {
    resourceSpans: Array.from({ length: random.int(1, 2) }, () => ({
      resource: { attributes: attributes(), droppedAttributesCount: 47114711 },
      schemaUrl: `https://${word()}`,
      scopeSpans: Array.from({ length: random.int(1, 2) }, () => ({
        scope: { name: `${word()}@example.com`, version: `${word()}@example.com`, attributes: attributes() },
        schemaUrl: word(),
        spans: Array.from({ length: random.int(1, 3) }, one),
      })),
    })),
  };
}
