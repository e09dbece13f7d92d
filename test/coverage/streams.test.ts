import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coverageWarning, summariseCoverage, type DomainCoverage } from '../../src/coverage/coverage.ts';
import { openDatabase } from '../../src/base/sqlite.ts';
import { openCoverageDb } from '../../src/coverage/coverage-db.ts';
import { trackStreams, EXPECTED_FOR_MS, type StreamTracker } from '../../src/coverage/streams.ts';
import type { Stream } from '../../src/model/stream.ts';

const A = { job: 'shop/cart', instance: 'a' };
const B = { job: 'shop/cart', instance: 'b' };

/** A delivery at `nowMs`, whose latest sample is of that time where nothing else is said. */
function seen(
  streams: StreamTracker,
  heard: readonly Stream[],
  nowMs: number,
  { signal = 'metrics', latestMs = nowMs } = {},
): boolean {
  return streams.seen(
    signal,
    heard.map((stream) => ({ ...stream, latestMs })),
    nowMs,
  );
}

describe('a stream', () => {
  it('is missing after two and a half of its own intervals and forgotten after five minutes', () => {
    const streams = trackStreams([], 0, 10);
    for (const time of [0, 2_000, 4_000]) seen(streams, [A, B], time);
    for (const time of [6_000, 8_000]) seen(streams, [A], time);
    expect(streams.counts(8_500)).toEqual({ expected: 2, observed: 2, settledUntilMs: 4_000, untracked: 0 });
    expect(streams.counts(9_100)).toMatchObject({ expected: 2, observed: 1, settledUntilMs: 8_000 });
    expect(streams.counts(4_000 + EXPECTED_FOR_MS + 1).expected).toBe(1);
    expect(streams.counts(8_000 + EXPECTED_FOR_MS + 1)).toMatchObject({ expected: 0, observed: 0, settledUntilMs: 0 });
  });

  it('counts once for each signal it delivers', () => {
    const streams = trackStreams([], 0, 10);
    seen(streams, [A], 0);
    seen(streams, [A], 0, { signal: 'traces' });
    expect(streams.counts(0).expected).toBe(2);
  });

  it('does not take the parts of one export for an interval', () => {
    const streams = trackStreams([], 0, 10);
    for (const time of [0, 60_000, 60_001, 60_002]) seen(streams, [A], time);
    expect(streams.counts(60_000 + 100_000).observed).toBe(1);
  });

  it('that was known before the agent went down is expected while it has time to come back', () => {
    const remembered = [{ signal: 'metrics', ...A, lastSeenMs: 0, lastSampleMs: 0, intervalMs: 2_000 }];
    const start = 20 * 60_000;
    const streams = trackStreams(remembered, start, 10);
    expect(streams.counts(start)).toMatchObject({ expected: 1, observed: 0 });
    expect(streams.counts(start + EXPECTED_FOR_MS + 1).expected).toBe(0);
  });

  it('that paused once is still missed after two and a half of its usual intervals', () => {
    const streams = trackStreams([], 0, 10);
    const times = [0, 10_000, 20_000, 30_000];
    for (const time of [...times, 230_000]) seen(streams, [A], time);
    expect(streams.counts(230_000 + 24_000).observed).toBe(1);
    expect(streams.counts(230_000 + 26_000)).toMatchObject({ expected: 1, observed: 0 });
  });

  it('whose interval changes for good is judged by the new one', () => {
    const streams = trackStreams([], 0, 10);
    let time = 0;
    for (const gap of [10_000, 10_000, 10_000, 10_000, 10_000, 60_000, 60_000, 60_000]) {
      seen(streams, [A], time);
      time += gap;
    }
    seen(streams, [A], time);
    expect(streams.counts(time + 140_000).observed).toBe(1);
    expect(streams.counts(time + 160_000).observed).toBe(0);
  });

  it('that is slow is missed before it is forgotten', () => {
    const streams = trackStreams([], 0, 10);
    const interval = 4 * 60_000;
    for (const time of [0, interval, 2 * interval]) seen(streams, [A], time);
    const counts = (intervals: number) => streams.counts((2 + intervals) * interval);
    expect(counts(2.4)).toMatchObject({ expected: 1, observed: 1 });
    expect(counts(2.6)).toMatchObject({ expected: 1, observed: 0 });
    expect(counts(5)).toMatchObject({ expected: 1, observed: 0 });
    expect(counts(5.1).expected).toBe(0);
  });

  it('is not thought slow for the time that the agent was down', () => {
    const start = 20 * 60_000;
    const streams = trackStreams(
      [{ signal: 'metrics', ...A, lastSeenMs: 0, lastSampleMs: 0, intervalMs: 0 }],
      start,
      10,
    );
    seen(streams, [A], start + 1_000);
    expect(streams.counts(start + 1_000 + 140_000).observed).toBe(1);
    expect(streams.counts(start + 1_000 + 160_000).observed).toBe(0);
  });

  it('past the limit is not remembered but counted', () => {
    const streams = trackStreams([], 0, 1);
    seen(streams, [A, B], 0);
    seen(streams, [A, B], 1);
    expect(streams.counts(0)).toMatchObject({ expected: 1, untracked: 2 });
  });

  it('is written when it changed, and again when that failed', () => {
    const streams = trackStreams([], 0, 10);
    const written: unknown[] = [];
    const flush = (nowMs: number): void =>
      streams.flush(nowMs, (changed, forgotten) =>
        written.push([[...changed].map((one) => one.instance), [...forgotten].map((one) => one.instance)]),
      );
    seen(streams, [A, B], 0);
    expect(() =>
      streams.flush(0, () => {
        throw new Error('busy');
      }),
    ).toThrow('busy');
    flush(1);
    flush(2);
    seen(streams, [B], 60_000);
    flush(60_000);
    flush(EXPECTED_FOR_MS + 1);
    expect(written).toEqual([
      [['a', 'b'], []],
      [['b'], []],
      [[], ['a']],
    ]);
  });

  it('holds the watermark at its latest sample, not at the time that it was delivered', () => {
    const streams = trackStreams([], 0, 10);
    const now = 10 * 60_000;
    seen(streams, [A], now);
    seen(streams, [B], now, { latestMs: now - 50_000 });
    expect(streams.counts(now).settledUntilMs).toBe(now - 50_000);
    // An older sample of a stream says nothing of its newer ones, that are there.
    seen(streams, [B], now + 1_000, { latestMs: now - 90_000 });
    expect(streams.counts(now + 1_000).settledUntilMs).toBe(now - 50_000);
    seen(streams, [B], now + 2_000, { latestMs: now - 10_000 });
    expect(streams.counts(now + 2_000).settledUntilMs).toBe(now - 10_000);
    seen(streams, [B], now + 3_000, { latestMs: now + 60_000 });
    expect(streams.counts(now + 3_000).settledUntilMs).toBe(now);
  });

  it('whose clock is ahead is taken to be on time', () => {
    const streams = trackStreams([], 0, 10);
    seen(streams, [A], 1_000, { latestMs: 500_000 });
    seen(streams, [A], 2_000, { latestMs: 501_000 });
    expect(streams.counts(2_000).settledUntilMs).toBe(2_000);
  });

  it('that sent no sample, but an exemplar, is heard and leaves the watermark as it is', () => {
    const streams = trackStreams([], 0, 10);
    seen(streams, [A], 1_000);
    seen(streams, [A], 2_000, { latestMs: -Infinity });
    expect(streams.counts(2_000)).toMatchObject({ observed: 1, settledUntilMs: 1_000 });
  });

  it('one that hangs does not hold the watermark back for more than two minutes', () => {
    const streams = trackStreams([], 0, 10);
    seen(streams, [A], 0);
    seen(streams, [B], 140_000);
    expect(streams.counts(140_000)).toMatchObject({ expected: 2, observed: 2, settledUntilMs: 20_000 });
  });
});

