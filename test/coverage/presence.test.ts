import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { EXPECTED_FOR_MS, pastOf, type Past } from '../../src/coverage/presence.ts';
import { trackStreams, type StreamRecord, type StreamTracker } from '../../src/coverage/streams.ts';
import type { HeardStream } from '../../src/model/stream.ts';
import { randomFrom, type Random } from '../random.ts';

const A = { job: 'j', instance: 'a' };
const KEY = { signal: 'metrics', ...A };
const DAY_MS = 24 * 60 * 60 * 1000;
const STEP_MS = 10_000;

function tracker(remembered: readonly StreamRecord[] = [], startMs = 0): StreamTracker {
  return trackStreams(remembered, startMs, { limit: 10, keepMs: 30 * DAY_MS });
}

/** Times in units of ten seconds, which is the interval of the stream. */
const at = (...times: number[]): number[] => times.map((time) => time * STEP_MS);

function hear(streams: StreamTracker, earliestMs: number, more: Partial<HeardStream> & { nowMs?: number } = {}): void {
  const { nowMs, latestMs = earliestMs, ...rest } = more;
  streams.seen('metrics', [{ ...A, earliestMs, latestMs, ...rest }], nowMs ?? latestMs);
}

function absent(streams: StreamTracker, sign: 'downMs' | 'endedMs', timeMs: number): void {
  streams.seen('metrics', [{ ...A, earliestMs: Infinity, latestMs: -Infinity, [sign]: timeMs }], timeMs);
}

function past(streams: StreamTracker, nowMs: number): Past {
  streams.counts(nowMs);
  return streams.find(KEY)!.past(nowMs);
}

/** Ranges as they are read best. */
function shown({ expected, missing }: Past) {
  const pairs = (ranges: Past['missing']) => ranges.map(({ fromMs, toMs }) => [fromMs, toMs]);
  return { expected: pairs(expected), missing: pairs(missing) };
}

