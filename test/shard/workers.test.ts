import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ingest, type Ingest } from '../../src/agent/ingest.ts';
import { localQueryApi } from '../../src/agent/local-query.ts';
import { httpServer, listen } from '../../src/base/http.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { isStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';
import { openShards, type Shards } from '../../src/shard/open-shards.ts';
import { openQueries, type Queries } from '../../src/shard/queries.ts';
import { pino } from 'pino';
import { makeDataset, INTERVAL_MS, SPAN_MS, START_MS } from '../differential/dataset.ts';
import { generateCase } from '../differential/generator.ts';
import { randomFrom } from '../random.ts';
import { memorySource } from '../memory-source.ts';
import { answerOf, differs, given, gridOf, wholeValue } from './compared.ts';
import { memoryShards } from './memory-shards.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 99);
const LATE_MS = START_MS + SPAN_MS;
const HELD = [...makeDataset(randomFrom(SEED)).byDomain.values()].flat();

/** One series whose answer takes long: each of many steps looks at many samples. */
const SLOW_SAMPLES = 20_000;
const SLOW: SeriesColumns = {
  labels: labelsOf({ __name__: 'slow' }),
  times: Float64Array.from({ length: SLOW_SAMPLES }, (_, i) => LATE_MS - (SLOW_SAMPLES - i) * 1_000),
  values: Float64Array.from({ length: SLOW_SAMPLES }, (_, i) => Math.sin(i)),
};
/** Each part walks through all samples of its window at each step. */
const SLOW_QUERY = Array.from({ length: 60 }, (_, i) => `deriv(slow[${18_000 - i}s])`).join(' + ');
const SLOW_GRID = rangeGrid(LATE_MS - 10_999_000, LATE_MS, 1_000);
const FOREVER = new AbortController().signal;

function question(text: string, grid = instantGrid(LATE_MS - INTERVAL_MS)) {
  return {
    kind: grid.steps === 1 ? ('instant' as const) : ('range' as const),
    text,
    expr: parseExpr(text),
    grid,
    lookbackMs: 300_000,
    features: NO_FEATURES,
    deadlineMs: Date.now() + 60_000,
    limit: 0,
  };
}

