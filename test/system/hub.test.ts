import { execFile } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHub } from '../../src/hub/hub.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { callApi, type ApiReply, type QueryData } from './api.ts';
import { startFederation, store, type Federation } from './federation.ts';

const DOMAINS = ['eu', 'us', 'ap'];
const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
const NOW = NOW_MS / 1000;

/** Domain ap differs: it seals what the others let out in sums. */
const policy = (domain: string): string => `
version: 1
domain: ${domain}
labels: {permit: [service]}
metrics:
  - {match: up, class: open}
  - {match: regional_total, class: ${domain === 'ap' ? 'sealed' : 'aggregate'}}
`;

let federation: Federation;

beforeAll(async () => {
  federation = await startFederation({ domains: DOMAINS, policy });
  for (const [domain, agent] of federation.agents) {
    const batch = batchBuilder();
    for (let i = 0; i <= 20; i++) {
      const time = NOW_MS - (20 - i) * 15_000;
      for (const name of ['requests_total', 'regional_total', 'up']) {
        batch.add(
          labelsOf({ __name__: name, job: 'shop', service: 'cart', user: 'canary', domain }),
          time,
          name === 'up' ? 1 : i * 15,
        );
      }
    }
    await store(agent, batch.build());
  }
});

afterAll(() => federation.close());

const call = <Data = QueryData>(path: string, init?: RequestInit): Promise<ApiReply<Data>> =>
  callApi<Data>(federation.url, path, {}, init);

const query = (expr: string, params: Record<string, string> = {}): Promise<ApiReply<QueryData>> =>
  callApi(federation.url, '/api/v1/query', { query: expr, time: String(NOW), ...params });

describe('queries', () => {
  it('give one answer over all domains, with its coverage, and are silent when complete', async () => {
    const { status, headers, body } = await query('sum by (job) (rate(requests_total[1m]))');
    expect(status).toBe(200);
    expect(body.data.resultType).toBe('vector');
    expect(body.data.result).toEqual([{ metric: { job: 'shop' }, value: [NOW, expect.any(String)] }]);
    expect(Number(body.data.result[0]!.value[1])).toBeCloseTo(3, 12);
    expect(body.data.coverage.complete).toBe(true);
    expect(body.data.coverage.domains.map((domain) => domain.status)).toEqual(['ok', 'ok', 'ok']);
    expect(body).not.toHaveProperty('warnings');
    expect(headers.get('comity-coverage')).toBe('complete=true; observed=0; expected=0');
    expect(headers.get('comity-domains')).toBe('eu=ok, us=ok, ap=ok');
  });

  it('take parameters from the URL and the body together', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { body } = await call(`/api/v1/query_range?start=${NOW - 60}&end=${NOW}`, {
      method: 'POST',
      headers,
      body: 'query=sum(up)&step=30s',
    });
    expect(body.data.resultType).toBe('matrix');
    expect(body.data.result[0]!.values).toEqual([
      [NOW - 60, '3'],
      [NOW - 30, '3'],
      [NOW, '3'],
    ]);
  });

  it.each<[string, string, unknown]>([
    ['1 + 1', 'scalar', [NOW, '2']],
    ['"x"', 'string', [NOW, 'x']],
    ['no_such_metric', 'vector', undefined],
    ['sum(no_such_metric)', 'vector', []],
    ['-1 / 0', 'scalar', [NOW, '-Inf']],
  ])('%s is a %s', async (expr, type, want) => {
    const { status, body } = await query(expr);
    if (want === undefined)
      return expect([status, body.error]).toEqual([422, expect.stringContaining('refused: no_such_metric')]);
    return expect([body.data.resultType, body.data.result]).toEqual([type, want]);
  });

  it('ask only domains that could hold something', async () => {
    const { body } = await query('sum(up{domain=~"e.+"})');
    expect(body.data.coverage.domains.map((domain) => domain.status)).toEqual(['ok', 'pruned', 'pruned']);
    expect(body.data.result[0]!.value[1]).toBe('1');
  });
});

