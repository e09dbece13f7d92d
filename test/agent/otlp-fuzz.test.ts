import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { randomFrom, type Random } from '../differential/random.ts';
import {
  metricsProtobuf,
  randomMetricsRequest,
  span,
  text,
  traceProtobuf,
  traceRequest,
} from '../wire/otlp-requests.ts';
import { NOW_MS, startReceiver } from './otlp-harness.ts';

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

test(`broken bodies get 200, 400 or 413 and never an exception, seed ${SEED}`, { timeout: 120_000 }, async () => {
  const harness = await startReceiver();
  const answers = new Map<number, number>();
  const random = randomFrom(SEED);
  for (let run = 0; run < RUNS; run++) {
    const signal = random.pick(['metrics', 'traces']);
    const format = random.pick(['json', 'x-protobuf']);
    const gzip = random.chance(0.3);
    const whole = validBody(random, signal, format);
    // Broken before compression it reaches the decoder, broken after it the decompression.
    const broken = gzip && random.chance(0.5) ? mutate(random, gzipSync(whole)) : mutate(random, whole);
    const payload = gzip && broken[0] !== 0x1f ? gzipSync(broken) : broken;
    const response = await harness.app.inject({
      method: 'POST',
      url: `/v1/${signal}`,
      headers: { 'content-type': `application/${format}`, ...(gzip ? { 'content-encoding': 'gzip' } : {}) },
      payload,
    });
    const where = `run ${run} of seed ${SEED}: ${response.body}`;
    expect([200, 400, 413], where).toContain(response.statusCode);
    expect(response.headers['content-type'], where).toBe(`application/${format}`);
    answers.set(response.statusCode, (answers.get(response.statusCode) ?? 0) + 1);
  }
  // Both sides were reached: bodies that still read, and bodies that do not.
  expect(answers.get(200)).toBeGreaterThan(RUNS / 20);
  expect(answers.get(400)).toBeGreaterThan(RUNS / 20);
  for (const row of harness.rows) {
    expect(row.labels['domain']).toBe('eu');
    expect(row.labels['__name__']).toMatch(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/);
    expect(Number.isSafeInteger(row.timeMs)).toBe(true);
  }
  await harness.close();
});
