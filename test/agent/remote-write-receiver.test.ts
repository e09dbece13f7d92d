import { connect } from 'node:net';
import { compress } from 'snappyjs';
import { describe, expect, test } from 'vitest';
import { ComityError, type ErrorCode } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import type { Appended, RejectReason } from '../../src/model/batch.ts';
import { openStore } from '../../src/store/store.ts';
import { mutate } from '../mutate.ts';
import { randomFrom } from '../random.ts';
import {
  allStored,
  encode,
  encodeRawV2,
  encodeV1,
  encodeV2,
  rowsOf,
  STALE,
  T,
  UP,
  V1,
  V2,
} from '../wire/remote-write-requests.ts';
import { post, startReceiver, write } from './remote-write-harness.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const GOOD = [{ labels: UP, samples: [{ value: 1, timestamp: T }] }];
const HEADERS = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };

describe('a request that is stored whole', () => {
  test.each([V1, V2])('gets 204 and no text: %s', async (message) => {
    const harness = await startReceiver();
    const answer = await write(harness, message, encode(message, GOOD));
    expect(answer).toMatchObject({ status: 204, text: '', written: message === V1 ? undefined : '1 0 0' });
    expect(harness.batches.flatMap(rowsOf)).toHaveLength(1);
    expect(harness.calls).toEqual([
      `streams metrics [{"job":"api","instance":"a:1","earliestMs":${T},"latestMs":${T}}] 7`,
      'accepted remote_write metrics 1',
      'answered remote_write metrics 204',
    ]);
  });

  test('says what was written, a staleness marker of a histogram being a histogram', async () => {
    const harness = await startReceiver();
    const histograms = [{ timestamp: T }, { sum: STALE, timestamp: T + 1 }];
    const exemplars = [{ labels: [['trace_id', 'a'] as const], value: 1, timestamp: T }];
    const samples = [
      { value: 1, timestamp: T },
      { value: STALE, timestamp: T + 1 },
      { value: 2, timestamp: T + 2 },
    ];
    const series = [
      { labels: UP, samples, exemplars },
      { labels: [...UP, ['x', 'y'] as const], histograms },
    ];
    expect(await write(harness, V2, encodeV2(series))).toMatchObject({ status: 204, written: '3 2 1' });
  });

  test('may be empty, or hold metadata only', async () => {
    const harness = await startReceiver();
    expect(await write(harness, V1, Buffer.alloc(0))).toMatchObject({ status: 204 });
    expect(await write(harness, V2, Buffer.alloc(0))).toMatchObject({ status: 204, written: '0 0 0' });
    const metadata = [{ type: 1, metricFamilyName: 'requests', help: 'How many.', unit: '' }];
    expect(await write(harness, V1, encodeV1([], metadata))).toMatchObject({ status: 204 });
    expect(harness.batches.map((batch) => batch.metadata)).toEqual([
      [],
      [],
      [{ metric: 'requests', type: 'counter', help: 'How many.', unit: '' }],
    ]);
  });

  test('is answered after it is stored', async () => {
    const order: string[] = [];
    const harness = await startReceiver({
      async append(batch) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        order.push('stored');
        return allStored(batch);
      },
      onStreams: () => void order.push('streams'),
    });
    await write(harness, V1, encodeV1(GOOD));
    expect([...order, 'answered']).toEqual(['stored', 'streams', 'answered']);
  });

  test('stays stored when streams cannot be noted', async () => {
    const harness = await startReceiver({
      onStreams() {
        throw new Error('broken');
      },
    });
    expect(await write(harness, V1, encodeV1(GOOD))).toMatchObject({ status: 204 });
  });
});