describe.each([0, 1, 3])('stores with %i threads', (threads) => {
  const folder = mkdtempSync(join(tmpdir(), 'comity-shards-'));
  let shards: Shards;
  let queries: Queries;
  let intake: Ingest;

  async function append(series: readonly SeriesColumns[]): Promise<void> {
    const batch = batchBuilder();
    for (const { labels, times, values } of series) {
      const at = batch.seriesOf(labels);
      for (let i = 0; i < times.length; i++) {
        if (isStaleAt(values, i)) batch.stale(at, times[i]!);
        else batch.sample(at, times[i]!, values[i]!);
      }
    }
    const { rejected } = await intake.append(batch.build());
    expect([...rejected]).toEqual([]);
  }

  beforeAll(async () => {
    const fail = (problem: unknown): void => expect.fail(JSON.stringify(problem));
    shards = await openShards({
      store: { path: join(folder, 'store') },
      shards: threads,
      reading: {},
      onProblem: fail,
      onProgress: () => undefined,
      onWarning: fail,
    });
    queries = openQueries(shards.shards);
    intake = ingest(shards, { onFailure: fail });
    await append([SLOW]);
    await append(HELD);
  });

  afterAll(async () => {
    await queries.close();
    await intake.close();
    await shards.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function text(asked: ReturnType<typeof question>): Promise<string> {
    return queries.answer(asked, FOREVER).then(
      ({ envelope }) => Buffer.from(envelope).toString(),
      (error: Error) => error.message,
    );
  }

  it(`answer as one source in memory does, seed ${SEED}`, async () => {
    const source = memorySource(HELD);
    const random = randomFrom(SEED);
    let answered = 0;
    for (let i = 0; i < 60; i++) {
      const { expr, when } = generateCase(random.fork(i));
      const want = await answerOf(when, () => wholeValue(expr, gridOf(when), source));
      const found = await differs(expr, when, want, await given(queries, expr, when), source);
      expect(found, `case ${i}: ${printExpr(expr)} ${JSON.stringify(when)}`).toBeUndefined();
      if (want.kind === 'data' && want.series.size > 0) answered++;
    }
    expect(answered).toBeGreaterThan(20);
  });

  it('list what they hold', async () => {
    const memory = openQueries(memoryShards([...HELD, SLOW], 1));
    const range = { fromMs: LATE_MS - 60_000, toMs: LATE_MS, deadlineMs: Date.now() + 10_000 };
    const up = [
      [{ name: '__name__', op: '=', value: 'up' } as const],
      [{ name: 'job', op: '=~', value: 'a.+' } as const],
    ];
    for (const asked of [
      { kind: 'names', name: '', selectors: up, limit: 5, ...range },
      { kind: 'names', name: 'instance', selectors: [], limit: 100, ...range },
      { kind: 'series', selectors: up, limit: 1_000, ...range },
      { kind: 'metadata', metric: '', limit: 10, deadlineMs: range.deadlineMs },
      { kind: 'exemplars', selectors: up, ...range },
    ] as const) {
      const [want, got] = await Promise.all([memory, queries].map((of) => of.answer(asked, FOREVER)));
      expect(Buffer.from(got!.envelope).toString()).toBe(Buffer.from(want!.envelope).toString());
    }
  });

  it.runIf(threads > 0)('stop a query when nobody waits for it any more', async () => {
    const gone = new AbortController();
    const cancelled = queries.answer(question(SLOW_QUERY, SLOW_GRID), gone.signal);
    const startedAt = performance.now();
    setTimeout(() => gone.abort(), 50);
    await expect(cancelled).rejects.toMatchObject({ code: 'canceled' });
    // The shard is free again: the next question is answered though the slow one would go on for half a minute.
    expect(await text(question('count(up)'))).toContain('"success"');
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it.runIf(threads > 0)('stop a query at its deadline', async () => {
    const asked = { ...question(SLOW_QUERY, SLOW_GRID), deadlineMs: Date.now() + 50 };
    await expect(queries.answer(asked, FOREVER)).rejects.toMatchObject({ code: 'timeout' });
  });

  it.runIf(threads > 0)('take appends in the middle of a query, which sees none of them twice', async () => {
    const gone = new AbortController();
    let isOver = false;
    const slow = queries.answer(question(SLOW_QUERY, SLOW_GRID), gone.signal).catch((error: { code: string }) => {
      isOver = true;
      return error.code;
    });
    await sleep(100);
    for (let i = 0; i < 10; i++) {
      await append([
        {
          labels: labelsOf({ __name__: 'slow', i: `${i % 4}` }),
          times: Float64Array.of(LATE_MS + i),
          values: Float64Array.of(i),
        },
        { labels: labelsOf({ __name__: 'slow' }), times: Float64Array.of(LATE_MS + i), values: Float64Array.of(i) },
      ]);
    }
    expect(isOver).toBe(false);
    gone.abort();
    expect(await slow).toBe('canceled');
    const after = await text({ ...question('count(slow)'), grid: instantGrid(LATE_MS + 10) });
    expect(after).toContain('"5"');
  });

  it.runIf(threads > 0)('stop the query of a client that hangs up', async () => {
    const app = httpServer(pino({ level: 'silent' }));
    const signals: AbortSignal[] = [];
    localQueryApi(app, {
      queries: {
        answer(asked, signal) {
          signals.push(signal);
          return queries.answer(asked, signal);
        },
      },
      onFault: (error) => expect.fail(error.message),
    });
    const url = await listen(app, '127.0.0.1:0');
    const { startMs, endMs } = SLOW_GRID;
    const client = new AbortController();
    const params = { query: SLOW_QUERY, start: `${startMs / 1000}`, end: `${endMs / 1000}`, step: '1' };
    const asked = fetch(`${url}/api/v1/query_range`, {
      method: 'POST',
      body: new URLSearchParams(params),
      signal: client.signal,
    });
    await sleep(200);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    client.abort();
    await expect(asked).rejects.toThrow(/abort/);
    expect(await text(question('count(up)'))).toContain('"success"');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    const answered = await fetch(`${url}/api/v1/query?query=1`);
    expect(await answered.json()).toMatchObject({ status: 'success' });
    await sleep(20);
    expect(signals[1]!.aborted).toBe(false);
    await app.close();
  });
});
