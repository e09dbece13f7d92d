import { describe, expect, test } from 'vitest';
import type { AdmittedSpan, AdmittedValue } from '../../src/model/span.ts';
import { admission, type CountedAdmission } from '../../src/policy/admit.ts';
import { admitSpans } from '../../src/policy/admit-span.ts';
import { spansJson } from '../../src/policy/admitted-json.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';
import { spanName } from '../../src/trace/span-name.ts';
import { decodeTraceRequest } from '../../src/wire/otlp/decode.ts';
import type { ExportTraceServiceRequest } from '../../src/wire/otlp/messages.ts';
import { randomFrom } from '../random.ts';
import { span, text, traceProtobuf, traceRequest, type Json } from '../wire/otlp-requests.ts';
import { CANARY, canaryRequest } from './canary-request.ts';

const NOW_MS = Date.UTC(2026, 6, 1, 12);

function admit(): CountedAdmission {
  return admission({ keys: domainKeys(Buffer.alloc(32, 7)), domainLabel: 'domain', now: () => NOW_MS });
}

function decodeJson(request: Json): ExportTraceServiceRequest {
  return decodeTraceRequest(Buffer.from(JSON.stringify(request)), 'json');
}

/** What is kept of one span with changes. */
function admitted(changes: Json, attributes: Json[] = []): AdmittedSpan | undefined {
  const request = traceRequest([text('service.name', 's')], [{ ...span(2, NOW_MS, 5, attributes), ...changes }]);
  const { resources, rejected } = admitSpans(decodeJson(request), admit());
  const kept = resources[0]?.scopes[0]?.spans[0];
  expect(rejected).toBe(kept === undefined ? 1 : 0);
  return kept;
}

const PSEUDONYM = { type: 'string', value: expect.stringMatching(/^~[\w-]{22}$/) };

describe('values', () => {
  const list = (...values: Json[]): Json => ({ arrayValue: { values } });
  const map = { kvlistValue: { values: [{ key: 'http.route', value: { stringValue: '/a' } }] } };

  test.each<[key: string, value: Json, want: AdmittedValue | typeof PSEUDONYM | undefined]>([
    ['http.route', { stringValue: '/a?b' }, { type: 'string', value: '/a' }],
    ['http.response.status_code', { intValue: '200' }, { type: 'int', value: 200 }],
    ['http.response.status_code', { intValue: '9007199254740993' }, { type: 'int', value: 9007199254740993n }],
    ['http.response.status_code', { intValue: '4111111111111111' }, { type: 'string', value: '__other__' }],
    ['http.response.status_code', { doubleValue: 200.5 }, { type: 'double', value: 200.5 }],
    ['http.response.status_code', { doubleValue: 'NaN' }, { type: 'double', value: NaN }],
    ['tls.established', { boolValue: false }, { type: 'bool', value: false }],
    ['http.route', { stringValue: 'alice@example.com' }, { type: 'string', value: '__other__' }],
    ['http.route', { bytesValue: 'L2E=' }, undefined],
    ['http.route', map, undefined],
    ['http.route', list(map), undefined],
    ['http.route', list(list({ stringValue: '/a' })), undefined],
    ['http.route', list({ stringValue: '/a' }, { bytesValue: 'L2E=' }), undefined],
    ['http.route', list(), undefined],
    ['http.route', {}, undefined],
    ['http.route', list({ stringValue: '/a' }, {}), undefined],
    [
      'http.route',
      list({ stringValue: '/a?x' }, { stringValue: 'a@example.com' }, { intValue: '7' }, { boolValue: true }),
      {
        type: 'array',
        value: [
          { type: 'string', value: '/a' },
          { type: 'string', value: '__other__' },
          { type: 'int', value: 7 },
          { type: 'bool', value: true },
        ],
      },
    ],
    ['http.route', list(...Array.from({ length: 65 }, () => ({ stringValue: '/a' }))), undefined],
    [
      'host.ip',
      list({ stringValue: '203.0.113.7' }),
      { type: 'array', value: [{ type: 'string', value: '203.0.113.7' }] },
    ],
    ['host.name', { bytesValue: 'L2E=' }, undefined],
    ['host.name', map, undefined],
    ['user.id', { stringValue: 'alice' }, PSEUDONYM],
    ['user.id', { intValue: '4711' }, PSEUDONYM],
    ['user.id', map, undefined],
    ['user.email', { stringValue: 'alice' }, undefined],
    ['url.full', list({ stringValue: 'x' }), undefined],
    ['demo.tier', { stringValue: 'gold' }, undefined],
    ['demo.tier', { intValue: '4711' }, undefined],
  ])('%s = %j', (key, value, want) => {
    const kept = admitted({}, [{ key, value }]);
    expect(kept?.attributes).toEqual(want === undefined ? [] : [{ key, value: want }]);
    expect(kept?.droppedAttributes).toBe(want === undefined ? 1 : 0);
  });

  test('subjects in a list are pseudonyms one by one, the same as alone', () => {
    const alone = admitted({}, [text('user.id', 'alice')])?.attributes[0]?.value;
    const both = admitted({}, [{ key: 'user.id', value: list({ stringValue: 'alice' }, { stringValue: 'bob' }) }]);
    expect(both?.attributes[0]?.value).toEqual({ type: 'array', value: [alone, PSEUDONYM] });
  });

  test('of equal keys the first counts, and of many the first 128', () => {
    const twice = admitted({}, [text('error.type', 'a'), text('error.type', 'b')]);
    expect(twice?.attributes).toEqual([{ key: 'error.type', value: { type: 'string', value: 'a' } }]);
    expect(twice?.droppedAttributes).toBe(1);
    const many = admitted(
      {},
      Array.from({ length: 300 }, (_, i) => text(`host.k${i % 150}`, 'x')),
    );
    expect([many?.attributes.length, many?.droppedAttributes]).toEqual([128, 172]);
    const hidden = admitted({}, [{ key: 'error.type', value: { bytesValue: 'L2E=' } }, text('error.type', 'b')]);
    expect([hidden?.attributes, hidden?.droppedAttributes]).toEqual([[], 2]);
  });
});

