import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localQueryApi } from '../../src/agent/local-query.ts';
import { httpServer, listen } from '../../src/base/http.ts';
import { featuresFrom } from '../../src/promql/features.ts';
import { localShard } from '../../src/shard/local-shard.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { openStore } from '../../src/store/store.ts';
import { findOracle, type Oracle, startOracle } from '../oracle/oracle.ts';

const program = await findOracle();

interface Reply {
  readonly status: number;
  readonly body: {
    readonly errorType?: string;
    readonly error?: string;
    readonly data?: unknown;
    readonly warnings?: readonly string[];
  };
}

async function call(url: string, path: string, params: Record<string, string>): Promise<Reply> {
  const response = await fetch(`${url}${path}`, { method: 'POST', body: new URLSearchParams(params) });
  return { status: response.status, body: (await response.json()) as Reply['body'] };
}

describe.skipIf(program === undefined).each([
  ['no features', []],
  ['features', ['promql-experimental-functions', 'promql-extended-range-selectors', 'promql-binop-fill-modifiers']],
])('what a real Prometheus makes of queries with %s', (_title, names) => {
  const app = httpServer(pino({ level: 'silent' }));
  const store = openStore({ path: ':memory:' });
  let oracle: Oracle;
  let url: string;

  beforeAll(async () => {
    oracle = await startOracle({ args: names.map((name) => `--enable-feature=${name}`) });
    localQueryApi(app, {
      queries: openQueries([localShard(store)]),
      features: featuresFrom(names),
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

  async function compare(path: string, params: Record<string, string>): Promise<Reply> {
    const want = await call(oracle.url, path, params);
    const got = await call(url, path, params);
    const what = JSON.stringify([path, params, got.body.error, want.body.error]);
    expect([got.status, got.body.errorType], what).toEqual([want.status, want.body.errorType]);
    if (got.status === 200 && !path.startsWith('/api/v1/query')) expect(got.body.data, what).toEqual(want.body.data);
    return got;
  }

  test.each([
    'foo',
    'foo{z="1",a="2"} offset -5m',
    '{"foo", b=~"c.*", __name__!="x"}',
    '{__name__="foo"}[5m] @ 3.5',
    'foo{a!~"b"}[10] @ end() offset 1m',
    'rate(x[5m:1m] @ start())',
    'x[5m:] offset 1h',
    '-1e-9 + 0x1F + 5m + Inf + NaN',
    '"te\\"xt"',
    '-foo ^ 2 % 3 atan2 4',
    'a + b',
    'a and on (x) b or c unless ignoring (y) d',
    'a == bool on (x, y) group_left (z, w) b',
    'a > bool 1',
    'sum by (a, b) (x) / count without () (y)',
    'topk(3, (x))',
    'quantile by (job) (0.9, x)',
    'count_values("v", x)',
    'label_replace(x, "a", "$1", "b", "(.*)")',
    'histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))',
    'x[(5m)]',
    'x[((5m + 1m))] offset -(5m + step())',
    'x[+(5m)]',
    'x[-5m * -1]',
    'x[max_of(step(), 5m) / 2 ^ 2 % 3]',
    'x[range():step()] offset -step()',
    'x[5m:(1m)]',
    'sort_by_label(x, "a")',
    'limitk(3, x)',
    'info(x, {a="b"})',
    'a + fill (3) b',
    'a + on (x) group_right fill_left (-3) fill_right (2) b',
    'x[5m] anchored',
    'x smoothed offset 1m',
    'rate(x',
    'sum(',
    '',
    'foo bar',
    'raet(x[5m])',
    'x[5m] + 1',
    '"a',
  ])('%s', async (query) => {
    await compare('/api/v1/parse_query', { query });
    await compare('/api/v1/format_query', { query });
    const got = await compare('/api/v1/query', { query, time: '100' });
    if (got.status === 400) expect(got.body.error).toMatch(/^invalid parameter "query": /);
  });

  test('the features of PromQL', async () => {
    const [want, got] = await Promise.all(
      [oracle.url, url].map(async (root) => {
        const response = await fetch(`${root}/api/v1/features`);
        return ((await response.json()) as Reply['body']).data as Record<string, unknown>;
      }),
    );
    for (const category of ['promql', 'promql_functions', 'promql_operators']) {
      expect(got![category], category).toEqual(want![category]);
    }
  });

  const RANGE = { query: 'x', start: '10', end: '20', step: '1' };

  test.each<[string, Record<string, string>]>([
    ['/api/v1/query_range', { ...RANGE, end: '5' }],
    ['/api/v1/query_range', { ...RANGE, step: '0' }],
    ['/api/v1/query_range', { ...RANGE, step: '-1' }],
    ['/api/v1/query_range', { ...RANGE, start: 'never' }],
    ['/api/v1/query_range', { ...RANGE, query: 'x[5m]' }],
    ['/api/v1/query_range', { ...RANGE, query: '"text"' }],
    ['/api/v1/query', { query: 'x', timeout: 'soon' }],
  ])('the words about a bad parameter: %s %j', async (path, params) => {
    const got = await compare(path, params);
    const want = await call(oracle.url, path, params);
    expect(got.body.error).toBe(want.body.error);
  });

  test.each<[string, Record<string, string>]>([
    ['/api/v1/query', { query: 'rate(x[step() - 5m])' }],
    ['/api/v1/query', { query: 'x offset (1m / (step() - step()))' }],
    ['/api/v1/query_range', { ...RANGE, query: 'rate(x[step() * -1])' }],
  ])('a computed duration that cannot be: %s %j', async (path, params) => {
    const { body } = await compare(path, params);
    expect(body.data).toMatchObject({ line: 1, rendering: expect.stringContaining('^') });
  });

  test.each(['true', 'all', 'yes', ''])('stats=%s', async (stats) => {
    const params = { query: 'x', time: '1', stats };
    const want = await call(oracle.url, '/api/v1/query', params);
    const got = await call(url, '/api/v1/query', params);
    expect(got.body.warnings).toEqual(want.body.warnings);
    const [told, expected] = [got, want].map(({ body }) => (body.data as { stats?: object }).stats !== undefined);
    expect(told).toBe(expected);
  });
});