describe('errors are those of Prometheus', () => {
  it.each<[string, number, string, RegExp]>([
    ['/api/v1/query', 400, 'bad_data', /invalid parameter "query"/],
    ['/api/v1/query?query=sum(', 400, 'bad_data', /1:5: parse error/],
    ['/api/v1/query?query=up%0A%20and%20)', 400, 'bad_data', /2:6: parse error/],
    ['/api/v1/query?query=up&time=yesterday', 400, 'bad_data', /invalid parameter "time"/],
    ['/api/v1/query?query=up{a=~"("}', 400, 'bad_data', /regular expression|regexp/],
    ['/api/v1/query_range?query=up&start=0&end=1', 400, 'bad_data', /invalid parameter "step"/],
    ['/api/v1/query_range?query=up&start=5&end=1&step=1', 400, 'bad_data', /end timestamp must not be before start/],
    ['/api/v1/query_range?query=up&start=0&end=1&step=0', 400, 'bad_data', /zero or negative/],
    ['/api/v1/query_range?query=up&start=0&end=20000&step=1', 400, 'bad_data', /11001 points/],
    ['/api/v1/query_range?query="x"&start=0&end=1&step=1', 400, 'bad_data', /"string" for range query/],
    ['/api/v1/query?query=sum(up)/on()sum%20by(domain)(up)', 422, 'execution', /many-to-many matching not allowed/],
    ['/api/v1/query?query=limitk(1,up)', 400, 'bad_data', /promql-experimental-functions/],
    ['/api/v1/labels?match[]=1', 400, 'bad_data', /match\[\]/],
  ])('%s', async (path, status, errorType, message) => {
    const reply = await call(path);
    expect([reply.status, reply.body.status, reply.body.errorType]).toEqual([status, 'error', errorType]);
    expect(reply.body.error).toMatch(message);
  });

  it('other bodies and methods', async () => {
    const json = { 'content-type': 'application/json' };
    expect((await call('/api/v1/query', { method: 'POST', headers: json, body: '{}' })).status).toBe(415);
    const long = new URLSearchParams({ query: `sum(${'x'.repeat(400_000)})` });
    expect((await call('/api/v1/query', { method: 'POST', body: long })).status).toBe(413);
    expect((await query('x'.repeat(70_000))).body.errorType ?? 'header').toMatch(/execution|header|bad_data/);
    expect((await call('/api/v1/nothing')).status).toBe(404);
  });
});

describe('refusals name the piece, the rule, the domain and what works instead', () => {
  it.each<[string, string, string]>([
    ['requests_total', 'class aggregate in domain eu', 'sum by (job) (requests_total)'],
    ['1 + rate(requests_total[1m])', 'class aggregate', '1 + sum by (job) (rate(requests_total[1m]))'],
    [
      'histogram_quantile(0.9, rate(requests_total[1m]))',
      'class aggregate',
      'histogram_quantile(0.9, sum by (job, le) (rate(requests_total[1m])))',
    ],
    ['sum by (user, job) (requests_total)', 'label user may not leave', 'sum by (job) (requests_total)'],
    ['up', 'label user may not leave', 'sum without (user) (up)'],
    [
      'sum(requests_total * requests_total)',
      'label user may not leave',
      'sum(sum without (user) (requests_total) * sum without (user) (requests_total))',
    ],
    [
      'sum by (job) (rate(requests_total[1m]) / on (job, user, domain) rate(requests_total[1m]))',
      'label user may not leave',
      'sum by (job) (sum by (job, domain) (rate(requests_total[1m])) / on (job, domain) sum by (job, domain) (rate(requests_total[1m])))',
    ],
    ['sum without (job) (requests_total)', 'label user may not leave', 'sum without (job, user) (requests_total)'],
  ])('%s', async (expr, reason, works) => {
    const refused = await query(expr);
    expect(refused.status).toBe(422);
    expect(refused.body.error).toContain(reason);
    expect(refused.body.error).toContain(`What works: ${works}`);
    expect((await query(works)).status, 'the advice itself is answered').toBe(200);
  });

  it('by one domain leaves the answer partial', async () => {
    const { status, body } = await query('sum(regional_total)');
    expect(status).toBe(200);
    expect(body.data.result[0]!.value[1]).toBe('600');
    expect(body.data.coverage.complete).toBe(false);
    const ap = body.data.coverage.domains[2]!;
    expect([ap.status, ap.reason]).toEqual([
      'refused',
      expect.stringContaining('regional_total is sealed in domain ap'),
    ]);
    expect(body.warnings).toHaveLength(1);
    expect(body.warnings[0]).toMatch(/^partial answer: .*ap refused/);
  });

  it('no answer holds a label that the policy does not permit', async () => {
    for (const expr of [
      'sum by (service) (up)',
      'up',
      'sum by (user) (up)',
      'sum(up{user="canary"})',
      'sum without (service) (up)',
    ]) {
      expect(
        JSON.stringify((await query(expr)).body)
          .replaceAll(JSON.stringify(expr).slice(1, -1), '')
          .replaceAll('user=\\"canary\\"', ''),
      ).not.toContain('canary');
    }
  });
});

