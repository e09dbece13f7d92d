import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ingest } from '../../src/agent/ingest.ts';
import { ComityError } from '../../src/base/errors.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import {
  ADD,
  handleLabels,
  RELEASED,
  seriesHandle,
  type Appended,
  type Batch,
  type SeriesHandle,
} from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openShards, shardFolder, writeShardCount, type Shards } from '../../src/shard/open-shards.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { printSelect } from '../store/samples.ts';
import { randomBatches, rereadable } from './random-batches.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const BATCHES = 120;
const HOUR_MS = 3_600_000;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'comity-shards-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function shardsAt(path: string, shards: number): Promise<Shards> {
  return openShards({
    store: { path },
    shards,
    reading: {},
    onProblem: (problem) => expect.unreachable(problem.message),
    onProgress: () => {},
    onWarning: () => {},
  });
}

/** Delivers the batches, a few at a time, and says what became of each. */
async function deliver(shards: Shards, batches: readonly Batch[], atOnce: number): Promise<string[]> {
  const intake = ingest(shards, { onFailure: (error) => expect.unreachable(error.message) });
  const outcomes: string[] = [];
  for (let at = 0; at < batches.length; at += atOnce) {
    const group = batches.slice(at, at + atOnce).map((batch) => intake.append(batch));
    outcomes.push(...(await Promise.all(group)).map(printAppended));
  }
  await intake.close();
  return outcomes;
}

function printAppended({ stored, repeated, rejected, histograms, exemplars }: Appended): string {
  const reasons = [...rejected].map(([reason, { count, firstRow }]) => `${reason} ${count} from ${firstRow}`).sort();
  return `${stored} ${repeated} ${histograms} ${exemplars} ${reasons.join(', ')}`;
}

/** Everything that some stores hold, in an order of its own. */
function contents(stores: readonly Store[]): readonly string[] {
  return stores
    .flatMap((store) => [
      ...printSelect(store, [], -Infinity, Infinity),
      ...[...store.exemplars([], -Infinity, Infinity)].map((one) => `exemplars ${JSON.stringify(one)}`),
      ...[...store.metadata()].map((one) => `metadata ${JSON.stringify(one)}`),
    ])
    .sort();
}

/** What is in the files after everything is closed. */
function contentsOf(path: string, count: number): readonly string[] {
  const stores = Array.from({ length: count }, (_, shard) => openStore({ path: join(path, shardFolder(shard)) }));
  try {
    return contents(stores);
  } finally {
    for (const store of stores) store.close();
  }
}

async function check(count: number, threads: boolean, atOnce: number): Promise<void> {
  const baseMs = Date.now() - HOUR_MS;
  const plain = openStore({ path: ':memory:' });
  const want = randomBatches(SEED, BATCHES, baseMs).map((batch) => printAppended(plain.append(batch)));
  expect(want.join()).toMatch(/too_far_in_future/);
  const path = folder();
  writeShardCount(path, count);
  const shards = await shardsAt(path, threads ? count : 0);
  expect(shards.shards).toHaveLength(count);
  expect(await deliver(shards, randomBatches(SEED, BATCHES, baseMs), atOnce)).toEqual(want);
  await shards.close();
  expect(contentsOf(path, count)).toEqual(contents([plain]));
  plain.close();
}

const CASES = [1, 2, 3].flatMap((count) => [false, true].map((threads) => [count, threads] as const));

test.each(CASES)(
  `%i shards (threads: %s) hold and say what one store does (SEED=${SEED})`,
  { timeout: 60_000 },
  async (count, threads) => {
    await check(count, threads, 1);
    await check(count, threads, 5);
  },
);

test('labels that can be read again are let go of once the series is stored', { timeout: 30_000 }, async () => {
  for (const threads of [0, 1]) {
    const shards = await shardsAt(folder(), threads);
    const batch = batchOf([{ __name__: 'm', i: '1' }], Date.now());
    await deliver(shards, [batch], 1);
    const [handle] = batch.series;
    expect(handle!.labels).toBe(RELEASED);
    expect(handleLabels(handle!)).toEqual(['__name__', 'm', 'i', '1']);
    // Other stores know nothing of the reference that this one left in the handle.
    const others = await shardsAt(folder(), 0);
    await deliver(others, [batchOf([{ __name__: 'other' }], Date.now()), batch], 1);
    expect(contents(others.stores)).toHaveLength(2);
    await others.close();
    await shards.close();
  }
});

