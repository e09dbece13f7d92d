import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { status, type Client } from '@grpc/grpc-js';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { otlpGrpcReceiver } from '../../src/agent/otlp-grpc.ts';
import { ComityError, type ErrorCode } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import {
  metricsProtobuf,
  metricsRequest,
  nanos,
  span,
  text,
  traceProtobuf,
  traceRequest,
} from '../wire/otlp-requests.ts';
import {
  callGrpc,
  callRaw,
  connectRaw,
  framed,
  grpcClient,
  type GrpcHarness,
  METRICS_PATH,
  startGrpc,
  TRACES_PATH,
} from './otlp-grpc-client.ts';
import { allStored, NOW_MS } from './otlp-harness.ts';

const SERVICE = [text('service.name', 's')];
const POINT = { timeUnixNano: nanos(NOW_MS), asInt: 5 };
const METRICS = Buffer.from(metricsProtobuf(metricsRequest(SERVICE, [{ name: 'g', gauge: { dataPoints: [POINT] } }])));
const TRACES = Buffer.from(traceProtobuf(traceRequest(SERVICE, [span(2, NOW_MS, 1)])));
const EMPTY = Buffer.alloc(0);

let harness: GrpcHarness;
let client: Client | undefined;
let session: ClientHttp2Session | undefined;

afterEach(async () => {
  client?.close();
  session?.destroy();
  client = undefined;
  session = undefined;
  await harness.close();
});

async function raw(): Promise<ClientHttp2Session> {
  return (session ??= await connectRaw(harness.grpc.url));
}

