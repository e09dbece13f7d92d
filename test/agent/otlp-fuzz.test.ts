import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { randomFrom, type Random } from '../random.ts';
import {
  metricsProtobuf,
  randomMetricsRequest,
  span,
  text,
  traceProtobuf,
  traceRequest,
} from '../wire/otlp-requests.ts';
import { callRaw, connectRaw, framed, METRICS_PATH, startGrpc, TRACES_PATH } from './otlp-grpc-client.ts';
import { NOW_MS, type Row, startReceiver } from './otlp-harness.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = 3000;

/** Changes, cuts, doubles or drops some bytes. */
function mutate(random: Random, body: Uint8Array): Buffer {
  let bytes = Buffer.from(body);
  for (let i = random.int(1, 4); i > 0 && bytes.length > 0; i--) {
    const at = random.int(0, bytes.length - 1);
    const length = random.int(1, Math.min(20, bytes.length - at));
    switch (random.int(0, 5)) {
      case 0:
        bytes[at] = random.int(0, 255);
        break;
      case 1:
        bytes[at]! ^= 1 << random.int(0, 7);
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      default:
        bytes.fill(0xff, at, at + length);
    }
  }
  return bytes;
}

function validBody(random: Random, signal: string, format: string): Uint8Array {
  if (signal === 'metrics') {
    const request = randomMetricsRequest(random, { startMs: NOW_MS - 600_000, temporality: random.int(0, 2) });
    return format === 'json' ? Buffer.from(JSON.stringify(request)) : metricsProtobuf(request);
  }
  const spans = Array.from({ length: random.int(0, 5) }, () => span(random.int(0, 6), NOW_MS, random.int(-2, 9)));
  const request = traceRequest([text('service.name', 's')], spans);
  return format === 'json' ? Buffer.from(JSON.stringify(request)) : traceProtobuf(request);
}

const COMPRESSORS: Readonly<Record<string, (body: Uint8Array) => Buffer>> = {
  gzip: (body) => gzipSync(body),
  deflate: (body) => deflateSync(body),
  zstd: (body) => zstdCompressSync(body),
};

/** A body with its encoding. Broken before compression it reaches the decoder, broken after it the decompression. */
function brokenBody(random: Random, signal: string, format: string): { body: Buffer; encoding: string } {
  const whole = validBody(random, signal, format);
  const encoding = random.pick(['identity', 'identity', ...Object.keys(COMPRESSORS)]);
  const compress = COMPRESSORS[encoding];
  if (compress === undefined) return { body: mutate(random, whole), encoding };
  return { body: random.chance(0.5) ? mutate(random, compress(whole)) : compress(mutate(random, whole)), encoding };
}

function checkRows(rows: readonly Row[]): void {
  for (const row of rows) {
    expect(row.labels['domain']).toBe('eu');
    expect(row.labels['__name__']).toMatch(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/);
    expect(Number.isSafeInteger(row.timeMs)).toBe(true);
  }
}

test(`broken bodies get 200, 400 or 413 and never an exception, seed ${SEED}`, { timeout: 120_000 }, async () => {
  const harness = await startReceiver();
  const answers = new Map<number, number>();
  const random = randomFrom(SEED);
  for (let run = 0; run < RUNS; run++) {
    const signal = random.pick(['metrics', 'traces']);
    const format = random.pick(['json', 'x-protobuf']);
    const { body, encoding } = brokenBody(random, signal, format);
    const response = await harness.app.inject({
      method: 'POST',
      url: `/v1/${signal}`,
      headers: { 'content-type': `application/${format}`, 'content-encoding': encoding },
      payload: body,
    });
    const where = `run ${run} of seed ${SEED}: ${response.body}`;
    expect([200, 400, 413], where).toContain(response.statusCode);
    expect(response.headers['content-type'], where).toBe(`application/${format}`);
    answers.set(response.statusCode, (answers.get(response.statusCode) ?? 0) + 1);
  }
  // Both sides were reached: bodies that still read, and bodies that do not.
  expect(answers.get(200)).toBeGreaterThan(RUNS / 20);
  expect(answers.get(400)).toBeGreaterThan(RUNS / 20);
  expect(harness.faults).toEqual([]);
  checkRows(harness.rows);
  await harness.close();
});

