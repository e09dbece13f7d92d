import { expect, test } from 'vitest';
import {
  hearSign,
  heardStream,
  hearTime,
  PAUSE_MS,
  PAUSES_MAX,
  scrapeMetric,
  signOf,
  silentTimes,
} from '../../src/model/heard-times.ts';
import { randomFrom } from '../random.ts';

const STREAM = { job: 'j', instance: 'i' };

function heard(times: readonly number[]) {
  const into = silentTimes();
  for (const time of times) hearTime(into, time);
  return heardStream(STREAM, into);
}

test.each<[string, number[], object]>([
  ['of one scrape', [1_000, 1_000, 2_000], { earliestMs: 1_000, latestMs: 2_000 }],
  ['of a backlog without a pause', [0, 15_000, 30_000, 0, 15_000], { earliestMs: 0, latestMs: 30_000 }],
  [
    'of a backlog with one',
    [0, 15_000, 90_000, 0, 90_000],
    { earliestMs: 0, latestMs: 90_000, pauses: [{ fromMs: 15_000, toMs: 90_000 }] },
  ],
  ['that another series fills', [0, 45_000, 20_000, 0], { earliestMs: 0, latestMs: 45_000 }],
  [
    'that another series breaks',
    [0, 100_000, 10_000],
    { earliestMs: 0, latestMs: 100_000, pauses: [{ fromMs: 10_000, toMs: 100_000 }] },
  ],
  [
    'that come newest first',
    [200_000, 100_000, 0],
    {
      earliestMs: 0,
      latestMs: 200_000,
      pauses: [
        { fromMs: 0, toMs: 100_000 },
        { fromMs: 100_000, toMs: 200_000 },
      ],
    },
  ],
  ['of nothing but an exemplar', [], { earliestMs: Infinity, latestMs: -Infinity }],
])('the times %s', (_name, times, want) => {
  expect(heard(times)).toEqual({ ...STREAM, ...want });
});

test('are, in any order, those of a sorted list', () => {
  const seed = Date.now() % 100_000;
  const random = randomFrom(seed);
  for (let round = 0; round < 300; round++) {
    const times = Array.from({ length: random.int(1, 30) }, () => random.int(0, 60) * 10_000);
    const sorted = [...new Set(times)].sort((a, b) => a - b);
    const pauses = sorted.flatMap((toMs, at) => {
      const fromMs = sorted[at - 1] ?? toMs;
      return toMs - fromMs > PAUSE_MS ? [{ fromMs, toMs }] : [];
    });
    expect(heard(times), `seed ${seed}, round ${round}: ${times.join()}`).toEqual({
      ...STREAM,
      earliestMs: sorted[0],
      latestMs: sorted.at(-1),
      ...(pauses.length > 0 && { pauses }),
    });
  }
});

test('with more pauses than are kept lose the shortest', () => {
  const times = Array.from({ length: 3 * PAUSES_MAX }, (_none, at) => at * 60_000);
  const { pauses, latestMs } = heard([...times, times.at(-1)! + 600_000]);
  expect(pauses).toHaveLength(PAUSES_MAX);
  expect(pauses!.at(-1)).toEqual({ fromMs: times.at(-1), toMs: latestMs });
});

test.each<[string, boolean, number, string]>([
  ['http_requests_total', false, 0, 'there'],
  ['http_requests_total', true, 0, 'nothing'],
  ['scrape_duration_seconds', false, 1, 'nothing'],
  ['up', false, 1, 'there'],
  ['up', false, 0, 'down'],
  ['up', true, 0, 'ended'],
])('%s, stale: %s, with value %s, says %s', (metric, isStale, value, sign) => {
  expect(signOf(scrapeMetric(metric), isStale, value)).toBe(sign);
});

test('a sign of absence counts where no sample came after it', () => {
  const told = (signs: readonly (readonly ['there' | 'down' | 'ended' | 'nothing', number])[]) => {
    const times = silentTimes();
    for (const [sign, timeMs] of signs) hearSign(times, sign, timeMs);
    const { downMs, endedMs } = heardStream(STREAM, times);
    return { downMs, endedMs };
  };
  expect(
    told([
      ['down', 5],
      ['there', 6],
    ]),
  ).toEqual({});
  expect(
    told([
      ['there', 6],
      ['down', 7],
      ['nothing', 9],
    ]),
  ).toEqual({ downMs: 7 });
  expect(
    told([
      ['down', 7],
      ['ended', 8],
    ]),
  ).toEqual({ endedMs: 8 });
  expect(
    told([
      ['ended', 7],
      ['down', 8],
    ]),
  ).toEqual({ downMs: 8 });
});