describe('a call of a gRPC client', () => {
  test.each([
    ['metrics', METRICS_PATH, METRICS, false, 1],
    ['gzipped metrics', METRICS_PATH, METRICS, true, 1],
    ['gzipped spans', TRACES_PATH, TRACES, true, 18],
  ])('%s are stored before the answer', async (_what, path, body, gzip, rows) => {
    harness = await startGrpc();
    client = grpcClient(harness.target, gzip);
    expect(await callGrpc(client, path, body)).toMatchObject({ code: status.OK, body: EMPTY });
    const signal = path === TRACES_PATH ? 'traces' : 'metrics';
    expect(harness.calls).toEqual([
      `append ${rows}`,
      `${signal} [{"job":"s","instance":"","earliestMs":${NOW_MS},"latestMs":${NOW_MS}}] ${NOW_MS}`,
    ]);
    await expect
      .poll(() => harness.counted)
      .toEqual([
        ['accepted', 'otlp_grpc', signal, 1],
        ['answered', 'otlp_grpc', signal, 'OK'],
      ]);
    await expect.poll(() => harness.budget.heldBytes).toBe(0);
  });

  test('with nothing in it is a success', async () => {
    harness = await startGrpc();
    client = grpcClient(harness.target);
    expect(await callGrpc(client, METRICS_PATH, EMPTY)).toMatchObject({ code: status.OK, body: EMPTY });
    expect(harness.batches.map(({ times }) => times.length)).toEqual([0]);
  });

  test('in part says how much was rejected and why', async () => {
    harness = await startGrpc();
    client = grpcClient(harness.target);
    const points = [POINT, { ...POINT, timeUnixNano: 0 }];
    const body = metricsProtobuf(metricsRequest(SERVICE, [{ name: 'g', gauge: { dataPoints: points } }]));
    const reply = await callGrpc(client, METRICS_PATH, Buffer.from(body));
    expect(reply.code).toBe(status.OK);
    expect([...reply.body!.subarray(0, 5)]).toEqual([0x0a, reply.body!.length - 2, 0x08, 1, 0x12]);
    expect(reply.body!.subarray(6).toString()).toBe('1 no_timestamp (first: metric "g": timeUnixNano is 0)');
  });

  test('carries on one connection as many calls as it may, of a megabyte each', async () => {
    harness = await startGrpc();
    client = grpcClient(harness.target);
    const help = 'x'.repeat(1_000_000);
    const metric = { name: 'g', description: help, gauge: { dataPoints: [POINT] } };
    const body = Buffer.from(metricsProtobuf(metricsRequest(SERVICE, [metric])));
    const calls = Array.from({ length: 150 }, async () => (await callGrpc(client!, METRICS_PATH, body)).code);
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 150 }, () => status.OK));
    expect(harness.rows).toHaveLength(150);
  });

  test.each([
    [
      'of a service that is not here',
      '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
      status.UNIMPLEMENTED,
    ],
    ['of a method that is not here', `${METRICS_PATH}2`, status.UNIMPLEMENTED],
  ])('%s', async (_what, path, code) => {
    harness = await startGrpc();
    client = grpcClient(harness.target);
    expect(await callGrpc(client, path, METRICS)).toMatchObject({
      code,
      message: expect.stringMatching(/logs are not received/),
    });
  });

  test('that is malformed is never to be sent again', async () => {
    harness = await startGrpc();
    client = grpcClient(harness.target, true);
    const reply = await callGrpc(client, METRICS_PATH, Buffer.from('\x0a\x05'));
    expect(reply).toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringMatching(/malformed protobuf at byte 2/),
    });
    expect(reply.metadata!.get('grpc-status-details-bin')).toEqual([]);
    expect(harness.calls).toEqual([]);
  });

  test('too large, plain or decompressed, is never to be sent again', async () => {
    harness = await startGrpc();
    client = grpcClient(harness.target);
    const large = await callGrpc(client, METRICS_PATH, Buffer.alloc(LIMITS.bodyBytes + 1));
    expect(large).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      message: expect.stringMatching(/more than 16777216 bytes. Send smaller/),
    });
    expect(large.metadata!.get('grpc-status-details-bin')).toEqual([]);
    const zipping = grpcClient(harness.target, true);
    const bomb = await callGrpc(zipping, METRICS_PATH, Buffer.alloc(LIMITS.decompressedBytes + 1));
    zipping.close();
    expect(bomb).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      message: expect.stringMatching(/more than 67108864 bytes after decompression/),
    });
  });

  test.each<[what: string, error: Error, message: string]>([
    [
      'for a full disk',
      new ComityError('unavailable', 'the disk is full: 100 %, «voll»'),
      'the disk is full: 100 %, «voll»',
    ],
    ['for too much work', new ComityError('overloaded', 'too much waits'), 'too much waits'],
  ])('that cannot be stored %s is to be sent again, later', async (_what, error, message) => {
    let broken = true;
    harness = await startGrpc({
      async append(batch) {
        if (broken) throw error;
        return allStored(batch);
      },
    });
    client = grpcClient(harness.target);
    const reply = await callGrpc(client, METRICS_PATH, METRICS);
    expect(reply.code).toBe(status.UNAVAILABLE);
    expect(reply.message).toContain(message);
    expect(reply.message).not.toContain('secret');
    const [details] = reply.metadata!.get('grpc-status-details-bin') as Buffer[];
    expect(details!.subarray(0, 3)).toEqual(Buffer.from([0x08, 14, 0x12]));
    // An Any whose value is a RetryInfo with a delay of 5 seconds.
    expect(details!.includes('type.googleapis.com/google.rpc.RetryInfo')).toBe(true);
    expect(details!.subarray(-6)).toEqual(Buffer.from([0x12, 4, 0x0a, 2, 0x08, 5]));
    broken = false;
    expect((await callGrpc(client, METRICS_PATH, METRICS)).code).toBe(status.OK);
  });

  test.each<[ErrorCode, number]>([
    ['timeout', status.UNAVAILABLE],
    ['limit', status.INVALID_ARGUMENT],
    ['internal', status.INTERNAL],
  ])('that fails with %s gets %d', async (code, want) => {
    harness = await startGrpc({
      now() {
        throw new ComityError(code, 'no');
      },
    });
    client = grpcClient(harness.target);
    expect(await callGrpc(client, METRICS_PATH, METRICS)).toMatchObject({ code: want, message: 'no' });
  });

  test('that meets a fault of ours is told nothing of it', async () => {
    harness = await startGrpc({
      now() {
        throw new Error('at /var/lib/secret');
      },
    });
    client = grpcClient(harness.target);
    const reply = await callGrpc(client, METRICS_PATH, METRICS);
    expect(reply).toMatchObject({
      code: status.INTERNAL,
      message: 'the request could not be handled, by a fault of the agent',
    });
    expect(harness.faults).toHaveLength(1);
  });
});