describe('a stream', () => {
  test('misses what lies between two samples that are more than two and a half intervals apart', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3, 5, 6, 10, 11)) hear(streams, time);
    expect(shown(past(streams, 120_000))).toEqual({ expected: [[10_000, Infinity]], missing: [[60_001, 99_999]] });
  });

  test('misses nothing while it is not decided, and everything since its last sample after that', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3, 4)) hear(streams, time);
    expect(past(streams, 65_000).missing).toEqual([]);
    expect(past(streams, 65_001).missing).toEqual([{ fromMs: 40_001, toMs: Infinity }]);
  });

  test('whose first pauses are long is slow, and had a gap once it turns out to be fast', () => {
    const streams = tracker();
    for (const time of at(1, 31, 61)) hear(streams, time);
    expect(past(streams, 700_000).missing).toEqual([]);
    const fast = tracker();
    for (const time of at(1, 31, 32, 33)) hear(fast, time);
    expect(past(fast, 340_000).missing).toEqual([{ fromMs: 10_001, toMs: 309_999 }]);
  });

  test('that falls silent has ended in the end, and its last gap is known', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3)) hear(streams, time);
    const endMs = 30_000 + EXPECTED_FOR_MS;
    expect(shown(past(streams, endMs + 1))).toEqual({ expected: [[10_000, endMs]], missing: [[30_001, endMs]] });
    // It comes back: what lies in between was not awaited.
    hear(streams, 2 * endMs);
    expect(shown(past(streams, 2 * endMs))).toEqual({
      expected: [
        [10_000, endMs],
        [2 * endMs, Infinity],
      ],
      missing: [[30_001, endMs]],
    });
  });

  test('whose target is removed has ended at that time, and owed nothing since its last scrape', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3)) hear(streams, time);
    absent(streams, 'endedMs', 35_000);
    expect(shown(past(streams, 36_000))).toEqual({ expected: [[10_000, 35_000]], missing: [] });
    expect(streams.counts(36_000)).toMatchObject({ expected: 0, observed: 0 });
  });

  test('whose scrapes fail is missing from the first one that did, and stays expected', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3)) hear(streams, time);
    for (let time = 4; time < 100; time++) absent(streams, 'downMs', time * STEP_MS);
    expect(streams.counts(1_000_000)).toMatchObject({ expected: 1, observed: 0 });
    expect(past(streams, 1_000_000).missing).toEqual([{ fromMs: 40_000, toMs: Infinity }]);
    hear(streams, 1_000_000);
    expect(shown(past(streams, 1_000_000))).toEqual({
      expected: [[10_000, Infinity]],
      missing: [[40_000, 999_999]],
    });
    // One scrape that failed is enough: what was stored before it is stale.
    absent(streams, 'downMs', 1_010_000);
    hear(streams, 1_020_000);
    expect(past(streams, 1_020_000).missing.at(-1)).toEqual({ fromMs: 1_010_000, toMs: 1_019_999 });
  });

  test('that never was up is expected and missing', () => {
    const streams = tracker();
    absent(streams, 'downMs', 10_000);
    absent(streams, 'downMs', 20_000);
    expect(streams.counts(20_000)).toMatchObject({ expected: 1, observed: 0, settledUntilMs: 0 });
    hear(streams, 30_000);
    expect(shown(past(streams, 30_000))).toEqual({ expected: [[10_000, Infinity]], missing: [[10_000, 29_999]] });
  });

  test('that is removed and added again while it is down owes nothing in between', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3)) hear(streams, time);
    absent(streams, 'endedMs', 40_000);
    absent(streams, 'downMs', 900_000);
    expect(shown(past(streams, 910_000))).toEqual({
      expected: [
        [10_000, 30_000],
        [900_000, Infinity],
      ],
      missing: [[900_000, Infinity]],
    });
  });

  test.each<[string, [from: number, to: number][], [from: number, to: number][]]>([
    ['all at once', [[40_000, 190_000]], []],
    [
      'in order',
      [
        [40_000, 100_000],
        [110_000, 190_000],
      ],
      [],
    ],
    [
      'from its end',
      [
        [110_000, 190_000],
        [40_000, 100_000],
      ],
      [],
    ],
    [
      'from the middle',
      [
        [100_000, 110_000],
        [40_000, 90_000],
        [120_000, 190_000],
      ],
      [],
    ],
    [
      'in part',
      [[100_000, 110_000]],
      [
        [30_001, 99_999],
        [110_001, 199_999],
      ],
    ],
    ['but for less than a gap', [[50_000, 180_000]], []],
  ])('has its gap closed by late data that comes %s', (_name, late, missing) => {
    const streams = tracker();
    for (const time of at(1, 2, 3, 20, 21)) hear(streams, time);
    expect(past(streams, 210_000).missing).toEqual([{ fromMs: 30_001, toMs: 199_999 }]);
    for (const [fromMs, toMs] of late) hear(streams, fromMs, { latestMs: toMs, nowMs: 211_000 });
    expect(shown(past(streams, 212_000))).toEqual({ expected: [[10_000, Infinity]], missing });
  });

  test('tells of the pauses in a backlog', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3)) hear(streams, time);
    const pauses = [{ fromMs: 100_000, toMs: 200_000 }];
    hear(streams, 40_000, { latestMs: 300_000, pauses, nowMs: 300_000 });
    expect(past(streams, 300_000).missing).toEqual([{ fromMs: 100_001, toMs: 199_999 }]);
  });

  test('that is first heard of by a backlog is fast where that is dense', () => {
    const streams = tracker();
    const pauses = [{ fromMs: 200_000, toMs: 320_000 }];
    hear(streams, 100_000, { latestMs: 400_000, pauses, nowMs: 400_000 });
    expect(past(streams, 400_000).missing).toEqual([{ fromMs: 200_001, toMs: 319_999 }]);
    // One that has its samples two minutes apart has no gap.
    const slow = tracker();
    const each = [1, 2, 3].map((i) => ({ fromMs: (i - 1) * 120_000 + 1, toMs: i * 120_000 + 1 }));
    hear(slow, 1, { latestMs: 360_001, pauses: each, nowMs: 360_001 });
    expect(past(slow, 360_001).missing).toEqual([]);
  });

  test('with a backlog after an outage of its network has no gap, whatever the order', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3)) hear(streams, time);
    expect(past(streams, 600_000).missing).toEqual([{ fromMs: 30_001, toMs: 330_000 }]);
    expect(streams.counts(600_000).expected).toBe(0);
    hear(streams, 610_000);
    hear(streams, 40_000, { latestMs: 300_000, nowMs: 611_000 });
    hear(streams, 310_000, { latestMs: 600_000, nowMs: 612_000 });
    expect(shown(past(streams, 613_000))).toEqual({ expected: [[10_000, Infinity]], missing: [] });
  });

  test('that lags is not missed for it up to two minutes, and is past that', () => {
    const streams = tracker();
    for (let time = 1; time < 60; time++) hear(streams, time * STEP_MS, { nowMs: time * STEP_MS + 100_000 });
    expect(past(streams, 695_000).missing).toEqual([]);
    expect(streams.counts(695_000)).toMatchObject({ observed: 1, settledUntilMs: 590_000 });
    const late = tracker();
    for (let time = 1; time < 60; time++) hear(late, time * STEP_MS, { nowMs: time * STEP_MS + 150_000 });
    expect(past(late, 745_000).missing).toEqual([{ fromMs: 590_001, toMs: Infinity }]);
  });

  test('that was there before the agent went down has a gap unless senders fill it', () => {
    const saved: StreamRecord[] = [];
    const before = tracker();
    for (const time of at(1, 2, 3)) hear(before, time);
    before.flush(30_000, (changed) => saved.push(...changed));
    const restarted = (): StreamTracker => tracker(saved, 1_000_000);
    expect(past(restarted(), 1_000_000).missing).toEqual([{ fromMs: 30_001, toMs: Infinity }]);

    const without = restarted();
    hear(without, 1_010_000);
    expect(past(without, 1_010_000).missing).toEqual([{ fromMs: 30_001, toMs: 1_009_999 }]);

    const caughtUp = restarted();
    hear(caughtUp, 40_000, { latestMs: 500_000, nowMs: 1_001_000 });
    hear(caughtUp, 510_000, { latestMs: 1_000_000, nowMs: 1_002_000 });
    expect(shown(past(caughtUp, 1_002_000))).toEqual({ expected: [[10_000, Infinity]], missing: [] });
  });

  test('forgets what was noted while the clock was ahead', () => {
    const streams = tracker();
    for (const time of at(1, 2, 3)) hear(streams, time);
    hear(streams, 3_600_000);
    expect(past(streams, 3_600_000).missing).toEqual([{ fromMs: 30_001, toMs: 330_000 }]);
    for (const time of at(4, 5, 6)) {
      streams.counts(time);
      hear(streams, time);
    }
    expect(shown(past(streams, 65_000))).toEqual({ expected: [[10_000, Infinity]], missing: [] });
    // One that nobody hears of any more does not pass for present until then.
    expect(past(streams, 90_000).missing).toEqual([{ fromMs: 60_001, toMs: Infinity }]);
  });

  test('has a bounded number of gaps: the nearest become one, and all of it is missing', () => {
    const streams = tracker();
    for (const time of at(0, 1, 2, 3, 4, 5)) hear(streams, time + 1);
    let time = 50_001;
    for (let gap = 0; gap < 10 * LIMITS.gapsPerStream; gap++) {
      for (const pause of [40_000, 10_000, 10_000, 10_000]) hear(streams, (time += pause));
    }
    streams.flush(time, (changed) => {
      for (const { gaps } of changed) expect(gaps.length).toBeLessThanOrEqual(LIMITS.gapsPerStream + 5);
    });
    // Every time that was missing is missing still.
    const { missing } = past(streams, time);
    for (let gap = 0; gap < 10 * LIMITS.gapsPerStream; gap++) {
      const fromMs = 50_001 + gap * 70_000 + 1;
      expect(missing.some((range) => range.fromMs <= fromMs && range.toMs >= fromMs + 39_000)).toBe(true);
    }
  });
});

