import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localQueryApi } from '../../src/agent/local-query.ts';
import { httpServer, listen } from '../../src/base/http.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import {
  CUSTOM_BUCKETS,
  GAUGE,
  histogramAt,
  isHistogramAt,
  RESET_UNKNOWN,
  type NativeHistogram,
} from '../../src/model/histogram.ts';
import { labelsOf, labelsRecord } from '../../src/model/labels.ts';
import { isStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import { localShard } from '../../src/shard/local-shard.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { nativeSeries, type NativeSample } from '../engine/native-series.ts';
import type { SeriesExemplars } from '../../src/model/batch.ts';
import { STALE } from '../memory-source.ts';
import { writeNatives } from '../oracle/native-write.ts';
import { findOracle, type Oracle, startOracle } from '../oracle/oracle.ts';
import { randomFrom, type Random } from '../random.ts';

const program = await findOracle();
const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const START_S = Date.UTC(2024, 0, 1) / 1000;
const STEP_S = 15;
const SAMPLES = 40;
const END_S = START_S + STEP_S * SAMPLES;

/** Indices in ascending order, some far from the others. */
function indices(random: Random, count: number, low: number, high: number): Int32Array {
  const found = new Set<number>();
  while (found.size < count) found.add(random.int(low, high));
  return Int32Array.from([...found].sort((a, b) => a - b));
}

function counts(random: Random, length: number): Float64Array {
  return Float64Array.from({ length }, () =>
    random.weighted([
      [1, 0],
      [4, random.int(1, 1000)],
      [1, random.float(0, 5)],
    ]),
  );
}

function randomHistogram(random: Random): NativeHistogram {
  const isCustom = random.chance(0.3);
  const schema = isCustom ? CUSTOM_BUCKETS : random.int(-4, 8);
  const bounds = new Set<number>();
  if (isCustom) for (let i = random.int(1, 6); i > 0; i--) bounds.add(Math.round(random.float(-20, 20)) / 4);
  const sorted = Float64Array.from(bounds).sort();
  // As far as floats reach at this schema, and a little beyond: there the bounds are special.
  const reach = isCustom ? 0 : Math.min(2 ** 20, Math.ceil(1080 * 2 ** schema));
  const far = random.chance(0.2);
  const low = far ? -reach : -20;
  const high = far ? reach : 40;
  const positive = isCustom
    ? indices(random, random.int(0, sorted.length + 1), 0, sorted.length)
    : indices(random, random.int(0, 8), low, high);
  const negative = isCustom ? new Int32Array(0) : indices(random, random.int(0, 4), low, high);
  const layout = {
    schema,
    zeroThreshold: isCustom ? 0 : random.pick([0, 2 ** -128, 0.001, 0.3, 2.5]),
    positive,
    negative,
    bounds: sorted,
  };
  const positiveCounts = counts(random, positive.length);
  const negativeCounts = counts(random, negative.length);
  const zeroCount = isCustom ? 0 : random.pick([0, 0, 3, 0.5]);
  const count = [...positiveCounts, ...negativeCounts].reduce((all, one) => all + one, zeroCount);
  return {
    layout,
    hint: random.pick([RESET_UNKNOWN, GAUGE]),
    count,
    sum: random.pick([0, -1.5, 1e-9, 1e21, random.float(-100, 100), NaN, Infinity]),
    zeroCount,
    positive: positiveCounts,
    negative: negativeCounts,
  };
}

/** Samples of one series; `natives` is the part of them that are histograms. */
function randomSamples(random: Random, natives: number): [number, NativeSample][] {
  const samples: [number, NativeSample][] = [];
  for (let i = 1; i <= SAMPLES; i++) {
    if (random.chance(0.1)) continue;
    const timeMs = (START_S + i * STEP_S) * 1000 + random.pick([0, 0, 0, 7, 250]);
    if (random.chance(0.05)) samples.push([timeMs, STALE]);
    else if (random.chance(natives)) samples.push([timeMs, randomHistogram(random)]);
    else samples.push([timeMs, random.pick([0, -0, NaN, Infinity, -Infinity, 1e21, 1e-7, random.float(-5, 5)])]);
  }
  return samples;
}

function randomSeries(random: Random): SeriesColumns[] {
  const names: [string, number][] = [
    ['floats', 0],
    ['natives', 1],
    ['mixed', 0.5],
  ];
  return names.flatMap(([name, natives]) =>
    Array.from({ length: 6 }, (_none, i) =>
      nativeSeries(
        { __name__: name, job: random.pick(['a', 'b']), i: String(i), 'ä.label': '"\n' },
        randomSamples(random, natives),
      ),
    ),
  );
}

function randomExemplars(random: Random, series: readonly SeriesColumns[]): SeriesExemplars[] {
  return series
    .filter(() => random.chance(0.5))
    .map(({ labels }) => ({
      labels,
      exemplars: Array.from({ length: random.int(1, 5) }, (_none, i) => ({
        timeMs: (START_S + (i + 1) * 60) * 1000,
        value: random.float(-5, 5),
        labels: labelsOf({ trace_id: String(random.int(1, 1e9)) }),
      })),
    }));
}

/** Stores what the oracle was sent. */
function fill(store: Store, series: readonly SeriesColumns[], exemplars: readonly SeriesExemplars[]): void {
  const batch = batchBuilder();
  for (const { labels, times, values, histograms } of series) {
    const at = batch.seriesOf(labels);
    for (let i = 0; i < times.length; i++) {
      if (isHistogramAt(histograms, i)) batch.histogram(at, times[i]!, histogramAt(histograms, i));
      else if (isStaleAt(values, i)) batch.stale(at, times[i]!);
      else batch.sample(at, times[i]!, values[i]!);
    }
  }
  for (const one of exemplars) {
    for (const exemplar of one.exemplars) batch.exemplar({ series: batch.seriesOf(one.labels), ...exemplar });
  }
  const { stored, rejected } = store.append(batch.build());
  expect([stored, rejected.size]).toEqual([series.reduce((all, { times }) => all + times.length, 0), 0]);
  store.flush();
}

interface Reply {
  readonly status: number;
  readonly body: { status: string; errorType?: string; data?: unknown; warnings?: string[]; infos?: string[] };
}

async function call(url: string, path: string, params: [string, string][], post: boolean): Promise<Reply> {
  const search = new URLSearchParams(params).toString();
  const response = post
    ? await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: search,
      })
    : await fetch(`${url}${path}?${search}`);
  return { status: response.status, body: (await response.json()) as Reply['body'] };
}

