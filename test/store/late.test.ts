import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, ADD_ONCE, SET, type Appended, type Batch, type LateInterval } from '../../src/model/batch.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import { openStore, type Store, type StoreOptions } from '../../src/store/store.ts';
import { storePath } from './samples.ts';

/** Times in minutes; `count` stands for a histogram of so many observations. */
type Sample = number | 'stale' | { readonly count: number };
type Row = [minute: number, sample: Sample, more?: { mode?: number; start?: number; series?: string }];

const MINUTE_MS = 60_000;
const NOW = 10_000 * MINUTE_MS;

/** Where the rows before the last ones are when these come. */
const WAYS: Readonly<Record<string, (store: Store) => void>> = {
  'in the memtable': () => {},
  'in chunks': (store) => store.flush(),
  // A deletion of nothing closes the memtable, and nothing more.
  'in a frozen memtable': (store) => void store.delete([{ name: 'absent', op: '=', value: 'x' }], 0, 0),
};

/** Appends batches of rows and compares what there is of series `m` in the end, and what became of the rows of the last batch. */
function check(batches: Row[][], want: string, outcome: string, options: Partial<StoreOptions> = {}): void {
  for (const [way, between] of Object.entries(WAYS)) {
    for (const reopens of [false, true]) {
      const path = storePath();
      const open = (): Store => openStore({ path, now: () => NOW, ...options });
      let store = open();
      let last: Appended | undefined;
      for (const rows of batches) {
        last = store.append(batchOf(rows));
        if (rows === batches.at(-1)) break;
        between(store);
        if (!reopens) continue;
        store.close();
        store = open();
      }
      const where = `${way}${reopens ? ', after an open' : ''}`;
      expect(outcomeOf(last!), where).toBe(outcome);
      expect(printed(store), where).toBe(want);
      store.flush();
      expect(printed(store), `${where}, in chunks in the end`).toBe(want);
      store.close();
    }
  }
}

/** The same where all rows come in one append of one or of several batches; the outcome is that of all. */
function checkTogether(rows: Row[], want: string, outcome: string): void {
  for (const batches of [[rows], rows.map((row) => [row])]) {
    const store = openStore({ path: storePath(), now: () => NOW });
    const sums = new Map<string, number>();
    for (const appended of store.appendAll(batches.map(batchOf))) {
      for (const [what, count] of countsOf(appended)) sums.set(what, (sums.get(what) ?? 0) + count);
    }
    const said = [...sums].map(([what, count]) => `${what} ${count}`).sort();
    expect(said.join(', ')).toBe(outcome);
    expect(printed(store)).toBe(want);
    store.close();
  }
}

function batchOf(rows: Row[]): Batch {
  const builder = batchBuilder();
  for (const [minute, sample, { mode = SET, start = 0, series = 'm' } = {}] of rows) {
    const at = builder.seriesOf(labelsOf({ __name__: series }));
    const timeMs = minute * MINUTE_MS;
    if (sample === 'stale') builder.stale(at, timeMs);
    else if (typeof sample === 'object') builder.histogram(at, timeMs, histogramOf(sample.count), mode, start);
    else builder.sample(at, timeMs, sample, mode, start);
  }
  return builder.build();
}

function histogramOf(count: number): NativeHistogram {
  const none = new Int32Array(0);
  return {
    layout: {
      schema: 0,
      zeroThreshold: 0,
      positive: Int32Array.of(1),
      negative: none,
      bounds: new Float64Array(0),
    },
    hint: 0,
    count,
    sum: count,
    zeroCount: 0,
    positive: Float64Array.of(count),
    negative: new Float64Array(0),
  };
}

function countsOf({ stored, repeated, rejected }: Appended): [string, number][] {
  const counts: [string, number][] = [
    ['stored', stored],
    ['repeated', repeated],
  ];
  for (const [reason, { count }] of rejected) counts.push([reason, count]);
  return counts.filter(([, count]) => count > 0);
}

