import { expect, test } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { ingest, type IngestShards } from '../../src/agent/ingest.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import type { Appended, Batch } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { collectGarbage } from '../../src/shard/garbage.ts';

/** A shard that notes its commits; batches of the metric `bad` fail with `failure`. */
function notingStore(failure: Error): IngestShards & { readonly commits: number[][]; memoryBytes: number } {
  const commits: number[][] = [];
  const shard = {
    async appendAll(batches: readonly Batch[]): Promise<readonly Appended[]> {
      commits.push(batches.map(({ times }) => times[0]!));
      // Longer than some turns of a busy machine's event loop.
      await new Promise((resolve) => setTimeout(resolve, 25));
      if (batches.some(({ series }) => series[0]!.labels.includes('bad'))) throw failure;
      return batches.map(() => ({ stored: 1, repeated: 0, rejected: new Map(), histograms: 0, exemplars: 0 }));
    },
  };
  return {
    commits,
    memoryBytes: 0,
    shards: [shard],
    stats() {
      return { series: 0, inputs: 0, samples: 0, bytes: 0, quarantined: 0, memoryBytes: this.memoryBytes };
    },
    heapPart: () => 0,
    collectGarbage,
  };
}

function batch(timeMs: number, metric = 'good'): Batch {
  const builder = batchBuilder(1);
  builder.add(labelsOf({ __name__: metric }), timeMs, 1);
  return builder.build();
}

const ignored = (): void => {};

test('batches that arrive in one turn of the event loop are one commit', async () => {
  const store = notingStore(new Error('none'));
  const intake = ingest(store, { onFailure: ignored });
  await Promise.all([intake.append(batch(1)), intake.append(batch(2)), intake.append(batch(3))]);
  await intake.append(batch(4));
  expect(store.commits).toEqual([[1, 2, 3], [4]]);
});

test('an empty batch is no commit', async () => {
  const store = notingStore(new Error('none'));
  expect(await ingest(store, { onFailure: ignored }).append(batchBuilder(1).build())).toMatchObject({ stored: 0 });
  expect(store.commits).toEqual([]);
});

test('a batch that cannot be stored is no failure of the others', async () => {
  const failures: string[] = [];
  const store = notingStore(new ComityError('bad_data', 'columns of /secret/path'));
  const intake = ingest(store, { onFailure: ({ message }) => failures.push(message) });
  const outcomes = await Promise.allSettled([intake.append(batch(1)), intake.append(batch(2, 'bad'))]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(store.commits).toEqual([[1, 2], [1], [2]]);
  expect(failures).toEqual(['columns of /secret/path']);
  await expect(intake.append(batch(2, 'bad'))).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.not.stringContaining('secret'),
  });
});

test('a disk that cannot be written fails the whole group at once', async () => {
  const store = notingStore(new ComityError('unavailable', 'no space'));
  const intake = ingest(store, { onFailure: ignored });
  const outcomes = await Promise.allSettled([intake.append(batch(1)), intake.append(batch(2, 'bad'))]);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(store.commits).toEqual([[1, 2]]);
  await expect(intake.append(batch(2, 'bad'))).rejects.toMatchObject({ code: 'unavailable' });
});

test('memory that is garbage is no reason to refuse, memory that is held is', async () => {
  const MEGABYTE = 1024 * 1024;
  const { heapUsed, external } = process.memoryUsage();
  const intake = ingest(notingStore(new Error('none')), {
    memoryBytes: heapUsed + external + 150 * MEGABYTE,
    onFailure: ignored,
  });
  let held: Uint8Array[] | undefined = Array.from({ length: 300 }, () => new Uint8Array(MEGABYTE).fill(1));
  await expect(intake.append(batch(1))).rejects.toMatchObject({ code: 'unavailable' });
  expect([intake.memoryRefusals, held.length]).toEqual([1, 300]);
  held = undefined;
  // It looks again a quarter of a second later, and collects again five seconds after that.
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 300));
    if (await intake.append(batch(2)).catch(() => false)) return;
  }
  expect.unreachable('it never took anything again');
});

test('batches gather while a commit is under way', async () => {
  const store = notingStore(new Error('none'));
  const intake = ingest(store, { onFailure: ignored });
  const first = intake.append(batch(1));
  await new Promise((resolve) => setImmediate(resolve));
  const others = [intake.append(batch(2))];
  await new Promise((resolve) => setImmediate(resolve));
  others.push(intake.append(batch(3)));
  await Promise.all([first, ...others]);
  expect(store.commits).toEqual([[1], [2, 3]]);
});

test('more than is kept waiting is turned away, and taken once there is room', async () => {
  const store = notingStore(new Error('none'));
  const intake = ingest(store, { onFailure: ignored });
  const half: Batch = { ...batch(1), times: new Float64Array(LIMITS.appendBytesAtOnce / 64 + 1) };
  const outcomes = await Promise.allSettled([intake.append(half), intake.append(half), intake.append(batch(2))]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((await intake.append(half)).stored).toBe(1);
});

test('memory that the shards hold counts as well', async () => {
  const store = notingStore(new Error('none'));
  store.memoryBytes = 2 ** 50;
  const intake = ingest(store, { memoryBytes: 2 ** 49, onFailure: ignored });
  await expect(intake.append(batch(1))).rejects.toMatchObject({ code: 'unavailable' });
  expect(intake.memoryBytes()).toBeGreaterThan(2 ** 50);
});

test('what waits when it closes is committed, what comes later is refused', async () => {
  const store = notingStore(new Error('none'));
  const intake = ingest(store, { onFailure: ignored });
  const waiting = intake.append(batch(1));
  const closed = intake.close();
  expect(await waiting).toMatchObject({ stored: 1 });
  await closed;
  await expect(intake.append(batch(2))).rejects.toMatchObject({ code: 'unavailable' });
  expect(store.commits).toEqual([[1]]);
});