describe('what a span says besides', () => {
  test.each<[name: string, changes: Json, want: Partial<AdmittedSpan> | undefined]>([
    ['the name is made anew', { name: 'GET /users/alice' }, { name: 'server' }],
    ['the status message goes', { status: { code: 2, message: 'no alice' } }, { statusCode: 2 }],
    ['an unknown status', { status: { code: 4711 } }, { statusCode: 0 }],
    ['an unknown kind', { kind: 4711 }, { kind: 0, name: 'unspecified' }],
    ['a negative kind', { kind: -1 }, { kind: 0 }],
    ['flags beyond those that are defined', { flags: 0xffff_fd01 }, { flags: 0x101 }],
    ['the sender’s own counts', { droppedAttributesCount: 4711 }, { droppedAttributes: 0 }],
    ['a short trace id', { traceId: 'abcd' }, undefined],
    ['a long trace id', { traceId: '0af7651916cd43dd8448eb211c80319caa' }, undefined],
    ['no trace id', { traceId: '' }, undefined],
    ['a trace id of zeros', { traceId: '0'.repeat(32) }, undefined],
    ['a span id of another length', { spanId: 'b7ad6b716920333100' }, undefined],
    ['no span id', { spanId: '' }, undefined],
    ['a parent', { parentSpanId: 'b7ad6b7169203332' }, { parentSpanId: 'b7ad6b7169203332' }],
    ['a parent of another length', { parentSpanId: 'b7ad' }, { parentSpanId: '' }],
    [
      'links without ids',
      { links: [{ traceId: 'abcd', spanId: 'b7ad6b7169203331' }, { attributes: [text('error.type', 'x')] }] },
      { links: [], droppedLinks: 2 },
    ],
    [
      'more events than one has',
      { events: Array.from({ length: 130 }, () => ({ name: 'exception', timeUnixNano: '1' })) },
      { droppedEvents: 2 },
    ],
  ])('%s', (_name, changes, want) => {
    const kept = admitted(changes);
    if (want === undefined) expect(kept).toBeUndefined();
    else expect(kept).toMatchObject(want);
  });

  test.each([
    ['exception', 'exception'],
    ['alice came', '__other__'],
    ['toString', '__other__'],
    ['', '__other__'],
  ])('the event %s is %s', (name, want) => {
    expect(admitted({ events: [{ name, timeUnixNano: '1' }] })?.events[0]?.name).toBe(want);
  });

  test.each<[attributes: Json[], want: string]>([
    [[text('http.request.method', 'GET'), text('http.route', '/a/{b}?c=d')], 'GET /a/{b}'],
    [[text('http.request.method', 'ALICE')], 'HTTP'],
    [[text('rpc.service', 'Orders'), text('rpc.method', 'Place')], 'Orders/Place'],
    [[text('db.system.name', 'postgresql'), text('db.operation.name', 'SELECT')], 'SELECT postgresql'],
    [[text('db.system', 'redis')], 'redis'],
    [[text('messaging.system', 'kafka'), text('messaging.operation.name', 'send')], 'send kafka'],
    [[text('db.system.name', 'alice@example.com')], '__other__'],
    [[], 'client'],
  ])('the name made of %j is %s', (attributes, want) => {
    const kept = admitted({ kind: 3 }, attributes);
    expect(kept?.name).toBe(want);
  });

  test('schema URLs are those of the conventions, and scopes have names of code', () => {
    const request = {
      resourceSpans: ['https://opentelemetry.io/schemas/1.26.0', 'https://example.com/alice'].map((schemaUrl) => ({
        schemaUrl,
        resource: { attributes: [text('service.name', 's'), text('demo.customer', 'alice')] },
        scopeSpans: [{ schemaUrl, scope: { name: 'a@example.com', version: '1.2.3.4' }, spans: [] }],
      })),
    };
    const { resources } = admitSpans(decodeJson(request), admit());
    expect(resources.map(({ schemaUrl, scopes }) => [schemaUrl, scopes[0]?.schemaUrl])).toEqual([
      ['https://opentelemetry.io/schemas/1.26.0', 'https://opentelemetry.io/schemas/1.26.0'],
      ['', ''],
    ]);
    expect(resources[0]?.scopes[0]).toMatchObject({ name: '__other__', version: '1.2.3.4' });
    expect(resources[0]?.droppedAttributes).toBe(1);
  });

  test('what is not stored is counted by where it was', () => {
    const asked = admit();
    const request = traceRequest(
      [],
      [
        {
          ...span(2, NOW_MS, 5, [{ key: 'http.route', value: { bytesValue: 'L2E=' } }]),
          traceState: 'a=b',
          status: { message: 'm' },
          events: [{ name: 'alice' }],
          links: [{ traceState: 'x' }],
        },
      ],
    );
    admitSpans(decodeJson(request), asked);
    const told = asked
      .counts()
      .map(({ place, rule, reason, action, count }) => `${place} ${rule} ${reason} ${action} ${count}`);
    expect(told.sort()).toEqual([
      'attribute http.route bytes dropped 1',
      'span event name unknown other 1',
      'span id pattern dropped 1',
      'span name prohibited other 1',
      'span status message prohibited dropped 1',
      'span trace state prohibited dropped 2',
    ]);
  });

  test('a value whose admission fails is dropped, and its error goes nowhere', () => {
    const asked = admit();
    const broken: CountedAdmission = {
      ...asked,
      attribute(key, value) {
        throw new Error(`cannot read ${key} ${value}`);
      },
    };
    const request = traceRequest(
      [text('service.name', 'canary')],
      [span(2, NOW_MS, 5, [text('error.type', 'canary')])],
    );
    const { resources } = admitSpans(decodeJson(request), broken);
    expect(resources[0]?.droppedAttributes).toBe(1);
    expect(resources[0]?.scopes[0]?.spans[0]).toMatchObject({ name: 'server', attributes: [], droppedAttributes: 1 });
    expect(JSON.stringify(asked.counts())).not.toMatch(/canary|cannot/);
  });
});

