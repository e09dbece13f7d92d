import { gzipSync } from 'node:zlib';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { otlpReceiver, type OtlpReceiverDeps } from '../../src/agent/otlp-receiver.ts';
import { LIMITS } from '../../src/base/limits.ts';
import type { RejectReason } from '../../src/model/batch.ts';
import { CONTENT_TYPES } from '../../src/wire/otlp/reply.ts';
import {
  type Json,
  metricsProtobuf,
  metricsRequest,
  nanos,
  span,
  text,
  traceProtobuf,
  traceRequest,
} from '../wire/otlp-requests.ts';
import { allStored, type Harness, NOW_MS, startReceiver } from './otlp-harness.ts';

const SERVICE = [text('service.name', 's')];
const POINT = { timeUnixNano: nanos(NOW_MS), asInt: 5 };
const METRICS = metricsRequest(SERVICE, [{ name: 'g', gauge: { dataPoints: [POINT, { ...POINT, timeUnixNano: 0 }] } }]);
const GOOD_METRICS = metricsRequest(SERVICE, [{ name: 'g', gauge: { dataPoints: [POINT] } }]);
const TRACES = traceRequest(SERVICE, [span(2, NOW_MS, 1)]);

let harness: Harness;

afterEach(async () => harness?.close());

interface Reply {
  status: number;
  type: unknown;
  body: Buffer;
  headers: Record<string, unknown>;
}

async function send(
  url: string,
  body: Uint8Array | string,
  headers: Record<string, string>,
  method = 'POST',
): Promise<Reply> {
  const response = await harness.app.inject({
    method: method as 'POST',
    url,
    headers,
    ...(method === 'GET' || method === 'HEAD' ? {} : { payload: Buffer.from(body) }),
  });
  const { statusCode: status, rawPayload, headers: replied } = response;
  return { status, type: replied['content-type'], body: rawPayload, headers: replied };
}

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const JSON_TYPE = { 'content-type': 'application/json' };

/** Reads a google.rpc.Status without the code under test: `08 code 12 length message`. */
function protobufStatus(body: Buffer): { code: number; message: string } {
  expect([body[0], body[2]]).toEqual([0x08, 0x12]);
  const long = body[3]! > 127;
  return { code: body[1]!, message: body.subarray(long ? 5 : 4).toString() };
}

