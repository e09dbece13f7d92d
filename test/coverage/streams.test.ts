import { describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coverageWarning, summariseCoverage, type DomainCoverage } from '../../src/coverage/coverage.ts';
import { openStreamsDb } from '../../src/coverage/streams-db.ts';
import { trackStreams, EXPECTED_FOR_MS } from '../../src/coverage/streams.ts';

const A = { job: 'shop/cart', instance: 'a' };
const B = { job: 'shop/cart', instance: 'b' };

describe('a stream', () => {
  it('is missing after two and a half of its own intervals and forgotten after five minutes', () => {
    const streams = trackStreams([], 0, 10);
    for (const time of [0, 2_000, 4_000]) streams.seen('metrics', [A, B], time);
    for (const time of [6_000, 8_000]) streams.seen('metrics', [A], time);
    expect(streams.counts(8_500)).toEqual({ expected: 2, observed: 2, settledUntilMs: 4_000, untracked: 0 });
    expect(streams.counts(9_100)).toMatchObject({ expected: 2, observed: 1, settledUntilMs: 8_000 });
    expect(streams.counts(4_000 + EXPECTED_FOR_MS + 1).expected).toBe(1);
    expect(streams.counts(8_000 + EXPECTED_FOR_MS + 1)).toMatchObject({ expected: 0, observed: 0, settledUntilMs: 0 });
  });

  it('counts once for each signal it delivers', () => {
    const streams = trackStreams([], 0, 10);
    streams.seen('metrics', [A], 0);
    streams.seen('traces', [A], 0);
    expect(streams.counts(0).expected).toBe(2);
  });

  it('does not take the parts of one export for an interval', () => {
    const streams = trackStreams([], 0, 10);
    for (const time of [0, 60_000, 60_001, 60_002]) streams.seen('metrics', [A], time);
    expect(streams.counts(60_000 + 100_000).observed).toBe(1);
  });

  it('that was known before the agent went down is expected while it has time to come back', () => {
    const remembered = [{ signal: 'metrics', ...A, lastSeenMs: 0, intervalMs: 2_000 }];
    const start = 20 * 60_000;
    const streams = trackStreams(remembered, start, 10);
    expect(streams.counts(start)).toMatchObject({ expected: 1, observed: 0 });
    expect(streams.counts(start + EXPECTED_FOR_MS + 1).expected).toBe(0);
  });

  it('that paused once is still missed after two and a half of its usual intervals', () => {
    const streams = trackStreams([], 0, 10);
    const times = [0, 10_000, 20_000, 30_000];
    for (const time of [...times, 230_000]) streams.seen('metrics', [A], time);
    expect(streams.counts(230_000 + 24_000).observed).toBe(1);
    expect(streams.counts(230_000 + 26_000)).toMatchObject({ expected: 1, observed: 0 });
  });

  it('whose interval changes for good is judged by the new one', () => {
    const streams = trackStreams([], 0, 10);
    let time = 0;
    for (const gap of [10_000, 10_000, 10_000, 10_000, 10_000, 60_000, 60_000, 60_000]) {
      streams.seen('metrics', [A], time);
      time += gap;
    }
    streams.seen('metrics', [A], time);
    expect(streams.counts(time + 140_000).observed).toBe(1);
    expect(streams.counts(time + 160_000).observed).toBe(0);
  });

  it('that is slow is missed before it is forgotten', () => {
    const streams = trackStreams([], 0, 10);
    const interval = 4 * 60_000;
    for (const time of [0, interval, 2 * interval]) streams.seen('metrics', [A], time);
    const counts = (intervals: number) => streams.counts((2 + intervals) * interval);
    expect(counts(2.4)).toMatchObject({ expected: 1, observed: 1 });
    expect(counts(2.6)).toMatchObject({ expected: 1, observed: 0 });
    expect(counts(5)).toMatchObject({ expected: 1, observed: 0 });
    expect(counts(5.1).expected).toBe(0);
  });

  it('is not thought slow for the time that the agent was down', () => {
    const start = 20 * 60_000;
    const streams = trackStreams([{ signal: 'metrics', ...A, lastSeenMs: 0, intervalMs: 0 }], start, 10);
    streams.seen('metrics', [A], start + 1_000);
    expect(streams.counts(start + 1_000 + 140_000).observed).toBe(1);
    expect(streams.counts(start + 1_000 + 160_000).observed).toBe(0);
  });

  it('past the limit is not remembered but counted', () => {
    const streams = trackStreams([], 0, 1);
    streams.seen('metrics', [A, B], 0);
    streams.seen('metrics', [A, B], 1);
    expect(streams.counts(0)).toMatchObject({ expected: 1, untracked: 2 });
  });

  it('is written when it changed, and again when that failed', () => {
    const streams = trackStreams([], 0, 10);
    const written: unknown[] = [];
    const flush = (nowMs: number): void =>
      streams.flush(nowMs, (changed, forgotten) =>
        written.push([[...changed].map((one) => one.instance), [...forgotten].map((one) => one.instance)]),
      );
    streams.seen('metrics', [A, B], 0);
    expect(() =>
      streams.flush(0, () => {
        throw new Error('busy');
      }),
    ).toThrow('busy');
    flush(1);
    flush(2);
    streams.seen('metrics', [B], 60_000);
    flush(60_000);
    flush(EXPECTED_FOR_MS + 1);
    expect(written).toEqual([
      [['a', 'b'], []],
      [['b'], []],
      [[], ['a']],
    ]);
  });

  it('one that hangs does not hold the watermark back for more than two minutes', () => {
    const streams = trackStreams([], 0, 10);
    streams.seen('metrics', [A], 0);
    streams.seen('metrics', [B], 140_000);
    expect(streams.counts(140_000)).toMatchObject({ expected: 2, observed: 2, settledUntilMs: 20_000 });
  });
});

it('streams are stored and read back', () => {
  const dir = mkdtempSync(join(tmpdir(), 'comity-streams-'));
  try {
    const records = [{ signal: 'metrics', ...A, lastSeenMs: 5, intervalMs: 2 }];
    const first = openStreamsDb(join(dir, 'x.sqlite'));
    const other = { signal: 'traces', ...B, lastSeenMs: 1, intervalMs: 1 };
    first.save([other, { ...records[0]!, lastSeenMs: 4 }], []);
    first.save(records, []);
    expect(first.load()).toEqual([...records, other]);
    first.save([], [other]);
    first.close();
    const second = openStreamsDb(join(dir, 'x.sqlite'));
    expect(second.load()).toEqual(records);
    second.close();
  } finally {
    rmSync(dir, { recursive: true });
  }
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
