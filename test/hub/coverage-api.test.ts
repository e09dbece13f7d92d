import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Explanation } from '../../src/hub/explain.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi } from '../system/api.ts';
import { startFederation, store, type Federation } from '../system/federation.ts';

const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const NOW = String(NOW_MS / 1000);

let federation: Federation;

beforeAll(async () => {
  federation = await startFederation({
    domains: ['a', 'b'],
    policy: (domain) =>
      `{version: 1, domain: ${domain}, labels: {permit: []}, metrics: [{match: m, class: aggregate}, {match: few, class: aggregate, min_series: ${domain === 'a' ? 3 : 1}}]}`,
  });
  for (const [domain, agent] of federation.agents) {
    const batch = batchBuilder();
    batch.add(labelsOf({ __name__: 'm', domain }), NOW_MS, 1);
    for (const job of ['x', 'y', 'z']) batch.add(labelsOf({ __name__: 'few', domain, job }), NOW_MS, 1);
    await store(agent, batch.build());
  }
});

afterAll(() => federation.close());

const call = <Data>(path: string, params: Record<string, string>) =>
  callApi<Data>(federation.url, `/api/v1/${path}`, params);

describe('coverage() in the API of a hub', () => {
  it('is part of a query of any metric, open or not', async () => {
    const { status, body } = await call<{ result: unknown[]; coverage: { complete: boolean } }>('query', {
      query: 'count(coverage(m) >= 0) or vector(-1)',
      time: NOW,
    });
    // Nothing has sent to these agents, so there is no stream to cover.
    expect([status, body.data.result, body.data.coverage.complete]).toEqual([
      200,
      [{ metric: {}, value: [NOW_MS / 1000, '-1'] }],
      true,
    ]);
  });

  it.each([
    [
      'coverage(coverage(m))',
      /^invalid parameter "query": 1:10: parse error: call to function "coverage" must not stand/,
    ],
    ['sum(coverage(m[5m]))', /^invalid parameter "query": 1:14: parse error: expected type instant vector or scalar/],
    ['coverge(m)', /did you mean "coverage"\?$/],
  ])('%s is a mistake with its place', async (query, message) => {
    for (const [path, params] of [
      ['query', { time: NOW }],
      ['query_range', { start: NOW, end: NOW, step: '1' }],
      ['parse_query', {}],
      ['format_query', {}],
      ['explain', { time: NOW }],
    ] as const) {
      const { status, body } = await call(path, { query, ...params });
      expect([status, body.errorType], path).toEqual([400, 'bad_data']);
      expect(body.error).toMatch(message);
    }
  });

  it('is parsed, formatted and listed', async () => {
    const query = 'min(coverage(m))   >  0.5';
    expect((await call<string>('format_query', { query })).body.data).toBe('min(coverage(m)) > 0.5');
    const parsed = await call<{ lhs: { expr: { func: { name: string } } } }>('parse_query', { query });
    expect(parsed.body.data.lhs.expr.func.name).toBe('coverage');
    const features = await call<{ promql_functions: Record<string, boolean> }>('features', {});
    expect(features.body.data.promql_functions['coverage']).toBe(true);
  });

  it('is explained: no domain is asked for a value of it', async () => {
    const { body } = await call<Explanation>('explain', {
      query: 'sum(m) and on() (min(coverage(m)) > 0.9)',
      time: NOW,
    });
    const { remainder, fragments } = body.data;
    expect(fragments.map(({ expr }) => expr)).toEqual(['sum(m)']);
    const [, over] = remainder!.parts!;
    expect(over!.parts![0]!.parts).toEqual([{ node: 'coverage(m)', type: 'vector', coverageOnly: true }]);
  });
});

it('an answer over a metric whose small groups are left out says so, whether any is missing or not', async () => {
  const ask = async (query: string) => {
    const { body } = await callApi<{ result: unknown[]; coverage: { domains: { suppressible: boolean }[] } }>(
      federation.url,
      '/api/v1/query',
      { query, time: NOW },
    );
    const infos = (body.infos ?? []).filter((info) => info.includes('small groups'));
    return [infos, body.data.coverage.domains.map(({ suppressible }) => suppressible)];
  };
  const said = 'small groups may be missing: domain a leaves out groups of few series';
  expect(await ask('sum(few)')).toEqual([[said], [true, false]]);
  expect(await ask('sum by (job) (few)')).toEqual([[said], [true, false]]);
  expect(await ask('sum(m)')).toEqual([[], [false, false]]);
});
