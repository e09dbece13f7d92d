import { describe, expect, test } from 'vitest';
import { translateBytes } from '../../src/wire/otlp/byte-walk.ts';
import { metricCaches } from '../../src/wire/otlp/metric-caches.ts';
import { DEFAULT_PROMOTED } from '../../src/wire/otlp/resource.ts';
import { mutate } from '../mutate.ts';
import { randomFrom, type Random } from '../random.ts';
import { compared, NOW_MS, OPTIONS } from './otlp-compared.ts';
import { metricsProtobuf, randomMetricsRequest } from './otlp-requests.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

function randomBody(random: Random): Uint8Array {
  // Ten minutes of points, some of which lie ahead of the limit.
  const startMs = NOW_MS + random.pick([-600_000, 100_000]);
  return metricsProtobuf(randomMetricsRequest(random, { startMs, temporality: random.int(0, 3) }));
}

/** One byte is another: most of them are parts of texts and numbers, so that the request may still be well-formed. */
function withOneByte(random: Random, body: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(body);
  if (copy.length > 0) copy[random.int(0, copy.length - 1)] = random.pick([0, 1, 0x0a, 0x12, 0x7f, 0x80, 0xff]);
  return copy;
}

describe.each([[false], [true]])('with custom buckets: %s', (convertHistogramsToNhcb) => {
  const options = { ...OPTIONS, convertHistogramsToNhcb };

  test(`bytes become what the decoded request becomes, seed ${SEED}`, () => {
    const compare = compared(options);
    const random = randomFrom(SEED);
    const bodies = Array.from({ length: 150 }, () => randomBody(random));
    for (const [i, body] of bodies.entries()) compare(body, `request ${i} of seed ${SEED}`);
    // Read at another place of another buffer.
    for (const [i, body] of bodies.entries()) {
      const moved = new Uint8Array(body.length + 7).subarray(3, 3 + body.length);
      moved.set(body);
      compare(moved, `request ${i} of seed ${SEED}, moved`);
    }
  });

  test(`so it is for broken requests, errors included, seed ${SEED}`, { timeout: 60_000 }, () => {
    const compare = compared(options);
    const random = randomFrom(SEED).fork(1);
    let broken = 0;
    for (let i = 0; i < 1000; i++) {
      const body = randomBody(random);
      const mutant = random.chance(0.5) ? mutate(random, body) : withOneByte(random, body);
      const outcome = compare(mutant, `mutant ${i} of seed ${SEED}`);
      if ('code' in (outcome as object)) broken++;
    }
    expect(broken).toBeGreaterThan(100);
    expect(broken).toBeLessThan(900);
  });

  test('random requests are translated from their bytes, and need no decoder', () => {
    const caches = metricCaches();
    const random = randomFrom(SEED).fork(2);
    for (let i = 0; i < 50; i++) {
      const body = randomBody(random);
      expect(translateBytes(body, options, DEFAULT_PROMOTED, caches, NOW_MS), `request ${i}`).toBeDefined();
    }
  });
});
