import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import type { Metadata, SeriesExemplars } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { writeNatives } from '../oracle/native-write.ts';
import { findOracle, startOracle, type Oracle } from '../oracle/oracle.ts';
import { series } from '../memory-source.ts';
import { startFederation, store, type Federation } from '../system/federation.ts';

/*
 * The hub's answers beside those of one Prometheus 3.15 that holds all that the domains hold: of open metrics with permitted
 * labels they are the same, field by field, errors too. What the hub says beyond is looked at elsewhere.
 */

const program = await findOracle();
const NOW_S = Math.floor(Date.now() / 1000);
const T0_S = NOW_S - 3_600;

const DOMAINS = ['eu', 'us'] as const;
const held: readonly (readonly [number, Record<string, string>])[] = [
  [0, { __name__: 'requests_total', job: 'api', instance: 'a:1', code: '200' }],
  [0, { __name__: 'requests_total', job: 'api', instance: 'a:1', code: '500' }],
  [0, { __name__: 'depth', job: 'worker', 'odd.name': 'Zürich' }],
  [1, { __name__: 'requests_total', job: 'api', instance: 'a:1', code: '200' }],
  [1, { __name__: 'depth', job: 'worker', 'odd.name': '"\n' }],
  [1, { __name__: 'name.with.dots', job: 'x' }],
];

const withDomain = ([domain, labels]: (typeof held)[number]) => ({ ...labels, domain: DOMAINS[domain]! });
const samples = (index: number): [number, number][] =>
  Array.from({ length: 5 }, (_none, i) => [(T0_S + i * 15 + index) * 1000, i * 2 + index]);

const exemplarsOf = (index: number): SeriesExemplars => ({
  labels: labelsOf(withDomain(held[index]!)),
  exemplars: [1, 2].map((i) => ({
    timeMs: (T0_S + i * 30) * 1000 + 7,
    value: i + 0.25,
    labels: labelsOf(i === 1 ? { trace_id: `t${index}` } : {}),
  })),
});
const EXEMPLARS = [0, 3].map(exemplarsOf);

const family = (metric: string, type: Metadata['type'], help: string): Metadata => ({ metric, type, unit: '', help });
/** By domain: what each says of its families, twice the same, twice another thing. */
const FAMILIES: readonly (readonly Metadata[])[] = [
  [family('depth', 'gauge', 'How deep it is.'), family('same_total', 'counter', 'Both say so.')],
  [family('depth', 'counter', 'How deep, they say.'), family('same_total', 'counter', 'Both say so.')],
];

interface Reply {
  readonly status: number;
  readonly body: { status: string; errorType?: string; data?: unknown; warnings?: string[]; infos?: string[] };
}

async function call(url: string, path: string, params: readonly [string, string][], post: boolean): Promise<Reply> {
  const search = new URLSearchParams([...params]).toString();
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const response = post
    ? await fetch(`${url}/api/v1/${path}`, { method: 'POST', headers, body: search })
    : await fetch(`${url}/api/v1/${path}?${search}`);
  return { status: response.status, body: (await response.json()) as Reply['body'] };
}

/** In an order that both have: Prometheus gives series as its storage finds them, and what it says of families at random. */
function inOrder(data: unknown): unknown {
  const byText = (items: readonly unknown[]): unknown[] =>
    items.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (Array.isArray(data)) return byText(data);
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(
    Object.entries(data).map(([name, one]) => [name, Array.isArray(one) ? byText(one.map(sortedFields)) : one]),
  );
}

