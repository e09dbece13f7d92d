import { MessageChannel, type Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { instantGrid } from '../../src/model/grid.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { localShard } from '../../src/shard/local-shard.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { remoteShard, serveShard } from '../../src/shard/query-port.ts';
import { NOTHING_SPENT } from '../../src/shard/run.ts';
import type { ShardQuery, ShardReader } from '../../src/shard/shard.ts';
import { memorySource, series } from '../memory-source.ts';
import { bareSource, memoryShards, overPort } from './memory-shards.ts';

const POLICY = `
version: 1
domain: eu
labels: {permit: [service]}
metrics: [{match: secret_*, class: sealed}]
`;
const OPTIONS = {
  policies: [
    { layers: [{ layer: 'local' as const, source: 'test', text: POLICY }], domain: 'eu', domainLabel: 'domain' },
  ],
};
const FOREVER = new AbortController().signal;

const at = (value: number): [number, number][] => [[0, value]];
const HELD = [
  series({ __name__: 'up', service: 'a', pod: 'x' }, at(1)),
  series({ __name__: 'up', service: 'b', pod: 'y' }, at(2)),
  series({ __name__: 'up', service: 'b', node: 'n' }, at(3)),
  series({ __name__: 'secret_revenue', service: 'c' }, at(4)),
];

function query(text: string, rest: Partial<ShardQuery> = {}): ShardQuery {
  return {
    fragments: [{ answer: 'vector', expr: parseExpr(text), grid: instantGrid(0) }],
    lookbackMs: 300_000,
    features: NO_FEATURES,
    scope: 'part',
    releases: false,
    spent: NOTHING_SPENT,
    deadlineMs: Infinity,
    cancelled: new Int32Array(new SharedArrayBuffer(4)),
    ...rest,
  };
}

const QUESTION = {
  selectors: [],
  fromMs: -Infinity,
  toMs: Infinity,
  deadlineMs: Infinity,
  cancelled: Int32Array.of(0),
};

/** The shard in this thread, and at the other end of a port. */
const WAYS: readonly (readonly [string, (shard: ShardReader) => ShardReader])[] = [
  ['here', (shard) => shard],
  [
    'at a port',
    (shard) => {
      const { port1, port2 } = new MessageChannel();
      serveShard(port1, shard);
      return remoteShard(port2);
    },
  ],
];

describe.each(WAYS)('a shard %s', (_, reach) => {
  const shard = reach(localShard(bareSource(memorySource(HELD)), OPTIONS));

  it('reads no sample of a sealed metric for what may leave, whatever was checked before', async () => {
    for (const text of ['secret_revenue', 'sum(secret_revenue)', 'count({service=~".+"})', 'up or secret_revenue']) {
      await expect(shard.run(query(text, { releases: true }))).rejects.toMatchObject({ code: 'refused' });
    }
    for (const answer of ['partial', 'samples'] as const) {
      const expr = parseExpr(answer === 'partial' ? 'sum(secret_revenue)' : 'secret_revenue[5m]');
      const fragments = [{ answer, expr, grid: instantGrid(0) }] as unknown as ShardQuery['fragments'];
      await expect(shard.run(query('1', { fragments, releases: true }))).rejects.toMatchObject({ code: 'refused' });
    }
    expect((await shard.run(query('up', { releases: true }))).fragments[0]).toHaveLength(3);
    expect((await shard.run(query('secret_revenue'))).fragments[0]).toHaveLength(1);
  });

  it('names no label and no value that may not leave', async () => {
    const ask = (name: string, releases: boolean, limit = 10) => shard.labels({ ...QUESTION, name, releases, limit });
    expect(await ask('', true)).toEqual(['__name__', 'service']);
    expect(await ask('', false)).toEqual(['__name__', 'node', 'pod', 'service']);
    expect(await ask('service', true)).toEqual(['a', 'b']);
    expect(await ask('service', false)).toEqual(['a', 'b', 'c']);
    expect(await ask('service', false, 2)).toEqual(['a', 'b']);
    expect(await ask('pod', true)).toEqual([]);
    expect(await ask('pod', false)).toEqual(['x', 'y']);
  });

  it('tells series of one kind once', async () => {
    const kinds = await shard.kinds(QUESTION);
    expect(kinds.map((labels) => labels.filter((_part, i) => i % 2 === 0).join())).toEqual(
      expect.arrayContaining(['__name__,pod,service', '__name__,node,service', '__name__,service']),
    );
    expect(kinds).toHaveLength(3);
  });

  it('goes on from what the request has spent', async () => {
    const { spent } = await shard.run(query('up'));
    expect(spent).toEqual({ series: 3, cells: 3, samples: 3, regexWork: 0 });
    const most = { ...NOTHING_SPENT, series: LIMITS.seriesPerQuery - 2 };
    await expect(shard.run(query('up', { spent: most }))).rejects.toMatchObject({ code: 'limit' });
    expect((await shard.run(query('up{pod=~".+"}', { spent: most }))).spent.series).toBe(LIMITS.seriesPerQuery);
  });

  it('fails with the code and the words of the engine', async () => {
    const failed = await shard.run(query('up + on (service) up')).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ComityError);
    expect(failed).toMatchObject({
      code: 'execution',
      message: expect.stringContaining('found duplicate series for the match group {service="b"}') as string,
    });
    await expect(shard.run(query('up + on (pod) no_such'))).resolves.toBeDefined();
    await expect(shard.run(query('no_such + on (service) up'))).rejects.toMatchObject({ code: 'undecided' });
    await expect(shard.run(query('up', { cancelled: Int32Array.of(1) }))).rejects.toMatchObject({ code: 'canceled' });
    await expect(shard.run(query('up', { deadlineMs: 0 }))).rejects.toMatchObject({ code: 'timeout' });
  });

  it('hands nothing out without a policy', async () => {
    const bare = reach(localShard(bareSource(memorySource(HELD))));
    await expect(bare.run(query('up', { releases: true }))).rejects.toMatchObject({ code: 'refused' });
    await expect(bare.labels({ ...QUESTION, name: '', releases: true, limit: 1 })).rejects.toMatchObject({
      code: 'refused',
    });
    expect((await bare.run(query('up'))).fragments[0]).toHaveLength(3);
  });
});