describe('labels', () => {
  it('are the permitted ones', async () => {
    expect((await call('/api/v1/labels')).body.data).toEqual(['__name__', 'domain', 'job', 'service']);
    expect((await call('/api/v1/label/domain/values')).body.data).toEqual(['ap', 'eu', 'us']);
    expect((await call('/api/v1/label/U__service/values')).body.data).toEqual(['cart']);
    expect((await call('/api/v1/label/__name__/values?match[]=up&limit=1', { method: 'POST' })).body.data).toEqual([
      'up',
    ]);
    const refused = await call('/api/v1/label/user/values');
    expect([refused.status, refused.body.error]).toEqual([422, 'refused: label user may not leave domain eu']);
  });
});

describe('a hub without one of its domains', () => {
  let impostor: Server;
  let hub: Awaited<ReturnType<typeof startHub>>;

  beforeAll(async () => {
    impostor = createServer((_request, response) => response.end(Buffer.from('no protobuf at all')));
    await new Promise<void>((resolve) => impostor.listen(0, '127.0.0.1', resolve));
    const eu = federation.agents.get('eu')!.federationUrl;
    hub = await startHub({
      listen: '127.0.0.1:0',
      queryTimeoutMs: 2_000,
      domains: [
        { name: 'eu', jurisdiction: 'EU', url: eu, token: 'x'.repeat(32) },
        {
          name: 'us',
          jurisdiction: 'US',
          url: `http://127.0.0.1:${(impostor.address() as AddressInfo).port}`,
          token: 'y'.repeat(32),
        },
        { name: 'ap', jurisdiction: 'IN', url: 'http://127.0.0.1:1', token: 'z'.repeat(32) },
      ],
    });
  });

  afterAll(async () => {
    await hub.close();
    impostor.close();
  });

  it('says what is wrong with each and answers 503, never a number', async () => {
    const { status, body } = await callApi(hub.url, '/api/v1/query', { query: 'sum(up)' });
    expect([status, body.errorType]).toEqual([503, 'unavailable']);
    const [eu, us, ap] = body.data.coverage.domains;
    expect(eu).toMatchObject({ status: 'refused', reason: expect.stringContaining('token') });
    expect(us).toMatchObject({ status: 'unreachable', reason: expect.stringContaining('malformed') });
    expect(ap).toMatchObject({
      status: 'unreachable',
      reason: expect.stringMatching(/^connection refused; it was never heard/),
    });
  });
});

describe('a domain that dies', () => {
  it('leaves answers partial, fails those that must be whole, and leaves the rest alone', async () => {
    const small = await startFederation({ domains: ['a', 'b'], policy: (domain) => policy(domain) });
    try {
      await small.agents.get('b')!.close();
      const ask = (params: Record<string, string>, headers: Record<string, string> = {}) =>
        callApi(small.url, '/api/v1/query', params, { headers });
      const partial = await ask({ query: 'count(up) or vector(0)' });
      expect(partial.body.data.coverage.domains[1]).toMatchObject({ domain: 'b', status: 'unreachable' });
      expect(partial.body.warnings[0]).toContain('b unreachable (connection refused');
      for (const [params, headers] of [
        [{ query: 'sum(up)', partial_response: 'false' }, {}],
        [{ query: 'sum(up)' }, { FromAlert: 'true' }],
        // The silent domain may hold what is asked after.
        [{ query: 'absent(no_such) or vector(0)' }, {}],
      ] as const) {
        const { status, body } = await ask(params, headers);
        expect([status, body.data.coverage.complete]).toEqual([503, false]);
      }
      expect((await ask({ query: 'sum(up{domain="a"})' })).body.data.coverage.complete).toBe(true);
    } finally {
      await small.close();
    }
  });
});

