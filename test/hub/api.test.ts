import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi } from '../system/api.ts';
import { startFederation, store, type Federation } from '../system/federation.ts';

const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const NOW = NOW_MS / 1000;
const GAP = expect.stringMatching(/^partial answer/);
const CUT = 'results truncated due to limit';

let federation: Federation;

beforeAll(async () => {
  federation = await startFederation({
    domains: ['a', 'b'],
    policy: (domain) => `
version: 1
domain: ${domain}
labels: {permit: [i]}
metrics:
  - {match: m, class: open}
  - {match: s, class: ${domain === 'a' ? 'open' : 'sealed'}}
`,
  });
  const held: [string, string, string][] = [
    ['b', 'm', '1'],
    ['a', 'm', '3'],
    ['a', 'm', '2'],
    ['a', 's', '1'],
    ['a', 's', '2'],
    ['b', 's', '1'],
  ];
  for (const [domain, name, i] of held) {
    const batch = batchBuilder();
    batch.add(labelsOf({ __name__: name, i, domain }), NOW_MS, 1);
    await store(federation.agents.get(domain)!, batch.build());
  }
});

afterAll(() => federation.close());

const call = (path: string, params: Record<string, string> = {}, init?: RequestInit) =>
  callApi(federation.url, path, params, init);
const range = { start: String(NOW), end: String(NOW), step: '1' };

describe('parameters', () => {
  it.each<[string, Record<string, string>, number, string, RegExp]>([
    ['query', { query: 'sum(' }, 400, 'bad_data', /^invalid parameter "query": 1:5: parse error: /],
    ['query', { query: 'm', limit: 'x' }, 400, 'bad_data', /^invalid parameter "limit"/],
    ['query', { query: 'm', timeout: '0' }, 503, 'timeout', /^query timed out in query execution/],
    ['query', { query: 'm', lookback_delta: '1e300' }, 400, 'bad_data', /overflows int64$/],
    ['query_range', { ...range, query: 'm', step: '1e10' }, 400, 'bad_data', /"step".*overflows int64$/],
    [
      'query_range',
      { ...range, query: 'm[5m]' },
      400,
      'bad_data',
      /^invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector$/,
    ],
    ['query', { query: 'sum(s)', partial_response: '0' }, 503, 'unavailable', /^partial answer/],
    ['query', { query: 'sum(s)', partial_response: 'false' }, 503, 'unavailable', /^partial answer/],
  ])('%s %j', async (path, params, status, errorType, message) => {
    const reply = await call(`/api/v1/${path}`, { time: String(NOW), ...params });
    expect([reply.status, reply.body.errorType]).toEqual([status, errorType]);
    expect(reply.body.error).toMatch(message);
  });

  it('a lookback of 0 or less is the default', async () => {
    for (const lookback_delta of ['0', '-300']) {
      const { body } = await call('/api/v1/query', { query: 'count(m)', time: String(NOW + 60), lookback_delta });
      expect(body.data.result[0]!.value[1], lookback_delta).toBe('3');
    }
  });

  it('the limit of a range query cuts the rows in the order of their labels', async () => {
    const { body } = await call('/api/v1/query_range', { ...range, query: 'm', limit: '2' });
    expect(body.data.result.map(({ metric }) => `${metric['domain']}${metric['i']}`)).toEqual(['a2', 'a3']);
    expect(body.warnings).toEqual([CUT]);
  });
});

it('what is missing is the first and the last warning', async () => {
  const { body } = await call('/api/v1/query', { query: 's{domain="a"} or sum(s)', time: String(NOW), limit: '1' });
  expect(body.warnings).toEqual([GAP, CUT, GAP]);
});

it('unknown paths and wrong methods answer in the envelope', async () => {
  const missing = await call('/api/v1/nothing');
  expect([missing.status, missing.body.status, missing.body.errorType]).toEqual([404, 'error', 'not_found']);
  for (const [path, allow] of [
    ['/api/v1/query', 'GET, HEAD, POST'],
    ['/api/v1/label/x/values', 'GET, HEAD, POST'],
    ['/metrics', 'GET, HEAD'],
  ] as const) {
    const wrong = await call(path, {}, { method: 'PUT' });
    expect([wrong.status, wrong.body.status, wrong.headers.get('allow')], path).toEqual([405, 'error', allow]);
  }
});

describe('labels', () => {
  const values = async (search: string) =>
    (await callApi<readonly string[]>(federation.url, `/api/v1/label/i/values${search}`)).body;

  it('say when a limit cut them', async () => {
    expect(await values('?match[]=m&limit=2')).toMatchObject({ data: ['1', '2'], warnings: [CUT] });
    expect(await values('?match[]=m&limit=3')).not.toHaveProperty('warnings');
  });

  it('ask only domains that a selector could mean', async () => {
    const path = '/api/v1/labels?match[]=m{domain="a"}&match[]=s{domain="a"}';
    expect((await call(path)).headers.get('comity-domains')).toBe('a=ok, b=pruned');
    expect((await call('/api/v1/labels?match[]=m{domain="none"}')).body.data).toEqual([]);
  });

  it('bound their selectors in number and in regular expressions', async () => {
    const many = (count: number, selector: string) =>
      `?${Array.from({ length: count }, () => `match[]=${encodeURIComponent(selector)}`).join('&')}`;
    expect((await values(many(LIMITS.selectorsPerRequest, 'm'))).status).toBe('success');
    expect((await values(many(LIMITS.selectorsPerRequest + 1, 'm'))).error).toMatch(/selectorsPerRequest/);
    // Each costs about 1,000 of the budget.
    const heavy = 'm{i=~"(ab){500}"}';
    expect((await values(many(5, heavy))).status).toBe('success');
    expect((await values(many(60, heavy))).error).toMatch(/too large together/);
  });
});

it('formats and parses queries, and tells the features that it has', async () => {
  const formatted = await call('/api/v1/format_query', { query: 'sum(m)by(i)' });
  expect(formatted.body.data).toBe('sum by (i) (m)');
  const parsed = await call('/api/v1/parse_query', { query: '-m' });
  expect(parsed.body.data).toMatchObject({ type: 'unaryExpr', expr: { type: 'vectorSelector', name: 'm' } });
  const features = await call('/api/v1/features');
  expect(features.body.data).toMatchObject({ promql: { fill: false }, promql_functions: { rate: true, info: false } });
  const typo = await call('/api/v1/query', { query: 'raet(m[5m])' });
  expect([typo.status, typo.body.data]).toMatchObject([400, { line: 1, column: 1, rendering: 'raet(m[5m])\n^' }]);
});