describe('a request that is sent again', () => {
  const samples = [1, 2, 3].map((k) => ({ value: k, timestamp: T + k }));
  const exemplars = [1, 2].map((k) => ({ labels: [['trace_id', `t${k}`] as const], value: k, timestamp: T + k }));

  test.each([V1, V2])('is stored already, whatever lies between: %s', async (message) => {
    const store = openStore({ path: ':memory:', now: () => T + 60_000 });
    const harness = await startReceiver({ append: async (batch) => store.append(batch) });
    const body = encode(message, [{ labels: UP, samples, exemplars }]);
    const later = encode(message, [{ labels: UP, samples: [{ value: 9, timestamp: T + 30_000 }] }]);
    for (const sent of [body, body, later, body]) {
      expect(await write(harness, message, sent)).toMatchObject({ status: 204, text: '' });
    }
    expect(store.stats().samples).toBe(4);
    expect(harness.calls.filter((call) => call.startsWith('rejected'))).toEqual([]);
    const other = encode(message, [{ labels: UP, samples: [samples[0]!, { value: 7, timestamp: T + 2 }] }]);
    expect(await write(harness, message, other)).toMatchObject({ status: 400, text: /^1 duplicate_timestamp/ });
    store.close();
  });
});

describe('a request of which something is left out', () => {
  const bad = { labels: [['a', 'b'] as const], samples: [{ value: 1, timestamp: T }] };

  test.each([V1, V2])('gets 400 with the reason, and the rest is stored: %s', async (message) => {
    const harness = await startReceiver();
    const answer = await write(harness, message, encode(message, [bad, ...GOOD, bad]));
    expect(answer).toMatchObject({ status: 400, written: message === V1 ? undefined : '1 0 0' });
    expect(answer.text).toBe('2 bad_metric_name (first: no metric name in "a b")\n');
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect(harness.batches.flatMap(rowsOf)).toHaveLength(1);
    expect(harness.calls).toEqual([
      `streams metrics [{"job":"api","instance":"a:1","earliestMs":${T},"latestMs":${T}}] 7`,
      'accepted remote_write metrics 1',
      'rejected remote_write metrics bad_metric_name 2',
      'answered remote_write metrics 400',
    ]);
  });

  test.each<RejectReason>([
    'out_of_order',
    'duplicate_timestamp',
    'too_far_in_future',
    'series_limit',
    'metric_series_limit',
  ])('by the store: %s', async (reason) => {
    const appended = (exemplars: number): Appended => ({
      stored: 1,
      repeated: 1,
      rejected: new Map([[reason, { count: 1, firstRow: 2 }]]),
      histograms: 1,
      exemplars,
    });
    const samples = [1, 2, 3].map((k) => ({ value: k, timestamp: T + k }));
    const harness = await startReceiver({ append: async () => appended(0) });
    const answer = await write(harness, V2, encodeV2([{ labels: UP, samples }]));
    expect(answer).toMatchObject({ status: 400, written: '1 1 0' });
    expect(answer.text).toBe(`1 ${reason} (first: up{domain="eu", instance="a:1", job="api"} at ${T + 3} ms)\n`);
    expect(harness.calls).toContain('accepted remote_write metrics 2');
    expect(harness.calls).toContain(`rejected remote_write metrics ${reason} 1`);
  });

  test('exemplars that are not kept fail a request of 2.0 and not one of 1.0', async () => {
    const long = { labels: [['a', 'x'.repeat(200)] as const], value: 1, timestamp: T };
    const short = { labels: [], value: 1, timestamp: T };
    for (const [exemplar, text] of [
      [long, /^1 bad_exemplar \(first: of up at \d+: its labels have 201 bytes, 128 are allowed\)\n$/],
      [short, /^1 exemplar_out_of_order\n$/],
    ] as const) {
      const harness = await startReceiver({ append: async (batch) => ({ ...allStored(batch), exemplars: 0 }) });
      const series = [{ ...GOOD[0]!, exemplars: [exemplar] }];
      expect(await write(harness, V1, encodeV1(series))).toMatchObject({ status: 204 });
      const answer = await write(harness, V2, encodeV2(series));
      expect(answer).toMatchObject({ status: 400, written: '1 0 0' });
      expect(answer.text).toMatch(text);
      expect(harness.calls.filter((call) => call.includes('exemplar'))).toHaveLength(2);
    }
  });

  test('long texts of a sender are cut', async () => {
    const value = 'x'.repeat(LIMITS.labelBytes);
    const rejected = new Map<RejectReason, { count: number; firstRow: number }>([
      ['out_of_order', { count: 1, firstRow: 0 }],
    ]);
    const harness = await startReceiver({ append: async (batch) => ({ ...allStored(batch), stored: 0, rejected }) });
    const answer = await write(harness, V1, encodeV1([{ ...GOOD[0]!, labels: [...UP, ['x', value]] }]));
    expect(answer.status).toBe(400);
    expect(answer.text.length).toBeLessThan(500);
  });
});

