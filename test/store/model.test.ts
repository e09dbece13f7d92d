import { expect, test } from 'vitest';
import { openDatabase } from '../../src/base/sqlite.ts';
import { batchBuilder, type BatchBuilder } from '../../src/model/batch-builder.ts';
import {
  ADD,
  ADD_ONCE,
  SET,
  seriesHandle,
  type Appended,
  type Batch,
  type Exemplar,
  type SeriesHandle,
} from '../../src/model/batch.ts';
import { CUSTOM_BUCKETS, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf, type Labels } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { openStore, type Store, type StoreProblem } from '../../src/store/store.ts';
import { randomFrom } from '../random.ts';
import { naiveStore } from './naive-store.ts';
import { printSelect, storePath } from './samples.ts';

const NOW = 1_700_000_000_000;
const VALUES = [0, -0, 1, 2.5, -3, NaN, Infinity, -Infinity, 1e300, 5e-324];
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Random appends, checkpoints and reopenings against the naive store; every answer must agree bit for bit. */
function run(seed: number, actions: number): void {
  const random = randomFrom(seed).next;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const int = (below: number): number => Math.floor(random() * below);
  const path = storePath();
  const problems: string[] = [];
  const cacheBytes = pick([0, 20_000, 1_000_000]);
  const limits = { seriesLimit: pick([15, 1_000]), metricSeriesLimit: pick([6, 1_000]) };
  const checkpointBytes = pick([10_000, 200_000, undefined]);
  const open = (): Store => {
    const onProblem = ({ message }: StoreProblem): void => void problems.push(message);
    return openStore({
      path,
      cacheBytes,
      ...(checkpointBytes && { checkpointBytes }),
      now: () => NOW,
      onProblem,
      ...limits,
    });
  };
  const naive = naiveStore(limits);
  /** Handles outlive a store, as those of receivers' caches may. */
  const handles = new Map<number, SeriesHandle>();
  const sent: Batch[] = [];
  let store = open();
  if (random() < 0.5) {
    store.close();
    breakRecords(path);
    store = open();
  }
  let clock = NOW - 3_600_000;
  const sampled: number[] = [];

  for (let action = 0; action < actions; action++) {
    const dice = random();
    if (dice < 0.7) {
      const batches = Array.from({ length: pick([1, 1, 1, 2, 4]) }, () =>
        sent.length > 0 && random() < 0.1 ? pick(sent) : randomBatch(),
      );
      const appended = appendOrFail(batches);
      if (appended === undefined) continue;
      expect(appended.map(counts)).toEqual(batches.map((batch) => naive.append(batch, NOW)));
      sent.push(...batches);
    } else if (dice < 0.8) {
      store.checkpoint();
    } else if (dice < 0.87) {
      store.close();
      store = open();
      naive.reopened();
    } else {
      // Often the very time of a sample, where the ends of the range must count.
      const from = random() < 0.5 && sampled.length > 0 ? pick(sampled) : clock - int(2_000_000);
      const to = random() < 0.5 && sampled.length > 0 ? pick(sampled) : from + int(1_000_000);
      const matchers = randomMatchers();
      expect(printSelect(store, matchers, from, to)).toEqual(naive.print(matchers, from, to));
      expect(printExemplars(store, matchers, from, to)).toEqual(naive.printExemplars(matchers, from, to));
      const named = new Set([...store.series(matchers, from, to)].map((labels) => labels.join(',')));
      for (const labels of naive.labelsIn(matchers, from, to)) expect(named).toContain(labels);
    }
  }
  checkAll();
  store.close();
  store = open();
  checkAll();
  store.close();
  expect(problems).toEqual([]);

  /** An append that fails must leave nothing; a checkpoint lets the next one succeed. */
  function appendOrFail(batches: readonly Batch[]): readonly Appended[] | undefined {
    try {
      return store.appendAll(batches);
    } catch (error) {
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('injected') });
      checkAll();
      store.checkpoint();
      return random() < 0.5 ? undefined : store.appendAll(batches);
    }
  }

  function checkAll(): void {
    const all = naive.print([], -Infinity, Infinity);
    expect(printSelect(store, [], -Infinity, Infinity)).toEqual(all);
    expect(printExemplars(store, [], -Infinity, Infinity)).toEqual(naive.printExemplars([], -Infinity, Infinity));
    expect(byMetric([...store.metadata()])).toEqual(byMetric(naive.metadata()));
    expect(store.stats()).toMatchObject({ series: all.length, samples: naive.samples(), quarantined: 0 });
  }

  function randomBatch(): Batch {
    const builder = batchBuilder();
    // Mostly small batches, and now and then one that fills chunks.
    const rows = random() < 0.15 ? 700 : int(30);
    const spread = rows > 100 ? 3 : 25;
    const inOrder = random() < 0.5;
    for (let row = 0; row < rows; row++) {
      clock += int(100);
      if (row % 5 === 0) sampled.push(clock);
      if (random() < 0.1) builder.beginPoint();
      const again = random() < 0.1 && !inOrder;
      const far = random() < 0.02;
      randomRow(
        builder,
        spread,
        far ? NOW + pick([600_000, 600_001, NaN, Infinity]) : clock - (again ? int(5_000) : 0),
      );
      if (random() < 0.2) builder.endPoint();
      if (random() < 0.1) builder.exemplar(randomExemplar(builder, spread));
    }
    if (random() < 0.2) {
      const metric = pick(['m0', 'm1', 'm2', 'other']);
      builder.metadata({ metric, type: pick(['counter', 'unknown']), help: pick(['', 'a', 'b']), unit: 's' });
    }
    return builder.build(random() < 0.4 ? `delivery ${int(2 ** 30)}` : undefined);
  }

  function randomRow(builder: BatchBuilder, spread: number, time: number): void {
    const number = int(spread);
    const series = random() < 0.5 ? builder.series(handleOf(number)) : builder.seriesOf(labelsAt(number));
    const mode = spread === 3 ? (random() < 0.05 ? ADD : SET) : pick([SET, SET, ADD, ADD_ONCE]);
    // The start of most series' counters stays the same.
    const start = number % 3 === 0 ? 0 : number % 3 === 1 ? NOW - 7_200_000 : clock - int(2);
    // Series keep to floats or histograms, but not always.
    const histogram = random() < 0.05 ? random() < 0.5 : number % 2 === 1;
    if (random() < 0.08) builder.stale(series, time);
    else if (histogram) builder.histogram(series, time, randomHistogram(), mode, start);
    else if (random() < 0.05) builder.beside(series, time, 1);
    else builder.sample(series, time, random() < 0.3 ? pick(VALUES) : random() * 100, mode, start);
  }

  function randomHistogram(): NativeHistogram {
    const counts = (): Float64Array => Float64Array.from({ length: int(4) }, () => int(5));
    const [positive, negative] = [counts(), counts()];
    const sum = positive.length + negative.length;
    const ascending = (length: number): Int32Array => {
      let index = int(6) - 3;
      return Int32Array.from({ length }, () => (index += 1 + int(3)));
    };
    const totals = { hint: int(4), count: int(100), sum: random() < 0.1 ? NaN : sum + int(5) };
    if (random() < 0.2) {
      const bounds = pick([Float64Array.of(1, 2, 5, 10), Float64Array.of(1, 5, 7, 8, 9)]);
      const layout = { schema: CUSTOM_BUCKETS, zeroThreshold: 0, bounds };
      const indexes = Int32Array.from(positive, (_, i) => i);
      const none = { indexes: new Int32Array(0), counts: new Float64Array(0) };
      return {
        ...totals,
        layout: { ...layout, positive: indexes, negative: none.indexes },
        zeroCount: 0,
        positive,
        negative: none.counts,
      };
    }
    return {
      ...totals,
      layout: {
        schema: pick([3, 3, 2, 0]),
        zeroThreshold: pick([0.001, 0.001, 0.5]),
        positive: ascending(positive.length),
        negative: ascending(negative.length),
        bounds: new Float64Array(0),
      },
      zeroCount: int(3),
      positive,
      negative,
    };
  }

  function randomExemplar(builder: BatchBuilder, spread: number): Exemplar {
    return {
      series: builder.series(handleOf(int(spread))),
      timeMs: clock - pick([0, 0, int(1_000)]),
      value: int(3),
      labels: labelsOf({ trace_id: `${int(3)}` }),
    };
  }

  function handleOf(number: number): SeriesHandle {
    let handle = handles.get(number);
    if (handle === undefined) handles.set(number, (handle = seriesHandle(labelsAt(number))));
    return handle;
  }

  function labelsAt(number: number): Labels {
    const labels = labelsOf({ __name__: `m${number % 3}`, job: number % 2 === 0 ? '' : 'job', instance: `i${number}` });
    return number % 5 === 0 ? Object.freeze(labels) : labels;
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

/** Makes every fifth record fail that is written between two checkpoints, when all else of its append is. */
function breakRecords(path: string): void {
  const db = openDatabase(path, { durability: 'process', kind: 'CmSt', migrations: ['', ''] });
  db.exec(`CREATE TRIGGER fail AFTER INSERT ON record WHEN NEW.id % 5 = 4
    BEGIN SELECT RAISE(ABORT, 'injected failure'); END`);
  db.close();
}

function counts({ stored, repeated, histograms, exemplars, rejected }: Appended): Record<string, number> {
  const reasons = [...rejected].map(([reason, { count }]) => [reason, count] as const);
  return { stored, repeated, histograms, exemplars, ...Object.fromEntries(reasons) };
}

function printExemplars(store: Store, matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
  return [...store.exemplars(matchers, fromMs, toMs)].map(({ labels, exemplars }) => {
    const texts = exemplars.map((one) => `${one.timeMs}=${one.value}{${one.labels.join(',')}}`);
    return `${labels.join(',')}: ${texts.join(' ')}`;
  });
}

function byMetric<T extends { metric: string }>(all: readonly T[]): T[] {
  return [...all].sort((a, b) => (a.metric < b.metric ? -1 : 1));
}