/** Items that have no order in themselves in the order of their texts. */
function unordered(data: unknown): unknown {
  const byText = (items: readonly unknown[]): unknown[] =>
    items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (Array.isArray(data)) return byText(data);
  const { resultType, result } = data as { resultType?: string; result?: unknown };
  return resultType === 'vector' ? { resultType, result: byText(result as unknown[]) } : data;
}

/** The answer with its numbers as the other has them, where they are equal to 1e-12. */
function settled(got: unknown, want: unknown): unknown {
  if (typeof got === 'string' && typeof want === 'string') {
    const [a, b] = [Number(got), Number(want)];
    return Math.abs(a - b) <= 1e-12 * Math.abs(b) ? want : got;
  }
  if (Array.isArray(got) && Array.isArray(want)) return got.map((one, i) => settled(one, want[i]));
  if (typeof got !== 'object' || got === null || typeof want !== 'object' || want === null) return got;
  return Object.fromEntries(Object.entries(got).map(([key, one]) => [key, settled(one, (want as never)[key])]));
}

describe.skipIf(program === undefined)(`what a real Prometheus answers, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  const series = randomSeries(random.fork(1));
  const exemplars = randomExemplars(random.fork(2), series);
  const app = httpServer(pino({ level: 'silent' }));
  const store = openStore({ path: ':memory:' });
  let oracle: Oracle;
  let url: string;

  beforeAll(async () => {
    oracle = await startOracle({ args: ['--enable-feature=exemplar-storage,native-histograms'] });
    await writeNatives(oracle, series);
    await writeNatives(oracle, [], exemplars);
    fill(store, series, exemplars);
    localQueryApi(app, {
      queries: openQueries([localShard(store)]),
      onFault(error) {
        throw error;
      },
    });
    url = await listen(app, '127.0.0.1:0');
  }, 90_000);

  afterAll(async () => {
    await app.close();
    store.close();
    await oracle?.close();
  });

  /** Asks both the same and compares; gives our answer. */
  async function compare(path: string, ...params: [string, string][]): Promise<Reply> {
    const post = random.chance(0.5) && !path.endsWith('/values');
    const want = await call(oracle.url, path, params, post);
    const got = await call(url, path, params, post);
    expect(got.status, JSON.stringify([path, params, got.body, want.body])).toBe(want.status);
    expect([got.body.status, got.body.errorType]).toEqual([want.body.status, want.body.errorType]);
    if (got.status === 200) {
      const wanted = unordered(want.body.data);
      expect(settled(unordered(got.body.data), wanted), JSON.stringify([path, params])).toEqual(wanted);
      expect((got.body.warnings ?? []).sort(), JSON.stringify([path, params])).toEqual(
        (want.body.warnings ?? []).sort(),
      );
      expect((got.body.infos ?? []).sort(), JSON.stringify([path, params])).toEqual((want.body.infos ?? []).sort());
    }
    return got;
  }

  const RANGE: [string, string][] = [
    ['start', String(START_S - 60)],
    ['end', String(END_S + 400)],
    ['step', '7'],
  ];

  test.each([
    'floats',
    'natives',
    'mixed',
    '(natives)',
    '+mixed offset 1m',
    'natives and on (i) floats',
    'mixed unless on (i, job) natives',
    '{__name__="mixed",job="a"} or {job="b"}',
    'count by (job) (mixed)',
    'group(natives)',
    'count_over_time(mixed[2m])',
    'present_over_time(natives[20s])',
    'last_over_time(mixed[45s])',
    'sum by (job) (floats) > 1',
    'rate(floats[1m])',
    `natives @ ${START_S + 300}`,
    '{"ä.label"!="",__name__="mixed"}',
    'time()',
    '1 / 0',
    'nothing',
    'rate(mixed[1m])',
    'increase(natives[2m])',
    'quantile(1.5, floats)',
    'sum(mixed) by (job)',
    'avg_over_time(mixed[1m])',
    'sum_over_time(rate(floats[1m])[2m:20s])',
  ])('%s over a range and at instants', async (query) => {
    const ranged = await compare('/api/v1/query_range', ['query', query], ...RANGE);
    expect(ranged.status).toBe(200);
    for (const atS of [START_S + 100, START_S + 301.5, END_S]) {
      await compare('/api/v1/query', ['query', query], ['time', String(atS)]);
    }
    await compare('/api/v1/query', ['query', query], ['time', String(END_S)], ['lookback_delta', '20s']);
  });

  test.each([
    'mixed[5m]',
    '(natives[10m])',
    'floats[100s] offset 1m',
    '{__name__=~".+"}[1h]',
    `natives[1m] @ ${END_S}`,
    'floats[10m:1m] offset 30s',
    'rate(floats[1m])[5m:20s]',
  ])('the raw samples of %s', async (query) => {
    const { body } = await compare('/api/v1/query', ['query', query], ['time', String(END_S)]);
    expect((body.data as { resultType: string; result: unknown[] }).result.length).toBeGreaterThan(0);
    await compare('/api/v1/query', ['query', query], ['time', String(END_S)], ['limit', '2']);
  });

  test('what series, labels and exemplars there are', async () => {
    const match = (...selectors: string[]): [string, string][] => selectors.map((one) => ['match[]', one]);
    for (const path of ['/api/v1/labels', '/api/v1/label/job/values', '/api/v1/label/__name__/values']) {
      await compare(path);
      await compare(path, ...match('mixed'), ['limit', '1']);
      await compare(path, ...match('mixed{job="a"}', '{i="3"}'));
      await compare(path, ...match('nothing'));
    }
    await compare('/api/v1/label/U___e4__label/values');
    await compare('/api/v1/label/U__%C3%A4_2e_label/values');
    await compare('/api/v1/series', ...match('mixed', '{job="a"}', 'floats{i="1"}'));
    await compare('/api/v1/series', ...match('{__name__=~".+"}'));
    const all = await compare('/api/v1/query_exemplars', ['query', '{__name__=~".+"}']);
    expect((all.body.data as unknown[]).length).toBe(exemplars.length);
    await compare(
      '/api/v1/query_exemplars',
      ['query', 'rate(floats[5m]) / mixed'],
      ['start', String(START_S + 100)],
      ['end', String(START_S + 200)],
    );
    const names = new Set(series.flatMap(({ labels }) => Object.keys(labelsRecord(labels))));
    expect((await call(url, '/api/v1/labels', [], false)).body.data).toEqual([...names].sort());
  });

  test.each<[string, [string, string][]]>([
    ['/api/v1/query', [['query', 'sum(']]],
    ['/api/v1/query', []],
    [
      '/api/v1/query',
      [
        ['query', '"te\\"xt"'],
        ['time', '3.5'],
      ],
    ],
    [
      '/api/v1/query',
      [
        ['query', 'pi()'],
        ['time', '2024-01-01T00:00:00.5Z'],
      ],
    ],
    [
      '/api/v1/query',
      [
        ['query', 'floats'],
        ['time', 'yesterday'],
      ],
    ],
    [
      '/api/v1/query',
      [
        ['query', 'floats'],
        ['limit', '-1'],
      ],
    ],
    [
      '/api/v1/query',
      [
        ['query', 'floats'],
        ['timeout', 'x'],
      ],
    ],
    ['/api/v1/query_range', [['query', 'floats']]],
    ['/api/v1/query_range', [['query', 'floats[5m]'], ...RANGE]],
    ['/api/v1/query_range', [['query', '"text"'], ...RANGE]],
    [
      '/api/v1/query_range',
      [
        ['query', 'floats'],
        ['start', '2'],
        ['end', '1'],
        ['step', '1'],
      ],
    ],
    [
      '/api/v1/query_range',
      [
        ['query', 'floats'],
        ['start', '1'],
        ['end', '2'],
        ['step', '0'],
      ],
    ],
    [
      '/api/v1/query_range',
      [
        ['query', 'floats'],
        ['start', '1'],
        ['end', '12000'],
        ['step', '1'],
      ],
    ],
    ['/api/v1/query_range', [['query', 'floats'], ['limit', '2'], ...RANGE]],
    ['/api/v1/series', []],
    ['/api/v1/series', [['match[]', '{}']]],
    ['/api/v1/series', [['match[]', 'floats[5m]']]],
    ['/api/v1/labels', [['match[]', 'sum(floats)']]],
    ['/api/v1/labels', [['start', 'x']]],
    [
      '/api/v1/query_exemplars',
      [
        ['query', 'floats'],
        ['start', '2'],
        ['end', '1'],
      ],
    ],
    ['/api/v1/query_exemplars', [['query', 'floats[']]],
    [
      '/api/v1/label/job/values',
      [
        ['start', '-9223309901257974.8'],
        ['end', '9223309901257974.8'],
      ],
    ],
    [
      '/api/v1/label/job/values',
      [
        ['start', '-292273086-05-16T16:47:06Z'],
        ['end', '292277025-08-18T07:12:54.999999999Z'],
      ],
    ],
  ])('%s %j', async (path, params) => {
    await compare(path, ...params);
  });
});