describe('a request that cannot be read', () => {
  test.each<[string, number, RegExp, Record<string, string>]>([
    ['no type', 415, /application\/x-protobuf;proto=prometheus\.WriteRequest or .*not ""/, { 'content-type': '' }],
    ['JSON', 415, /not "application\/json"/, { 'content-type': 'application/json' }],
    [
      'another message',
      415,
      /not "application\/x-protobuf;proto=x\.Y"/,
      { 'content-type': 'application/x-protobuf;proto=x.Y' },
    ],
    ['no encoding', 415, /Content-Encoding must be snappy .* not ""/, { 'content-encoding': '' }],
    ['gzip', 415, /Content-Encoding must be snappy .* not "gzip"/, { 'content-encoding': 'gzip' }],
    ['zstd', 415, /not "zstd"/, { 'content-encoding': 'zstd' }],
  ])('%s', async (_what, status, text, headers) => {
    const harness = await startReceiver();
    const answer = await post(harness, compress(encodeV1(GOOD)), { ...HEADERS, ...headers });
    expect(answer.status).toBe(status);
    expect(answer.text).toMatch(text);
    expect(harness.batches).toEqual([]);
    expect(harness.calls).toEqual([`answered remote_write metrics ${status}`]);
  });

  test.each<[string, string]>([
    [V1, 'application/x-protobuf'],
    [V1, 'Application/X-Protobuf; charset=utf-8'],
    [V1, 'application/x-protobuf;proto=prometheus.WriteRequest'],
    [V2, 'application/x-protobuf;proto=io.prometheus.write.v2.Request'],
    [V2, 'application/x-protobuf; a=";proto=x"; Proto="io.prometheus.write.v2.Request"'],
  ])('the type of %s: %s', async (message, type) => {
    const harness = await startReceiver();
    const body = message === V1 ? encodeV1(GOOD) : encodeV2(GOOD);
    const answer = await post(harness, compress(body), { 'content-type': type, 'content-encoding': 'Snappy' });
    expect(answer.status).toBe(204);
    expect(harness.batches.flatMap(rowsOf)).toHaveLength(1);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', Buffer.alloc(0), /malformed snappy at byte 0/],
    ['no Snappy', Buffer.from('hello, this is no snappy'), /malformed snappy/],
    ['no protobuf', compress(Buffer.from([0x0a, 9])), /malformed protobuf at byte 2/],
  ])('%s', async (_what, payload, text) => {
    const harness = await startReceiver();
    for (const type of [V1, V2]) {
      const headers = { ...HEADERS, 'content-type': `application/x-protobuf;proto=${type}` };
      // The field of the protobuf is 1.0's; 2.0 passes by unknown ones in the same way.
      const answer = await post(harness, payload, headers);
      expect(answer).toMatchObject({ status: 400, written: type === V1 ? undefined : '0 0 0' });
      expect(answer.text).toMatch(text);
    }
    expect(harness.batches).toEqual([]);
  });

  test('a symbol that is not there fails the whole request', async () => {
    const harness = await startReceiver();
    const samples = [{ value: 1, timestamp: T }];
    const timeseries = [
      { labelsRefs: [1, 2], samples },
      { labelsRefs: [1, 3], samples },
    ];
    const answer = await write(harness, V2, encodeRawV2({ symbols: ['', '__name__', 'up'], timeseries }));
    expect(answer).toMatchObject({ status: 400, written: '0 0 0' });
    expect(harness.batches).toEqual([]);
  });

  test('a bomb and a body too large get 413', async () => {
    const harness = await startReceiver();
    const bomb = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
    expect(await post(harness, bomb, HEADERS)).toMatchObject({ status: 413 });
    const noise = Buffer.alloc(LIMITS.bodyBytes + 1);
    expect(await post(harness, noise, HEADERS)).toMatchObject({
      status: 413,
      text: expect.stringMatching(/16777216 bytes/),
    });
  });

  test('other methods get 405', async () => {
    const { app } = await startReceiver();
    const reply = await app.inject({ method: 'GET', url: '/api/v1/write' });
    expect([reply.statusCode, reply.headers['allow'], reply.body]).toEqual([
      405,
      'POST',
      'GET is not allowed, use POST\n',
    ]);
  });
});