it('serves its health, build information, state of domains and metrics', async () => {
  expect((await call('/-/healthy')).status).toBe(200);
  expect((await call('/-/ready')).status).toBe(200);
  expect((await call<{ version: string }>('/api/v1/status/buildinfo')).body.data.version).toMatch(/^3\./);
  expect((await call('/api/v1/status/buildinfo')).body.data).not.toHaveProperty('features');
  const { domains } = (await call<{ domains: Record<string, unknown>[] }>('/api/v1/status/federation')).body.data;
  expect(domains[0]).toMatchObject({ domain: 'eu', reachable: true });
  expect(domains[0]!['bytesReleased']).toBeGreaterThan(0);
  expect(domains[0]!['bytesRawHeld']).toBeGreaterThan(0);
  expect((await call('/metrics')).text).toMatch(/comity_hub_queries_total{outcome="complete"} \d+/);
});

describe('comity query', () => {
  const run = async (...args: string[]) => {
    const child = promisify(execFile)(process.execPath, ['src/cli/main.ts', 'query', '--hub', federation.url, ...args]);
    return child.then(
      ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  };

  it('prints a table and the coverage', async () => {
    const { stdout } = await run('sum by (service, domain) (up)', '--time', String(NOW));
    expect(stdout.split('\n')).toEqual([
      'domain  service  VALUE',
      'eu      cart     1',
      'us      cart     1',
      'ap      cart     1',
      'coverage: complete, 0 of 0 streams (eu ok, us ok, ap ok)',
      '',
    ]);
  });

  it('points at a mistake', async () => {
    const { code, stderr } = await run('sum(rate(up[5m])');
    expect(code).toBe(1);
    expect(stderr).toMatch(/parse error.*\n.*sum\(rate\(up\[5m\]\)\n\s+\^/);
  });

  it('exits with 2 for a partial answer and prints JSON when asked', async () => {
    const { code, stdout } = await run('sum(regional_total)', '--time', String(NOW), '--json');
    expect(code).toBe(2);
    expect(JSON.parse(stdout).data.coverage.complete).toBe(false);
  });
});

describe('matching whose errors hang on all domains', () => {
  let split: Federation;
  const ask = (expr: string) => callApi(split.url, '/api/v1/query', { query: expr, time: String(NOW) });

  // Domain b holds two series of one match group; only domain a holds what they could match.
  beforeAll(async () => {
    split = await startFederation({
      domains: ['a', 'b'],
      policy: (domain) => `
version: 1
domain: ${domain}
labels: {permit: [instance, zone]}
metrics: [{match: 'open_*', class: open}]
`,
    });
    const put = async (domain: string, ...series: Record<string, string>[]) => {
      const batch = batchBuilder();
      for (const labels of series) batch.add(labelsOf({ ...labels, domain }), NOW_MS, 1);
      await store(split.agents.get(domain)!, batch.build());
    };
    const names = (prefix: string) => [
      { __name__: `${prefix}_many`, instance: 'i', zone: '1' },
      { __name__: `${prefix}_many`, instance: 'i', zone: '2' },
    ];
    await put('a', { __name__: 'open_one', instance: 'i' }, { __name__: 'sum_one', instance: 'i' });
    await put('b', ...names('open'), ...names('sum'));
  });

  afterAll(() => split.close());

  it('is settled at the hub where the series may go there', async () => {
    const failed = await ask('open_one + on (domain, instance) open_many');
    expect([failed.status, failed.body.errorType]).toEqual([422, 'execution']);
    expect(failed.body.error).toMatch(/^found duplicate series for the match group {domain="b", instance="i"}/);
    const empty = await ask('open_none + on (domain, instance) open_many');
    expect([empty.status, empty.body.data.result, empty.body.data.coverage.complete]).toEqual([200, [], true]);
  });

  it('is refused by name where they may not', async () => {
    const refused = await ask('sum(sum_one + on (domain, instance) sum_many)');
    expect([refused.status, refused.body.error]).toEqual([
      422,
      expect.stringMatching(
        /^refused: .*not unique in domain b.*What works: sum\(sum by \(domain, instance\) \(sum_one\) \+ on/,
      ),
    ]);
  });

  it('an error that is certain in one domain fails the query', async () => {
    const failed = await ask('open_many * on (domain, instance) open_many');
    expect([failed.status, failed.body.errorType, failed.body.status]).toEqual([422, 'execution', 'error']);
  });
});