test(`broken calls get OK or what must not be sent again, seed ${SEED}`, { timeout: 120_000 }, async () => {
  const harness = await startGrpc();
  const session = await connectRaw(harness.grpc.url);
  const answers = new Map<string, number>();
  const random = randomFrom(SEED);
  for (let run = 0; run < RUNS / 3; run++) {
    const signal = random.pick(['metrics', 'traces']);
    const { body, encoding } = brokenBody(random, signal, 'x-protobuf');
    const whole = framed(body, encoding === 'identity' ? 0 : 1);
    const message = random.chance(0.2) ? mutate(random, whole) : whole;
    const cut = random.int(0, message.length);
    const headers = { ':path': signal === 'metrics' ? METRICS_PATH : TRACES_PATH, 'grpc-encoding': encoding };
    const reply = await callRaw(session, [message.subarray(0, cut), message.subarray(cut)], headers);
    const status = String(reply.headers['grpc-status']);
    expect(['0', '3', '8'], `run ${run} of seed ${SEED}: ${String(reply.headers['grpc-message'])}`).toContain(status);
    answers.set(status, (answers.get(status) ?? 0) + 1);
  }
  expect(answers.get('0')).toBeGreaterThan(RUNS / 100);
  expect(answers.get('3')).toBeGreaterThan(RUNS / 100);
  expect([harness.faults, harness.budget.heldBytes]).toEqual([[], 0]);
  checkRows(harness.rows);
  session.destroy();
  await harness.close();
});

test(`connections with broken frames end, and hurt no other, seed ${SEED}`, { timeout: 60_000 }, async () => {
  const harness = await startGrpc();
  const random = randomFrom(SEED);
  const whole = await recorded(harness.grpc.url, framed(validBody(random, 'metrics', 'x-protobuf')));
  for (let run = 0; run < 200; run++) {
    // The preface stays whole, or nothing after it would be looked at.
    const socket = connect(Number(new URL(harness.grpc.url).port), '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    socket.end(Buffer.concat([whole.subarray(0, PREFACE_BYTES), mutate(random, whole.subarray(PREFACE_BYTES))]));
    await once(socket, 'close');
  }
  expect(await recorded(harness.grpc.url, framed(validBody(random, 'metrics', 'x-protobuf')))).not.toHaveLength(0);
  expect([harness.faults, harness.budget.heldBytes]).toEqual([[], 0]);
  checkRows(harness.rows);
  await harness.close();
});

const PREFACE_BYTES = 24;

/** The bytes that a client sends for one call, which must succeed. */
async function recorded(url: string, message: Buffer): Promise<Buffer> {
  const target = new URL(url);
  const sent: Buffer[] = [];
  const proxy = createServer((from) => {
    const to = connect(Number(target.port), target.hostname);
    from.on('data', (bytes: Buffer) => sent.push(bytes));
    from
      .on('error', () => {})
      .pipe(to.on('error', () => {}))
      .pipe(from);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const session = await connectRaw(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
  expect((await callRaw(session, [message])).headers['grpc-status']).toBe('0');
  session.destroy();
  proxy.close();
  await once(proxy, 'close');
  return Buffer.concat(sent);
}

test('bombs cost no more memory than honest bodies, over gRPC', async () => {
  const harness = await startGrpc();
  const session = await connectRaw(harness.grpc.url);
  const megabyte = (encoding: string) => COMPRESSORS[encoding]!(Buffer.alloc(2 ** 20));
  const gzip = Buffer.concat(Array.from({ length: 1024 }, () => megabyte('gzip')));
  const zstd = zstdCompressSync(Buffer.alloc(2 ** 29));
  const before = process.resourceUsage().maxRSS;
  for (const [encoding, bomb] of [
    ['gzip', gzip],
    ['zstd', zstd],
    ['gzip', gzip],
  ] as const) {
    const reply = await callRaw(session, [framed(bomb, 1)], { 'grpc-encoding': encoding });
    expect(reply.headers['grpc-status']).toBe('8');
  }
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(300 * 1024);
  session.destroy();
  await harness.close();
});
