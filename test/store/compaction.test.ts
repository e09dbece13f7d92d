import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { printAll, storePath, tamper } from './samples.ts';

const NOW = 100_000_000;
const DAY = '1970-01-02.sqlite';
const RETAINED = 2_200_000;

function append(store: Store, metric: string, series: number, timeMs: number): void {
  const builder = batchBuilder();
  for (let i = 0; i < series; i++) builder.add(labelsOf({ __name__: metric, i: `${i}` }), timeMs, timeMs + i);
  store.append(builder.build());
}

test('what comes while a compaction is under way is kept, new series too', async () => {
  const store = openStore({ path: storePath(), now: () => NOW, logBytes: 40_000 });
  // More chunks than one part of a compaction looks at.
  for (let round = 0; round < 4; round++) {
    append(store, 'm', 400, NOW + round * 1_000);
    store.flush();
  }
  let appended = 0;
  let isDone = false;
  const running = store.compact().finally(() => (isDone = true));
  while (!isDone) {
    if (appended < 60) {
      append(store, `fresh${appended++}`, 20, NOW + 4_000);
      append(store, 'm', 20, NOW + 4_000 + appended);
    }
    await setImmediate();
  }
  const { chunksMerged } = await running;
  expect(chunksMerged).toBeGreaterThanOrEqual(4 * 400);
  expect(appended).toBeGreaterThan(3);
  const held = printAll(store);
  const fresh = held.filter((line) => line.startsWith('__name__,fresh'));
  expect(fresh).toHaveLength(20 * appended);
  expect(held).toHaveLength(400 + 20 * appended);
  for (const line of held.filter((text) => text.startsWith('__name__,m'))) {
    const series = Number(/,i,(\d+)/.exec(line)![1]);
    expect(line.split(' ')).toHaveLength(1 + 4 + (series < 20 ? appended : 0));
  }
  await store.compact();
  expect(printAll(store)).toEqual(held);
  store.close();
});

test('a compaction makes full chunks of small ones, and leaves full ones alone', async () => {
  const path = storePath();
  const store = openStore({ path, now: () => NOW });
  for (let round = 0; round < 100; round++) {
    for (let i = 0; i < 10; i++) append(store, 'm', 1, NOW + (round * 10 + i) * 500);
    store.flush();
  }
  const held = printAll(store);
  expect(await store.compact()).toMatchObject({ chunksMerged: 100, samplesErased: 0 });
  expect(printAll(store)).toEqual(held);
  expect(store.stats().samples).toBe(1_000);
  expect(await store.compact()).toMatchObject({ chunksMerged: 0 });
  store.close();
  tamper(path, DAY, (db) => {
    const chunks = Number(db.prepare('SELECT count(*) FROM chunk').pluck().get());
    expect(chunks).toBeGreaterThanOrEqual(3);
    expect(chunks).toBeLessThanOrEqual(6);
  });
});

test('very many chunks that begin in the first second of a day have room', async () => {
  const store = openStore({ path: ':memory:', now: () => NOW });
  for (let i = 0; i < 60; i++) {
    append(store, 'm', 1, 86_400_000 + i);
    store.flush();
  }
  expect(printAll(store)[0]!.split(' ')).toHaveLength(61);
  await store.compact();
  expect(printAll(store)[0]!.split(' ')).toHaveLength(61);
  expect(store.stats().samples).toBe(60);
  store.close();
});

test('days and bytes past the retention go, the oldest first, and the last one stays', () => {
  let nowMs = NOW;
  const path = storePath();
  const store = openStore({ path, now: () => nowMs, retentionBytes: RETAINED });
  for (let day = 0; day < 12; day++) {
    nowMs = NOW + day * 86_400_000;
    append(store, `m${day}`, 200, nowMs);
    store.flush();
  }
  for (let turn = 0; turn < 20; turn++) {
    nowMs += 11_000;
    while (store.upkeep());
  }
  const left = new Set([...store.select([], -Infinity, Infinity)].map(({ labels }) => labels[1]!));
  expect(left.size).toBeLessThan(12);
  expect(left.size).toBeGreaterThan(1);
  expect([...left]).toEqual(Array.from({ length: 12 }, (_, day) => `m${day}`).slice(-left.size));
  expect(store.stats().bytes).toBeLessThan(RETAINED);
  expect(store.stats().series).toBe(200 * left.size);
  store.close();
  const tight = openStore({ path, now: () => nowMs, retentionBytes: 1 });
  for (let turn = 0; turn < 20; turn++) {
    nowMs += 11_000;
    while (tight.upkeep());
  }
  expect([...tight.select([], -Infinity, Infinity)].length).toBe(200);
  tight.close();
});
