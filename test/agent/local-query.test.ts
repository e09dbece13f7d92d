import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localQueryApi } from '../../src/agent/local-query.ts';
import type { ComityError } from '../../src/base/errors.ts';
import { httpServer, listen } from '../../src/base/http.ts';
import { LIMITS } from '../../src/base/limits.ts';
import type { Metadata } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { localShard } from '../../src/shard/local-shard.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { exponential, nativeSeries } from '../engine/native-series.ts';
import { matches, memorySource } from '../memory-source.ts';

const FAMILIES: Metadata[] = [
  { metric: 'm', type: 'counter', help: 'Things "done".', unit: '' },
  { metric: '__proto__', type: 'gauge', help: '', unit: 'bytes' },
  { metric: 'h', type: 'histogram', help: 'x', unit: 's' },
];
const TIME_MS = 1_700_000_000_000;
const HELD = [
  nativeSeries({ __name__: 'm', i: '1' }, [[TIME_MS, 1]]),
  nativeSeries({ __name__: 'm', i: '2' }, [[TIME_MS, 2]]),
  nativeSeries({ __name__: 'h' }, [[TIME_MS, exponential(0, [[1, 3]])]]),
];
const EXEMPLAR = { timeMs: TIME_MS, value: 1, labels: labelsOf({ trace_id: 'x' }) };

const app = httpServer(pino({ level: 'silent' }));
const faults: ComityError[] = [];
let url: string;

beforeAll(async () => {
  const shard = localShard({
    ...memorySource(HELD),
    metadata: () => FAMILIES,
    *exemplars(matchers, fromMs, toMs) {
      if (toMs === 666_000) throw new Error('a fault');
      if (TIME_MS < fromMs || TIME_MS > toMs) return;
      for (const { labels } of HELD) if (matches(labels, matchers)) yield { labels, exemplars: [EXEMPLAR] };
    },
  });
  localQueryApi(app, {
    queries: openQueries([shard]),
    onFault: (error) => faults.push(error),
  });
  url = await listen(app, '127.0.0.1:0');
});

afterAll(() => app.close());

interface Body {
  readonly status: string;
  readonly errorType: string;
  readonly error: string;
  readonly warnings: readonly string[];
  readonly data: unknown;
}

async function get(path: string, init: RequestInit = {}): Promise<{ status: number; headers: Headers; body: Body }> {
  const response = await fetch(`${url}${path}`, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

describe('metadata', () => {
  const entry = ({ type, unit, help }: Metadata) => [{ type, unit, help }];
  it.each<[string, Metadata[]]>([
    ['', FAMILIES],
    ['?limit=0', []],
    ['?limit=2', FAMILIES.slice(0, 2)],
    ['?metric=h', FAMILIES.slice(2)],
    ['?metric=nothing&limit_per_metric=1', []],
  ])('of %j', async (search, want) => {
    const { body } = await get(`/api/v1/metadata${search}`);
    expect(body.data).toEqual(Object.fromEntries(want.map((one) => [one.metric, entry(one)])));
  });

  it.each(['limit', 'limit_per_metric'])('with a bad %s', async (name) => {
    const { status, body } = await get(`/api/v1/metadata?${name}=x`);
    expect([status, body.errorType]).toEqual([400, 'bad_data']);
  });
});

describe('exemplars', () => {
  const found = async (search: string) => (await get(`/api/v1/query_exemplars?${search}`)).body.data as unknown[];

  it('come once a series, however many selectors mean it', async () => {
    expect(await found('query=m%20%2B%20m{i="1"}')).toHaveLength(2);
    expect(await found('query=1')).toEqual([]);
  });

  it('are found by seconds and by milliseconds', async () => {
    expect(await found(`query=m&start=${TIME_MS / 1000 - 1}&end=${TIME_MS / 1000}`)).toHaveLength(2);
    expect(await found(`query=m&start=${TIME_MS - 1000}&end=${TIME_MS}`)).toHaveLength(2);
    expect(await found(`query=m&start=${TIME_MS + 1000}&end=${TIME_MS + 2000}`)).toEqual([]);
  });

  it('bound the selectors of their query', async () => {
    const query = Array.from({ length: LIMITS.selectorsPerRequest + 1 }, () => 'm').join('%2B');
    expect((await get(`/api/v1/query_exemplars?query=${query}`)).body.error).toMatch(/selectorsPerRequest/);
  });
});

it('histograms that a function cannot compute with are refused by name', async () => {
  const { status, body } = await get(`/api/v1/query?query=sum(h)&time=${TIME_MS / 1000}`);
  expect([status, body.errorType]).toEqual([422, 'execution']);
  expect(body.error).toBe('unsupported: native histograms in sum() cannot be evaluated yet');
  const unknown = await get('/api/v1/query?query=1%2Babsent(m)');
  expect(unknown.body.error).toBe('unsupported: the function absent() (1:3) cannot be evaluated yet');
});

it('bounds its answers and its requests', async () => {
  const cut = await get('/api/v1/series?match[]=m&limit=1');
  expect([cut.body.data, cut.body.warnings]).toEqual([[{ __name__: 'm', i: '1' }], ['results truncated due to limit']]);
  const raw = await get(`/api/v1/query?query=m[5m]&limit=1&time=${TIME_MS / 1000}`);
  expect(raw.body.data).toMatchObject({ result: [{ metric: { i: '1' } }] });
  expect(raw.body.warnings).toEqual(['results truncated due to limit']);
  const many = Array.from({ length: LIMITS.selectorsPerRequest + 1 }, () => 'match[]=m').join('&');
  expect((await get(`/api/v1/series?${many}`)).body.error).toMatch(/selectorsPerRequest/);
  const heavy = Array.from({ length: 60 }, () => `match[]=${encodeURIComponent('m{i=~"(ab){500}"}')}`).join('&');
  expect((await get(`/api/v1/labels?${heavy}`)).body.error).toMatch(/too large together/);
  const late = await get('/api/v1/query?query=m&timeout=0');
  expect([late.status, late.body.errorType]).toEqual([503, 'timeout']);
});

it('answers as Prometheus does where there is nothing, and to other methods', async () => {
  const missing = await get('/api/v1/nothing');
  expect([missing.status, missing.body.errorType]).toEqual([404, 'not_found']);
  const wrong = await get('/api/v1/query', { method: 'PUT' });
  expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  const json = await get('/api/v1/query', { method: 'POST', headers: { 'content-type': 'text/json' }, body: '{}' });
  expect(json.status).toBe(415);
});

it('tells its version and that it lives, and reports faults', async () => {
  expect((await get('/api/v1/status/buildinfo')).body.data).toMatchObject({ version: '3.15.0' });
  for (const path of ['/-/healthy', '/-/ready']) expect((await fetch(`${url}${path}`)).status).toBe(200);
  const fault = await get('/api/v1/query_exemplars?query=m&end=666');
  expect([fault.status, fault.body.errorType]).toEqual([500, 'internal']);
  expect(faults.map((error) => error.message)).toEqual(['a fault']);
});