describe('the limits of one request hold over all its shards', () => {
  const spent = { ...NOTHING_SPENT, series: LIMITS.seriesPerQuery - 2 };
  const fragment = { answer: 'vector', expr: parseExpr('up'), grid: instantGrid(0) } as const;
  const question = { fragment, lookbackMs: 300_000, features: NO_FEATURES, deadlineMs: Date.now() + 60_000 };

  it.each([1, 2, 3])('%i', async (count) => {
    const queries = openQueries(memoryShards(HELD, count, OPTIONS));
    await expect(queries.fragment({ ...question, spent }, FOREVER)).rejects.toMatchObject({ code: 'limit' });
    const answer = await queries.fragment({ ...question, spent: { ...spent, series: 5 } }, FOREVER);
    expect(answer.spent.series).toBe(8);
  });

  it('and so does that of regular expressions, which go to each anew', async () => {
    const matcher: Matcher = { name: 'service', op: '=~', value: '[a-z]{1,9}[0-9]{0,99}' };
    const regex = { kind: 'vector', matchers: [matcher], offsetMs: 0, span: { start: 0, end: 0 } } as const;
    const asked = { ...question, fragment: { answer: 'vector', expr: regex, grid: instantGrid(0) } as const };
    const open = HELD.slice(0, 3);
    for (const count of [1, 3]) {
      const queries = openQueries(memoryShards(open, count, OPTIONS).map(overPort));
      const first = await queries.fragment({ ...asked, spent: NOTHING_SPENT }, FOREVER);
      expect(first.spent.regexWork).toBeGreaterThan(0);
      const tooMuch = { ...NOTHING_SPENT, regexWork: LIMITS.regexWork };
      await expect(queries.fragment({ ...asked, spent: tooMuch }, FOREVER)).rejects.toMatchObject({ code: 'limit' });
      await queries.close();
    }
  });
});

describe('when the other end is gone', () => {
  it('what is asked fails, before and after', async () => {
    const { port1, port2 } = new MessageChannel();
    const shard = remoteShard(port2);
    const asked = shard.metadata({ releases: false });
    port1.close();
    await expect(asked).rejects.toMatchObject({ code: 'unavailable' });
    await expect(shard.metadata({ releases: false })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('a query worker that has ended is followed by another', async () => {
    const workers: Worker[] = [];
    const seen = (worker: Worker): void => void workers.push(worker);
    process.on('worker', seen);
    onTestFinished(() => void process.off('worker', seen));
    const held = Promise.withResolvers<void>();
    let isHeld = true;
    const shards = memoryShards(HELD, 2, OPTIONS).map((shard) => ({
      ...shard,
      async run(asked: ShardQuery) {
        if (isHeld) await held.promise;
        return shard.run(asked);
      },
    }));
    const queries = openQueries(shards.map(overPort));
    onTestFinished(() => queries.close());
    const fragment = { answer: 'vector', expr: parseExpr('up'), grid: instantGrid(0) } as const;
    const ask = () => {
      const deadlineMs = Date.now() + 20_000;
      const question = { fragment, lookbackMs: 300_000, features: NO_FEATURES, spent: NOTHING_SPENT, deadlineMs };
      return queries.fragment(question, FOREVER);
    };
    const asked = expect(ask()).rejects.toMatchObject({ code: 'unavailable' });
    await vi.waitFor(() => expect(workers).toHaveLength(1));
    await workers[0]!.terminate();
    await asked;
    isHeld = false;
    held.resolve();
    expect((await ask()).rows).toHaveLength(3);
    expect((await ask()).rows).toHaveLength(3);
    expect(workers).toHaveLength(2);
  });

  it('nobody waits longer than until the deadline', async () => {
    const silent: ShardReader = { ...localShard(bareSource(memorySource([]))), run: () => new Promise(() => {}) };
    const queries = openQueries([silent]);
    const fragment = { answer: 'vector', expr: parseExpr('up'), grid: instantGrid(0) } as const;
    const question = {
      fragment,
      lookbackMs: 1,
      features: NO_FEATURES,
      spent: NOTHING_SPENT,
      deadlineMs: Date.now() + 20,
    };
    await expect(queries.fragment(question, FOREVER)).rejects.toMatchObject({ code: 'timeout' });
  });
});
