import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHub } from '../../src/hub/hub.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi, type ApiReply } from '../system/api.ts';
import { startFederation, store, type Federation } from '../system/federation.ts';

const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const CUT = 'results truncated due to limit';
const BY_POLICY =
  /^series may be missing by policy: a, b let out only those of open metrics whose labels all may leave$/;

/** `split` is open in one domain alone, `sums` in none; `secret` is sealed in both. */
const policyOf = (domain: string): string => `
version: 1
domain: ${domain}
labels: {permit: [i, 'odd.name', trace_id]}
metrics:
  - {match: m, class: open}
  - {match: split, class: ${domain === 'a' ? 'open' : 'aggregate'}}
  - {match: secret, class: sealed}
`;
const HELD: readonly (readonly [string, Record<string, string>])[] = [
  ['a', { __name__: 'm', i: '2' }],
  ['a', { __name__: 'm', i: '1', 'odd.name': 'x' }],
  ['a', { __name__: 'm', user: 'canary' }],
  ['b', { __name__: 'm', i: '1' }],
  ['a', { __name__: 'split', i: '1' }],
  ['b', { __name__: 'split', i: '1' }],
  ['a', { __name__: 'sums', i: '1' }],
  ['b', { __name__: 'secret', i: '1' }],
];

let federation: Federation;

beforeAll(async () => {
  federation = await startFederation({
    domains: ['a', 'b'],
    policy: policyOf,
    shards: (domain) => (domain === 'a' ? 2 : 0),
  });
  for (const domain of ['a', 'b']) {
    const batch = batchBuilder();
    for (const [of, labels] of HELD) {
      if (of === domain) batch.sample(batch.seriesOf(labelsOf({ ...labels, domain })), NOW_MS, 1);
    }
    const series = batch.seriesOf(labelsOf({ __name__: 'm', i: domain === 'a' ? '2' : '1', domain }));
    batch.exemplar({ series, timeMs: NOW_MS - 5, value: 1, labels: labelsOf({ trace_id: `t-${domain}` }) });
    batch.exemplar({ series, timeMs: NOW_MS - 4, value: 2, labels: labelsOf({ user: 'canary' }) });
    batch.metadata({ metric: 'm', type: 'gauge', unit: '', help: domain === 'a' ? 'An m.' : 'Another m.' });
    batch.metadata({ metric: 'sums', type: 'counter', unit: 'bytes', help: 'Sums.' });
    batch.metadata({ metric: 'secret', type: 'gauge', unit: '', help: 'canary' });
    await store(federation.agents.get(domain)!, batch.build());
  }
});
afterAll(() => federation.close());

interface List extends ApiReply<unknown> {
  readonly body: ApiReply<unknown>['body'] & {
    readonly coverage?: { readonly complete: boolean; readonly domains: readonly { domain: string; status: string }[] };
  };
}
const call = (path: string, init?: RequestInit) =>
  callApi<unknown>(federation.url, `/api/v1/${path}`, {}, init) as Promise<List>;
const form = (body: string): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  body,
});
const m = (domain: string, i: string, more = {}) => ({ __name__: 'm', domain, i, ...more });