describe('a store that does not take it', () => {
  test.each<[ErrorCode | 'Error', number, string | undefined, RegExp]>([
    ['unavailable', 503, '5', /^why\n$/],
    ['overloaded', 503, '5', /^why\n$/],
    ['Error', 500, undefined, /fault/],
  ])('%s', async (code, status, retryAfter, text) => {
    const harness = await startReceiver({
      async append() {
        throw code === 'Error' ? new Error('/secret/path') : new ComityError(code, 'why');
      },
    });
    const answer = await write(harness, V2, encodeV2(GOOD));
    expect(answer).toMatchObject({ status, written: '0 0 0' });
    expect(answer.headers['retry-after']).toBe(retryAfter);
    expect(answer.text).toMatch(text);
    expect(answer.text).not.toContain('secret');
    expect(harness.calls).toEqual([`answered remote_write metrics ${status}`]);
  });

  test('too many bodies at once get 503 until there is room', async () => {
    const harness = await startReceiver({ bodyBytesAtOnce: 10_000 });
    const url = new URL(await harness.app.listen({ host: '127.0.0.1', port: 0 }));
    // Sends most of a body and then nothing.
    const slow = connect(Number(url.port), '127.0.0.1');
    const head = Object.entries({ ...HEADERS, host: 'x', 'content-length': '9000' }).map(
      ([name, value]) => `${name}: ${value}`,
    );
    slow.write(`POST /api/v1/write HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`);
    slow.write(Buffer.alloc(8000));
    const body = compress(
      encodeV1(Array.from({ length: 200 }, (_, i) => ({ ...GOOD[0]!, labels: [...UP, ['i', `${Math.sin(i)}`]] }))),
    );
    expect(body.length).toBeGreaterThan(2500);
    const send = () =>
      fetch(new URL('/api/v1/write', url), { method: 'POST', headers: HEADERS, body: new Uint8Array(body) });
    await expect.poll(async () => (await send()).status).toBe(503);
    expect((await send()).headers.get('retry-after')).toBe('5');
    slow.destroy();
    await expect.poll(async () => (await send()).status).toBe(204);
    await harness.app.close();
  });
});

test(`broken bodies get 204, 400 or 413 and never another answer, seed ${SEED}`, { timeout: 60_000 }, async () => {
  const harness = await startReceiver();
  const random = randomFrom(SEED);
  const histograms = [{ countInt: 3, positiveSpans: [{ offset: 1, length: 2 }], positiveDeltas: [1, 1], timestamp: T }];
  const series = [...GOOD, { labels: [...UP, ['x', 'y'] as const], histograms }];
  const answers = new Map<number, number>();
  for (let run = 0; run < 2000; run++) {
    const message = random.pick([V1, V2]);
    const body = encode(message, series);
    // Broken before compression it reaches the decoder, broken after it the decompression.
    const payload = random.chance(0.5) ? compress(mutate(random, body)) : mutate(random, compress(body));
    const type = `application/x-protobuf;proto=${message}`;
    const { status } = await post(harness, payload, { ...HEADERS, 'content-type': type });
    expect([204, 400, 413], `run ${run}`).toContain(status);
    answers.set(status, (answers.get(status) ?? 0) + 1);
  }
  expect(answers.get(204)).toBeGreaterThan(10);
  expect(answers.get(400)).toBeGreaterThan(100);
});
