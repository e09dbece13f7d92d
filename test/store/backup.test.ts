import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { randomFrom } from '../random.ts';
import { storePath } from './samples.ts';

const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;
const SERIES = 20;
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

function open(path: string): Store {
  return openStore({ path, now: () => NOW, logBytes: 100_000, cacheBytes: 100_000, outOfOrderMs: DAY_MS });
}

/** Batch `n`: a sample of each series, one of them out of order, a series of its own and an exemplar. */
function append(store: Store, n: number, timeMs: number): void {
  const builder = batchBuilder();
  for (let i = 0; i < SERIES; i++)
    builder.add(labelsOf({ __name__: 'm', i: `${i}` }), timeMs - (i === 0 ? 0 : n % 2), n);
  builder.add(labelsOf({ __name__: 'late' }), timeMs, n);
  builder.add(labelsOf({ __name__: 'late' }), timeMs - 777, n);
  builder.add(labelsOf({ __name__: 'newcomer', n: `${n}` }), timeMs, n);
  builder.exemplar({ series: 0, timeMs, value: n, labels: labelsOf({ trace_id: `t${n}` }) });
  store.append(builder.build(`delivery ${n}`));
}

/** What a store holds, in short. */
function digest(store: Store): string {
  const series = [...store.select([], -Infinity, Infinity)].flatMap(({ labels, times, values }) => {
    let sum = 0;
    for (const [i, time] of times.entries()) sum += values[i]! * (time % 1_000_003);
    return times.length === 0 ? [] : [`${labels.join()} ${times.length} ${sum}`];
  });
  const exemplars = [...store.exemplars([], -Infinity, Infinity)].map(({ exemplars: own }) => own.length);
  return [...series.sort(), ...exemplars, [...store.metadata()].length].join('\n');
}

test(`a backup is the store as it was at some moment of it (SEED=${SEED})`, { timeout: 40_000 }, async () => {
  const random = randomFrom(SEED);
  const path = storePath();
  const store = open(path);
  let n = 0;
  for (let day = 9; day > 0; day--) {
    for (let i = 0; i < 3; i++) append(store, ++n, NOW - day * DAY_MS + i * 60_000);
    if (day % 4 === 0) store.flush();
  }
  for (let round = 0; round < 2; round++) {
    const target = join(dirname(path), `backup-${round}`);
    const moments = [digest(store)];
    let isDone = false;
    const running = store.backup(target).finally(() => (isDone = true));
    // It is awaited below, or another failure is the one to be told.
    running.catch(() => {});
    expect(() => store.flush()).toThrow(expect.objectContaining({ code: 'unavailable' }));
    await expect(store.backup(join(dirname(path), 'other'))).rejects.toMatchObject({ code: 'unavailable' });
    const compacting = round % 2 === 0 ? store.compact() : undefined;
    while (!isDone) {
      const act = random.weighted([
        [4, 'append'],
        [1, 'delete'],
        [2, 'read'],
        [3, 'wait'],
      ] as const);
      if (act === 'append') append(store, ++n, NOW - 1_000_000 + n * 1_000);
      else if (act === 'delete') {
        const i = { name: 'i', op: '=', value: `${random.int(0, SERIES - 1)}` } as const;
        store.delete([i], NOW - random.int(0, 9) * DAY_MS, NOW);
      } else if (act === 'read')
        expect([...store.select([], NOW - 9 * DAY_MS, NOW - 5 * DAY_MS)].length).toBeGreaterThan(20);
      if (act === 'append' || act === 'delete') moments.push(digest(store));
      store.upkeep();
      await setImmediate();
    }
    const { bytes } = await running;
    expect(bytes).toBeGreaterThan(100_000);
    expect(moments.length, 'nothing happened during the backup').toBeGreaterThan(2);
    const copy = open(target);
    const copied = digest(copy);
    expect(moments.includes(copied), 'the copy is none of the moments').toBe(true);
    // It goes on by itself, and all of it can be moved.
    await copy.compact();
    expect(digest(copy)).toBe(copied);
    expect(copy.stats().quarantined).toBe(0);
    append(copy, n + 1, NOW);
    copy.close();
    await compacting;
    expect(digest(store)).toBe(moments.at(-1));
  }
  store.close();
});

test('a day that is being copied stays open, however many others are read', async () => {
  const path = storePath();
  const store = open(path);
  for (let day = 24; day > 0; day--) {
    const builder = batchBuilder();
    builder.add(labelsOf({ __name__: 'm' }), NOW - day * DAY_MS, day);
    store.append(builder.build());
  }
  store.flush();
  const held = digest(store);
  let isDone = false;
  const target = join(dirname(path), 'backup');
  const running = store.backup(target).finally(() => (isDone = true));
  running.catch(() => {});
  while (!isDone) {
    for (let day = 24; day > 0; day--) {
      expect([...store.select([], NOW - day * DAY_MS - 1, NOW - day * DAY_MS)][0]!.times).toHaveLength(1);
    }
    await setImmediate();
  }
  await running;
  store.close();
  const copy = open(target);
  expect(digest(copy)).toBe(held);
  copy.close();
});

test('a backup has a folder to itself, and leaves nothing where it fails', async () => {
  const path = storePath();
  const store = open(path);
  append(store, 1, NOW);
  const taken = join(dirname(path), 'taken');
  mkdirSync(taken);
  const file = join(dirname(path), 'file');
  writeFileSync(file, 'x');
  for (const bad of [taken, path, file, join(file, 'below')]) {
    await expect(store.backup(bad)).rejects.toMatchObject({
      code: 'bad_config',
      message: expect.stringContaining(bad),
    });
  }
  expect(readdirSync(taken)).toEqual([]);
  // What an earlier one left behind is no hindrance, and parents are made.
  const target = join(dirname(path), 'some', 'where');
  mkdirSync(join(dirname(target), '.where.partial'), { recursive: true });
  expect((await store.backup(target)).bytes).toBeGreaterThan(0);
  expect(readdirSync(dirname(target))).toEqual(['where']);
  const copy = open(target);
  expect(digest(copy)).toBe(digest(store));
  copy.close();
  const closing = store.backup(join(dirname(path), 'closing'));
  store.close();
  await expect(closing).rejects.toMatchObject({ code: 'bad_config' });
  expect(existsSync(join(dirname(path), 'closing'))).toBe(false);
  expect(readdirSync(dirname(path)).filter((name) => name.includes('partial'))).toEqual([]);
});