function sortedFields(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe.skipIf(program === undefined)('beside a Prometheus with all the data', () => {
  const targets: Server[] = [];
  let oracle: Oracle;
  let federation: Federation;

  beforeAll(async () => {
    const jobs = await Promise.all(FAMILIES.map(async (families, i) => `{job_name: j${i}, ${await serve(families)}}`));
    const config = `global: {scrape_interval: 1s}\nscrape_configs: [${jobs.join(', ')}]\n`;
    oracle = await startOracle({ args: ['--enable-feature=exemplar-storage'], config });
    await writeNatives(
      oracle,
      held.map((one, i) => series(withDomain(one), samples(i))),
    );
    await writeNatives(oracle, [], EXEMPLARS);
    federation = await startFederation({
      domains: DOMAINS,
      policy: (domain) => `version: 1\ndomain: ${domain}\nlabels: {permit: ['*']}\ndefault_class: open\n`,
    });
    for (const [at, domain] of DOMAINS.entries()) {
      const batch = batchBuilder();
      held.forEach((one, i) => {
        if (one[0] !== at) return;
        const ref = batch.seriesOf(labelsOf(withDomain(one)));
        for (const [timeMs, value] of samples(i)) batch.sample(ref, timeMs, value);
      });
      for (const { labels, exemplars } of EXEMPLARS) {
        if (!labels.includes(domain)) continue;
        for (const exemplar of exemplars) batch.exemplar({ series: batch.seriesOf(labels), ...exemplar });
      }
      for (const one of FAMILIES[at]!) batch.metadata(one);
      await store(federation.agents.get(domain)!, batch.build());
    }
    // Until both targets are scraped.
    const scraped = async (): Promise<void> => {
      const { data } = (await call(oracle.url, 'metadata', [['metric', 'depth']], false)).body;
      expect(data).toMatchObject({ depth: { length: FAMILIES.length } });
    };
    await vi.waitFor(scraped, { timeout: 20_000, interval: 200 });
  }, 90_000);

  /** A target with these families; its address as a scrape configuration. */
  async function serve(families: readonly Metadata[]): Promise<string> {
    const text = families
      .map(({ metric, type, help }) => `# HELP ${metric} ${help}\n# TYPE ${metric} ${type}\n`)
      .join('');
    const target = createServer((_request, response) => {
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(text);
    });
    targets.push(target);
    await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
    const { port } = target.address() as AddressInfo;
    return `static_configs: [{targets: ['127.0.0.1:${port}']}]`;
  }

  afterAll(async () => {
    await federation?.close();
    await oracle?.close();
    for (const target of targets) target.close();
  });

  /** Asks both the same and compares; gives the hub's answer. */
  async function compare(path: string, params: readonly [string, string][], post: boolean): Promise<Reply> {
    const want = await call(oracle.url, path, params, post);
    const got = await call(federation.url, path, params, post);
    const about = JSON.stringify([path, params, post, got.body, want.body]);
    expect([got.status, got.body.status, got.body.errorType], about).toEqual([
      want.status,
      want.body.status,
      want.body.errorType,
    ]);
    if (want.status === 200) {
      expect(inOrder(got.body.data), about).toEqual(inOrder(want.body.data));
      expect([got.body.warnings, got.body.infos], about).toEqual([want.body.warnings, want.body.infos]);
    }
    return got;
  }

  const PAST: [string, string][] = [
    ['start', String(T0_S - 600)],
    ['end', String(T0_S + 600)],
  ];
  const OWN: [string, string] = ['match[]', '{domain!=""}'];
  const match = (...texts: string[]) => texts.map((text): [string, string] => ['match[]', text]);

  test.each<[string, [string, string][]]>([
    ['series', match('requests_total')],
    ['series', match('requests_total{code="500"}', 'depth')],
    ['series', match('requests_total', 'requests_total{job="api"}')],
    ['series', match('{domain="us"}')],
    ['series', match('{"name.with.dots"}')],
    ['series', match('{"odd.name"=~".+"}')],
    ['series', [...match('depth'), ...PAST]],
    ['series', [...match('depth'), ['start', String(NOW_S + 10)]]],
    ['series', [...match('depth'), ['start', new Date(T0_S * 1000).toISOString()]]],
    ['series', [...match('depth'), ['limit', '0']]],
    ['series', [...match('depth'), ['limit', '2']]],
    ['series', match('nothing')],
    ['labels', [OWN]],
    ['labels', [OWN, ...PAST, ['limit', '3']]],
    ['labels', match('requests_total', '{"odd.name"!=""}')],
    ['labels', match('nothing')],
    ['query_exemplars', [['query', 'requests_total'], ...PAST]],
    ['query_exemplars', [['query', 'sum by (job) (rate(requests_total{domain="us"}[5m])) / depth']]],
    ['query_exemplars', [['query', 'depth'], ...PAST]],
    [
      'query_exemplars',
      [
        ['query', 'requests_total'],
        ['start', String(T0_S + 40)],
      ],
    ],
    [
      'query_exemplars',
      [
        ['query', 'requests_total'],
        ['end', String(T0_S + 40)],
      ],
    ],
    ['format_query', [['query', 'sum(a)by(b)/ on(c)group_left d']]],
    ['format_query', [['query', 'rate(a{b!~"c"}[5m] offset -1m)>bool 2']]],
    ['parse_query', [['query', 'topk by (x) (3, rate(a{b=~"c|d"}[5m:1m] @ end()))']]],
    ['parse_query', [['query', '"text"']]],
    [
      'query',
      [
        ['query', 'sum by (domain) (requests_total)'],
        ['time', String(T0_S + 60)],
      ],
    ],
    [
      'query_range',
      [
        ['query', 'depth'],
        ['start', String(T0_S)],
        ['end', String(T0_S + 60)],
        ['step', '15s'],
        ['limit', '1'],
      ],
    ],
  ])('%s %j', async (path, params) => {
    for (const post of [false, true]) {
      if (path.startsWith('query') && path !== 'query_exemplars') await compareResults(path, params, post);
      else await compare(path, params, post);
    }
  });

  /** Of a query the hub says more beside the result. */
  async function compareResults(path: string, params: readonly [string, string][], post: boolean): Promise<void> {
    const want = await call(oracle.url, path, params, post);
    const got = await call(federation.url, path, params, post);
    const { resultType, result } = got.body.data as { resultType: string; result: unknown[] };
    expect({ resultType, result: inOrder(result) }).toEqual(inOrderResult(want.body.data));
    expect(got.body.warnings).toEqual(want.body.warnings);
  }

  function inOrderResult(data: unknown): unknown {
    const { resultType, result } = data as { resultType: string; result: unknown[] };
    return { resultType, result: inOrder(result) };
  }

  test.each<[string, [string, string][]]>([
    ['label/domain/values', [OWN]],
    ['label/__name__/values', [OWN]],
    ['label/code/values', [['limit', '1']]],
    ['label/U__odd_2e_name/values', []],
    ['label/odd.name/values', []],
    ['label/nothing/values', []],
    ['label/code/values', match('requests_total{domain="us"}')],
    ['metadata', []],
    ['metadata', [['metric', 'depth']]],
    ['metadata', [['metric', 'nothing']]],
    ['metadata', [['limit', '0']]],
    ['metadata', [['limit', '-1']]],
    [
      'metadata',
      [
        ['limit', '100'],
        ['limit_per_metric', '0'],
      ],
    ],
    ['rules', []],
    [
      'rules',
      [
        ['type', 'alert'],
        ['exclude_alerts', 'true'],
        ['group_limit', '5'],
      ],
    ],
    ['alerts', []],
    ['alertmanagers', []],
  ])('GET %s %j', async (path, params) => {
    await compare(path, params, false);
  });

  /** Which metrics a limit leaves is Prometheus's own chance (it walks a map), so only their number is compared. */
  test('limits of metadata leave as many as Prometheus leaves', async () => {
    const leaves = async (url: string, limit: string): Promise<unknown[][]> => {
      const { data } = (await call(url, 'metadata', [[limit, '1']], false)).body;
      return Object.values(data as Record<string, unknown[]>);
    };
    expect(await leaves(oracle.url, 'limit')).toHaveLength(1);
    expect(await leaves(federation.url, 'limit')).toHaveLength(1);
    const want = await leaves(oracle.url, 'limit_per_metric');
    const got = await leaves(federation.url, 'limit_per_metric');
    expect(got.length).toBe(want.length);
    expect(new Set(want.map((entries) => entries.length))).toEqual(new Set([1]));
    expect(new Set(got.map((entries) => entries.length))).toEqual(new Set([1]));
  });

  test.each<[string, [string, string][]]>([
    ['series', []],
    ['series', match('')],
    ['series', match('{}')],
    ['series', match('{job=""}')],
    ['series', match('{job=~".*"}')],
    ['series', match('up[5m]')],
    ['series', match('sum(up)')],
    ['series', match('up', '{a=~"("}')],
    ['series', [...match('up'), ['limit', '-1']]],
    ['series', [...match('up'), ['limit', 'x']]],
    ['series', [...match('up'), ['start', 'yesterday']]],
    ['labels', match('{')],
    ['labels', [['limit', '1.5']]],
    ['labels', [['end', 'x']]],
    ['label/job/values', match('{}')],
    ['metadata', [['limit', 'many']]],
    ['metadata', [['limit_per_metric', 'x']]],
    ['query_exemplars', [['query', 'sum(']]],
    [
      'query_exemplars',
      [
        ['query', 'up'],
        ['start', '5'],
        ['end', '4'],
      ],
    ],
    [
      'query_exemplars',
      [
        ['query', 'up'],
        ['start', 'x'],
      ],
    ],
    ['rules', [['type', 'x']]],
    ['rules', [['exclude_alerts', 'maybe']]],
    ['rules', [['group_limit', '0']]],
    ['rules', [['group_limit', 'x']]],
    ['rules', [['group_next_token', 'x']]],
    [
      'rules',
      [
        ['group_next_token', 'x'],
        ['group_limit', '1'],
      ],
    ],
    ['rules', match('{')],
    ['format_query', [['query', 'sum(']]],
    ['parse_query', [['query', '']]],
    ['query', [['query', 'sum(']]],
    [
      'query',
      [
        ['query', 'up'],
        ['time', 'x'],
      ],
    ],
    [
      'query',
      [
        ['query', 'up'],
        ['limit', '-1'],
      ],
    ],
    ['query_range', [['query', 'up'], ...PAST]],
    ['query_range', [['query', 'up'], ...PAST, ['step', '0']]],
    [
      'query_range',
      [
        ['query', 'up'],
        ['start', '0'],
        ['end', '100000'],
        ['step', '1'],
      ],
    ],
    ['nothing', []],
  ])('refuses %s %j alike', async (path, params) => {
    const want = await call(oracle.url, path, params, false).catch(() => ({ status: 404, body: undefined }));
    const got = await call(federation.url, path, params, false);
    expect(got.status, JSON.stringify([got.body, want.body])).toBe(want.status);
    expect(got.body.status).toBe('error');
    if (want.body !== undefined) expect(got.body.errorType).toBe(want.body.errorType);
  });
});
