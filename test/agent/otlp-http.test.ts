import { constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { otlpHttpReceiver } from '../../src/agent/otlp-http.ts';
import { ComityError, type ErrorCode } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import type { Rejection, RejectReason } from '../../src/model/batch.ts';
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
    [
      'deflated protobuf metrics',
      '/v1/metrics',
      deflateSync(metricsProtobuf(GOOD_METRICS)),
      { ...PROTOBUF, 'content-encoding': 'deflate' },
    ],
    [
      'protobuf metrics as zstd',
      '/v1/metrics',
      zstdCompressSync(metricsProtobuf(GOOD_METRICS)),
      { ...PROTOBUF, 'content-encoding': 'zstd' },
    ],
    [
      'JSON metrics as zstd in two frames',
      '/v1/metrics',
      Buffer.concat([
        zstdCompressSync(JSON.stringify(GOOD_METRICS).slice(0, 20)),
        zstdCompressSync(JSON.stringify(GOOD_METRICS).slice(20)),
      ]),
      { ...JSON_TYPE, 'content-encoding': 'zstd' },
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
    expect(harness.calls).toEqual([
      `append ${rows}`,
      `${signal} [{"job":"s","instance":"","earliestMs":${NOW_MS},"latestMs":${NOW_MS}}] ${NOW_MS}`,
    ]);
    if (signal === 'metrics') {
      expect(harness.rows).toMatchObject([
        { labels: { __name__: 'g', domain: 'eu', job: 's', service_name: 's' }, timeMs: NOW_MS, value: 5, mode: 0 },
      ]);
    }
  });

  test('with nothing in it is a success', async () => {
    harness = await startReceiver();
    expect(await send('/v1/metrics', '', PROTOBUF)).toMatchObject({ status: 200, type: 'application/x-protobuf' });
    expect((await send('/v1/traces', '{}', JSON_TYPE)).body.toString()).toBe('{}');
    expect(harness.batches.map(({ times }) => times.length)).toEqual([0, 0]);
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
    const rejected = new Map<RejectReason, Rejection>([
      ['out_of_order', { count: 3, firstRow: 0 }],
      ['series_limit', { count: 2, firstRow: 1 }],
    ]);
    harness = await startReceiver({
      append: async (batch) => ({ ...allStored(batch), stored: 0, rejected }),
    });
    const histogram = { ...POINT, count: 1, explicitBounds: [1, 2, 3], bucketCounts: [1, 0, 0, 0] };
    const metric = { name: 'h', histogram: { aggregationTemporality: 2, dataPoints: [histogram] } };
    const reply = await send('/v1/metrics', JSON.stringify(metricsRequest(SERVICE, [metric])), JSON_TYPE);
    expect(JSON.parse(reply.body.toString())).toEqual({
      partialSuccess: {
        rejectedDataPoints: '1',
        errorMessage: expect.stringMatching(
          /^3 out_of_order \(first: metric "h_\w+" at 1767225600\); 2 series_limit \(first: metric "h_\w+" at 1767225600\)$/,
        ),
      },
    });
    expect(harness.counted).toEqual([
      ['accepted', 'otlp_http', 'metrics', 0],
      ['rejected', 'otlp_http', 'metrics', 'out_of_order', 3],
      ['rejected', 'otlp_http', 'metrics', 'series_limit', 2],
      ['answered', 'otlp_http', 'metrics', '200'],
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
    ['no zstd', 'abc', { ...PROTOBUF, 'content-encoding': 'zstd' }, 400, 3, /malformed zstd/],
    [
      'half a zstd',
      zstdCompressSync(JSON.stringify(METRICS)).subarray(0, -3),
      { ...JSON_TYPE, 'content-encoding': 'zstd' },
      400,
      3,
      /malformed zstd/,
    ],
    [
      'more after a zstd',
      Buffer.concat([zstdCompressSync('{}'), Buffer.from('more')]),
      { ...JSON_TYPE, 'content-encoding': 'zstd' },
      400,
      3,
      /malformed zstd/,
    ],
    [
      'zstd in very many frames',
      Buffer.concat(Array.from({ length: 100 }, () => zstdCompressSync(''))),
      { ...JSON_TYPE, 'content-encoding': 'zstd' },
      400,
      3,
      /more than 64 frames/,
    ],
    [
      'zstd with a window of 128 MB',
      zstdCompressSync(Buffer.alloc(40 * 2 ** 20, ' '), {
        params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
      }),
      { ...JSON_TYPE, 'content-encoding': 'zstd' },
      400,
      3,
      /malformed zstd: .*too much memory/,
    ],
    [
      'more after a deflate',
      Buffer.concat([deflateSync('{}'), Buffer.from('more')]),
      { ...JSON_TYPE, 'content-encoding': 'deflate' },
      400,
      3,
      /malformed deflate: 4 bytes after its end/,
    ],
    ['no content type', 'abc', {}, 415, 3, /Content-Type must be application\/x-protobuf or application\/json, not ""/],
    ['another content type', 'abc', { 'content-type': 'text/plain' }, 415, 3, /not "text\/plain"/],
    [
      'another encoding',
      '{}',
      { ...JSON_TYPE, 'content-encoding': 'br' },
      415,
      3,
      /Content-Encoding must be one of identity, gzip, deflate, zstd, not "br"/,
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
    [
      'a zstd bomb',
      zstdCompressSync(Buffer.alloc(LIMITS.decompressedBytes + 1)),
      { ...JSON_TYPE, 'content-encoding': 'zstd' },
      413,
      8,
      /more than 67108864 bytes after decompression/,
    ],
    [
      'a zstd bomb in parts',
      Buffer.concat(Array.from({ length: 3 }, () => zstdCompressSync(Buffer.alloc(LIMITS.decompressedBytes / 2)))),
      { ...JSON_TYPE, 'content-encoding': 'zstd' },
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

describe('a batch that cannot be stored', () => {
  test.each<[what: string, error: Error, status: number, code: number, message: RegExp]>([
    ['as the store says', new ComityError('unavailable', 'the disk is full'), 503, 14, /^the disk is full$/],
    ['for too much work', new ComityError('overloaded', 'too much waits'), 503, 14, /^too much waits$/],
  ])('%s is to be sent again, and the next one works', async (_what, error, status, code, message) => {
    let broken = true;
    const batches: number[] = [];
    harness = await startReceiver({
      async append(batch) {
        if (broken) throw error;
        batches.push(batch.times.length);
        return allStored(batch);
      },
    });
    const reply = await send('/v1/metrics', JSON.stringify(GOOD_METRICS), JSON_TYPE);
    expect(reply.status).toBe(status);
    expect(reply.headers['retry-after']).toBe('5');
    expect(JSON.parse(reply.body.toString())).toEqual({ code, message: expect.stringMatching(message) });
    expect(reply.body.toString()).not.toContain('secret');
    expect(harness.faults).toEqual([]);
    expect(harness.calls).toEqual([]);
    broken = false;
    expect((await send('/v1/metrics', JSON.stringify(GOOD_METRICS), JSON_TYPE)).status).toBe(200);
    expect(batches).toEqual([1]);
  });

  test('is not acknowledged before it is stored', async () => {
    let stored = (): void => {};
    harness = await startReceiver({
      append: (batch) => new Promise((resolve) => (stored = () => resolve(allStored(batch)))),
    });
    let answered = false;
    const reply = send('/v1/metrics', JSON.stringify(GOOD_METRICS), JSON_TYPE).finally(() => (answered = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([answered, harness.calls]).toEqual([false, []]);
    stored();
    expect((await reply).status).toBe(200);
    expect(harness.calls).toHaveLength(1);
  });
});

/** Only retryable codes make senders try again (https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes). */
test('what is retryable here is so for senders, and nothing else is', async () => {
  const statuses: Record<string, number> = {};
  for (const code of ['unavailable', 'overloaded', 'timeout', 'bad_data', 'internal', 'limit'] satisfies ErrorCode[]) {
    harness = await startReceiver({
      now() {
        throw new ComityError(code, 'no');
      },
    });
    statuses[code] = (await send('/v1/metrics', '{}', JSON_TYPE)).status;
    await harness.close();
  }
  expect(statuses).toEqual({
    unavailable: 503,
    overloaded: 503,
    timeout: 503,
    bad_data: 400,
    internal: 500,
    limit: 422,
  });
});

describe('deliveries', () => {
  const delta = (asInt: number) => {
    const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints: [{ ...POINT, asInt }] };
    return metricsRequest(SERVICE, [{ name: 's', sum }]);
  };
  const deliveries = () => harness.batches.map(({ delivery }) => delivery);

  test('a request that adds is named by its content, however it was compressed', async () => {
    harness = await startReceiver();
    const body = metricsProtobuf(delta(1));
    await send('/v1/metrics', body, PROTOBUF);
    await send('/v1/metrics', gzipSync(body), { ...PROTOBUF, 'content-encoding': 'gzip' });
    await send('/v1/metrics', metricsProtobuf(delta(2)), PROTOBUF);
    await send('/v1/traces', traceProtobuf(TRACES), PROTOBUF);
    const [first, again, other, spans] = deliveries();
    expect(first).toMatch(/^metrics:[\w-]{22}$/);
    expect(again).toBe(first);
    expect(other).toMatch(/^metrics:[\w-]{22}$/);
    expect(other).not.toBe(first);
    expect(spans).toMatch(/^traces:[\w-]{22}$/);
  });

  test('a request that sets has no name: its points tell by themselves', async () => {
    harness = await startReceiver();
    await send('/v1/metrics', metricsProtobuf(GOOD_METRICS), PROTOBUF);
    expect(deliveries()).toEqual([undefined]);
  });
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
    const first = await startReceiver();
    await otlpHttpReceiver(app, first.otlp, first.budget);
    harness = { ...first, app, close: async () => void (await Promise.all([app.close(), first.app.close()])) };
    expect((await send('/own', '{"a":1}', JSON_TYPE)).body.toString()).toBe('{"got":{"a":1}}');
    expect((await send('/nowhere', '{}', JSON_TYPE)).body.toString()).toBe('nothing here');
    expect((await send('/v1/metrics', '{}', JSON_TYPE)).status).toBe(200);
  });
});

test('too many bytes of bodies at once are told to come back, and room becomes free again', async () => {
  harness = await startReceiver({}, 1_000);
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
  await expect.poll(async () => (await ask(200)).status, { interval: 5 }).toBe(503);
  expect((await ask(200)).headers.get('retry-after')).toBe('5');
  expect((await ask(50)).status).toBe(200);
  for (const abort of aborts) abort.abort();
  await Promise.all(stuck);
  for (let i = 0; i < 30; i++) await expect.poll(async () => (await ask(900)).status, { interval: 5 }).toBe(200);
});
