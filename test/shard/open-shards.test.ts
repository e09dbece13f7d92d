import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ingest } from '../../src/agent/ingest.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import type { Batch } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { PolicyTexts } from '../../src/policy/document.ts';
import { openShards, shardFolder, writeShardCount, type Shards } from '../../src/shard/open-shards.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { openStore } from '../../src/store/store.ts';

let path: string;
let warnings: string[];

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'comity-open-'));
  warnings = [];
});

afterEach(() => rmSync(path, { recursive: true, force: true }));

function open(shards: number): Promise<Shards> {
  return openShards({
    store: { path },
    shards,
    reading: {},
    onProblem: (problem) => expect.unreachable(problem.message),
    onProgress: () => {},
    onWarning: (message) => warnings.push(message),
  });
}

function batch(count = 8): Batch {
  const builder = batchBuilder();
  for (let i = 0; i < count; i++) builder.add(labelsOf({ __name__: 'm', i: `${i}` }), Date.now(), i);
  return builder.build();
}

test('a store keeps the number of its shards, whatever is configured later', { timeout: 30_000 }, async () => {
  const first = await open(2);
  await ingest(first, { onFailure: () => {} }).append(batch());
  await first.close();
  expect(warnings).toEqual([]);
  for (const shards of [0, 1, 3]) {
    warnings = [];
    const again = await open(shards);
    expect(again.shards).toHaveLength(2);
    expect(again.stores).toHaveLength(shards === 0 ? 2 : 0);
    expect(again.stats()).toMatchObject({ series: 8, samples: 8 });
    expect(warnings).toEqual([expect.stringContaining('was made with 2 shards')]);
    await again.close();
  }
});

test.each(['', '0', '1.5', 'two', '9999999'])('a number of shards that is none (%j) is refused', async (text) => {
  writeFileSync(join(path, 'shards'), text);
  await expect(open(1)).rejects.toMatchObject({
    code: 'bad_config',
    message: expect.stringContaining('how many shards'),
  });
  expect(existsSync(join(path, shardFolder(0)))).toBe(false);
});

test('a store whose number of shards is lost is refused rather than guessed', async () => {
  await (await open(0)).close();
  rmSync(join(path, 'shards'));
  await expect(open(2)).rejects.toMatchObject({ code: 'bad_config', message: expect.stringContaining('is missing') });
});

test('a file is no folder of a store', async () => {
  rmSync(path, { recursive: true });
  writeFileSync(path, 'text');
  await expect(open(1)).rejects.toMatchObject({ code: 'bad_config' });
  expect(readFileSync(path, 'utf8')).toBe('text');
});

test.each([0, 2])(
  'where one of the stores is in use none stays open (%i threads)',
  { timeout: 30_000 },
  async (threads) => {
    writeShardCount(path, 2);
    const other = openStore({ path: join(path, shardFolder(1)) });
    await expect(open(threads)).rejects.toMatchObject({
      code: 'bad_config',
      message: expect.stringContaining('in use'),
    });
    other.close();
    const shards = await open(threads);
    await shards.close();
  },
);

test('a thread that ends takes what is under way with it, and says so', { timeout: 30_000 }, async () => {
  const workers: Worker[] = [];
  const note = (worker: Worker): void => void workers.push(worker);
  process.on('worker', note);
  const shards = await open(2);
  process.off('worker', note);
  const intake = ingest(shards, { onFailure: () => {} });
  expect(await intake.append(batch())).toMatchObject({ stored: 8 });
  let failed: Error | undefined;
  void shards.failed.then((error) => (failed = error));
  const underWay = intake.append(batch(2_000));
  await new Promise((resolve) => setImmediate(resolve));
  await workers[1]!.terminate();
  await expect(underWay).rejects.toMatchObject({ code: 'unavailable' });
  await expect(intake.append(batch())).rejects.toMatchObject({ code: 'unavailable' });
  await expect(shards.shards[1]!.compact()).rejects.toMatchObject({ code: 'unavailable' });
  expect(failed).toMatchObject({ message: expect.stringMatching(/shard-1 has ended/) });
  await shards.close();
});

test('a thread tells of its memory, and its end in order is no failure', { timeout: 60_000 }, async () => {
  const shards = await open(1);
  const failed = shards.failed;
  const intake = ingest(shards, { onFailure: () => {} });
  expect(await intake.append(batch())).toMatchObject({ stored: 8 });
  expect(shards.heapPart()).toBeGreaterThan(0);
  expect(shards.heapPart()).toBeLessThan(0.9);
  expect(shards.stats().memoryBytes).toBeGreaterThan(1_000_000);
  shards.collectGarbage();
  await shards.close();
  await expect(Promise.race([failed, sleep(50, 'closed in order')])).resolves.toBe('closed in order');
});

test.each([0, 2])(
  'each of several policies keeps back what it keeps back, from the moment in which all have them (%i threads)',
  { timeout: 30_000 },
  async (threads) => {
    const shards = await open(threads);
    const queries = openQueries(shards.shards);
    await ingest(shards, { onFailure: () => {} }).append(batch(4));
    const policy = (rest: string): PolicyTexts => ({
      layers: [{ layer: 'local', source: 'test', text: `version: 1\ndomain: eu\n${rest}` }],
      domain: 'eu',
      domainLabel: 'domain',
    });
    const told = async (): Promise<number> => {
      const question = { selectors: [], fromMs: 0, toMs: Infinity, limit: 10, deadlineMs: Date.now() + 10_000 };
      return (await queries.series(question, new AbortController().signal)).found.length;
    };
    await expect(told()).rejects.toMatchObject({ code: 'refused' });
    const everything = policy("labels: {permit: ['*']}\ndefault_class: open\n");
    const few = policy('default_class: open\n');
    await shards.applyPolicies([everything]);
    expect(await told()).toBe(4);
    // Whichever comes last.
    for (const both of [
      [everything, few],
      [few, everything],
    ]) {
      await shards.applyPolicies(both);
      expect(await told()).toBe(0);
    }
    await shards.applyPolicies([everything, { ...few, deniesAll: 'expired' }]);
    expect(await told()).toBe(0);
    await shards.applyPolicies([everything]);
    expect(await told()).toBe(4);
    await queries.close();
    await shards.close();
  },
);