describe('a request that is stored', () => {
  test.each<[what: string, url: string, body: Uint8Array | string, headers: Record<string, string>]>([
    ['protobuf metrics', '/v1/metrics', metricsProtobuf(GOOD_METRICS), PROTOBUF],
    [
      'gzipped protobuf metrics',
      '/v1/metrics',
      gzipSync(metricsProtobuf(GOOD_METRICS)),
      { ...PROTOBUF, 'content-encoding': 'GZIP' },
    ],
    ['identity', '/v1/metrics', metricsProtobuf(GOOD_METRICS), { ...PROTOBUF, 'content-encoding': 'identity' }],
    [
      'JSON metrics with a charset',
      '/v1/metrics',
      JSON.stringify(GOOD_METRICS),
      { 'content-type': 'Application/JSON; charset=utf-8' },
    ],
    ['protobuf traces', '/v1/traces', traceProtobuf(TRACES), PROTOBUF],
    [
      'gzipped JSON traces',
      '/v1/traces',
      gzipSync(JSON.stringify(TRACES)),
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
    ],
  ])('%s', async (_what, url, body, headers) => {
    harness = await startReceiver();
    const reply = await send(url, body, headers);
    expect(reply.status).toBe(200);
    const isJson = /json/i.test(headers['content-type']!);
    expect(reply.type).toBe(isJson ? 'application/json' : 'application/x-protobuf');
    expect(reply.body.toString()).toBe(isJson ? '{}' : '');
    const signal = url === '/v1/traces' ? 'traces' : 'metrics';
    const rows = signal === 'traces' ? 18 : 1;
    expect(harness.calls).toEqual([`append ${rows}`, `${signal} [{"job":"s","instance":""}] ${NOW_MS}`]);
    if (signal === 'metrics') {
      expect(harness.rows).toEqual([
        { labels: { __name__: 'g', domain: 'eu', job: 's', service_name: 's' }, timeMs: NOW_MS, value: 5, mode: 0 },
      ]);
    }
  });

  test('with nothing in it appends nothing', async () => {
    harness = await startReceiver();
    expect(await send('/v1/metrics', '', PROTOBUF)).toMatchObject({ status: 200, type: 'application/x-protobuf' });
    expect((await send('/v1/traces', '{}', JSON_TYPE)).body.toString()).toBe('{}');
    expect(harness.calls).toEqual([]);
  });

  test('in part says how much was rejected and why', async () => {
    harness = await startReceiver();
    const json = await send('/v1/metrics', JSON.stringify(METRICS), JSON_TYPE);
    expect(json.status).toBe(200);
    expect(JSON.parse(json.body.toString())).toEqual({
      partialSuccess: {
        rejectedDataPoints: '1',
        errorMessage: '1 no_timestamp (first: metric "g": timeUnixNano is 0)',
      },
    });
    const protobuf = await send('/v1/metrics', metricsProtobuf(METRICS), PROTOBUF);
    // partial_success is field 1, in it rejected_data_points field 1 and error_message field 2.
    expect([...protobuf.body.subarray(0, 5)]).toEqual([0x0a, protobuf.body.length - 2, 0x08, 1, 0x12]);
    expect(protobuf.body.subarray(6).toString()).toBe('1 no_timestamp (first: metric "g": timeUnixNano is 0)');
    const trace = await send('/v1/traces', JSON.stringify(traceRequest([], [span(2, NOW_MS, 1)])), JSON_TYPE);
    expect(JSON.parse(trace.body.toString())).toMatchObject({ partialSuccess: { rejectedSpans: '1' } });
    expect(harness.rows).toHaveLength(2);
  });

  test('in part counts what the store rejects, never more than there were points', async () => {
    const rejected = new Map<RejectReason, number>([
      ['out_of_order', 3],
      ['duplicate_timestamp', 2],
    ]);
    const counted: unknown[] = [];
    harness = await startReceiver({
      append: (batch) => ({ stored: batch.times.length - 5, repeated: 0, rejected }),
      counters: {
        answered: (...counts) => void counted.push(['answered', ...counts]),
        accepted: (...counts) => void counted.push(['accepted', ...counts]),
        rejected: (...counts) => void counted.push(['rejected', ...counts]),
      },
    });
    const histogram = { ...POINT, count: 1, explicitBounds: [1, 2, 3], bucketCounts: [1, 0, 0, 0] };
    const metric = { name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [histogram] } };
    const reply = await send('/v1/metrics', JSON.stringify(metricsRequest(SERVICE, [metric])), JSON_TYPE);
    expect(JSON.parse(reply.body.toString())).toEqual({
      partialSuccess: {
        rejectedDataPoints: '1',
        errorMessage: '3 samples out_of_order; 2 samples duplicate_timestamp',
      },
    });
    expect(counted).toEqual([
      ['accepted', 'metrics', 0],
      ['rejected', 'metrics', 'out_of_order', 3],
      ['rejected', 'metrics', 'duplicate_timestamp', 2],
      ['answered', 'metrics', 200],
    ]);
  });

  test('stays a success when streams cannot be noted', async () => {
    harness = await startReceiver({
      onStreams: () => {
        throw new Error('no room');
      },
    });
    expect((await send('/v1/metrics', JSON.stringify(GOOD_METRICS), JSON_TYPE)).status).toBe(200);
  });
});

describe('a request that cannot be read', () => {
  const bomb = gzipSync(Buffer.alloc(LIMITS.decompressedBytes + 1));
  test.each<
    [
      what: string,
      body: Uint8Array | string,
      headers: Record<string, string>,
      status: number,
      code: number,
      message: RegExp,
    ]
  >([
    ['malformed JSON', '{', JSON_TYPE, 400, 3, /malformed JSON/],
    ['empty JSON', '', JSON_TYPE, 400, 3, /malformed JSON/],
    ['malformed protobuf', '\x0a\x05', PROTOBUF, 400, 3, /malformed protobuf at byte 2/],
    ['no gzip', 'abc', { ...PROTOBUF, 'content-encoding': 'gzip' }, 400, 3, /malformed gzip/],
    ['half a gzip', bomb.subarray(0, 50), { ...JSON_TYPE, 'content-encoding': 'gzip' }, 400, 3, /malformed gzip/],
    ['no content type', 'abc', {}, 415, 3, /Content-Type must be application\/x-protobuf or application\/json, not ""/],
    ['another content type', 'abc', { 'content-type': 'text/plain' }, 415, 3, /not "text\/plain"/],
    [
      'another encoding',
      '{}',
      { ...JSON_TYPE, 'content-encoding': 'br' },
      415,
      3,
      /Content-Encoding must be gzip or identity, not "br"/,
    ],
    ['two encodings', '{}', { ...PROTOBUF, 'content-encoding': 'gzip, gzip' }, 415, 3, /Content-Encoding must be/],
    [
      'a body too large',
      Buffer.alloc(LIMITS.bodyBytes + 1),
      PROTOBUF,
      413,
      8,
      /more than 16777216 bytes. Send smaller/,
    ],
    [
      'a gzip bomb',
      bomb,
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
      413,
      8,
      /more than 67108864 bytes after decompression/,
    ],
  ])('%s', async (_what, body, headers, status, code, message) => {
    harness = await startReceiver();
    const reply = await send('/v1/metrics', body, headers);
    expect(reply.status).toBe(status);
    const format = headers['content-type'] === CONTENT_TYPES.protobuf ? 'protobuf' : 'json';
    expect(reply.type).toBe(CONTENT_TYPES[format]);
    const got = format === 'json' ? (JSON.parse(reply.body.toString()) as Json) : protobufStatus(reply.body);
    expect(got).toEqual({ code, message: expect.stringMatching(message) });
    expect(reply.headers['retry-after']).toBeUndefined();
    expect(harness.calls).toEqual([]);
  });

  test('a gzip bomb of a gigabyte takes no memory', async () => {
    harness = await startReceiver();
    const megabyte = gzipSync(Buffer.alloc(2 ** 20));
    const body = Buffer.concat(Array.from({ length: 1024 }, () => megabyte));
    const before = process.resourceUsage().maxRSS;
    expect((await send('/v1/metrics', body, { ...PROTOBUF, 'content-encoding': 'gzip' })).status).toBe(413);
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(300 * 1024);
  });
});