test('a series that was deleted in the meantime is stored anew, with its labels', { timeout: 30_000 }, async () => {
  for (const threads of [0, 1]) {
    const path = folder();
    const shards = await shardsAt(path, threads);
    // One way in for all: another would not believe what is in the handle.
    const intake = ingest(shards, { onFailure: (error) => expect.unreachable(error.message) });
    const handle = rereadable(labelsOf({ __name__: 'm', i: '1' }));
    const now = Date.now();
    await intake.append(batchOfHandles([handle], now - 2_000));
    const before = handle.id;
    await shards.shards[0]!.delete([{ name: '__name__', op: '=', value: 'm' }], -Infinity, Infinity);
    await shards.shards[0]!.compact();
    expect(shards.shards[0]!.stats().series).toBe(0);
    // Another takes the place of the first.
    await intake.append(batchOf([{ __name__: 'n' }], now - 1_000));
    expect(handle.labels).toBe(RELEASED);
    await intake.append(batchOfHandles([handle], now));
    expect(handle.id).not.toBe(before);
    await shards.close();
    expect(contentsOf(path, 1).map((line) => line.replace(/=.*/, ''))).toEqual([
      `__name__,m,i,1: ${now}`,
      `__name__,n: ${now - 1_000}`,
    ]);
  }
});

test('labels that are forgotten fail their batch alone', async () => {
  const shards = await shardsAt(folder(), 0);
  const forgotten: SeriesHandle = { ...seriesHandle(RELEASED), owner: { labelsOf: () => undefined } };
  const failures: string[] = [];
  const intake = ingest(shards, { onFailure: ({ message }) => failures.push(message) });
  const now = Date.now();
  const outcomes = await Promise.allSettled([
    intake.append(batchOfHandles([forgotten], now)),
    intake.append(batchOf([{ __name__: 'm' }], now)),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect(failures).toEqual([expect.stringContaining('forgotten')]);
  await shards.close();
});

test('a shard that cannot store its part fails the batch, and what is sent again brings that part alone', async () => {
  const path = folder();
  writeShardCount(path, 2);
  const shards = await shardsAt(path, 0);
  const labels = Array.from({ length: 20 }, (_, i) => ({ __name__: 'sum', i: `${i}` }));
  const builder = batchBuilder();
  for (const one of labels) builder.add(labelsOf(one), Date.now(), 1, ADD);
  const batch = builder.build('a delivery');
  const [, second] = shards.shards;
  const broken = { ...second!, appendAll: () => Promise.reject(new ComityError('unavailable', 'no space')) };
  const failing = ingest({ ...shards, shards: [shards.shards[0]!, broken] }, { onFailure: () => {} });
  await expect(failing.append(batch)).rejects.toMatchObject({ code: 'unavailable' });
  expect(shards.stats().series).toBeGreaterThan(0);
  expect(shards.stats().series).toBeLessThan(20);
  const outcomes = await deliver(shards, [builder.build('a delivery'), builder.build('a delivery')], 1);
  expect(
    outcomes.map((outcome) =>
      outcome
        .split(' ')
        .slice(0, 2)
        .map(Number)
        .reduce((a, b) => a + b),
    ),
  ).toEqual([20, 20]);
  expect(outcomes[1]).toMatch(/^0 20 /);
  // Each was added once: zero, then one.
  for (const store of shards.stores) {
    for (const { values } of store.select([], -Infinity, Infinity)) expect([...values]).toEqual([0, 1]);
  }
  await shards.close();
});

function batchOf(all: readonly Readonly<Record<string, string>>[], timeMs: number): Batch {
  return batchOfHandles(
    all.map((one) => rereadable(labelsOf(one))),
    timeMs,
  );
}

function batchOfHandles(handles: readonly SeriesHandle[], timeMs: number): Batch {
  const builder = batchBuilder();
  for (const handle of handles) builder.sample(builder.series(handle), timeMs, 1);
  return builder.build();
}
