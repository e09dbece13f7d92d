import { describe, expect, test } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { keptProducers } from '../../src/coverage/metric-producers.ts';
import { streamCoverage } from '../../src/coverage/stream-coverage.ts';
import { trackStreams } from '../../src/coverage/streams.ts';
import type { Stream } from '../../src/model/stream.ts';

const A = { job: 'shop', instance: 'a' };
const B = { job: 'shop', instance: 'b' };
const NOW_MS = 1_000_000;
const GRID = { startMs: NOW_MS, stepMs: 1, steps: 1 };
const UNTIL = { deadlineMs: Infinity, signal: new AbortController().signal };

/** A delivers until now; B, and the spans of both, fell silent. */
function someStreams() {
  const streams = trackStreams([], 0, { limit: 100, keepMs: 1e9 });
  for (let time = NOW_MS - 200_000; time <= NOW_MS; time += 10_000) {
    const heard = (stream: Stream) => ({ ...stream, earliestMs: time, latestMs: time });
    streams.seen('metrics', [heard(A)], time);
    if (time < NOW_MS - 100_000) {
      streams.seen('metrics', [heard(B)], time);
      streams.seen('traces', [heard(A), heard(B)], time);
    }
  }
  return streams;
}

const PRODUCERS: Readonly<Record<string, readonly Stream[]>> = {
  only_a: [A],
  only_b: [B],
  both: [A, B],
  gone: [{ job: 'shop', instance: 'long gone' }],
  traces_calls: [{ job: 'shop', instance: '' }],
  traces_foreign: [{ job: 'other', instance: '' }, A],
};

async function asked(...metrics: string[]): Promise<string> {
  const runs = await streamCoverage(
    { grid: GRID, reads: metrics.map((metric) => ({ metric, fromMs: -50_000, toMs: 0, fixed: false })) },
    {
      streams: someStreams(),
      now: () => NOW_MS,
      async producersOf(metric) {
        const known = PRODUCERS[metric];
        if (known === undefined) throw new ComityError('timeout', 'the shards are busy');
        return known;
      },
    },
    UNTIL,
  );
  return runs.map(({ observed, expected }) => `${observed}/${expected}`).join(' ');
}

test.each([
  ['the metric of a target that is there', ['only_a'], '1/1'],
  ['the metric of one that is not', ['only_b'], '0/1'],
  ['the metric of both', ['both'], '1/2'],
  ['both metrics, each stream once', ['both', 'only_a', 'only_b'], '1/2'],
  ['a metric that nobody has', ['gone'], '0/0'],
  ['any metric: the trace streams as well', [''], '1/4'],
  ['any metric beside one', ['', 'only_a'], '1/4'],
  ['a metric made from spans', ['traces_calls'], '0/2'],
  ['one with such a name that somebody sends', ['traces_foreign'], '1/1'],
  ['a metric whose producers cannot be found', ['unknown'], '1/4'],
])('%s', async (_name, metrics, want) => {
  expect(await asked(...metrics)).toBe(want);
});

test('a read concerns the streams of its own metric alone', async () => {
  const runs = await streamCoverage(
    {
      grid: GRID,
      reads: [
        { metric: 'only_a', fromMs: -50_000, toMs: 0, fixed: false },
        // At that time it was there.
        { metric: 'only_b', fromMs: -150_000, toMs: -120_000, fixed: false },
      ],
    },
    { streams: someStreams(), now: () => NOW_MS, producersOf: async (metric) => PRODUCERS[metric]! },
    UNTIL,
  );
  expect(runs).toEqual([{ steps: 1, observed: 2, expected: 2 }]);
});

test('who has gone away is not answered', async () => {
  const producersOf = async (): Promise<never> => {
    throw new ComityError('canceled', 'gone');
  };
  const question = { grid: GRID, reads: [{ metric: 'm', fromMs: 0, toMs: 0, fixed: false }] };
  const sources = { streams: someStreams(), now: () => NOW_MS, producersOf };
  await expect(streamCoverage(question, sources, UNTIL)).rejects.toThrow('gone');
});

describe('producers that are kept', () => {
  function kept() {
    const state = { nowMs: 0, tookMs: 0, series: 5, asked: [] as string[], size: 1 };
    const ask = keptProducers(
      async (metric) => {
        state.asked.push(metric);
        state.nowMs += state.tookMs;
        return Array.from({ length: state.size }, () => A);
      },
      () => state.series,
      () => state.nowMs,
    );
    return { state, ask: (metric: string) => ask(metric, UNTIL) };
  }

  test.each([
    ['cheap', 0, 1_000],
    ['dear', 300, 6_000],
    ['very dear', 5_000, 10_000],
  ])('that are %s to ask for are asked for again when series came, but not at once', async (_name, tookMs, keptMs) => {
    const { state, ask } = kept();
    state.tookMs = tookMs;
    await ask('m');
    state.nowMs += 60_000;
    await ask('m');
    expect(state.asked).toEqual(['m']);
    state.series = 6;
    const askedMs = state.nowMs;
    await ask('m');
    expect(state.asked).toEqual(['m', 'm']);
    state.series = 7;
    state.nowMs = askedMs + keptMs - 1;
    await ask('m');
    expect(state.asked).toHaveLength(2);
    state.nowMs = askedMs + keptMs;
    await ask('m');
    expect(state.asked).toHaveLength(3);
    // That one came and another went shows in no number.
    state.nowMs += 10 * 60_000;
    await ask('m');
    expect(state.asked).toHaveLength(4);
  });

  test('are bounded: those that were not asked for longest go', async () => {
    const { state, ask } = kept();
    state.size = 400_000;
    await ask('a');
    await ask('b');
    await ask('a');
    await ask('c');
    state.asked.length = 0;
    await ask('a');
    await ask('c');
    expect(state.asked).toEqual([]);
    await ask('b');
    expect(state.asked).toEqual(['b']);
  });
});