test('a store that throws makes 503 with Retry-After, and the next request works', async () => {
  let broken = true;
  const batches: number[] = [];
  harness = await startReceiver({
    append(batch) {
      if (broken) throw new Error('disk full at /var/lib/secret');
      batches.push(batch.times.length);
      return allStored(batch);
    },
  });
  const reply = await send('/v1/metrics', JSON.stringify(GOOD_METRICS), JSON_TYPE);
  expect(reply.status).toBe(503);
  expect(reply.headers['retry-after']).toBe('5');
  expect(JSON.parse(reply.body.toString())).toEqual({
    code: 14,
    message: expect.stringMatching(/could not be stored/),
  });
  expect(reply.body.toString()).not.toContain('secret');
  expect(harness.calls).toEqual([]);
  broken = false;
  expect((await send('/v1/metrics', JSON.stringify(GOOD_METRICS), JSON_TYPE)).status).toBe(200);
  expect(batches).toEqual([1]);
});

describe('other paths and methods', () => {
  test.each([
    ['GET', '/v1/metrics'],
    ['HEAD', '/v1/metrics'],
    ['PUT', '/v1/metrics'],
    ['DELETE', '/v1/traces'],
    ['PATCH', '/v1/traces'],
    ['OPTIONS', '/v1/traces'],
  ])('%s %s is 405', async (method, url) => {
    harness = await startReceiver();
    const reply = await send(url, 'anything', { 'content-type': 'text/plain' }, method);
    expect(reply.status).toBe(405);
    expect(reply.headers['allow']).toBe('POST');
  });

  test('logs are 404 and say where to go', async () => {
    harness = await startReceiver();
    const reply = await send('/v1/logs', '{}', JSON_TYPE);
    expect(reply.status).toBe(404);
    expect(JSON.parse(reply.body.toString())).toMatchObject({
      code: 5,
      message: expect.stringMatching(/logs are not received/),
    });
  });

  test('the rest of the server keeps its own parsers and answers', async () => {
    const app = Fastify();
    app.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing here'));
    app.post('/own', (request) => ({ got: request.body }));
    const deps: OtlpReceiverDeps = {
      append: allStored,
      onStreams: () => {},
      domain: 'eu',
      domainLabel: 'domain',
      now: () => NOW_MS,
    };
    await otlpReceiver(app, deps);
    harness = { app, rows: [], calls: [], close: async () => app.close() };
    expect((await send('/own', '{"a":1}', JSON_TYPE)).body.toString()).toBe('{"got":{"a":1}}');
    expect((await send('/nowhere', '{}', JSON_TYPE)).body.toString()).toBe('nothing here');
    expect((await send('/v1/metrics', '{}', JSON_TYPE)).status).toBe(200);
  });
});

test('too many bytes of bodies at once are told to come back, and room becomes free again', async () => {
  harness = await startReceiver({ bodyBytesAtOnce: 1_000 });
  const address = await harness.app.listen({ host: '127.0.0.1', port: 0 });
  const aborts: AbortController[] = [];
  const stuck: Promise<unknown>[] = [];
  for (let i = 0; i < 9; i++) {
    const abort = new AbortController();
    aborts.push(abort);
    // A body that never ends.
    const body = new ReadableStream({ start: (controller) => controller.enqueue(Buffer.alloc(100, ' ')) });
    const request = { method: 'POST', headers: JSON_TYPE, body, duplex: 'half', signal: abort.signal } as const;
    stuck.push(fetch(`${address}/v1/metrics`, request).catch(() => 'aborted'));
  }
  const ask = async (bytes: number) =>
    fetch(`${address}/v1/metrics`, { method: 'POST', headers: JSON_TYPE, body: '{}'.padEnd(bytes) });
  await expect.poll(async () => (await ask(200)).status).toBe(429);
  expect((await ask(200)).headers.get('retry-after')).toBe('5');
  expect((await ask(50)).status).toBe(200);
  for (const abort of aborts) abort.abort();
  await Promise.all(stuck);
  for (let i = 0; i < 30; i++) await expect.poll(async () => (await ask(900)).status).toBe(200);
});
