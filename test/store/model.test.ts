import { rmSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD_ONCE, NO_ID, NO_REF, type Appended, type Batch } from '../../src/model/batch.ts';
import { labelsKey, labelsOf } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { openStore, type Store, type StoreOptions, type StoreProblem } from '../../src/store/store.ts';
import { randomFrom } from '../random.ts';
import { naiveStore } from './naive-store.ts';
import { randomBatches } from './random-batches.ts';
import { asCrashed, filesOf, printSelect, storePath, tamper } from './samples.ts';

const NOW = 1_700_000_000_000;
const DAY_MS = 86_400_000;
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env['ROUNDS'] ?? 80);

/**
 * Random appends, deletions, restarts, ends of the process and whatever a store does by the way, against the naive store: every
 * answer must agree bit for bit.
 */
async function run(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const { next, pick } = random;
  const actions = pick([8, 8, 15, 15, 40]);
  const limits = {
    seriesLimit: pick([15, 1_000, 1_000]),
    metricSeriesLimit: pick([6, 1_000, 1_000]),
    outOfOrderMs: pick([0, 60_000, 1_800_000]),
    retentionMs: pick([undefined, undefined, 3.5 * DAY_MS]),
  };
  const retentionBytes =
    limits.retentionMs === undefined ? pick([undefined, undefined, undefined, 400_000]) : undefined;
  const hasRetention = limits.retentionMs !== undefined || retentionBytes !== undefined;
  const samplesPerStep = pick([1, 40, undefined]);
  const logBytes = pick([8_000, 60_000, undefined]);
  const cacheBytes = pick([0, 20_000, 1_000_000]);
  const problems: string[] = [];
  let nowMs = NOW;
  let path = storePath();
  const open = (): Store => {
    const onProblem = ({ message }: StoreProblem): void => void problems.push(message);
    const options: StoreOptions = { path, cacheBytes, now: () => nowMs, onProblem };
    return openStore({ ...options, ...defined({ ...limits, logBytes, samplesPerStep, retentionBytes }) });
  };
  const naive = naiveStore(limits);
  const batches = randomBatches(random, NOW - 4 * DAY_MS, () => nowMs + LIMITS.futureMs);
  const sent: Batch[] = [];
  let store = open();
  // So many series that where they end is on several pages, and a flush takes several parts for them.
  if (next() < 0.15) {
    for (let i = 0; i < 3; i++) {
      for (const batch of [batches.fillers(250), batches.next()]) append([batch]);
    }
  }

  for (let action = 0; action < actions; action++) {
    const act: () => void | Promise<void> = random.weighted<() => void | Promise<void>>([
      [50, () => append(someBatches())],
      [18, ask],
      [5, () => store.flush()],
      [8, hasRetention ? retain : workABit],
      [5, remove],
      [4, restart],
      [4, endOfProcess],
      [2, compact],
      [2, later],
    ]);
    await act();
  }
  checkAll();
  restart();
  checkAll();
  await compact();
  restart();
  checkAll();
  store.close();
  expect(problems).toEqual([]);

  function someBatches(): Batch[] {
    return Array.from({ length: pick([1, 1, 1, 2, 4]) }, () =>
      sent.length > 0 && next() < 0.1 ? pick(sent) : batches.next(),
    );
  }

  /** An append that fails must leave nothing; the next log lets it succeed. */
  function append(some: readonly Batch[]): void {
    let appended: readonly Appended[];
    try {
      appended = store.appendAll(some);
    } catch (error) {
      expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('injected') });
      checkAll();
      store.flush();
      return;
    }
    expect(appended.map(counts)).toEqual(some.map((batch) => naive.append(batch, nowMs)));
    sent.push(...some);
  }

  function ask(): void {
    const from = batches.time();
    const to = next() < 0.2 ? Infinity : batches.time();
    const matchers = batches.matchers();
    expect(printSelect(store, matchers, from, to)).toEqual(naive.print(matchers, from, to));
    expect(printExemplars(store, matchers, from, to)).toEqual(naive.printExemplars(matchers, from, to));
    const named = new Set([...store.series(matchers, from, to)].map((labels) => labels.join(',')));
    for (const labels of naive.labelsIn(matchers, from, to)) expect(named).toContain(labels);
  }

  function workABit(): void {
    for (let steps = pick([1, 2, 3, 10]); steps > 0; steps--) store.upkeep();
    agreeOnSeries();
  }

  function remove(): void {
    const matchers = batches.matchers();
    const from = next() < 0.2 ? -Infinity : batches.time();
    const to = next() < 0.2 ? Infinity : batches.time();
    expect(store.delete(matchers, from, to)).toMatchObject({
      series: naive.delete(matchers, from, to),
      state: 'hidden',
    });
    if (next() < 0.5) checkAll();
  }

  function restart(): void {
    store.close();
    if (next() < 0.2) failRecords(path);
    reopen();
  }

  /** What the files hold is what there is. */
  function endOfProcess(): void {
    const copy = asCrashed(path);
    store.close();
    rmSync(path, { recursive: true });
    path = copy;
    reopen();
    if (next() < 0.5) checkAll();
  }

  function reopen(): void {
    for (const { series } of sent) for (const handle of series) Object.assign(handle, { ref: NO_REF, id: NO_ID });
    batches.forgetStore();
    store = open();
    agreeOnSeries();
    naive.reopened();
  }

  async function compact(): Promise<void> {
    const isBusy = next() < 0.5;
    let isDone = false;
    const running = store.compact().then((compaction) => {
      isDone = true;
      expect(compaction.bytesAfter).toBeGreaterThan(0);
    });
    while (!isDone) {
      if (isBusy && next() < 0.3) {
        agreeOnSeries();
        pick([() => append(someBatches()), ask, remove])();
      }
      await setImmediate();
    }
    await running;
    agreeOnSeries();
    if (!isBusy) {
      const kept = hasRetention ? naive.keys().length : naive.keys().filter((key) => !naive.isBare(key)).length;
      expect(store.stats()).toMatchObject({ series: kept, samples: naive.samples() });
      expect(store.deletions().filter(({ state }) => state === 'hidden')).toEqual([]);
    }
    checkAll();
  }

  /** So much later that all is done which is due. */
  function later(): void {
    if (hasRetention) store.flush();
    nowMs += pick([11_000, 6 * 60_000, limits.retentionMs === undefined ? 11_000 : DAY_MS / 3]);
    retain();
  }

  function retain(): void {
    if (hasRetention) store.flush();
    while (store.upkeep());
    if (limits.retentionMs !== undefined) {
      naive.dropBefore(Math.ceil((nowMs - limits.retentionMs) / DAY_MS - 1) * DAY_MS);
    }
    if (retentionBytes !== undefined) {
      const [first] = filesOf(path, 'days');
      naive.dropBefore(first === undefined ? Infinity : Date.parse(`${first.slice(0, 10)}T00:00:00Z`));
    }
    agreeOnSeries();
  }

  /** A series of which all is gone may be there for a while, or not. */
  function agreeOnSeries(): void {
    const keys = new Set([...store.select([], Infinity, Infinity)].map(({ labels }) => labelsKey(labels)));
    naive.keepOnly(keys);
    expect([...keys].sort()).toEqual(naive.keys().sort());
  }

  function checkAll(): void {
    agreeOnSeries();
    expect(printSelect(store, [], -Infinity, Infinity)).toEqual(naive.print([], -Infinity, Infinity));
    expect(printExemplars(store, [], -Infinity, Infinity)).toEqual(naive.printExemplars([], -Infinity, Infinity));
    expect(byMetric([...store.metadata()])).toEqual(byMetric(naive.metadata()));
    expect(store.stats()).toMatchObject({ series: naive.keys().length, quarantined: 0 });
  }
}