describe('the database', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'comity-streams-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('gives streams back', () => {
    const path = join(dir, 'x.sqlite');
    const records = [{ signal: 'metrics', ...A, lastSeenMs: 5, lastSampleMs: 3, intervalMs: 2 }];
    const first = openCoverageDb(path, 'process');
    const other = { signal: 'traces', ...B, lastSeenMs: 1, lastSampleMs: 1, intervalMs: 1 };
    first.streams.save([other, { ...records[0]!, lastSeenMs: 4 }], []);
    first.streams.save(records, []);
    expect(first.streams.load()).toEqual([...records, other]);
    first.streams.save([], [other]);
    first.close();
    const second = openCoverageDb(path, 'process');
    expect(second.streams.load()).toEqual(records);
    second.close();
  });

  it('of an older agent is taken over: when its streams had their last samples is not known', () => {
    const path = join(dir, 'old.sqlite');
    const old = openDatabase(path, {
      durability: 'process',
      kind: 'CMTS',
      migrations: [
        `CREATE TABLE stream (signal TEXT NOT NULL, job TEXT NOT NULL, instance TEXT NOT NULL, last_seen_ms REAL NOT NULL,
           interval_ms REAL NOT NULL, PRIMARY KEY (signal, job, instance)) WITHOUT ROWID;
         INSERT INTO stream VALUES ('metrics', 'j', 'i', 600000, 15000);`,
      ],
    });
    old.close();
    const db = openCoverageDb(path, 'process');
    const records = db.streams.load();
    expect(records).toEqual([
      { signal: 'metrics', job: 'j', instance: 'i', lastSeenMs: 600_000, lastSampleMs: 0, intervalMs: 15_000 },
    ]);
    expect(trackStreams(records, 610_000, 10).counts(610_000).settledUntilMs).toBe(610_000 - 120_000);
    expect(db.settlement.load()).toBeUndefined();
    db.close();
  });
});

describe('coverage', () => {
  const domain = (
    name: string,
    status: DomainCoverage['status'],
    observed: number,
    expected: number,
    reason?: string,
  ) => ({
    domain: name,
    status,
    observed,
    expected,
    settledUntil: null,
    ...(reason === undefined ? {} : { reason }),
  });

  it.each<[string, DomainCoverage[], boolean, string | undefined]>([
    ['all there', [domain('eu', 'ok', 2, 2), domain('us', 'ok', 1, 1)], true, undefined],
    ['pruned domains do not count', [domain('eu', 'ok', 2, 2), domain('us', 'pruned', 0, 4)], true, undefined],
    [
      'a silent stream',
      [domain('eu', 'ok', 1, 3)],
      false,
      'partial answer: 1 of 3 streams observed; eu 2 streams silent',
    ],
    [
      'a dead domain',
      [domain('eu', 'ok', 2, 2), domain('us', 'unreachable', 0, 3, 'connection refused')],
      false,
      'partial answer: 2 of 5 streams observed; us unreachable (connection refused)',
    ],
  ])('%s', (_name, domains, complete, warning) => {
    const coverage = summariseCoverage(domains);
    expect(coverage.complete).toBe(complete);
    expect(coverageWarning(coverage)).toBe(warning);
  });
});