/** The same by the list of all samples. */
function gapsBySamples(times: readonly number[], nowMs: number): Past['missing'] {
  const sorted = [...new Set(times)].sort((a, b) => a - b);
  const gaps: { fromMs: number; toMs: number }[] = [];
  for (const [i, toMs] of sorted.entries()) {
    const fromMs = sorted[i - 1] ?? toMs;
    if (toMs - fromMs > 2.5 * STEP_MS) gaps.push({ fromMs: fromMs + 1, toMs: toMs - 1 });
  }
  const lastMs = sorted.at(-1)!;
  if (nowMs - lastMs > 2.5 * STEP_MS) gaps.push({ fromMs: lastMs + 1, toMs: Infinity });
  return gaps;
}

/** Deliveries of some pieces of a time line, in any order. */
function randomDeliveries(random: Random): { pieces: [from: number, to: number][]; nowMs: number } {
  const pieces: [number, number][] = [];
  let time = 20;
  for (let i = random.int(1, 12); i > 0; i--) {
    const to = time + random.int(0, 4);
    pieces.push([time * STEP_MS, to * STEP_MS]);
    time = to + random.int(1, 8);
  }
  for (let i = pieces.length - 1; i > 0; i--) {
    const j = random.chance(0.5) ? i : random.int(0, i);
    [pieces[i], pieces[j]] = [pieces[j]!, pieces[i]!];
  }
  return { pieces, nowMs: time * STEP_MS };
}

