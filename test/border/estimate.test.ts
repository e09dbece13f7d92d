import { afterAll, describe, expect, it } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import type { DomainData } from '../../src/border/domain-data.ts';
import { ESTIMATE_FACTOR, fragmentEstimate, fragmentReads, type Estimate } from '../../src/border/estimate.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../../src/model/grid.ts';
import { isStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import { distribute, type Fragment } from '../../src/plan/distribute.ts';
import { children, type Expr } from '../../src/promql/ast.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { printExpr } from '../../src/promql/print.ts';
import { localShard } from '../../src/shard/local-shard.ts';
import { openQueries, type Queries } from '../../src/shard/queries.ts';
import { shardOf } from '../../src/shard/router.ts';
import type { Spent } from '../../src/shard/shard.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { makeDataset, START_MS } from '../differential/dataset.ts';
import { generateCase } from '../differential/generator.ts';
import { randomFrom, type Random } from '../random.ts';
import { series } from '../memory-source.ts';
import { gridOf, LOOKBACK_MS } from '../shard/compared.ts';
import { anyFragment, hubFragments, readingBy, testDomain } from './domain.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 1_122);
const CASES = 300;
const OPEN = '{version: 1, domain: eu, labels: {permit: []}, default_class: open}';
const FOREVER = new AbortController().signal;
const NOTHING_SPENT: Spent = { series: 0, cells: 0, samples: 0, regexWork: 0 };

const stores: Store[] = [];
afterAll(() => stores.forEach((store) => store.close()));

/** Stores with these series, some of them in chunks and some in memory. */
function queriesOver(all: readonly SeriesColumns[], shards: number, random: Random): Queries {
  const own = Array.from({ length: shards }, () => openStore({ path: ':memory:', now: () => START_MS * 2 }));
  stores.push(...own);
  const parts = random.int(1, 4);
  for (let part = 0; part < parts; part++) {
    const builders = own.map(() => batchBuilder());
    for (const { labels, times, values } of all) {
      const builder = builders[shardOf(labels, shards)]!;
      const at = builder.seriesOf(labels);
      const [from, to] = [part, part + 1].map((edge) => Math.floor((times.length * edge) / parts)) as [number, number];
      for (let i = from; i < to; i++) {
        if (isStaleAt(values, i)) builder.stale(at, times[i]!);
        else builder.sample(at, times[i]!, values[i]!);
      }
    }
    own.forEach((store, i) => {
      store.append(builders[i]!.build());
      if (random.chance(0.5)) store.flush();
    });
  }
  return openQueries(own.map((store) => localShard(store, readingBy(OPEN))));
}

async function estimateOf(data: DomainData, fragment: Fragment): Promise<Estimate> {
  const reads = fragmentReads(fragment, LOOKBACK_MS);
  const found = await data.estimate({ reads, deadlineMs: Date.now() + 10_000, regexWork: 0 }, FOREVER);
  return fragmentEstimate(fragment, reads, found!.sizes);
}

/** What the evaluation really uses; undefined where it fails. */
async function usedBy(data: DomainData, fragment: Fragment): Promise<Spent | undefined> {
  const beside = { lookbackMs: LOOKBACK_MS, features: NO_FEATURES, deadlineMs: Date.now() + 10_000 };
  try {
    return (await data.fragment({ fragment, ...beside, spent: NOTHING_SPENT }, FOREVER)).spent;
  } catch (error) {
    if (error instanceof ComityError) return undefined;
    throw error;
  }
}

/** Whether an expression is one selector and what is made of it at the query's own steps. */
function isPlain(expr: Expr): boolean {
  if (expr.kind === 'subquery' || expr.kind === 'once') return false;
  const parts = children(expr).filter((child) => hasSelector(child));
  return expr.kind === 'vector' || (parts.length === 1 && isPlain(parts[0]!));
}

function hasSelector(expr: Expr): boolean {
  return expr.kind === 'vector' || children(expr).some(hasSelector);
}

/** At the edges of a chunk, of which there are some a series, an estimate may be off by one or two. */
const EDGES = 4;

it.each([1, 3])(`is what the evaluation uses, or little more, over %i shards (COMITY_SEED=${SEED})`, async (shards) => {
  const random = randomFrom(SEED);
  const { byDomain } = makeDataset(random);
  const domains = [...byDomain.values()].map((all, i) => queriesOver(all, shards, random.fork(i)));
  const seen = { plain: 0, other: 0, failed: 0 };
  for (let i = 0; i < CASES; i++) {
    const { expr, when } = generateCase(random.fork(1_000 + i));
    const grid = gridOf(when);
    let fragments: readonly Fragment[];
    try {
      ({ fragments } = distribute(expr, grid, { domainLabel: 'domain' }));
    } catch (error) {
      if (error instanceof ComityError) continue;
      throw error;
    }
    for (const fragment of fragments) {
      const data = random.pick(domains);
      const estimate = await estimateOf(data, fragment);
      const used = await usedBy(data, fragment);
      if (used === undefined) {
        seen.failed++;
        continue;
      }
      const what = `seed ${SEED}, case ${i}: ${printExpr(fragment.expr)} ${JSON.stringify({ grid, used, estimate })}`;
      expect(used.series, what).toBeLessThanOrEqual(estimate.series);
      expect(used.cells, what).toBeLessThanOrEqual(estimate.cells);
      expect(used.samples, what).toBeLessThanOrEqual(ESTIMATE_FACTOR * estimate.samples);
      if (isPlain(fragment.expr)) {
        seen.plain++;
        expect([estimate.series, estimate.cells], what).toEqual([used.series, used.cells]);
        expect(estimate.samples, what).toBeLessThanOrEqual(ESTIMATE_FACTOR * used.samples + EDGES * used.series);
      } else {
        seen.other++;
      }
    }
  }
  expect(seen.plain).toBeGreaterThan(CASES / 4);
  expect(seen.other).toBeGreaterThan(CASES / 20);
  expect(seen.failed).toBeLessThan(CASES / 4);
});

/** Ten steps, a minute apart, from 1000 s. */
const TEN = rangeGrid(1_000_000, 1_540_000, 60_000);

it.each<[string, [fromS: number, toS: number, steps: number][]]>([
  ['m', [[700.001, 1_540, 10]]],
  ['m offset 100s', [[600.001, 1_440, 10]]],
  ['m @ 500', [[200.001, 500, 1]]],
  ['rate(m[1m])', [[940.001, 1_540, 10]]],
  ['rate(m[1m] anchored)', [[640.001, 1_540, 10]]],
  ['rate(m[1m] smoothed)', [[640.001, 1_840, 10]]],
  ['max_over_time(m[10m:5m])', [[300.001, 1_500, 4]]],
  ['max_over_time(rate(m[2m])[1h:10m] offset 1h)', [[-6_119.999, -2_400, 7]]],
  [
    'm + n',
    [
      [700.001, 1_540, 10],
      [700.001, 1_540, 10],
    ],
  ],
  ['vector(1)', []],
])('what is read for %s', (text, want) => {
  const { expr } = anyFragment(text, TEN);
  const reads = fragmentReads({ expr, grid: TEN }, LOOKBACK_MS);
  expect(reads.map(({ fromMs, toMs, steps }) => [fromMs / 1_000, toMs / 1_000, steps])).toEqual(want);
});

describe('of many series', () => {
  const MINUTE_MS = 60_000;
  const DAY_MS = 86_400_000;
  const random = randomFrom(SEED);
  /** Some deliver every minute, some every five, some came late, some went early. */
  const all = Array.from({ length: 3_000 }, (_none, i) => {
    const intervalMs = random.pick([1, 1, 2, 5]) * MINUTE_MS;
    const fromMs = START_MS + (random.chance(0.2) ? random.int(0, 30) * 3_600_000 : 0);
    const toMs = START_MS + 2 * DAY_MS - (random.chance(0.2) ? random.int(0, 30) * 3_600_000 : 0);
    const samples: [number, number][] = [];
    for (let at = fromMs; at < toMs && samples.length < 300; at += intervalMs * 8) samples.push([at, i]);
    return series({ __name__: 'many', i: String(i), zone: String(i % 3) }, samples);
  });
  const data = queriesOver(all, 1, random);
  const ranges: [string, QueryGrid][] = [
    ['one time', instantGrid(START_MS + DAY_MS)],
    ['an hour', rangeGrid(START_MS + DAY_MS, START_MS + DAY_MS + 3_600_000, 60_000)],
    ['two days', rangeGrid(START_MS, START_MS + 2 * DAY_MS, 600_000)],
    ['before there were any', instantGrid(START_MS - DAY_MS)],
    ['after the last', instantGrid(START_MS + 9 * DAY_MS)],
  ];

  it.each(ranges)('some stand for the rest: %s', async (_what, grid) => {
    for (const text of ['sum(many)', 'sum(many{zone="1"})', 'sum(rate(many[3h]))', 'sum(many{i=~"1.*"})']) {
      const [fragment] = hubFragments(text, grid);
      const estimate = await estimateOf(data, fragment!);
      const used = (await usedBy(data, fragment!))!;
      expect([estimate.series, estimate.cells], text).toEqual([used.series, used.cells]);
      expect(used.samples, text).toBeLessThanOrEqual(ESTIMATE_FACTOR * estimate.samples + 0.02 * used.series);
      expect(estimate.samples, text).toBeLessThanOrEqual(ESTIMATE_FACTOR * used.samples + EDGES * used.series);
    }
  });
});

describe('what is estimated', () => {
  const policy = `
version: 1
domain: eu
labels: {permit: [i]}
default_class: open
metrics:
  - {match: secret, class: sealed}
  - {match: amount, class: aggregate, operators: [sum]}
`;

  /** A domain, and what its data is asked. */
  function watched(data: Partial<DomainData>) {
    const asked: string[] = [];
    const shards = [
      series({ __name__: 'secret', i: '1' }, [[50_000, 1]]),
      series({ __name__: 'amount' }, [[50_000, 1]]),
    ];
    const domain = testDomain(policy, shards, (real) => ({
      ...real,
      estimate(question, signal) {
        asked.push(...question.reads.map(({ matchers }) => `size of ${matchers.map(({ value }) => value).join()}`));
        return (data.estimate ?? real.estimate)(question, signal);
      },
      fragment(question, signal) {
        asked.push(`read ${printExpr(question.fragment.expr)}`);
        return (data.fragment ?? real.fragment)(question, signal);
      },
    }));
    return { domain, asked };
  }

  it.each([
    ['sum(amount)', ['size of amount', 'read sum(amount)']],
    ['sum(secret)', []],
    ['max(amount)', []],
    ['sum({i="1"})', []],
    ['sum(amount{zone="1"})', []],
  ])('is what the policy lets through: %s', async (text, want) => {
    const { domain, asked } = watched({});
    await domain.ask([anyFragment(`partial ${text}`)]);
    expect(asked).toEqual(want);
    await domain.close();
  });

  const { seriesPerQuery, cellsPerQuery, samplesPerQuery } = LIMITS;
  const thousand = rangeGrid(0, 999_000, 1_000);
  it.each([
    [{ series: seriesPerQuery, samples: 0 }, instantGrid(0), undefined],
    [{ series: seriesPerQuery + 1, samples: 0 }, instantGrid(0), 'seriesPerQuery'],
    [{ series: cellsPerQuery / 1_000, samples: 0 }, thousand, undefined],
    [{ series: cellsPerQuery / 1_000 + 1, samples: 0 }, thousand, 'cellsPerQuery'],
    [{ series: 1, samples: ESTIMATE_FACTOR * samplesPerQuery }, instantGrid(0), undefined],
    [{ series: 1, samples: ESTIMATE_FACTOR * samplesPerQuery + 1 }, instantGrid(0), 'samplesPerQuery'],
  ])('past a limit is refused before a sample is read: %j', async (size, grid, limit) => {
    const estimate: DomainData['estimate'] = async ({ reads, regexWork }) => ({
      sizes: reads.map(() => size),
      regexWork,
    });
    const fragment: DomainData['fragment'] = async ({ spent }) => ({ rows: [], notes: [], spent });
    const { domain, asked } = watched({ estimate, fragment });
    const { fragments } = await domain.ask([anyFragment('partial sum(amount)', grid)]);
    expect(fragments).toEqual(
      limit === undefined ? [{ rows: [], notes: [] }] : [{ refusal: { code: 'limit', name: limit } }],
    );
    expect(asked.some((one) => one.startsWith('read'))).toBe(limit === undefined);
    await domain.close();
  });

  it('adds up over the fragments of a request, of which those that are refused do not count', async () => {
    const estimate: DomainData['estimate'] = async ({ reads, regexWork }) => ({
      sizes: reads.map(({ steps }) => ({ series: steps === 1 ? seriesPerQuery / 2 : seriesPerQuery, samples: 0 })),
      regexWork,
    });
    const fragment: DomainData['fragment'] = async ({ spent }) => ({ rows: [], notes: [], spent });
    const { domain } = watched({ estimate, fragment });
    const half = anyFragment('partial sum(amount)');
    const whole = anyFragment('partial sum(amount)', rangeGrid(0, 1_000, 1_000));
    const { fragments } = await domain.ask([half, whole, half, half]);
    expect(fragments.map((one) => ('refusal' in one ? one.refusal.name : 'answered'))).toEqual([
      'answered',
      'seriesPerQuery',
      'answered',
      'seriesPerQuery',
    ]);
    await domain.close();
  });

  it('passes no limit where nobody knows', async () => {
    const { domain, asked } = watched({ estimate: async () => undefined });
    const { fragments } = await domain.ask([anyFragment('partial sum(amount)', rangeGrid(0, 11_000_000, 1_000))]);
    expect(fragments).toMatchObject([{ rows: [{}] }]);
    expect(asked).toContain('read sum(amount)');
    await domain.close();
  });
});