describe('a call by plain HTTP/2', () => {
  test.each<[what: string, chunks: Buffer[], headers: Record<string, string>, code: number, message: RegExp]>([
    ['no message', [], {}, 3, /ended after 0 bytes/],
    ['half a prefix', [framed(METRICS).subarray(0, 3)], {}, 3, /ended after 3 bytes/],
    ['half a message', [framed(METRICS).subarray(0, 20)], {}, 3, /ended after 20 of \d+ bytes/],
    ['two messages', [framed(METRICS), framed(METRICS)], {}, 3, /more than one message/],
    ['a byte more', [framed(METRICS), Buffer.of(0)], {}, 3, /more than one message/],
    ['another flag', [framed(METRICS, 2)], {}, 3, /must be 0 or 1/],
    ['compression without its name', [framed(gzipSync(METRICS), 1)], {}, 3, /grpc-encoding says it is not/],
    ['no gzip', [framed(METRICS, 1)], { 'grpc-encoding': 'gzip' }, 3, /malformed gzip/],
    ['an unknown compression', [framed(METRICS, 1)], { 'grpc-encoding': 'snappy' }, 12, /not known here/],
    ['a length too large', [framed(METRICS, 0, 2 ** 32 - 1)], {}, 8, /more than 16777216 bytes/],
  ])('%s is an error', async (_what, chunks, headers, code, message) => {
    harness = await startGrpc();
    const reply = await callRaw(await raw(), chunks, headers);
    expect(reply.headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
    expect(reply.headers['grpc-status']).toBe(String(code));
    expect(decodeURIComponent(String(reply.headers['grpc-message']))).toMatch(message);
    expect(reply.headers['grpc-accept-encoding']).toBe('identity,gzip,deflate,zstd');
    expect(harness.calls).toEqual([]);
    await expect.poll(() => harness.budget.heldBytes).toBe(0);
    // The connection is as good as before.
    expect((await callRaw(await raw(), [framed(METRICS)])).headers['grpc-status']).toBe('0');
  });

  test.each<[what: string, chunks: Buffer[], headers: Record<string, string>]>([
    ['byte by byte', Array.from(framed(METRICS), (byte) => Buffer.of(byte)), {}],
    ['a message that is not compressed, of a sender that can', [framed(METRICS)], { 'grpc-encoding': 'snappy' }],
    ['gzip', [framed(gzipSync(METRICS), 1)], { 'grpc-encoding': 'gzip' }],
    ['deflate', [framed(deflateSync(METRICS), 1)], { 'grpc-encoding': 'deflate' }],
    ['zstd', [framed(zstdCompressSync(METRICS), 1)], { 'grpc-encoding': 'zstd' }],
    ['another name of the type', [framed(METRICS)], { 'content-type': 'application/grpc+proto;v=1' }],
    ['a long patience', [framed(METRICS)], { 'grpc-timeout': '10000H' }],
  ])('%s is stored', async (_what, chunks, headers) => {
    harness = await startGrpc();
    const reply = await callRaw(await raw(), chunks, headers);
    expect(reply.headers).toMatchObject({ ':status': 200, 'grpc-status': '0' });
    expect(reply.body).toEqual(framed(EMPTY));
    expect(harness.rows).toMatchObject([{ value: 5 }]);
  });

  test.each([
    ['GET', { ':method': 'GET' }, 405],
    ['a body of another type', { 'content-type': 'application/json' }, 415],
    ['messages of another type', { 'content-type': 'application/grpc+json' }, 415],
    ['a type that only begins so', { 'content-type': 'application/grpcs' }, 415],
  ])('%s is no gRPC', async (_what, headers, want) => {
    harness = await startGrpc();
    const reply = await callRaw(await raw(), 'content-type' in headers ? [framed(METRICS)] : [], headers);
    expect(reply.headers[':status']).toBe(want);
  });

  test('a message that does not come is given up when its sender would', async () => {
    harness = await startGrpc();
    const reply = await callRaw(await raw(), [framed(METRICS).subarray(0, 20)], { 'grpc-timeout': '100m' }, false);
    expect(reply.headers['grpc-status']).toBe('14');
    expect(reply.headers['grpc-message']).toMatch(/did not arrive within 100 ms/);
    await expect.poll(() => harness.budget.heldBytes).toBe(0);
  });

  test('a sender that leaves takes nothing with it', async () => {
    harness = await startGrpc();
    const own = await raw();
    for (let i = 0; i < 50; i++) {
      const stream = own.request({ ':method': 'POST', ':path': METRICS_PATH, 'content-type': 'application/grpc' });
      stream.on('error', () => {});
      stream.write(framed(METRICS).subarray(0, 20));
      if (i % 2 === 0) setImmediate(() => stream.destroy());
    }
    await expect.poll(() => harness.budget.heldBytes).toBe(25 * 20);
    own.destroy();
    await expect.poll(() => harness.budget.heldBytes).toBe(0);
    expect(harness.counted).toEqual([]);
    expect(harness.faults).toEqual([]);
  });
});

test('calls and requests over HTTP share one budget', async () => {
  harness = await startGrpc({}, 1_000);
  const own = await raw();
  const stream = own.request({ ':method': 'POST', ':path': METRICS_PATH, 'content-type': 'application/grpc' });
  stream.on('error', () => {});
  stream.write(framed(Buffer.alloc(900)).subarray(0, 900));
  await expect.poll(() => harness.budget.heldBytes).toBe(900);
  const url = await harness.app.listen({ host: '127.0.0.1', port: 0 });
  const ask = async () =>
    (await fetch(`${url}/v1/metrics`, { method: 'POST', headers: JSON_TYPE, body: '{}'.padEnd(200) })).status;
  const JSON_TYPE = { 'content-type': 'application/json' };
  expect(await ask()).toBe(503);
  const call = await callRaw(own, [framed(Buffer.alloc(200))]);
  expect(call.headers['grpc-status']).toBe('14');
  expect(call.headers['grpc-status-details-bin']).toMatch(/^CA4S/);
  stream.close(8);
  await expect.poll(ask).toBe(200);
});

test('a connection that speaks no HTTP/2 is ended and hurts no other', async () => {
  harness = await startGrpc();
  const port = Number(new URL(harness.grpc.url).port);
  for (const garbage of [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    '\0'.repeat(100),
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff',
  ]) {
    const socket = connectSocket(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end(garbage, 'latin1');
    socket.resume();
    await once(socket, 'close');
  }
  expect((await callRaw(await raw(), [framed(METRICS)])).headers['grpc-status']).toBe('0');
});

test('calls past the bound are told to come later, and room becomes free again', { timeout: 60_000 }, async () => {
  harness = await startGrpc();
  const sessions = await Promise.all(Array.from({ length: 41 }, () => connectRaw(harness.grpc.url)));
  const turnedAway: unknown[] = [];
  for (const own of sessions) {
    for (let i = 0; i < 100; i++) {
      const stream = own.request({ ':method': 'POST', ':path': METRICS_PATH, 'content-type': 'application/grpc' });
      stream.on('error', () => {});
      stream.once('response', (headers) => turnedAway.push(decodeURIComponent(String(headers['grpc-message']))));
      stream.write(Buffer.of(0));
    }
  }
  const text = 'more than 4096 calls are under way. Send it again later';
  await expect.poll(() => turnedAway, { timeout: 20_000 }).toEqual([text, text, text, text]);
  for (const own of sessions) own.destroy();
  await expect.poll(() => harness.budget.heldBytes, { timeout: 20_000 }).toBe(0);
  expect((await callRaw(await raw(), [framed(METRICS)])).headers['grpc-status']).toBe('0');
});

test('a connection whose other end does not answer is given up, one that does stays', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    harness = await startGrpc();
    const silent = connectSocket(Number(new URL(harness.grpc.url).port), '127.0.0.1');
    silent.on('error', () => {});
    silent.resume();
    const own = await raw();
    expect((await callRaw(own, [framed(METRICS)])).headers['grpc-status']).toBe('0');
    let pings = 0;
    own.on('ping', () => pings++);
    vi.advanceTimersByTime(60_000);
    await expect.poll(() => pings).toBe(1);
    expect(silent.destroyed).toBe(false);
    // The answer to the ping is on its way.
    expect((await callRaw(own, [framed(METRICS)])).headers['grpc-status']).toBe('0');
    const closed = once(silent, 'close');
    vi.advanceTimersByTime(60_000);
    await closed;
    await expect.poll(() => pings).toBe(2);
    expect((await callRaw(own, [framed(METRICS)])).headers['grpc-status']).toBe('0');
  } finally {
    vi.useRealTimers();
  }
});

