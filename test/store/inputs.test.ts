import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, ADD_ONCE, rejectedCount, SET, type Appended, type Batch } from '../../src/model/batch.ts';
import { GAUGE, histogramAt, RESET_UNKNOWN, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import { INPUT_LABEL } from '../../src/model/input-label.ts';
import { INPUT_SILENT_MS } from '../../src/store/plan-inputs.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { randomFrom, type Random } from '../random.ts';
import { asCrashed, storePath } from './samples.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const NOW = 1_800_000_000_000;
const DAY_MS = 24 * 60 * 60 * 1000;

/** A sample of an input: its name, ms after `NOW`, and its value. */
interface Row {
  readonly input: string;
  readonly at: number;
  readonly value: number | 'stale' | NativeHistogram;
  readonly mode?: number;
  /** When its counter started, in ms after `NOW`. */
  readonly start?: number;
}

type ShortRow = readonly [input: string, at: number, value: Row['value'], more?: Pick<Row, 'mode' | 'start'>];

function batchOf(rows: readonly Row[], delivery?: string): Batch {
  const builder = batchBuilder();
  for (const { input, at, value, mode = SET, start } of rows) {
    const series = builder.seriesOf(labelsOf({ __name__: 'requests_total', code: '200', [INPUT_LABEL]: input }));
    const startMs = start === undefined ? 0 : NOW + start;
    if (value === 'stale') builder.stale(series, NOW + at);
    else if (typeof value === 'number') builder.sample(series, NOW + at, value, mode, startMs);
    else builder.histogram(series, NOW + at, value, mode, startMs);
  }
  return builder.build(delivery);
}

function storeOf(path = ':memory:'): Store {
  return openStore({ path, now: () => NOW + 30 * DAY_MS, logBytes: 60_000, samplesPerStep: 50 });
}

/** All that a store shows, `time=value` each, or `time=stale`. */
function shown(store: Store): string {
  const all = [...store.select([], -Infinity, Infinity)].filter(({ times }) => times.length > 0);
  for (const { labels } of all) expect(labels).toEqual(['__name__', 'requests_total', 'code', '200']);
  return all
    .map(({ times, values }) =>
      Array.from(times, (time, i) => `${time - NOW}=${isStaleAt(values, i) ? 'stale' : values[i]}`).join(' '),
    )
    .join(' | ');
}

function outcome({ stored, repeated, rejected }: Appended): string {
  return [`${stored}+${repeated}`, ...[...rejected].map(([reason, { count }]) => `${count} ${reason}`)].join(', ');
}

/** Appends batches; what is shown then is `want`, and what became of the last batch `wantLast`. */
function check(batches: readonly (readonly ShortRow[])[], want: string, wantLast?: string): void {
  const store = storeOf();
  let last = '';
  for (const rows of batches) {
    const long = rows.map(([input, at, value, more]) => ({ input, at, value, ...more }));
    last = outcome(store.append(batchOf(long)));
  }
  expect(shown(store)).toBe(want);
  if (wantLast !== undefined) expect(last).toBe(wantLast);
  store.close();
}

test('the output goes up by what its inputs go up by', () => {
  check([[['a', 0, 100]], [['a', 10, 107]]], '-1=0 0=0 10=7');
  check(
    [
      [
        ['a', 0, 100],
        ['b', 0, 50],
      ],
      [
        ['a', 10, 101],
        ['b', 10, 52],
      ],
    ],
    '-1=0 0=0 10=3',
  );
  check([[['a', 0, 100]], [['a', 10, 107]], [['a', 20, 3]]], '-1=0 0=0 10=7 20=10');
  check(
    [
      [['a', 0, 1]],
      [['b', 5, 900]],
      [
        ['a', 10, 2],
        ['b', 10, 901],
      ],
    ],
    '-1=0 0=0 5=0 10=2',
  );
});

test('what a counter counted before it was known counts only where its start is known to be new', () => {
  check([[['a', 0, 100]], [['b', 60_000, 7, { start: 30_000 }]]], '-1=0 0=0 60000=7');
  check([[['a', 0, 100]], [['b', 60_000, 7, { start: -30_000 }]]], '-1=0 0=0 60000=0');
  check([[['a', 0, 5]], [['a', 10, -3]], [['a', 20, -1]]], '-1=0 0=0 10=0 20=2');
  // A start at the first sample is what senders say that do not know it.
  check([[['a', 0, 100]], [['b', 60_000, 7, { start: 60_000 }]]], '-1=0 0=0 60000=0');
  check([[['a', 0, 100, { start: -5 }]], [['a', 10, 130, { start: -5 }]]], '-1=0 0=0 10=30');
  // More than before, but counted since a new start.
  check([[['a', 0, 100, { start: -5 }]], [['a', 10, 130, { start: 3 }]]], '-1=0 0=0 10=130');
  const later = INPUT_SILENT_MS + 20_000;
  check([[['a', 0, 1]], [['a', later, 1]], [['b', later, 9, { start: 10_000 }]]], `-1=0 0=0 ${later}=0`);
});

test('what may have been counted as another input does not count again', () => {
  const path = storePath();
  let store = storeOf(path);
  const total = (rows: readonly Row[]): number => {
    store.append(batchOf(rows));
    return lastValue(store);
  };
  total([{ input: 'a', at: 0, value: 1 }]);
  expect(total([{ input: 'b', at: 60_000, value: 7, start: 30_000 }])).toBe(7);
  store.close();
  store = storeOf(path);
  // The same counters under another key, and one that started while nobody listened.
  expect(total([{ input: 'B', at: 120_000, value: 9, start: 30_000 }])).toBe(7);
  expect(total([{ input: 'C', at: 120_000, value: 2, start: 70_000 }])).toBe(9);
  store.close();
});

test('repetitions count once, and what is out of order not at all', () => {
  const two: readonly ShortRow[] = [
    ['a', 0, 5],
    ['a', 10, 8],
  ];
  check([two, two], '9=0 10=3', '0+1, 1 out_of_order');
  check([two, [['a', 10, 9]]], '9=0 10=3', '0+0, 1 duplicate_timestamp');
  check([two, [['a', 4, 6]]], '9=0 10=3', '0+0, 1 out_of_order');
  check(
    [
      two,
      [
        ['a', 20, Number.NaN],
        ['a', 20, Infinity],
      ],
    ],
    '9=0 10=3',
    '0+0, 2 not_finite',
  );
});

test('deltas are added', () => {
  const once = { mode: ADD_ONCE };
  check([[['a', 0, 5, once]], [['b', 0, 2, once]]], '-1=0 0=7');
  check([[['a', 0, 5, once]], [['a', 0, 5, once]]], '-1=0 0=5', '0+1');
  check([[['a', 0, 5, once]], [['a', 0, 6, once]]], '-1=0 0=5', '0+0, 1 duplicate_timestamp');
  check([[['a', 9, 5, once]], [['a', 5, 6, once]]], '8=0 9=5', '0+0, 1 out_of_order');
  check(
    [
      [
        ['a', 0, 5, once],
        ['a', 0, 5, once],
      ],
    ],
    '-1=0 0=5',
    '1+0, 1 duplicate_timestamp',
  );
  check(
    [
      [
        ['a', 9, 5, { mode: ADD }],
        ['a', 9, 5, { mode: ADD }],
      ],
      [['a', 3, 1, { mode: ADD }]],
    ],
    '8=0 9=11',
    '1+0',
  );
});

test('samples stay in order: one for a batch, or for five seconds of it', () => {
  check(
    [
      [
        ['a', 0, 1],
        ['b', 3, 1],
      ],
      [
        ['b', 13, 4],
        ['a', 10, 2],
      ],
    ],
    '2=0 3=0 13=4',
  );
  // The other batch has moved the output on: what is added takes the place of its last sample.
  check(
    [
      [
        ['a', 0, 1],
        ['b', 0, 1],
      ],
      [['b', 13, 4]],
      [['a', 10, 2]],
    ],
    '-1=0 0=0 13=4',
  );
  const backlog: readonly ShortRow[] = [
    ['a', 15_000, 2],
    ['a', 30_000, 4],
    ['b', 15_001, 3],
    ['b', 30_001, 5],
  ];
  check(
    [
      [
        ['a', 0, 1],
        ['b', 0, 1],
      ],
      backlog,
    ],
    '-1=0 0=0 15001=3 30001=7',
  );
});

test('the output ends with its last input', () => {
  const begun: readonly ShortRow[] = [
    ['a', 0, 1],
    ['b', 0, 1],
  ];
  check([begun, [['a', 10, 'stale']], [['b', 20, 4]]], '-1=0 0=0 20=3');
  check(
    [
      begun,
      [
        ['a', 10, 'stale'],
        ['b', 11, 'stale'],
      ],
    ],
    '-1=0 0=0 11=stale',
  );
  check(
    [
      begun,
      [
        ['a', 10, 'stale'],
        ['b', 10, 'stale'],
      ],
      [['a', 20, 6]],
    ],
    '-1=0 0=0 10=stale 20=5',
  );
  // b is silent for so long that nobody would see it.
  check([begun, [['a', 400_000, 'stale']]], '-1=0 0=0 400000=stale');
  check([begun, [['a', 10, 'stale']], [['a', 10, 'stale']]], '-1=0 0=0', '0+1');
});

test('an input is no series: nothing shows it, deletes it or gives an exemplar of it', () => {
  const store = storeOf();
  const builder = batchBuilder();
  const series = builder.seriesOf(labelsOf({ __name__: 'requests_total', code: '200', [INPUT_LABEL]: 'a' }));
  builder.sample(series, NOW, 1);
  builder.exemplar({ series, timeMs: NOW, value: 1, labels: ['trace_id', 'ab'] });
  store.append(builder.build());
  expect(store.stats()).toMatchObject({ series: 1, inputs: 1, samples: 2 });
  expect([...store.series([], -Infinity, Infinity)]).toEqual([['__name__', 'requests_total', 'code', '200']]);
  expect([...store.exemplars([], -Infinity, Infinity)]).toMatchObject([
    { labels: ['__name__', 'requests_total', 'code', '200'] },
  ]);
  expect(store.size([], -Infinity, Infinity).series).toBe(1);
  const everyInput = [{ name: INPUT_LABEL, op: '!=', value: '' }] as const;
  expect([...store.series(everyInput, -Infinity, Infinity)]).toEqual([]);
  expect(store.delete(everyInput, -Infinity, Infinity).series).toBe(0);
  store.close();
});

test('an input and its output count as series against the limits', () => {
  const rows = ['a', 'b', 'c'].map((input): Row => ({ input, at: 0, value: 1 }));
  for (const [metricSeriesLimit, want] of [
    [3, '2+0, 1 metric_series_limit'],
    [1, '0+0, 3 metric_series_limit'],
  ] as const) {
    const store = openStore({ path: ':memory:', now: () => NOW, metricSeriesLimit });
    expect(outcome(store.append(batchOf(rows)))).toBe(want);
    store.close();
  }
});

test('what is known of inputs is kept when nothing else is', () => {
  const path = storePath();
  let store = storeOf(path);
  // More than a page of states has, so that the output is in another one than most.
  const rows = (at: number, value: number): Row[] =>
    Array.from({ length: 700 }, (_, i) => ({ input: `${i}`, at, value: value + i }));
  store.append(batchOf(rows(0, 1)));
  store.flush();
  store.append(batchOf(rows(10, 2)));
  store.flush();
  store.close();
  store = storeOf(path);
  store.append(batchOf(rows(20, 4)));
  expect(shown(store)).toBe('-1=0 0=0 10=700 20=2100');
  expect(store.stats()).toMatchObject({ samples: 4, inputs: 700 });
  store.close();
});

test('additions by a clock that goes back leave nothing behind', () => {
  const path = storePath();
  const store = storeOf(path);
  for (const at of [10, 5, 20]) store.append(batchOf([{ input: 'a', at, value: 1, mode: ADD }]));
  const crashed = storeOf(asCrashed(path));
  store.close();
  expect(shown(crashed)).toBe('9=0 10=2 20=3');
  expect(crashed.stats()).toMatchObject({ samples: 3, inputs: 1 });
  crashed.close();
});

test('an input that is silent for long is forgotten, and begins anew', () => {
  const path = storePath();
  let store = storeOf(path);
  const append = (...rows: Row[]): string => outcome(store.append(batchOf(rows)));
  append(
    { input: 'a', at: 0, value: 1 },
    { input: 'b', at: 0, value: 1 },
    { input: 'h', at: 0, value: histogram([1]) },
  );
  append({ input: 'b', at: INPUT_SILENT_MS + 1, value: 2 });
  store.flush();
  // The first looks for days to merge, and then for inputs.
  while (store.upkeep());
  expect(store.stats()).toMatchObject({ series: 1, inputs: 1 });
  store.close();
  store = storeOf(path);
  expect(store.stats()).toMatchObject({ series: 1, inputs: 1 });
  append({ input: 'a', at: INPUT_SILENT_MS + 2, value: 700 }, { input: 'b', at: INPUT_SILENT_MS + 2, value: 3 });
  append({ input: 'a', at: INPUT_SILENT_MS + 3, value: 701 });
  expect(lastValue(store)).toBe(3);
  store.close();
});

test('native histograms are added bucket by bucket', () => {
  const store = storeOf();
  const append = (...rows: Row[]): string => outcome(store.append(batchOf(rows)));
  append({ input: 'a', at: 0, value: histogram([5, 5]) });
  append({ input: 'a', at: 10, value: histogram([6, 8]) }, { input: 'b', at: 10, value: histogram([100, 0]) });
  append({ input: 'b', at: 20, value: histogram([101, 1, 7]) });
  expect(lastBuckets(store)).toEqual([2, 4, 7]);
  // One that has less in a bucket began anew.
  append({ input: 'a', at: 30, value: histogram([0, 9]) });
  expect(lastBuckets(store)).toEqual([2, 13, 7]);
  expect(append({ input: 'a', at: 30, value: histogram([0, 9]) })).toBe('0+1');
  append({ input: 'a', at: 40, value: 'stale' });
  append({ input: 'a', at: 50, value: histogram([1, 9]) });
  expect(lastBuckets(store)).toEqual([3, 13, 7]);
  expect(append({ input: 'a', at: 60, value: { ...histogram([1]), hint: GAUGE } })).toBe('0+0, 1 bad_histogram');
  // What is not stored needs no series.
  expect(append({ input: 'c', at: 60, value: { ...histogram([1]), hint: GAUGE } })).toBe('0+0, 1 bad_histogram');
  expect(store.stats().inputs).toBe(2);
  store.close();
});

test(`random scrapes come to what their inputs went up by (SEED=${SEED})`, { timeout: 60_000 }, () => {
  const random = randomFrom(SEED);
  const rounds = Number(process.env['ROUNDS'] ?? 5);
  for (let round = 0; round < rounds; round++) checkHistory(random.fork(round), round % 3 === 2);
});

/** What is to be known of an input, and how much all inputs have gone up by. */
interface Model {
  readonly last: Map<string, { at: number; value: number }>;
  total: number;
}

/**
 * Pods that come, go, begin anew and are missed, in batches that come twice, to a store that is flushed, compacted, and opened
 * anew from what a crash leaves. Each time the output is at the sum, to the last bit: all numbers are whole.
 */
function checkHistory(random: Random, isHistograms: boolean): void {
  let path = storePath();
  let store = storeOf(path);
  const model: Model = { last: new Map(), total: 0 };
  const pods = new Map<string, number>();
  let named = 0;
  let at = 0;
  let before: Batch | undefined;
  for (let scrape = 0; scrape < 120; scrape++) {
    at += random.int(501, 20_000);
    if (pods.size < 6 && random.chance(0.3)) pods.set(`pod-${named++}`, random.int(0, 1_000));
    const rows: Row[] = [];
    for (const [pod, value] of pods) {
      if (random.chance(0.1)) continue;
      if (random.chance(0.05)) {
        pods.delete(pod);
        if (random.chance(0.5)) rows.push({ input: pod, at, value: 'stale' });
        continue;
      }
      const next = random.chance(0.08) ? random.int(0, 5) : value + random.int(0, 50);
      pods.set(pod, next);
      const sampleAt = at + random.int(0, 500);
      rows.push({ input: pod, at: sampleAt, value: isHistograms ? histogram([next]) : next });
      count(model, pod, sampleAt, next);
    }
    const batch = batchOf(rows);
    expect(rejectedCount(store.append(batch))).toBe(0);
    if (before !== undefined && random.chance(0.2)) expect(store.append(before).stored).toBe(0);
    if (random.chance(0.2)) expect(store.append(batch).stored).toBe(0);
    before = batch;
    const [old] = model.last;
    if (old !== undefined && random.chance(0.1)) {
      const late = { input: old[0], at: old[1].at - 1, value: isHistograms ? histogram([1]) : 1 };
      expect(outcome(store.append(batchOf([late])))).toBe('0+0, 1 out_of_order');
    }
    if (random.chance(0.1)) store.flush();
    if (random.chance(0.3)) store.upkeep();
    if (random.chance(0.1)) {
      const crashed = asCrashed(path);
      store.close();
      path = crashed;
      store = storeOf(path);
      // Handles name series of another store now, as a receiver's do not after a start.
      before = undefined;
    }
    if (model.last.size > 0) expect(isHistograms ? (lastBuckets(store)[0] ?? 0) : lastValue(store)).toBe(model.total);
  }
  expect(model.total).toBeGreaterThan(1_000);
  const [only] = [...store.select([], -Infinity, Infinity)];
  for (let i = 1; i < only!.times.length; i++) expect(only!.times[i]).toBeGreaterThan(only!.times[i - 1]!);
  store.close();
}

function count(model: Model, pod: string, at: number, value: number): void {
  const known = model.last.get(pod);
  if (known !== undefined) model.total += value < known.value ? value : value - known.value;
  model.last.set(pod, { at, value });
}

/** The value of the only series shown, staleness markers aside. */
function lastValue(store: Store): number {
  const all = [...store.select([], -Infinity, Infinity)].filter(({ times }) => times.length > 0);
  expect(all.length).toBe(1);
  const { values } = all[0]!;
  for (let i = values.length - 1; i >= 0; i--) if (!isStaleAt(values, i)) return values[i]!;
  return Number.NaN;
}

function lastBuckets(store: Store): number[] {
  const [only] = [...store.select([], -Infinity, Infinity)].filter(({ times }) => times.length > 0);
  const { histograms, times } = only!;
  for (let i = times.length - 1; i >= 0; i--) {
    if (histograms!.layoutOf[i] !== -1) return [...histogramAt(histograms!, i).positive];
  }
  return [];
}

function histogram(counts: readonly number[]): NativeHistogram {
  const count = counts.reduce((sum, one) => sum + one, 0);
  return {
    layout: {
      schema: 0,
      zeroThreshold: 0,
      positive: Int32Array.from(counts, (_count, i) => i),
      negative: new Int32Array(0),
      bounds: new Float64Array(0),
    },
    hint: RESET_UNKNOWN,
    count,
    sum: count,
    zeroCount: 0,
    positive: Float64Array.from(counts),
    negative: new Float64Array(0),
  };
}
