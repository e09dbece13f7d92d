import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { scrapeLoop, type ScrapeLoop } from '../../../src/agent/scrape/loop.ts';
import type { TargetScraper } from '../../../src/agent/scrape/target-scraper.ts';

const START_MS = Date.UTC(2026, 0, 1);
const INTERVAL_MS = 10_000;

let calls: string[];
/** How long the next scrapes take. */
let takesMs: number[];
/** What the clock is off by. */
let skewMs: number;
let loop: ScrapeLoop;

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
  calls = [];
  takesMs = [];
  skewMs = 0;
});

afterEach(async () => {
  await loop.close();
  vi.useRealTimers();
});

function start(offsetMs: number): void {
  const scraper: TargetScraper = {
    async scrape(timeMs, signal) {
      calls.push(`${(timeMs - START_MS) / 1000}`);
      const ms = takesMs.shift() ?? 0;
      if (ms < 0) throw new Error('a fault');
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      if (signal.aborted) calls.push('aborted');
    },
    end: async (timeMs) => void calls.push(`end ${(timeMs - START_MS) / 1000} at ${(Date.now() - START_MS) / 1000}`),
    forbid: () => undefined,
    health: () => ({ health: 'up', lastScrapeMs: 0, lastDurationSeconds: 0, lastError: undefined }),
  };
  loop = scrapeLoop(scraper, {
    intervalMs: INTERVAL_MS,
    offsetMs,
    now: () => Date.now() + skewMs,
    onFault: (error) => calls.push((error as Error).message),
  });
}

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

test('scrapes come at their place in the interval, wherever the start is', async () => {
  vi.setSystemTime(START_MS + 4_000);
  start(3_000);
  await pass(29_100);
  expect(calls).toEqual(['13', '23', '33']);
});

test('a place that is still ahead in this interval is taken', async () => {
  start(3_000);
  await pass(3_000);
  expect(calls).toEqual(['3']);
});

test('small delays do not show in the times, large ones do', async () => {
  start(0);
  await pass(9_999);
  skewMs = 8;
  await pass(10_000);
  skewMs = 50;
  await pass(10_000);
  skewMs = -9;
  await pass(10_000);
  expect(calls).toEqual(['0', '10', '20.05', '30']);
});

test('a clock that is set back or forth is followed', async () => {
  start(0);
  await pass(1);
  skewMs = -3_600_000;
  await pass(10_000);
  await pass(10_000);
  skewMs = 7_200_000;
  await pass(10_000);
  expect(calls).toEqual(['0', '-3590', '-3580', '7230']);
});

test('a scrape that takes too long is followed by the next at once, and then they are in step', async () => {
  start(0);
  takesMs = [25_000];
  await pass(45_000);
  expect(calls).toEqual(['0', '25', '30', '40']);
});

test('a fault ends nothing', async () => {
  start(0);
  takesMs = [-1];
  await pass(10_000);
  expect(calls).toEqual(['0', 'a fault', '10']);
});

test('a target that is gone ends two intervals later, at the time of the scrape that did not come', async () => {
  start(0);
  await pass(12_000);
  loop.leave();
  await pass(18_900);
  expect(calls).toEqual(['0', '10']);
  await pass(200);
  expect(calls).toEqual(['0', '10', 'end 20 at 31']);
  await loop.ended;
});

test('a scrape under way when its target goes is finished', async () => {
  start(0);
  takesMs = [3_000];
  await pass(1_000);
  loop.leave();
  await pass(30_000);
  expect(calls).toEqual(['0', 'end 10 at 21']);
});

test('a target that goes before its first scrape leaves nothing', async () => {
  start(5_000);
  await pass(1_000);
  loop.leave();
  await pass(60_000);
  expect(calls).toEqual([]);
  await loop.ended;
});

test.each([
  ['between scrapes', 12_000, []],
  ['in a scrape', 1_000, [3_000]],
])('closing %s ends the loop', async (_, afterMs, takes) => {
  start(0);
  takesMs = [...takes];
  await pass(afterMs);
  const before = calls.length;
  const closed = loop.close();
  await pass(3_000);
  await closed;
  await pass(60_000);
  expect(calls.slice(before)).toEqual(takes.length > 0 ? ['aborted'] : []);
});

test('closing while a target leaves marks nothing', async () => {
  start(0);
  await pass(1_000);
  loop.leave();
  await pass(1_000);
  await loop.close();
  await pass(60_000);
  expect(calls).toEqual(['0']);
});

test('intervals longer than timers can be', async () => {
  start(0);
  await loop.close();
  calls = [];
  const month = 30 * 86_400_000;
  loop = scrapeLoop(
    {
      scrape: async () => void calls.push('scrape'),
      end: async () => undefined,
      forbid: () => undefined,
      health: () => ({ health: 'up', lastScrapeMs: 0, lastDurationSeconds: 0, lastError: undefined }),
    },
    { intervalMs: month, offsetMs: (Date.now() + month - 1) % month, now: Date.now, onFault: () => undefined },
  );
  await pass(month - 2);
  expect(calls).toEqual([]);
  await pass(1);
  expect(calls).toEqual(['scrape']);
});