test('an address that is taken is an error of the start', async () => {
  harness = await startGrpc();
  const { otlp, budget, target } = harness;
  await expect(otlpGrpcReceiver(otlp, budget, target)).rejects.toThrow(/EADDRINUSE/);
  await expect(otlpGrpcReceiver(otlp, budget, 'nonsense')).rejects.toThrow(/no listen address/);
});

test('closing lets calls under way end and takes no new ones', async () => {
  let store = (): void => {};
  harness = await startGrpc({
    append: (batch) => new Promise((resolve) => (store = () => resolve(allStored(batch)))),
  });
  client = grpcClient(harness.target);
  const call = callGrpc(client, METRICS_PATH, METRICS);
  await expect.poll(() => harness.budget.heldBytes).toBeGreaterThan(0);
  const closed = harness.grpc.close();
  expect((await callGrpc(grpcClient(harness.target), METRICS_PATH, METRICS)).code).toBe(status.UNAVAILABLE);
  store();
  expect((await call).code).toBe(status.OK);
  await closed;
  const { app } = harness;
  harness = { ...harness, close: async () => app.close() };
});

test('closing waits two seconds for a call that does not end', async () => {
  harness = await startGrpc({ append: () => new Promise(() => {}) });
  client = grpcClient(harness.target);
  const call = callGrpc(client, METRICS_PATH, METRICS);
  await expect.poll(() => harness.budget.heldBytes).toBeGreaterThan(0);
  const from = performance.now();
  await harness.grpc.close();
  expect(performance.now() - from).toBeGreaterThan(1_900);
  expect((await call).code).not.toBe(status.OK);
  const { app } = harness;
  harness = { ...harness, close: async () => app.close() };
});
