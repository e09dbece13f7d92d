import { expect, test } from 'vitest';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { spanMetrics } from '../../src/trace/span-metrics.ts';
import { spanTranslator } from '../../src/trace/span-translator.ts';
import { spanCaches, translateSpanBytes } from '../../src/trace/span-walk.ts';
import { decodeTraceRequest } from '../../src/wire/otlp/decode.ts';
import type { TranslateOptions } from '../../src/wire/otlp/translation.ts';
import { randomFrom, type Random } from '../random.ts';
import { mutate } from '../mutate.ts';
import { compared, NOW_MS } from '../wire/otlp-compared.ts';
import { span, text, traceProtobuf, traceRequest, type Json } from '../wire/otlp-requests.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Keeps what is no secret, and puts another value in its place here and there. */
const OPTIONS: TranslateOptions = {
  domain: 'eu',
  domainLabel: 'domain',
  admission: {
    ...ADMIT_ALL,
    attribute: (key, value) => (value === 'secret' ? undefined : key === 'rpc.method' ? `${value}!` : value),
  },
};

const VALUES: Readonly<Record<string, readonly string[]>> = {
  'http.request.method': ['GET', 'POST', 'FETCH', '', 'secret'],
  'http.method': ['GET', 'PUT'],
  'http.route': ['/a/{id}', '/b?x=1', '/'.repeat(1100), '/'.repeat(5000), 'secret'],
  'rpc.service': ['shop.Orders'],
  'rpc.method': ['Place', 'secret'],
  'user.id': ['alice'],
};

function randomSpan(random: Random): Json {
  const keys = random.subset(Object.keys(VALUES), 0.4).sort(() => random.next() - 0.5);
  const attributes = [...keys, ...random.subset(keys, 0.1)].map((key) =>
    random.chance(0.9)
      ? text(key, random.pick(VALUES[key]!))
      : { key, value: random.pick([{ intValue: 5 }, {}, { arrayValue: { values: [{ boolValue: true }] } }]) },
  );
  return {
    ...span(random.int(0, 6), NOW_MS, random.pick([-1, 0, 1, 2, 17, 900, 20_000]), attributes),
    ...(random.chance(0.05) ? { startTimeUnixNano: '0' } : {}),
    ...(random.chance(0.5) ? { status: { code: random.int(0, 3), message: random.pick(['', 'failed']) } } : {}),
    ...(random.chance(0.2) ? { events: [{ name: 'e', attributes: [text('k', 'v')] }], flags: 257 } : {}),
    ...(random.chance(0.1) ? { links: [{ attributes: [text('k', 'v')] }] } : {}),
  };
}

function randomBody(random: Random): Uint8Array {
  const resourceSpans = Array.from({ length: random.int(1, 3) }, () => {
    const resource = random.subset([text('service.namespace', 'n'), text('host.name', 'h')], 0.5);
    if (random.chance(0.9))
      resource.push(text('service.name', random.pick(['a', 'b', 'c', 's'.repeat(5000), 'secret'])));
    if (random.chance(0.5)) resource.push(text('service.instance.id', random.pick(['1', '2', 'secret'])));
    const spans = Array.from({ length: random.int(0, 6) }, () => randomSpan(random));
    return traceRequest(resource, spans)['resourceSpans'];
  });
  return traceProtobuf({ resourceSpans: resourceSpans.flat() });
}

const compare = compared(OPTIONS, spanTranslator(OPTIONS), (body) =>
  spanMetrics(decodeTraceRequest(body, 'protobuf'), OPTIONS, NOW_MS),
);

test(`bytes become what the decoded request becomes, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  const caches = spanCaches(OPTIONS);
  for (let i = 0; i < 200; i++) {
    const body = randomBody(random);
    compare(body, `request ${i} of seed ${SEED}`);
    expect(translateSpanBytes(body, OPTIONS, caches, NOW_MS), `request ${i} needs no decoder`).toBeDefined();
  }
});

test(`so it is for broken requests, errors included, seed ${SEED}`, () => {
  const random = randomFrom(SEED).fork(1);
  let broken = 0;
  for (let i = 0; i < 1500; i++) {
    const outcome = compare(mutate(random, randomBody(random)), `mutant ${i} of seed ${SEED}`);
    if ('code' in (outcome as object)) broken++;
  }
  expect(broken).toBeGreaterThan(150);
  expect(broken).toBeLessThan(1450);
});

/** A field of the wire type for lengths. */
function field(number: number, content: Uint8Array): Buffer {
  const length = content.length < 128 ? [content.length] : [(content.length & 127) | 128, content.length >> 7];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), content]);
}

test.each<[what: string, attribute: Buffer]>([
  [
    'its key sent twice',
    Buffer.concat([
      field(1, Buffer.from('a')),
      field(1, Buffer.from('http.route')),
      field(2, field(1, Buffer.from('/k'))),
    ]),
  ],
  ['its value first', Buffer.concat([field(2, field(1, Buffer.from('/v'))), field(1, Buffer.from('http.route'))])],
  [
    'its key in an odd length',
    Buffer.concat([Buffer.from([0x0a, 0x8a, 0x00]), Buffer.from('http.route'), field(2, field(1, Buffer.from('/o')))]),
  ],
  [
    'its value sent twice',
    Buffer.concat([field(1, Buffer.from('http.route')), field(2, field(1, Buffer.from('/1'))), field(2, Buffer.of())]),
  ],
])('an attribute with %s names its span as ever', (what, attribute) => {
  const plain = span(2, NOW_MS, 1, [text('http.method', 'GET')]);
  const service = traceProtobuf(traceRequest([text('service.name', 's')], []));
  // The field of the resource, and a span whose last field is the odd attribute.
  const resource = service.subarray(2, 2 + 2 + service[3]!);
  const body = (last: Buffer) =>
    field(1, Buffer.concat([resource, field(2, field(2, Buffer.concat([spanBytes(plain), last])))]));
  compare(body(Buffer.alloc(0)), 'without it');
  const outcome = compare(body(field(9, attribute)), 'with it');
  expect(JSON.stringify(outcome)).toMatch(what === 'its value sent twice' ? /GET/ : /GET \/[vok]/);
});

/** The encoding of a span alone. */
function spanBytes(message: Json): Uint8Array {
  const whole = traceProtobuf({ resourceSpans: [{ scopeSpans: [{ spans: [message] }] }] });
  // Three messages stand around it, each with a tag and a length of one or two bytes.
  let at = 0;
  for (let i = 0; i < 3; i++) {
    at++;
    while (whole[at]! >= 128) at++;
    at++;
  }
  return whole.subarray(at);
}
