import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../src/base/sqlite.ts';
import { openCoverageDb } from '../../src/coverage/coverage-db.ts';
import { EXPECTED_FOR_MS } from '../../src/coverage/presence.ts';
import { trackStreams, type StreamRecord, type StreamTracker } from '../../src/coverage/streams.ts';
import type { Stream } from '../../src/model/stream.ts';

const A = { job: 'shop/cart', instance: 'a' };
const B = { job: 'shop/cart', instance: 'b' };

const DAY_MS = 24 * 60 * 60 * 1000;

function tracker(limit: number, remembered: readonly StreamRecord[] = [], startMs = 0): StreamTracker {
  return trackStreams(remembered, startMs, { limit, keepMs: 30 * DAY_MS });
}

/** What a stream that delivered at these times is remembered by. */
function record(stream: Stream, times: Partial<StreamRecord>): StreamRecord {
  const { lastMs = 0, firstMs = lastMs, seenMs = lastMs, knownMs = seenMs, intervalMs = 0 } = times;
  const none = { downMs: 0, endedMs: 0, gaps: [] };
  return { signal: 'metrics', ...stream, ...none, firstMs, lastMs, seenMs, knownMs, intervalMs, ...times };
}

/** A delivery at `nowMs`, whose latest sample is of that time where nothing else is said. */
function seen(
  streams: StreamTracker,
  heard: readonly Stream[],
  nowMs: number,
  { signal = 'metrics', latestMs = nowMs }: { readonly signal?: string; readonly latestMs?: number } = {},
): boolean {
  return streams.seen(
    signal,
    heard.map((stream) => ({ ...stream, earliestMs: latestMs === -Infinity ? Infinity : latestMs, latestMs })),
    nowMs,
  );
}

describe('a stream', () => {
  it('is missing after two and a half of its own intervals and forgotten after five minutes', () => {
    const streams = tracker(10);
    for (const time of [0, 2_000, 4_000]) seen(streams, [A, B], time);
    for (const time of [6_000, 8_000]) seen(streams, [A], time);
    expect(streams.counts(8_500)).toEqual({ expected: 2, observed: 2, settledUntilMs: 4_000, untracked: 0 });
    expect(streams.counts(9_100)).toMatchObject({ expected: 2, observed: 1, settledUntilMs: 8_000 });
    expect(streams.counts(4_000 + EXPECTED_FOR_MS + 1).expected).toBe(1);
    expect(streams.counts(8_000 + EXPECTED_FOR_MS + 1)).toMatchObject({ expected: 0, observed: 0, settledUntilMs: 0 });
  });

  it('counts once for each signal it delivers', () => {
    const streams = tracker(10);
    seen(streams, [A], 0);
    seen(streams, [A], 0, { signal: 'traces' });
    expect(streams.counts(0).expected).toBe(2);
  });

  it('does not take the parts of one export for an interval', () => {
    const streams = tracker(10);
    for (const time of [0, 60_000, 60_001, 60_002]) seen(streams, [A], time);
    expect(streams.counts(60_000 + 100_000).observed).toBe(1);
  });

  it('that was known before the agent went down is expected while it has time to come back', () => {
    const start = 20 * 60_000;
    const streams = tracker(10, [record(A, { lastMs: 1_000, intervalMs: 2_000 })], start);
    expect(streams.counts(start)).toMatchObject({ expected: 1, observed: 0 });
    expect(streams.counts(start + EXPECTED_FOR_MS + 1).expected).toBe(0);
  });

  it('that paused once is still missed after two and a half of its usual intervals', () => {
    const streams = tracker(10);
    const times = [0, 10_000, 20_000, 30_000];
    for (const time of [...times, 230_000]) seen(streams, [A], time);
    expect(streams.counts(230_000 + 24_000).observed).toBe(1);
    expect(streams.counts(230_000 + 26_000)).toMatchObject({ expected: 1, observed: 0 });
  });

  it('whose interval changes for good is judged by the new one', () => {
    const streams = tracker(10);
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
    const streams = tracker(10);
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
    const streams = tracker(10, [record(A, { lastMs: 1_000 })], start);
    seen(streams, [A], start + 1_000);
    expect(streams.counts(start + 1_000 + 140_000).observed).toBe(1);
    expect(streams.counts(start + 1_000 + 160_000).observed).toBe(0);
  });

  it('past the limit is not remembered but counted', () => {
    const streams = tracker(1);
    seen(streams, [A, B], 0);
    seen(streams, [A, B], 1);
    expect(streams.counts(0)).toMatchObject({ expected: 1, untracked: 2 });
  });

  it('is written when it changed, and again when that failed', () => {
    const streams = tracker(10);
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
    flush(EXPECTED_FOR_MS + 30 * DAY_MS + 2);
    expect(written).toEqual([
      [['a', 'b'], []],
      [['b'], []],
      [['a'], []],
      [['b'], ['a']],
    ]);
  });

  it('holds the watermark at its latest sample, not at the time that it was delivered', () => {
    const streams = tracker(10);
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
    const streams = tracker(10);
    seen(streams, [A], 1_000, { latestMs: 500_000 });
    seen(streams, [A], 2_000, { latestMs: 501_000 });
    expect(streams.counts(2_000).settledUntilMs).toBe(2_000);
  });

  it('that sent no sample, but an exemplar, is heard and leaves the watermark as it is', () => {
    const streams = tracker(10);
    seen(streams, [A], 1_000);
    seen(streams, [A], 2_000, { latestMs: -Infinity });
    expect(streams.counts(2_000)).toMatchObject({ observed: 1, settledUntilMs: 1_000 });
  });

  it('one that hangs does not hold the watermark back for more than two minutes', () => {
    const streams = tracker(10);
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
    const gaps = [{ fromMs: 2, toMs: 4, missingToMs: 3 }];
    const records = [record(A, { firstMs: 1, lastMs: 6, seenMs: 7, knownMs: 8, downMs: 9, endedMs: 10, gaps })];
    const first = openCoverageDb(path, 'process');
    const other = record(B, { signal: 'traces', lastMs: 1, intervalMs: 1 });
    first.streams.save([other, { ...records[0]!, seenMs: 4 }], []);
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
    // No earlier than the watermark that was told by then.
    const times = { lastMs: 600_000 - 120_000, seenMs: 600_000, intervalMs: 15_000 };
    expect(records).toEqual([record({ job: 'j', instance: 'i' }, times)]);
    expect(db.settlement.load()).toBeUndefined();
    db.close();
  });
});
