import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setStaleAt } from '../../src/model/series.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { AT_MS, fragmentOf } from './fragments.ts';
import { answerOf, keyOf, minutely, openTestUpstream } from './harness.ts';
import { findVictoria, startVictoria, type Victoria } from './victoria.ts';

const program = await findVictoria();

describe.skipIf(program === undefined)('a VictoriaMetrics as the source', { timeout: 60_000 }, () => {
  let server: Victoria;
  let upstream: Upstream;

  beforeAll(async () => {
    server = await startVictoria();
    const ended = minutely({ __name__: 'x_total', job: 'ended' }, [1, 2, 0]);
    setStaleAt(ended.values, 2);
    const late = minutely({ __name__: 'x_total', job: 'late' }, [9]);
    // Within the lookback though its other samples are a second apart, and just outside of it.
    const dense = {
      ...minutely({ __name__: 'x_total', job: 'dense' }, [1, 2]),
      times: Float64Array.of(AT_MS - 200_000, AT_MS - 199_000),
    };
    await remoteWrite(server, [
      minutely({ __name__: 'x_total', job: 'a' }, [1, 2, 4]),
      ended,
      { ...late, times: Float64Array.of(AT_MS - 300_000) },
      dense,
      minutely({ __name__: 'own', domain: 'theirs' }, [1]),
      minutely({ __name__: 'huge', i: '1' }, [1.5e308]),
      minutely({ __name__: 'huge', i: '2' }, [1.1e308]),
      minutely({ __name__: 'wild', i: '1' }, [Infinity]),
      minutely({ __name__: 'wild', i: '2' }, [-Infinity]),
      ...Array.from({ length: 40 }, (_none, i) => minutely({ __name__: 'signed', i: String(i) }, [i - 20])),
      ...Array.from({ length: 40 }, (_none, i) => minutely({ __name__: 'positive', i: String(i) }, [i])),
    ]);
    await server.flush();
    upstream = openTestUpstream({ url: server.url });
  }, 60_000);
  afterAll(async () => {
    await upstream.close();
    await server.close();
  });

  test.for([
    // A marker ends a series, and what is as old as the lookback is out.
    ['sum(x_total)', 'partial', 'pushed', { [keyOf({})]: [6] }],
    ['sum(x_total offset 1m)', 'partial', 'pushed', { [keyOf({})]: [15] }],
    [
      'count by (domain, job) (x_total)',
      'vector',
      'pushed',
      {
        [keyOf({ domain: 'eu', job: 'a' })]: [1],
        [keyOf({ domain: 'eu', job: 'dense' })]: [1],
      },
    ],
    ['avg without (job) (x_total)', 'vector', 'pushed', { [keyOf({ domain: 'eu' })]: [3] }],
    ['max(x_total{domain="us"})', 'vector', 'pushed', {}],
    ['group by (job) (x_total{job="a"})', 'partial', 'pushed', { [keyOf({ job: 'a' })]: [1] }],
    // More terms than its sums are sure to be exact with, unless all have one sign.
    ['sum(signed)', 'partial', 'read', { [keyOf({})]: [-20] }],
    ['sum(positive)', 'partial', 'pushed', { [keyOf({})]: [780] }],
    ['sum(wild)', 'vector', 'read', { [keyOf({})]: [NaN] }],
    ['avg(huge)', 'vector', 'read', { [keyOf({})]: [1.3e308] }],
    ['max(wild)', 'vector', 'pushed', { [keyOf({})]: [Infinity] }],
    ['stddev(x_total)', 'vector', 'read', { [keyOf({})]: [1] }],
    ['sum(own) by (exported_domain)', 'vector', 'read', { [keyOf({ exported_domain: 'theirs' })]: [1] }],
    ['x_total{job="a"}', 'vector', 'read', { [keyOf({ __name__: 'x_total', domain: 'eu', job: 'a' })]: [4] }],
    // Its own rate looks at the sample before the window.
    ['increase(x_total{job="a"}[1m30s])', 'vector', 'read', { [keyOf({ domain: 'eu', job: 'a' })]: [3] }],
    ['count_over_time(x_total{job="ended"}[5m])', 'vector', 'read', { [keyOf({ domain: 'eu', job: 'ended' })]: [2] }],
    ['sum(x_total @ 100)', 'vector', 'read', {}],
  ] as const)('%s as a %s is %s', async ([text, answer, way, rows]) => {
    expect(await answerOf(upstream, fragmentOf(text, answer))).toEqual({ rows, way, notes: [] });
  });

  test.for([[30_000], [300_000], [600_000]] as const)(
    'at steps %d ms apart the window stays what it is',
    async ([stepMs]) => {
      const grid = { startMs: AT_MS - stepMs, stepMs, steps: 3 };
      const fragment = fragmentOf('sum by (domain, job) (x_total{job=~"late|dense"})');
      const { rows, way } = await answerOf(upstream, { ...fragment, grid });
      // Samples are 300, 200 and 199 s before the middle one.
      const late = { 30_000: [9, null, null], 300_000: [9, null, null], 600_000: [null, null, null] }[stepMs];
      const dense = { 30_000: [2, 2, 2], 300_000: [null, 2, null], 600_000: [null, 2, null] }[stepMs];
      const want = [
        [keyOf({ domain: 'eu', job: 'dense' }), dense],
        [keyOf({ domain: 'eu', job: 'late' }), late],
      ] as const;
      const present = want.filter(([, values]) => values.some((value) => value !== null));
      expect({ rows, way }).toEqual({ rows: Object.fromEntries(present), way: 'pushed' });
    },
  );

  test('labels are those of the view', async () => {
    const question = {
      selectors: [],
      fromMs: AT_MS - 3_600_000,
      toMs: AT_MS,
      limit: 100,
      deadlineMs: Date.now() + 20_000,
    };
    const { signal } = new AbortController();
    expect(await upstream.labels({ ...question, name: '' }, signal)).toEqual([
      '__name__',
      'domain',
      'exported_domain',
      'i',
      'job',
    ]);
    expect(await upstream.labels({ ...question, name: 'job' }, signal)).toEqual(['a', 'dense', 'ended', 'late']);
    expect(await upstream.labels({ ...question, name: 'domain' }, signal)).toEqual(['eu']);
  });

  test('streams are the jobs where no target is known, then the targets', async () => {
    const nowMs = Date.now();
    const at = (labels: Record<string, string>, value: number, agoMs: number) => ({
      labels: minutely(labels, [0]).labels,
      times: Float64Array.of(nowMs - agoMs),
      values: Float64Array.of(value),
    });
    await remoteWrite(server, [at({ __name__: 'y', job: 'a' }, 1, 4_000), at({ __name__: 'y', job: 'b' }, 1, 9_000)]);
    await server.flush();
    const fresh = openTestUpstream({ url: server.url });
    try {
      const wanted = { expected: 2, observed: 2, settledUntilMs: nowMs - 9_000 };
      const soon = { timeout: 10_000 };
      await expect.poll(() => withSeconds(fresh.state()), soon).toMatchObject(withSeconds(wanted));
      await remoteWrite(server, [
        at({ __name__: 'up', job: 'a', instance: '1' }, 1, 2_000),
        at({ __name__: 'up', job: 'a', instance: '2' }, 0, 3_000),
      ]);
      await server.flush();
      const targets = { expected: 2, observed: 1, settledUntilMs: nowMs - 2_000 };
      await expect.poll(() => withSeconds(fresh.state()), soon).toMatchObject(withSeconds(targets));
    } finally {
      await fresh.close();
    }
  });
});

/** It tells times in whole seconds, or to the millisecond, by version. */
function withSeconds<T extends { readonly settledUntilMs: number }>(state: T): T {
  return { ...state, settledUntilMs: Math.floor(state.settledUntilMs / 1000) };
}