test('gaps are those between all samples, in whatever order these are delivered', () => {
  const seed = Date.now() % 100_000;
  const random = randomFrom(seed);
  for (let round = 0; round < 2_000; round++) {
    const { pieces, nowMs } = randomDeliveries(random);
    // The interval is known and stays as it is.
    const known = [1, 2, 3, 4, 5, 6].map((time) => time * STEP_MS);
    const streams = tracker();
    for (const time of known) hear(streams, time);
    const saved: StreamRecord[] = [];
    streams.flush(60_000, (changed) => saved.push(...changed));
    const restarted = tracker([{ ...saved[0]!, intervalMs: STEP_MS }], nowMs);
    const samples = [...known];
    for (const [fromMs, toMs] of pieces) {
      // Within the time that a restarted agent gives its streams; none of these pauses says anything of the interval.
      hear(restarted, fromMs, { latestMs: toMs, nowMs: nowMs - 1 });
      for (let time = fromMs; time <= toMs; time += STEP_MS) samples.push(time);
    }
    const text = `seed ${seed}, round ${round}: ${JSON.stringify(pieces)}`;
    const laterMs = nowMs + 60_000;
    expect(past(restarted, laterMs).missing, text).toEqual(gapsBySamples(samples, laterMs));
  }
});

test('what is missing was expected, and both are in order and apart, whatever happens', () => {
  const seed = Date.now() % 100_000;
  const random = randomFrom(seed);
  for (let round = 0; round < 100; round++) {
    let streams = tracker();
    let nowMs = 10_000_000;
    const log: string[] = [];
    for (let event = 0; event < 60; event++) {
      const what = random.pick(['there', 'there', 'there', 'late', 'down', 'ended', 'pause', 'restart', 'jump']);
      nowMs += random.pick([1_000, 10_000, 10_000, 30_000]);
      log.push(`${what}@${nowMs}`);
      if (what === 'there') hear(streams, nowMs);
      if (what === 'late') {
        const latestMs = nowMs - random.int(0, 900) * 1_000;
        hear(streams, latestMs - random.int(0, 90) * 1_000, { latestMs, nowMs });
      }
      if (what === 'down') absent(streams, 'downMs', nowMs);
      if (what === 'ended') absent(streams, 'endedMs', nowMs);
      if (what === 'pause') nowMs += random.int(1, 60) * 10_000;
      if (what === 'jump') {
        nowMs += random.int(-20, 20) * 30_000;
        streams.counts(nowMs);
      }
      if (what === 'restart') {
        const saved: StreamRecord[] = [];
        streams.flush(nowMs, (changed) => saved.push(...changed));
        if (saved.length > 0) streams = tracker(saved, nowMs);
      }
      const known = streams.find(KEY);
      if (known === undefined) continue;
      const { expected, missing } = known.past(nowMs);
      const text = `seed ${seed}, round ${round}: ${log.join(' ')} ${JSON.stringify({ expected, missing })}`;
      for (const ranges of [expected, missing]) {
        for (const [i, { fromMs, toMs }] of ranges.entries()) {
          expect(fromMs, text).toBeLessThanOrEqual(toMs);
          if (i > 0) expect(fromMs, text).toBeGreaterThan(ranges[i - 1]!.toMs);
        }
      }
      for (const gap of missing) {
        expect(
          expected.some(({ fromMs, toMs }) => fromMs <= gap.fromMs && toMs >= gap.toMs),
          text,
        ).toBe(true);
      }
    }
  }
});

test('pastOf needs no tracker', () => {
  const presence = {
    firstMs: 1,
    lastMs: 5,
    seenMs: 5,
    knownMs: 5,
    downMs: 0,
    endedMs: 0,
    intervalMs: 2,
    recent: [],
    gaps: [],
  };
  expect(pastOf(presence, 10).missing).toEqual([]);
  expect(pastOf(presence, 11).missing).toEqual([{ fromMs: 6, toMs: Infinity }]);
});