test(`random histories agree with the naive store (SEED=${SEED})`, { timeout: ROUNDS * 4_000 }, async () => {
  for (let i = 0; i < ROUNDS; i++) {
    try {
      await run(SEED + i);
    } catch (error) {
      throw new Error(`the history of seed ${SEED + i}`, { cause: error });
    }
  }
});

test('a delivery without rows that comes again takes back no newer metadata', () => {
  const path = storePath();
  const open = (): Store => openStore({ path, now: () => NOW });
  const naive = naiveStore({ seriesLimit: 1_000, metricSeriesLimit: 1_000, outOfOrderMs: 0 });
  let store = open();
  const check = (help: string, delivery: string, want: string): void => {
    const builder = batchBuilder();
    builder.metadata({ metric: 'm', type: 'counter', help, unit: '' });
    const batch = builder.build(delivery);
    expect(counts(store.append(batch))).toEqual(naive.append(batch, NOW));
    for (const { metadata } of [store, naive]) expect([...metadata()]).toMatchObject([{ metric: 'm', help: want }]);
  };
  check('old', 'one', 'old');
  check('new', 'two', 'new');
  check('old', 'one', 'new');
  store.close();
  store = open();
  naive.reopened();
  check('old', 'one', 'new');
  check('old', 'three', 'old');
  store.close();
});

test('an addition that comes again is a repetition also where its batch brings back an older sample', () => {
  const naive = naiveStore({ seriesLimit: 1_000, metricSeriesLimit: 1_000, outOfOrderMs: 60_000 });
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 60_000 });
  const builder = batchBuilder();
  const series = builder.seriesOf(labelsOf({ __name__: 'm' }));
  builder.sample(series, NOW, 1);
  builder.sample(series, NOW + 1_000, 2, ADD_ONCE);
  const batch = builder.build();
  const check = (want: Record<string, number>): void => {
    const all = { stored: 0, repeated: 0, histograms: 0, exemplars: 0, ...want };
    expect(counts(store.append(batch))).toEqual(all);
    expect(naive.append(batch, NOW)).toEqual(all);
  };
  check({ stored: 2 });
  for (const { delete: remove } of [store, naive]) remove([], NOW, NOW);
  check({ stored: 1, repeated: 1 });
  check({ repeated: 2 });
  store.close();
});

/** Makes every fifth record of the latest log fail, when all else of its append is written. */
function failRecords(path: string): void {
  tamper(path, filesOf(path, 'logs').at(-1)!, (db) =>
    db.exec(`CREATE TRIGGER IF NOT EXISTS fail AFTER INSERT ON record WHEN NEW.id % 5 = 4
      BEGIN SELECT RAISE(ABORT, 'injected failure'); END`),
  );
}

function counts({ stored, repeated, histograms, exemplars, rejected }: Appended): Record<string, number> {
  const reasons = [...rejected].map(([reason, { count }]) => [reason, count] as const);
  return { stored, repeated, histograms, exemplars, ...Object.fromEntries(reasons) };
}

function printExemplars(store: Store, matchers: readonly Matcher[], fromMs: number, toMs: number): string[] {
  return [...store.exemplars(matchers, fromMs, toMs)]
    .map(({ labels, exemplars }) => {
      const texts = exemplars.map((one) => `${one.timeMs}=${one.value}{${one.labels.join(',')}}`);
      return `${labels.join(',')}: ${texts.join(' ')}`;
    })
    .sort();
}

function byMetric<T extends { metric: string }>(all: readonly T[]): T[] {
  return [...all].sort((a, b) => (a.metric < b.metric ? -1 : 1));
}

/** Without what is undefined. */
function defined<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}