describe('random requests', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);

  test(`nothing of a canary is kept, wherever it is, seed ${seed}`, () => {
    const random = randomFrom(seed);
    for (let i = 0; i < 150; i++) {
      const request = canaryRequest(random, NOW_MS);
      const messages = random.chance(0.5)
        ? decodeJson(request)
        : decodeTraceRequest(traceProtobuf(request), 'protobuf');
      const asked = admit();
      const kept = admitSpans(messages, asked);
      const json = JSON.stringify(spansJson(kept.resources));
      // A canary that was never said would be found nowhere.
      expect(JSON.stringify(request)).toContain(CANARY);
      for (const form of [CANARY, Buffer.from(CANARY).toString('base64').slice(0, 8), '47114711']) {
        expect(json.includes(form), `${form} in ${json}`).toBe(false);
        expect(JSON.stringify(asked.counts())).not.toContain(form);
      }
      // What is kept is a request that can be sent on, and loses nothing more but for pseudonyms of pseudonyms.
      const again = admitSpans(decodeTraceRequest(Buffer.from(json), 'json'), asked);
      expect(again.rejected).toBe(0);
      expect(shape(again.resources)).toEqual(shape(kept.resources));
      // Its name is the one that the span's metrics have.
      const spans = messages.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
      const named = kept.resources.flatMap(({ scopes }) =>
        scopes.flatMap((scope) => scope.spans.map(({ name }) => name)),
      );
      expect(named).toEqual(spans.map(({ attributes, kind }) => spanName(attributes, kind, asked)));
    }
  });
});

/** All but the texts of pseudonyms. */
function shape(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, member: unknown) => {
      if (typeof member === 'bigint') return String(member);
      if (key === 'droppedAttributes') return 0;
      return typeof member === 'string' && /^~[\w-]{22}$/.test(member) ? '~' : member;
    }),
  ) as unknown;
}