describe('series', () => {
  it('are those of open metrics with permitted labels, in order, and say that there may be more', async () => {
    const { body, headers, text } = await call('series?match[]=m');
    expect(body.data).toEqual([m('a', '1', { 'odd.name': 'x' }), m('a', '2'), m('b', '1')]);
    expect(body.warnings).toEqual([expect.stringMatching(BY_POLICY)]);
    expect(body.coverage).toMatchObject({ complete: true, domains: [{ domain: 'a', status: 'ok' }, { domain: 'b' }] });
    expect(headers.get('comity-domains')).toBe('a=ok, b=ok');
    expect(text).not.toContain('canary');
  });

  it('have a limit', async () => {
    expect((await call('series?match[]=m&limit=3')).body.warnings).not.toContain(CUT);
    const { body } = await call('series?match[]=m&limit=2');
    expect([body.data, body.warnings]).toMatchObject([{ length: 2 }, [expect.stringMatching(BY_POLICY), CUT]]);
  });

  it('of a metric that is open in one domain only are a part, which the others refuse', async () => {
    const { body, headers } = await call('series?match[]=split');
    expect(body.data).toEqual([{ __name__: 'split', domain: 'a', i: '1' }]);
    expect(headers.get('comity-domains')).toBe('a=ok, b=refused');
    expect(body.warnings.at(0)).toMatch(
      /^partial answer.*b refused \(refused: metric split is of class aggregate in domain b/,
    );
    expect(body.warnings.at(-1)).toBe(body.warnings[0]);
    expect(body.coverage?.complete).toBe(false);
    expect((await call('series?match[]=split{domain="a"}')).body.coverage).toMatchObject({
      complete: true,
      domains: [{ status: 'ok' }, { status: 'pruned' }],
    });
  });

  it.each([
    ['sums', 'refused: metric sums is of class aggregate in domain a'],
    ['secret', 'refused: metric secret is sealed in domain a: nothing of it leaves'],
    ['m{user="canary"}', 'refused: label user cannot be matched on in domain a'],
  ])('of %s are refused', async (selector, message) => {
    const { status, body } = await call(`series?match[]=${encodeURIComponent(selector)}`);
    expect([status, body.errorType]).toEqual([422, 'execution']);
    expect(body.error).toContain(message);
    expect(body.error).not.toContain('canary');
  });
});

it.each([
  'series?match[]=m',
  'labels?match[]=m',
  'label/i/values?match[]=m{i="1"}',
  'metadata',
  'query_exemplars?query=m',
])('%s fails with what is missing where no domain tells anything', async (path) => {
  // It has another token.
  const replicas = [{ url: federation.agents.get('a')!.federationUrl, token: 'wrong' }];
  const hub = await startHub({ listen: '127.0.0.1:0', domains: [{ name: 'a', jurisdiction: 'x', replicas }] });
  try {
    const { status, body, headers } = await callApi<unknown>(hub.url, `/api/v1/${path}`);
    expect([status, body.errorType]).toEqual([503, 'unavailable']);
    expect(body.data).toMatchObject({ coverage: { complete: false, domains: [{ domain: 'a', status: 'refused' }] } });
    expect(headers.get('comity-coverage')).toMatch(/^complete=false/);
  } finally {
    await hub.close();
  }
});

describe('a part of a list', () => {
  it.each<[string, RequestInit, number]>([
    ['', {}, 200],
    ['&partial_response=false', {}, 503],
    ['&partial_response=true', { headers: { FromAlert: 'true' } }, 503],
  ])('with %j %j', async (more, init, status) => {
    const reply = await call(`series?match[]=split${more}`, init);
    expect(reply.status).toBe(status);
    if (status === 503) {
      expect(reply.body).toMatchObject({ errorType: 'unavailable', data: { coverage: { complete: false } } });
    }
  });
});

it('metadata is of what is not sealed, and says what each domain says', async () => {
  const { body, text } = await call('metadata');
  expect(body.data).toEqual({
    m: [
      { type: 'gauge', unit: '', help: 'An m.' },
      { type: 'gauge', unit: '', help: 'Another m.' },
    ],
    sums: [{ type: 'counter', unit: 'bytes', help: 'Sums.' }],
  });
  expect(body).not.toHaveProperty('warnings');
  expect(text).not.toContain('canary');
  expect((await call('metadata?metric=m&limit_per_metric=1')).body.data).toEqual({
    m: [{ type: 'gauge', unit: '', help: 'An m.' }],
  });
  expect((await call('metadata?metric=secret')).body.data).toEqual({});
  expect((await call('metadata?limit=1')).body.data).toHaveProperty('m');
});

describe('exemplars', () => {
  const want = ['a', 'b'].map((domain) => ({
    seriesLabels: { __name__: 'm', domain, i: domain === 'a' ? '2' : '1' },
    exemplars: [{ labels: { trace_id: `t-${domain}` }, value: '1', timestamp: (NOW_MS - 5) / 1000 }],
  }));

  it.each([
    ['query=m', want],
    ['query=sum(rate(m[5m]))/on()m', want],
    // As Grafana asks.
    [`query=m&start=${NOW_MS - 60_000}&end=${NOW_MS}`, want],
    [`query=m&start=${NOW_MS / 1000 - 60}&end=${NOW_MS / 1000 - 1}`, []],
    ['query=m{domain="b"}', want.slice(1)],
    ['query=sums', []],
    ['query=1', []],
  ])('%s', async (search, found) => {
    const { status, body, text } = await call(`query_exemplars?${search}`);
    expect([status, body.data]).toEqual([200, found]);
    expect(text).not.toContain('canary');
  });
});

describe('HTTP', () => {
  it('parameters of URL and body count together', async () => {
    const url = 'series?match[]=m{i="2"}';
    expect((await call(url, form('match[]=m{domain="b"}'))).body.data).toEqual([m('a', '2'), m('b', '1')]);
    expect((await call('series?limit=1', form('match[]=m'))).body.data).toHaveLength(1);
    expect((await call('label/i/values?match[]=m{domain="b"}', form(''))).body.data).toEqual(['1']);
    expect((await call('labels?match[]=m', form(''))).body.data).toContain('odd.name');
  });

  it('names that are no identifiers are escaped, in values as they are', async () => {
    expect((await call('label/U__odd_2e_name/values')).body.data).toEqual(['x']);
    expect((await call('label/odd.name/values')).body.data).toEqual(['x']);
    const escaped = await call(`series?match[]=${encodeURIComponent('{"odd.name"="x"}')}`);
    expect(escaped.body.data).toHaveLength(1);
  });

  it('HEAD is GET without a body, OPTIONS is answered for every path', async () => {
    const head = await fetch(`${federation.url}/api/v1/labels`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    const options = await fetch(`${federation.url}/api/v1/query`, { method: 'OPTIONS' });
    expect([options.status, options.headers.get('access-control-allow-origin')]).toEqual([204, null]);
    expect((await call('rules', { method: 'POST' })).status).toBe(405);
  });

  it('each answer names its trace, errors too', async () => {
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01` };
    expect((await call('series?match[]=m', { headers })).headers.get('comity-trace-id')).toBe(trace);
    expect((await call('series', { headers })).headers.get('comity-trace-id')).toBe(trace);
    expect((await call('nothing')).headers.get('comity-trace-id')).toMatch(/^[0-9a-f]{32}$/);
  });

  it.each<[string, unknown]>([
    ['rules', { groups: [] }],
    ['alerts', { alerts: [] }],
    ['targets', { activeTargets: [], droppedTargets: [] }],
    ['alertmanagers', { activeAlertmanagers: [], droppedAlertmanagers: [] }],
    ['status/flags', { 'query.lookback-delta': '5m', 'query.timeout': '30s' }],
    ['status/runtimeinfo', { reloadConfigSuccess: true }],
    ['status/buildinfo', { version: expect.stringMatching(/^3\.15\./) }],
    ['features', { api: { query_stats: true, time_range_series: true, remote_write_receiver: false } }],
  ])('%s', async (path, data) => {
    const { status, body } = await call(path);
    expect([status, body.data]).toMatchObject([200, data]);
    // Whoever lists any there is taken for another kind of server.
    expect(body.data).not.toHaveProperty('features');
  });

  it('what a hub has not is not found, in the envelope', async () => {
    for (const path of ['status/tsdb', 'status/config', 'admin/tsdb/snapshot']) {
      const { status, body } = await call(path);
      expect([path, status, body.status]).toEqual([path, 404, 'error']);
    }
  });

  it('an empty label name is none', async () => {
    expect((await call('label//values')).status).toBe(400);
  });

  it('statistics tell what is known here', async () => {
    const { body } = await call(`query?query=m&time=${NOW_MS / 1000}&stats=all`);
    const { stats } = body.data as { stats: Record<string, unknown> };
    expect(body.data).toMatchObject({ resultType: 'vector' });
    expect(stats).toMatchObject({
      timings: { evalTotalTime: expect.any(Number) },
      domains: [{ domain: 'a' }, { domain: 'b' }],
    });
    expect((await call('query?query=1')).body.data).not.toHaveProperty('stats');
  });
});

describe('a client that hangs up', () => {
  let domain: Server;
  const open: Socket[] = [];
  const asked = Promise.withResolvers<void>();
  beforeAll(async () => {
    domain = createServer((socket) => {
      open.push(socket);
      // It takes every request and answers none.
      socket.on('data', (bytes) => void (bytes.includes('/federation/v1/series') && asked.resolve()));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => domain.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    for (const socket of open) socket.destroy();
    domain.close();
  });

  it('is a 499 in the metrics, and its domains are no longer asked', async () => {
    const { port } = domain.address() as AddressInfo;
    const config = { name: 'a', jurisdiction: 'x', replicas: [{ url: `http://127.0.0.1:${port}`, token: 't' }] };
    const hub = await startHub({ listen: '127.0.0.1:0', domains: [config] });
    try {
      const leaving = new AbortController();
      const gone = fetch(`${hub.url}/api/v1/series?match[]=m`, { signal: leaving.signal }).catch(
        (error: Error) => error.name,
      );
      await asked.promise;
      leaving.abort();
      expect(await gone).toBe('AbortError');
      const metrics = async (): Promise<string> => (await fetch(`${hub.url}/metrics`)).text();
      await expect.poll(metrics).toContain('comity_hub_http_requests_total{handler="/api/v1/series",code="499"} 1');
      expect(await metrics()).toMatch(
        /comity_hub_domain_requests_total\{domain="a",endpoint="series",outcome="canceled"\} 1/,
      );
    } finally {
      await hub.close();
    }
  });
});
