import { afterAll, describe, expect, it } from 'vitest';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { Expr } from '../../src/promql/ast.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';
import { openQueries, type Queries } from '../../src/shard/queries.ts';
import type { Answer } from '../differential/answer.ts';
import { INTERVAL_MS, makeDataset, SPAN_MS, START_MS } from '../differential/dataset.ts';
import { generateCase, type When } from '../differential/generator.ts';
import { memorySource } from '../memory-source.ts';
import { randomFrom } from '../random.ts';
import { answerOf, differs, given, gridOf, wholeValue } from './compared.ts';
import { memoryShards, overPort } from './memory-shards.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 20_251_121);
const CASES = 400;

const HELD: readonly SeriesColumns[] = [...makeDataset(randomFrom(SEED)).byDomain.values()].flat();
const SOURCE = memorySource(HELD);

/** The ways in which an agent can hold the same series. */
const WAYS: readonly (readonly [string, Queries])[] = [
  ...[1, 2, 3, 5].map((count) => [`${count} in this thread`, openQueries(memoryShards(HELD, count))] as const),
  ['1 at a port', openQueries(memoryShards(HELD, 1).map(overPort))],
  ['3 at ports, with a query worker', openQueries(memoryShards(HELD, 3).map(overPort))],
];

afterAll(async () => {
  for (const [, queries] of WAYS) await queries.close();
});

/** The first difference of the ways' answers from the one wanted, or undefined. */
async function difference(expr: Expr, when: When): Promise<unknown> {
  const want = await wanted(expr, when);
  for (const [way, queries] of WAYS) {
    const found = await differs(expr, when, want, await given(queries, expr, when), SOURCE);
    if (found !== undefined) return { way, found };
  }
  return undefined;
}

function wanted(expr: Expr, when: When): Promise<Answer> {
  return answerOf(when, () => wholeValue(expr, gridOf(when), SOURCE));
}

describe('however the series are spread, the answer is the same', () => {
  it(`random queries, seed ${SEED}`, { timeout: 120_000 }, async () => {
    const random = randomFrom(SEED);
    let compared = 0;
    let withRows = 0;
    for (let i = 0; i < CASES; i++) {
      const { expr, when } = generateCase(random.fork(i));
      compared++;
      const want = await wanted(expr, when);
      if (want.kind === 'data' && want.series.size > 0) withRows++;
      const found = await difference(expr, when);
      expect(found, `seed ${SEED}, case ${i}: ${printExpr(expr)} ${JSON.stringify(when)}`).toBeUndefined();
    }
    expect(compared).toBeGreaterThan(CASES / 2);
    expect(withRows).toBeGreaterThan(compared / 2);
  });

  const LATE = START_MS + SPAN_MS - INTERVAL_MS;
  it.each([
    'rate(cache_hits_total[5m]) / rate(cache_lookups_total[5m])',
    'cache_hits_total + cache_lookups_total',
    'cache_hits_total > bool cache_lookups_total',
    '{__name__=~"cache_.*"}',
    'abs({__name__=~"cache_.*"})',
    '-{__name__=~"cache_.*"}',
    'rate({__name__=~"cache_.*"}[5m])',
    'queue_depth * on (instance, domain) group_left () up',
    'queue_depth * on (instance) group_left () up',
    'queue_depth * on (instance, domain) up',
    'sum(queue_depth * on (instance, domain) up)',
    'queue_depth / ignoring (service) group_left () up',
    'up * on (instance, domain) group_left (version) build_info',
    'sum without (le) (rate(http_request_duration_seconds_bucket[5m]))',
    'sum without () (up)',
    'http_request_duration_seconds_bucket / ignoring (le) group_left () http_request_duration_seconds_count',
    'http_request_duration_seconds_count * ignoring (le) http_request_duration_seconds_bucket',
    'http_request_duration_seconds_count and ignoring (le) http_request_duration_seconds_bucket{le="1"}',
    'histogram_quantile(0.9, rate(http_request_duration_seconds_bucket[5m]))',
    'histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))',
    'topk(3, rate(http_requests_total[5m]))',
    'topk by (service) (2, queue_depth) + 1',
    'bottomk(2, sum by (service) (queue_depth))',
    'sum(topk(3, queue_depth))',
    'up or queue_depth',
    'up unless on (instance) build_info{version=~".*0"}',
    'queue_depth and on (instance) up == 1',
    'sum(up) / count(up)',
    'avg by (job) (sum by (job, instance) (up)) > 0.5',
    'sum(rate(http_requests_total[5m])) / scalar(vector(2))',
    'vector(time()) + sum(up)',
    'no_such_metric + up',
    'no_such_metric + on (job) up',
    // Which shards have no `up` decides who could not tell an error from an empty answer.
    'up{job="api"} + {__name__=~"cache_.*"}',
    'no_such_metric + {__name__=~"cache_.*"}',
    'sum(no_such_metric + {__name__=~"cache_.*"})',
    'rate(http_request_duration_seconds_bucket[5m]) * ignoring (le) group_left (service) queue_depth',
  ])('%s', async (text) => {
    const expr = parseExpr(text);
    expect(await difference(expr, { kind: 'instant', timeMs: LATE })).toBeUndefined();
    const range = { kind: 'range', startMs: START_MS, endMs: START_MS + SPAN_MS, stepMs: 60_000 } as const;
    expect(await difference(expr, range)).toBeUndefined();
  });
});

describe('rows come in the order that Prometheus gives them', () => {
  it.each([
    ['labels', 'queue_depth', 'instant'],
    ['labels', 'queue_depth', 'range'],
    ['labels', 'queue_depth[1m]', 'instant'],
    ['labels', 'topk(5, queue_depth)', 'range'],
  ] as const)('of their %s: %s as %s', async (_, text, kind) => {
    const when: When =
      kind === 'instant'
        ? { kind, timeMs: START_MS + SPAN_MS / 2 }
        : { kind, startMs: START_MS, endMs: START_MS + SPAN_MS, stepMs: 60_000 };
    const answers = await Promise.all(WAYS.map(([, queries]) => given(queries, parseExpr(text), when)));
    const orders = answers.map((answer) => (answer.kind === 'error' ? [answer.message] : [...answer.series.keys()]));
    expect(orders[0]!.length).toBeGreaterThan(4);
    for (const order of orders) expect(order).toEqual(orders[0]!.toSorted());
  });

  it('of their values', async () => {
    const when: When = { kind: 'instant', timeMs: START_MS + SPAN_MS / 2 };
    for (const [, queries] of WAYS) {
      const answer = await given(queries, parseExpr('topk(5, queue_depth)'), when);
      const values =
        answer.kind === 'data'
          ? [...answer.series.values()].flatMap(({ points }) => [...points.values()].map(Number))
          : [];
      expect(values).toHaveLength(5);
      expect(values).toEqual(values.toSorted((a, b) => b - a));
    }
  });
});
