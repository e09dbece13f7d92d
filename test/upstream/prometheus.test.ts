import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { instantGrid } from '../../src/model/grid.ts';
import { featuresFrom } from '../../src/promql/features.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { exponential, nativeSeries } from '../engine/native-series.ts';
import { writeNatives } from '../oracle/native-write.ts';
import { findOracle, startOracle, type Oracle } from '../oracle/oracle.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { AT_MS, fragmentOf } from './fragments.ts';
import { answerOf, keyOf, minutely, openTestUpstream } from './harness.ts';

const oracle = await findOracle();

describe.skipIf(oracle === undefined)('a Prometheus 3.15 as the source', { timeout: 60_000 }, () => {
  let server: Oracle;
  let upstream: Upstream;

  beforeAll(async () => {
    // One external label is on no series, the other one on some.
    server = await startOracle({ config: 'global: { external_labels: { cluster: c1, region: eu } }\n' });
    await remoteWrite(server, [
      minutely({ __name__: 'x_total', job: 'a' }, [1, 2, 4]),
      minutely({ __name__: 'x_total', job: 'b', region: 'eu' }, [5, 5, 5]),
      minutely({ __name__: 'x_total', job: 'c', region: 'us' }, [7, 7, 8]),
      minutely({ __name__: 'own', domain: 'theirs' }, [1]),
      minutely({ __name__: 'own', domain: 'theirs', exported_domain: 'older' }, [2]),
      minutely({ __name__: 'own', exported_domain: 'alone' }, [4]),
      minutely({ __name__: 'level', i: '1' }, [1, 2, 3]),
      minutely({ __name__: 'huge', i: '1' }, [1.5e308]),
      minutely({ __name__: 'huge', i: '2' }, [1.1e308]),
      minutely({ __name__: 'secret', job: 'a' }, [1]),
      minutely({ __name__: 'up', job: 'a', instance: 'i:1' }, [1]),
    ]);
    const histogram = exponential(1, [[0, 3]], { zero: [2 ** -20, 1], sum: 5 });
    await writeNatives(server, [nativeSeries({ __name__: 'native' }, [[AT_MS, histogram]])]);
    upstream = openTestUpstream({ url: server.url });
  }, 60_000);
  afterAll(async () => {
    await upstream.close();
    await server.close();
  });

  const X = { __name__: 'x_total', domain: 'eu' };
  test.for([
    ['x_total{job="a"}', 'pushed', { [keyOf({ ...X, job: 'a' })]: [4] }],
    ['sum by (domain) (x_total)', 'pushed', { [keyOf({ domain: 'eu' })]: [17] }],
    ['sum(x_total{domain="us"})', 'pushed', {}],
    ['count(label_replace(x_total, "d", "$1", "domain", "(.*)")) by (d)', 'pushed', { [keyOf({ d: 'eu' })]: [3] }],
    // A label of the server's own moves out of the way of the domain's.
    [
      'own',
      'read',
      {
        [keyOf({ __name__: 'own', domain: 'eu', exported_domain: 'theirs' })]: [1],
        [keyOf({ __name__: 'own', domain: 'eu', exported_domain: 'older', exported_exported_domain: 'theirs' })]: [2],
        [keyOf({ __name__: 'own', domain: 'eu', exported_domain: 'alone' })]: [4],
      },
    ],
    [
      'sum by (exported_domain) (own{exported_domain!="older"})',
      'read',
      {
        [keyOf({ exported_domain: 'theirs' })]: [1],
        [keyOf({ exported_domain: 'alone' })]: [4],
      },
    ],
    // External labels are no labels of the series, even where they are equal to one.
    [
      'x_total + fill (0) x_total',
      'read',
      {
        [keyOf({ domain: 'eu', job: 'a' })]: [8],
        [keyOf({ domain: 'eu', job: 'b', region: 'eu' })]: [10],
        [keyOf({ domain: 'eu', job: 'c', region: 'us' })]: [16],
      },
    ],
    [
      'x_total{region="eu"} + fill (0) x_total{region="eu"}',
      'read',
      {
        [keyOf({ domain: 'eu', job: 'b', region: 'eu' })]: [10],
      },
    ],
    [
      'x_total{region="",cluster=""} + fill (0) x_total{region=""}',
      'read',
      { [keyOf({ domain: 'eu', job: 'a' })]: [8] },
    ],
    ['count(native)', 'pushed', { [keyOf({})]: [1] }],
    ['histogram_count(native)', 'pushed', { [keyOf({ domain: 'eu' })]: [4] }],
    // What is not enabled on the server is worked out here.
    ['mad_over_time(x_total{job="a"}[5m])', 'read', { [keyOf({ domain: 'eu', job: 'a' })]: [1] }],
  ] as const)('%s is %s', async ([text, way, rows]) => {
    expect(await answerOf(upstream, fragmentOf(text))).toEqual({ rows, way, notes: [] });
  });

  test('native histograms are read', async () => {
    const { way, rows } = await answerOf(upstream, fragmentOf('native'));
    expect({ way, labels: Object.keys(rows) }).toEqual({
      way: 'read',
      labels: [keyOf({ __name__: 'native', domain: 'eu' })],
    });
  });

  test('partials: compensated sums of a mean past all floats', async () => {
    const question = { lookbackMs: 300_000, features: featuresFrom([]), deadlineMs: Date.now() + 20_000 };
    const spent = { series: 0, cells: 0, samples: 0, regexWork: 0 };
    const fragment = fragmentOf('avg(huge)', 'partial');
    const { rows } = await upstream.fragment({ ...question, fragment, spent }, new AbortController().signal);
    expect(rows[0]!.columns.fields.map((field) => field[0])).toEqual([1.3e308, 0, 2, 1]);
  });

  test('steps beyond what one answer has are asked in pieces', async () => {
    // A subquery has more steps than a query may.
    const steps = { startMs: AT_MS - 120_000, stepMs: 10, steps: 24_001 };
    const { rows, way } = await answerOf(upstream, { ...fragmentOf('x_total{job="a"}'), grid: steps });
    const [values] = Object.values(rows);
    expect(way).toBe('pushed');
    expect([
      values!.length,
      values![0],
      values![5_999],
      values![6_000],
      values![11_999],
      values![12_000],
      values!.at(-1),
    ]).toEqual([24_001, 1, 1, 2, 2, 4, 4]);
  });

  test('notes point to their nodes', async () => {
    const rate = fragmentOf('label_replace(rate(level[5m]), "a", "b", "domain", "(.*)")', 'vector', instantGrid(AT_MS));
    // Preorder: label_replace 0, rate 1, the range 2, its selector 3.
    expect((await answerOf(upstream, rate)).notes).toEqual([{ code: 'possible_non_counter', start: 3 }]);
    const quantile = fragmentOf('quantile by (domain) (7, x_total)');
    expect((await answerOf(upstream, quantile)).notes).toEqual([{ code: 'invalid_quantile', start: 1 }]);
  });

  test('features that the server has not are not taken for granted', async () => {
    const delayed = featuresFrom(['promql-delayed-name-removal']);
    expect((await answerOf(upstream, fragmentOf('x_total{job="a"}'), { features: delayed })).way).toBe('read');
    const starts = featuresFrom(['use-start-timestamps']);
    await expect(answerOf(upstream, fragmentOf('x_total'), { features: starts })).rejects.toMatchObject({
      code: 'unsupported',
    });
  });

  test.for([
    // An error of the query on what the domain has.
    ['label_replace(x_total, "job", "one", "", "")', 'execution'],
    ['x_total * on (domain) x_total', 'execution'],
    // One that another domain's data might make an error.
    ['absent_metric * on (domain) x_total', 'undecided'],
  ] as const)('%s: %s', async ([text, code]) => {
    const grouped = text.startsWith('label') ? `sum by (job) (x_total) * on (job) group_left () (${text})` : text;
    await expect(answerOf(upstream, fragmentOf(grouped))).rejects.toMatchObject({ code });
  });

  const untilSoon = () => ({ deadlineMs: Date.now() + 20_000 });
  const labelsOf = (
    name: string,
    upstreamOf = upstream,
    selectors: Parameters<Upstream['labels']>[0]['selectors'] = [],
  ) =>
    upstreamOf.labels(
      { name, selectors, fromMs: AT_MS - 3_600_000, toMs: AT_MS, limit: 100, ...untilSoon() },
      new AbortController().signal,
    );

  test('labels are those of the view', async () => {
    expect(await labelsOf('')).toEqual([
      '__name__',
      'domain',
      'exported_domain',
      'exported_exported_domain',
      'i',
      'instance',
      'job',
      'region',
    ]);
    expect(await labelsOf('domain')).toEqual(['eu']);
    expect(await labelsOf('exported_domain')).toEqual(['alone', 'older', 'theirs']);
    expect(await labelsOf('job', upstream, [[{ name: '__name__', op: '=', value: 'x_total' }]])).toEqual([
      'a',
      'b',
      'c',
    ]);
    expect(await labelsOf('job', upstream, [[{ name: 'domain', op: '=', value: 'us' }]])).toEqual([]);
  });

  test('labels of sealed metrics are left out', async () => {
    const policy =
      "version: 1\ndomain: eu\nlabels: {permit: ['*']}\nmetrics: [{match: 'x_*', class: sealed}, {match: 'own', class: sealed}]\n";
    const sealed = openTestUpstream({ url: server.url }, policy);
    try {
      const named = [[{ name: 'job', op: '!=', value: '' }]] as const;
      expect(await labelsOf('job', sealed, named)).toEqual(['a']);
      expect(await labelsOf('', sealed, named)).toEqual(['__name__', 'domain', 'instance', 'job']);
      expect(await labelsOf('exported_domain', sealed)).toEqual([]);
      await expect(answerOf(sealed, fragmentOf('x_total'))).rejects.toMatchObject({ code: 'refused' });
      await expect(answerOf(sealed, fragmentOf('{job=~".+"}'))).rejects.toMatchObject({ code: 'refused' });
    } finally {
      await sealed.close();
    }
  });

  test('kinds: one label set for each name and set of labels', async () => {
    const kinds = await upstream.kinds(
      [{ name: '__name__', op: '=~', value: 'x_total|own' }],
      untilSoon().deadlineMs,
      new AbortController().signal,
    );
    expect(kinds.map((labels) => labels.filter((_part, i) => i % 2 === 0 || i === 1).join(' ')).sort()).toEqual([
      '__name__ own domain exported_domain',
      '__name__ own domain exported_domain exported_exported_domain',
      '__name__ x_total domain job',
      '__name__ x_total domain job region',
    ]);
  });

  test('streams are the targets that are up now', async () => {
    const nowMs = Date.now();
    const at = (labels: Record<string, string>, value: number, agoMs: number) => ({
      labels: minutely({ __name__: 'up', ...labels }, [0]).labels,
      times: Float64Array.of(nowMs - agoMs),
      values: Float64Array.of(value),
    });
    await remoteWrite(server, [
      at({ job: 'live', instance: '1' }, 1, 3_000),
      at({ job: 'live', instance: '2' }, 1, 9_000),
      at({ job: 'live', instance: '3' }, 0, 5_000),
      at({ job: 'gone', instance: '1' }, 1, 1_200_000),
      at({ job: 'forgotten', instance: '1' }, 1, 8_000_000),
    ]);
    await expect
      .poll(() => upstream.state(), { timeout: 10_000 })
      .toMatchObject({ expected: 4, observed: 2, settledUntilMs: nowMs - 9_000, isUp: true });
  });
});
