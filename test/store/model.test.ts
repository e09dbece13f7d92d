import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import type { Batch } from '../../src/model/batch.ts';
import { labelsOf, type Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { naiveStore } from './naive-store.ts';
import { printSelect, seededRandom, storePath } from './samples.ts';

const NOW = 1_700_000_000_000;
const VALUES = [0, -0, 1, 2.5, -3, NaN, Infinity, -Infinity, 1e300, 5e-324];
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Random appends, checkpoints and reopenings against the naive store; every answer must agree bit for bit. */
function run(seed: number, actions: number): void {
  const random = seededRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const int = (below: number): number => Math.floor(random() * below);
  const path = storePath();
  const problems: string[] = [];
  const cacheBytes = pick([0, 20_000, 1_000_000]);
  const open = (): Store =>
    openStore({ path, cacheBytes, now: () => NOW, onProblem: ({ message }) => void problems.push(message) });
  const naive = naiveStore();
  let store = open();
  let clock = NOW - 3_600_000;
  const sampled: number[] = [];

  for (let action = 0; action < actions; action++) {
    const dice = random();
    if (dice < 0.7) {
      const batch = randomBatch();
      const { stored, repeated, rejected } = store.append(batch);
      expect({ stored, repeated, ...Object.fromEntries(rejected) }).toEqual(naive.append(batch, NOW));
      expect(stored + repeated + [...rejected.values()].reduce((a, b) => a + b, 0)).toBe(batch.times.length);
    } else if (dice < 0.8) {
      store.checkpoint();
    } else if (dice < 0.87) {
      store.close();
      store = open();
    } else {
      // Often the very time of a sample, where the ends of the range must count.
      const from = random() < 0.5 && sampled.length > 0 ? pick(sampled) : clock - int(2_000_000);
      const to = random() < 0.5 && sampled.length > 0 ? pick(sampled) : from + int(1_000_000);
      const matchers = randomMatchers();
      expect(printSelect(store, matchers, from, to)).toEqual(naive.print(matchers, from, to));
      const named = new Set([...store.series(matchers, from, to)].map((labels) => labels.join(',')));
      for (const labels of naive.labelsIn(matchers, from, to)) expect(named).toContain(labels);
    }
  }
  const all = naive.print([], -Infinity, Infinity);
  expect(printSelect(store, [], -Infinity, Infinity)).toEqual(all);
  expect(store.stats()).toMatchObject({ series: all.length, samples: naive.samples(), quarantined: 0 });
  store.close();
  store = open();
  expect(printSelect(store, [], -Infinity, Infinity)).toEqual(all);
  expect(store.stats().samples).toBe(naive.samples());
  store.close();
  expect(problems).toEqual([]);

  function randomBatch(): Batch {
    const builder = batchBuilder();
    // Mostly small batches, and now and then one that fills chunks.
    const rows = random() < 0.15 ? 700 : int(30);
    const spread = rows > 100 ? 3 : 25;
    for (let row = 0; row < rows; row++) {
      clock += int(100);
      if (row % 5 === 0) sampled.push(clock);
      const time =
        random() < 0.1 ? clock - int(5_000) : random() < 0.02 ? NOW + pick([600_000, 600_001, NaN, Infinity]) : clock;
      const mode = rows > 100 ? (random() < 0.05 ? 1 : 0) : pick([0, 0, 1, 2]);
      if (random() < 0.08) builder.addStale(randomLabels(spread), time);
      else builder.add(randomLabels(spread), time, random() < 0.3 ? pick(VALUES) : random() * 100, mode);
    }
    return builder.build();
  }

  function randomLabels(spread: number): Labels {
    const number = int(spread);
    return labelsOf({ __name__: `m${number % 3}`, job: number % 2 === 0 ? '' : 'job', instance: `i${number}` });
  }

  function randomMatchers(): Matcher[] {
    const some: Matcher[] = [
      { name: '__name__', op: '=', value: 'm1' },
      { name: '__name__', op: '=~', value: 'm1|m2' },
      { name: 'job', op: '=', value: '' },
      { name: 'job', op: '!=', value: 'job' },
      { name: 'instance', op: '=~', value: 'i1.*' },
      { name: 'instance', op: '!~', value: 'i[2-4]' },
    ];
    return some.filter(() => random() < 0.25);
  }
}

test(`random histories agree with the naive store (SEED=${SEED})`, () => {
  for (let i = 0; i < 12; i++) run(SEED + i, 60);
});
