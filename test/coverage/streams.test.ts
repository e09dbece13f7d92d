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
    expect(streams.counts(8_500)).toEqual({ expected: 2, observed: 2, settledUntilMs: 4_000 });
    expect(streams.counts(9_100)).toEqual({ expected: 2, observed: 1, settledUntilMs: 8_000 });
    expect(streams.counts(4_000 + EXPECTED_FOR_MS + 1).expected).toBe(1);
    expect(streams.counts(8_000 + EXPECTED_FOR_MS + 1)).toEqual({ expected: 0, observed: 0, settledUntilMs: 0 });
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

  it('past the limit is not remembered', () => {
    const streams = trackStreams([], 0, 1);
    streams.seen('metrics', [A, B], 0);
    expect(streams.counts(0).expected).toBe(1);
  });

  it('one that hangs does not hold the watermark back for more than two minutes', () => {
    const streams = trackStreams([], 0, 10);
    streams.seen('metrics', [A], 0);
    streams.seen('metrics', [B], 140_000);
    expect(streams.counts(140_000)).toEqual({ expected: 2, observed: 2, settledUntilMs: 20_000 });
  });
});

it('streams are stored and read back', () => {
  const dir = mkdtempSync(join(tmpdir(), 'comity-streams-'));
  try {
    const records = [{ signal: 'metrics', ...A, lastSeenMs: 5, intervalMs: 2 }];
    const first = openStreamsDb(join(dir, 'x.sqlite'));
    first.save([{ signal: 'traces', ...B, lastSeenMs: 1, intervalMs: 1 }]);
    first.save(records);
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
