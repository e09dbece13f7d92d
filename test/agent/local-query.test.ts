import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { localQueryApi } from '../../src/agent/local-query.ts';
import { ComityError } from '../../src/base/errors.ts';
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
const entries: Record<string, unknown>[] = [];
let isFull = false;
let url: string;

beforeAll(async () => {
  const shard = localShard({
    ...memorySource(HELD),
    size: () => ({ series: 0, samples: 0 }),
    metadata: () => FAMILIES,
    *exemplars(matchers, fromMs, toMs) {
      if (toMs === 666_000) throw new Error('a fault');
      if (TIME_MS < fromMs || TIME_MS > toMs) return;
      for (const { labels } of HELD) if (matches(labels, matchers)) yield { labels, exemplars: [EXEMPLAR] };
    },
  });
  localQueryApi(app, {
    queries: openQueries([shard]),
    audit: {
      write(entry) {
        if (isFull) throw new ComityError('unavailable', 'the audit log cannot be written: no space');
        entries.push(entry as Record<string, unknown>);
      },
      close: () => undefined,
    },
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

describe('the audit log', () => {
  const entryOf = async (path: string, init: RequestInit = {}): Promise<Record<string, unknown>> => {
    entries.length = 0;
    await get(path, init);
    expect(entries).toHaveLength(1);
    return entries[0]!;
  };

  it('has who has read what, and how much it touched', async () => {
    const body = new URLSearchParams({ query: 'm', step: '15', start: String(TIME_MS / 1000 - 60) });
    const init = { method: 'POST', body, headers: { 'user-agent': 'grafana' } };
    expect(await entryOf(`/api/v1/query_range?end=${TIME_MS / 1000}`, init)).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      remote: '127.0.0.1',
      userAgent: 'grafana',
      method: 'POST',
      path: '/api/v1/query_range',
      query: 'm',
      at: { start: String(TIME_MS / 1000 - 60), end: String(TIME_MS / 1000), step: '15' },
      match: undefined,
      status: 200,
      ms: expect.any(Number),
      series: 2,
      samples: 2,
    });
  });

  it.each<[string, Record<string, unknown>]>([
    ['/api/v1/query?query=sum(', { query: 'sum(', status: 400, series: undefined }],
    ['/api/v1/series?match[]=m&match[]={i="1"}', { match: ['m', '{i="1"}'], status: 200, series: 2 }],
    ['/api/v1/label/i/values?start=5', { path: '/api/v1/label/i/values', at: { start: '5' } }],
    ['/api/v1/labels', { status: 200 }],
    ['/api/v1/metadata', { status: 200 }],
    ['/api/v1/query_exemplars?query=m', { series: 2, samples: 2 }],
  ])('has %s', async (path, want) => {
    const entry = await entryOf(path);
    for (const [name, value] of Object.entries(want)) expect(entry[name], name).toEqual(value);
  });

  it('has no more of a query than can be asked', async () => {
    const body = new URLSearchParams({ query: 'x'.repeat(LIMITS.expressionChars + 1) });
    const entry = await entryOf('/api/v1/query', { method: 'POST', body });
    expect(entry).toMatchObject({ status: 422, query: 'x'.repeat(LIMITS.expressionChars) });
  });

  it('says nothing of what reads no samples', async () => {
    entries.length = 0;
    for (const path of ['/api/v1/status/buildinfo', '/api/v1/parse_query?query=m', '/api/v1/features', '/nothing']) {
      await get(path);
    }
    expect(entries).toEqual([]);
  });

  it('has reads that nobody waited for', async () => {
    const other = httpServer(pino({ level: 'silent' }));
    const seen: { status: number }[] = [];
    localQueryApi(other, {
      queries: {
        answer: (_question, signal) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => reject(new ComityError('canceled', 'cancelled')));
          }),
      },
      audit: { write: (entry) => void seen.push(entry as { status: number }), close: () => undefined },
      onFault: (error) => faults.push(error),
    });
    const root = await listen(other, '127.0.0.1:0');
    const client = new AbortController();
    const asked = fetch(`${root}/api/v1/query?query=m`, { signal: client.signal });
    setTimeout(() => client.abort(), 50);
    await expect(asked).rejects.toThrow(/abort/);
    await expect.poll(() => seen.map(({ status }) => status)).toEqual([499]);
    await other.close();
  });

  it('must be written, or nothing is read; one line tells of it', async () => {
    isFull = true;
    const before = faults.length;
    for (let i = 0; i < 3; i++) {
      const { status, body } = await get('/api/v1/query?query=m');
      expect([status, body.errorType, body.data]).toEqual([503, 'unavailable', undefined]);
      expect(body.error).toMatch(/audit log cannot be written/);
    }
    isFull = false;
    expect(faults.splice(before)).toHaveLength(1);
    expect((await get('/api/v1/query?query=m')).status).toBe(200);
  });
});

it('says in an error where the mistake stands and how much time there was', async () => {
  const typo = await get(`/api/v1/query?query=${encodeURIComponent('sum(\n  raet(m[5m]))')}`);
  expect(typo.body.error).toBe(
    'invalid parameter "query": 2:3: parse error: unknown function with name "raet"; did you mean "rate"?',
  );
  expect(typo.body.data).toMatchObject({ line: 2, column: 3, rendering: '  raet(m[5m]))\n  ^' });
  const query = Array.from({ length: 50 }, (_none, i) => `deriv(m[${i + 60}m:1s])`).join(' or ');
  const start = TIME_MS / 1000;
  const body = new URLSearchParams({ query, start: `${start}`, end: `${start + 5_000}`, step: '1', timeout: '20ms' });
  const late = await get('/api/v1/query_range', { method: 'POST', body });
  expect([late.status, late.body.errorType]).toEqual([503, 'timeout']);
  expect(late.body.error).toMatch(/^query timed out in expression evaluation after [\d.]+ s, with 0\.02 s allowed/);
});

it('tells what a query took', async () => {
  const { body } = await get(`/api/v1/query?query=m&time=${TIME_MS / 1000}&stats=all`);
  expect(body.data).toMatchObject({
    stats: { timings: { evalTotalTime: expect.any(Number) }, samples: { samplesRead: 2 } },
  });
});