function outcomeOf(appended: Appended): string {
  return countsOf(appended)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

function printed(store: Store): string {
  const [columns] = store.select([{ name: '__name__', op: '=', value: 'm' }], -Infinity, Infinity);
  if (columns === undefined) return '';
  const { times, values, histograms, startTimes } = columns;
  return Array.from(times, (time, i) => {
    const startMs = (typeof startTimes === 'number' ? startTimes : startTimes?.[i]) ?? 0;
    const sample = isHistogramAt(histograms, i)
      ? `[${histogramAt(histograms, i).count}]`
      : isStaleAt(values, i)
        ? 'stale'
        : Object.is(values[i], -0)
          ? '-0'
          : values[i];
    return `${time / MINUTE_MS}:${sample}${startMs === 0 ? '' : `@${startMs}`}`;
  }).join(' ');
}

const SOME: Row[] = [
  [100, 1],
  [110, 2],
  [120, 3],
];

test('samples within the window are stored, and read in order of time', () => {
  check([SOME, [[105, 9]]], '100:1 105:9 110:2 120:3', 'stored 1');
  check([SOME, [[95, 9]]], '95:9 100:1 110:2 120:3', 'stored 1');
  check(
    [
      SOME,
      [
        [115, 7],
        [95, 8],
        [105, 9],
      ],
    ],
    '95:8 100:1 105:9 110:2 115:7 120:3',
    'stored 3',
  );
  // And what comes in order goes on behind.
  check(
    [
      SOME,
      [
        [105, 9],
        [130, 4],
        [125, 8],
      ],
    ],
    '100:1 105:9 110:2 120:3 125:8 130:4',
    'stored 3',
  );
  check([SOME, [[105, 9]], [[104, 8]], [[106, 7]]], '100:1 104:8 105:9 106:7 110:2 120:3', 'stored 1');
});

test('the window ends half an hour behind the latest sample of all series', () => {
  check([SOME, [[90, 9]]], '90:9 100:1 110:2 120:3', 'stored 1');
  check([SOME, [[89.999, 9]]], '100:1 110:2 120:3', 'out_of_order 1');
  check([SOME, [[125, 1, { series: 'other' }]], [[94, 9]]], '100:1 110:2 120:3', 'out_of_order 1');
  // What another row of the same batch says counts as well.
  check(
    [
      SOME,
      [
        [140, 1, { series: 'other' }],
        [105, 9],
      ],
    ],
    '100:1 110:2 120:3',
    'stored 1, out_of_order 1',
  );
  // A series that is new, or that has nothing later, is in order whatever others have.
  check([[[200, 1, { series: 'other' }]], [[100, 1]], [[110, 2]]], '100:1 110:2', 'stored 1');
  // A repetition beyond the window is not looked for.
  check([SOME, [[150, 1, { series: 'other' }]], [[110, 2]]], '100:1 110:2 120:3', 'out_of_order 1');
});

test('the window is an option, and none of it is none', () => {
  check([SOME, [[119, 9]]], '100:1 110:2 119:9 120:3', 'stored 1', { outOfOrderMs: MINUTE_MS });
  check([SOME, [[118, 9]]], '100:1 110:2 120:3', 'out_of_order 1', { outOfOrderMs: MINUTE_MS });
  check([SOME, [[119.9999, 9]]], '100:1 110:2 120:3', 'out_of_order 1', { outOfOrderMs: 0 });
  check([SOME, [[120, 3]]], '100:1 110:2 120:3', 'repeated 1', { outOfOrderMs: 0 });
});

test('an identical sample is a repetition, another one at its time is not taken', () => {
  check([SOME, [[110, 2]]], '100:1 110:2 120:3', 'repeated 1');
  check([SOME, [[110, 9]]], '100:1 110:2 120:3', 'duplicate_timestamp 1');
  check([SOME, [[110, 'stale']]], '100:1 110:2 120:3', 'duplicate_timestamp 1');
  check([SOME, [[110, { count: 2 }]]], '100:1 110:2 120:3', 'duplicate_timestamp 1');
  // Against late ones as well.
  check([SOME, [[105, 9]], [[105, 9]]], '100:1 105:9 110:2 120:3', 'repeated 1');
  check([SOME, [[105, 9]], [[105, 8]]], '100:1 105:9 110:2 120:3', 'duplicate_timestamp 1');
  check([SOME, [[105, 0]], [[105, -0]]], '100:1 105:0 110:2 120:3', 'duplicate_timestamp 1');
  check([SOME, [[105, NaN]], [[105, NaN]]], '100:1 105:NaN 110:2 120:3', 'repeated 1');
  check([SOME, [[105, NaN]], [[105, 'stale']]], '100:1 105:NaN 110:2 120:3', 'duplicate_timestamp 1');
});

test('rows of one append are compared with each other', () => {
  checkTogether(
    [
      [100, 1],
      [120, 3],
      [110, 2],
      [110, 2],
      [110, 9],
      [100, 1],
      [120, 3],
      [105, 7],
    ],
    '100:1 105:7 110:2 120:3',
    'duplicate_timestamp 1, repeated 3, stored 4',
  );
  checkTogether(
    [
      [100, 1],
      [140, 3],
      [109, 2],
      [100, 1],
      [110, 'stale'],
      [110, 'stale'],
    ],
    '100:1 110:stale 140:3',
    'out_of_order 2, repeated 1, stored 3',
  );
});

test('staleness markers and histograms come late as well', () => {
  check([SOME, [[105, 'stale']]], '100:1 105:stale 110:2 120:3', 'stored 1');
  check([SOME, [[105, 'stale']], [[105, 'stale']]], '100:1 105:stale 110:2 120:3', 'repeated 1');
  check([SOME, [[105, 'stale']], [[105, 1]]], '100:1 105:stale 110:2 120:3', 'duplicate_timestamp 1');
  check([SOME, [[105, { count: 5 }]]], '100:1 105:[5] 110:2 120:3', 'stored 1');
  check([SOME, [[105, { count: 5 }]], [[105, { count: 5 }]]], '100:1 105:[5] 110:2 120:3', 'repeated 1');
  check([SOME, [[105, { count: 5 }]], [[105, { count: 6 }]]], '100:1 105:[5] 110:2 120:3', 'duplicate_timestamp 1');
  check([SOME, [[105, { count: 5 }]], [[105, 5]]], '100:1 105:[5] 110:2 120:3', 'duplicate_timestamp 1');
  const histograms: Row[] = [
    [100, { count: 1 }],
    [120, { count: 3 }],
  ];
  check([histograms, [[110, { count: 2 }]]], '100:[1] 110:[2] 120:[3]', 'stored 1');
  check([histograms, [[110, 7]]], '100:[1] 110:7 120:[3]', 'stored 1');
});

test('starts stay with their samples', () => {
  const some: Row[] = [
    [100, 1, { start: 5 }],
    [120, 3, { start: 5 }],
  ];
  check([some, [[110, 2, { start: 7 }]]], '100:1@5 110:2@7 120:3@5', 'stored 1');
  check([some, [[110, 2]]], '100:1@5 110:2 120:3@5', 'stored 1');
  check([SOME, [[105, 2, { start: 7 }]], [[104, 2]]], '100:1 104:2 105:2@7 110:2 120:3', 'stored 1');
});

test('additions neither come late nor see what does', () => {
  check([SOME, [[110, 5, { mode: ADD }]]], '100:1 110:2 120:8', 'stored 1');
  check([SOME, [[110, 5, { mode: ADD_ONCE }]]], '100:1 110:2 120:3', 'out_of_order 1');
  check([SOME, [[115, 50]], [[130, 5, { mode: ADD }]]], '100:1 110:2 115:50 120:3 130:8', 'stored 1');
  check([SOME, [[115, 'stale']], [[130, 5, { mode: ADD_ONCE }]]], '100:1 110:2 115:stale 120:3 130:8', 'stored 1');
  check(
    [
      SOME,
      [
        [115, 50],
        [130, 5, { mode: ADD }],
      ],
    ],
    '100:1 110:2 115:50 120:3 130:8',
    'stored 2',
  );
  check([SOME, [[115, { count: 1 }]], [[130, 5, { mode: ADD }]]], '100:1 110:2 115:[1] 120:3 130:8', 'stored 1');
});

test('what retention would remove is too old, in order or not', () => {
  const retentionMs = 20 * MINUTE_MS;
  const from = NOW / MINUTE_MS - 20;
  const recent: Row[] = [
    [from, 1],
    [from + 15, 2],
  ];
  check([recent, [[from + 5, 3]]], `${from}:1 ${from + 5}:3 ${from + 15}:2`, 'stored 1', { retentionMs });
  check([recent, [[from - 1, 3]]], `${from}:1 ${from + 15}:2`, 'too_old 1', { retentionMs });
  check([recent, [[from - 1, 3, { series: 'new' }]]], `${from}:1 ${from + 15}:2`, 'too_old 1', { retentionMs });
  check([recent, [[from - 1, 3, { mode: ADD }]]], `${from}:1 ${from + 15}:2`, 'too_old 1', { retentionMs });
});

test('an append says which of its rows came behind the watermark', () => {
  const checkLate = (rows: Row[], settledMinute: number | undefined, want: LateInterval | undefined): void => {
    const store = openStore({ path: storePath(), now: () => NOW });
    store.append(batchOf(SOME));
    const settled = settledMinute === undefined ? undefined : settledMinute * MINUTE_MS;
    const [appended] = store.appendAll([batchOf(rows)], settled);
    expect(appended!.late).toEqual(want);
    store.close();
  };
  const interval = (from: number, to: number): LateInterval => ({ fromMs: from * MINUTE_MS, toMs: to * MINUTE_MS });
  checkLate([[130, 1]], undefined, undefined);
  checkLate([[105, 1]], undefined, undefined);
  checkLate([[130, 1]], 130, undefined);
  checkLate([[130, 1]], 131, interval(130, 130));
  checkLate([[105, 1]], 100, undefined);
  checkLate(
    [
      [105, 1],
      [95, 1],
      [130, 1],
    ],
    110,
    interval(95, 105),
  );
  // Nothing changes by what is not stored.
  checkLate(
    [
      [110, 2],
      [110, 9],
      [80, 9],
    ],
    200,
    undefined,
  );
  // In order in its own series, and behind what was told nevertheless.
  checkLate([[50, 1, { series: 'new' }]], 60, interval(50, 50));
  // The zero that a sum begins with, and the sample whose place an addition takes, are changes too.
  checkLate([[150, 1, { series: 'sum', mode: ADD }]], 150, { fromMs: 150 * MINUTE_MS - 1, toMs: 150 * MINUTE_MS - 1 });
  checkLate([[90, 1, { mode: ADD }]], 121, interval(120, 120));
});

test('samples between two days, and a late one of the day before, are found again', () => {
  const day = 1440;
  check(
    [
      [
        [day - 5, 1],
        [day - 0.001, 2],
        [day, 3],
        [day + 10, 4],
      ],
      [
        [day - 1, 8],
        [day + 5, 9],
      ],
    ],
    `${day - 5}:1 ${day - 1}:8 ${day - 0.001}:2 ${day}:3 ${day + 5}:9 ${day + 10}:4`,
    'stored 2',
  );
});

test('very many rows of one series out of order take no more time each than a few', () => {
  const rows = 60_000;
  const builder = batchBuilder(rows);
  const series = builder.seriesOf(labelsOf({ __name__: 'm' }));
  const orders: readonly ((i: number) => number)[] = [(i) => 2 * i, (i) => 2 * i + 1, (i) => -i];
  const store = openStore({ path: ':memory:', now: () => NOW });
  for (const order of orders) {
    const batch = batchBuilder(rows);
    const at = batch.series(builder.build().series[series]!);
    for (let i = 0; i < rows; i++) batch.sample(at, NOW / 2 + order(i), i);
    const startMs = performance.now();
    store.append(batch.build());
    expect(performance.now() - startMs).toBeLessThan(10_000);
  }
  const [columns] = store.select([], -Infinity, Infinity);
  expect(columns!.times.length).toBe(3 * rows - 1);
  for (let i = 1; i < columns!.times.length; i++) expect(columns!.times[i]! > columns!.times[i - 1]!).toBe(true);
  store.close();
});
