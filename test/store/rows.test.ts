import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, ADD_ONCE, SET, seriesHandle, type Batch } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { openStore } from '../../src/store/store.ts';
import { readable, storePath } from './samples.ts';

type Row = [mode: number, timeMs: number, value: number | 'stale'];

const NOW = 1_000_000;
const LATEST = NOW + 600_000;

/**
 * Appends the batches, each with rows of one series, then compares what is stored (`time:value`, a marker as `stale`) and
 * the outcome over all batches. Done in a store that stays open, and in one that goes through a flush and a new
 * opening between the batches.
 */
function check(batches: Row[][], want: string, outcome = ''): void {
  for (const reopen of [false, true]) {
    const path = storePath();
    let store = openStore({ path, now: () => NOW, outOfOrderMs: 0 });
    const counts = new Map<string, number>();
    const count = (what: string, rows: number): void =>
      void (rows > 0 && counts.set(what, (counts.get(what) ?? 0) + rows));
    for (const rows of batches) {
      const appended = store.append(batchOf(rows));
      count('repeated', appended.repeated);
      for (const [reason, rejected] of appended.rejected) count(reason, rejected.count);
      if (!reopen) continue;
      store.flush();
      store.close();
      store = openStore({ path, now: () => NOW, outOfOrderMs: 0 });
    }
    expect(printed(store)).toBe(want);
    expect([...counts].map(([what, rows]) => `${what} ${rows}`).join(', ')).toBe(outcome);
    store.close();
  }
}

function batchOf(rows: Row[], metric = 'm'): Batch {
  const builder = batchBuilder();
  for (const [mode, time, value] of rows) {
    if (value === 'stale') builder.addStale(labelsOf({ __name__: metric }), time);
    else builder.add(labelsOf({ __name__: metric }), time, value, mode);
  }
  return builder.build();
}

function printed(store: ReturnType<typeof openStore>): string {
  const [columns] = store.select([{ name: '__name__', op: '=', value: 'm' }], -Infinity, Infinity);
  if (columns === undefined) return '';
  return Array.from(columns.times, (time, i) => {
    const value = columns.values[i]!;
    return `${time}:${isStaleAt(columns.values, i) ? 'stale' : Object.is(value, -0) ? '-0' : value}`;
  }).join(' ');
}

/** The last value after the batches, with a flush behind each, and how many points were repeated. */
function lastAfter(batches: Row[][]): [value: number, repeated: number] {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  let repeated = 0;
  for (const rows of batches) {
    repeated += store.append(batchOf(rows)).repeated;
    store.flush();
  }
  const [columns] = store.select([], -Infinity, Infinity);
  store.close();
  return [columns!.values.at(-1)!, repeated];
}

/** Points of several rows: each row a metric name and a value, all to be added once. */
function pointsBatch(points: readonly (readonly [timeMs: number, rows: Readonly<Record<string, number>>])[]): Batch {
  const builder = batchBuilder();
  for (const [timeMs, rows] of points) {
    builder.beginPoint();
    for (const [name, value] of Object.entries(rows))
      builder.add(labelsOf({ __name__: name }), timeMs, value, ADD_ONCE);
    builder.endPoint();
  }
  return builder.build();
}

test('of a point none of the rows is added when one of them was, or is late', () => {
  const first = [20, { le1: 1, le10: 2, count: 3 }] as const;
  const finer = { le1: 1, le5: 100, le10: 2, count: 3 };
  const cases = [
    { next: first, outcome: { repeated: 1 } },
    { next: [15, finer], outcome: { rejected: new Map([['out_of_order', { count: 1, firstRow: 0 }]]) } },
    { next: [20, finer], outcome: { rejected: new Map([['duplicate_timestamp', { count: 1, firstRow: 0 }]]) } },
    {
      next: [20, { ...first[1], le1: 2 }],
      outcome: { rejected: new Map([['duplicate_timestamp', { count: 1, firstRow: 0 }]]) },
    },
  ] as const;
  for (const { next, outcome } of cases) {
    const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
    store.append(pointsBatch([first]));
    expect(store.append(pointsBatch([next]))).toMatchObject({ stored: 0, ...outcome });
    expect(readable(store, 'le1')).toBe('19:0 20:1');
    expect(readable(store, 'le5')).toBe('');
    // A sum that is no number is left out; the counts beside it are not.
    expect(store.append(pointsBatch([[30, { ...first[1], sum: NaN }]]))).toMatchObject({ stored: 1 });
    expect([readable(store, 'count'), readable(store, 'sum')]).toEqual(['19:0 20:3 30:6', '']);
    store.close();
  }
});

test('SET keeps ascending times', () => {
  check(
    [
      [
        [SET, 10, 1],
        [SET, 20, 2],
      ],
      [[SET, 30, 3]],
    ],
    '10:1 20:2 30:3',
  );
  check([[[SET, 10, 1]], [[SET, 9, 2]]], '10:1', 'out_of_order 1');
  check([[[SET, 10, 1]], [[SET, 10, 1]]], '10:1', 'repeated 1');
  check([[[SET, 10, 1]], [[SET, 10, 2]]], '10:1', 'duplicate_timestamp 1');
  check(
    [
      [
        [SET, 10, 1],
        [SET, 10, 1],
        [SET, 10, 2],
        [SET, 5, 1],
      ],
    ],
    '10:1',
    'repeated 1, duplicate_timestamp 1, out_of_order 1',
  );
});

test('repetitions are told by their bits', () => {
  check([[[SET, 10, 0]], [[SET, 10, -0]]], '10:0', 'duplicate_timestamp 1');
  check([[[SET, 10, NaN]], [[SET, 10, NaN]]], '10:NaN', 'repeated 1');
  check([[[SET, 10, NaN]], [[SET, 10, 'stale']]], '10:NaN', 'duplicate_timestamp 1');
  check([[[SET, 10, 'stale']], [[SET, 10, 'stale']]], '10:stale', 'repeated 1');
});

test('the future ends at the limit', () => {
  check([[[SET, LATEST, 1]]], `${LATEST}:1`);
  check([[[SET, LATEST + 1, 1]]], '', 'too_far_in_future 1');
  check([[[ADD, LATEST + 1, 1]]], '', 'too_far_in_future 1');
  check(
    [
      [
        [SET, NaN, 1],
        [SET, Infinity, 1],
        [SET, -Infinity, 1],
      ],
    ],
    '',
    'too_far_in_future 2, too_old 1',
  );
});

test('ADD counts up from zero and never goes back in time', () => {
  check(
    [
      [
        [ADD, 10, 5],
        [ADD, 20, 2],
      ],
    ],
    '9:0 10:5 20:7',
  );
  check([[[ADD, 10, 5]], [[ADD, 20, 2]]], '9:0 10:5 20:7');
  check([[[ADD, 10, 5]], [[ADD, 10, 2]]], '9:0 10:7');
  check([[[ADD, 10, 5]], [[ADD, 3, 2]]], '9:0 10:7');
  check([[[SET, 10, 5]], [[ADD, 10, 2]]], '10:7');
  check([[[ADD, 10, 5]], [[SET, 10, 5]]], '9:0 10:5', 'repeated 1');
  // What is not finite would stay in the series for good.
  check(
    [[[ADD, 10, 1]], [[ADD, 20, NaN]], [[ADD_ONCE, 30, -Infinity]], [[ADD, 40, 1]]],
    '9:0 10:1 40:2',
    'not_finite 2',
  );
  check([[[ADD, 10, 1e308]], [[ADD, 20, 1e308]], [[ADD, 30, 1]]], '9:0 10:1e+308 20:Infinity 30:Infinity');
});

test('ADD_ONCE leaves out what was counted before', () => {
  check(
    [
      [
        [ADD_ONCE, 10, 5],
        [ADD_ONCE, 20, 2],
      ],
    ],
    '9:0 10:5 20:7',
  );
  check(
    [
      [
        [ADD_ONCE, 10, 5],
        [ADD_ONCE, 20, 2],
      ],
      [
        [ADD_ONCE, 10, 5],
        [ADD_ONCE, 20, 2],
      ],
    ],
    '9:0 10:5 20:7',
    'repeated 1, out_of_order 1',
  );
});

test('ADD_ONCE drops in silence only what is known to be stored', () => {
  check([[[ADD_ONCE, 20, 5]], [[ADD_ONCE, 20, 5]], [[ADD_ONCE, 20, 5]]], '19:0 20:5', 'repeated 2');
  // An interval before the last one was perhaps never seen.
  check([[[ADD_ONCE, 20, 5]], [[ADD_ONCE, 10, 2]]], '19:0 20:5', 'out_of_order 1');
  check(
    [
      [
        [ADD_ONCE, 20, 5],
        [ADD_ONCE, 10, 2],
      ],
    ],
    '19:0 20:5',
    'out_of_order 1',
  );
  // Two points of one series at one time: neither in the first sending nor in the second is the other one stored.
  const twice: Row[] = [
    [ADD_ONCE, 20, 5],
    [ADD_ONCE, 20, 2],
  ];
  check([twice], '19:0 20:5', 'duplicate_timestamp 1');
  check([twice, twice], '19:0 20:5', 'duplicate_timestamp 2, repeated 1');
  // Another value at that time is another interval.
  check([[[ADD_ONCE, 20, 5]], [[ADD_ONCE, 20, 7]]], '19:0 20:5', 'duplicate_timestamp 1');
  check(
    [[[ADD_ONCE, 20, 0.1]], [[ADD_ONCE, 30, 0.2]], [[ADD_ONCE, 30, 0.2]]],
    '19:0 20:0.1 30:0.30000000000000004',
    'repeated 1',
  );
  // What was before the last sample is known across staleness markers and sealed chunks.
  const long = Array.from({ length: 241 }, (_, i): Row => [ADD_ONCE, 20 + i * 2, 1]);
  for (const between of [[], [[SET, 501, 'stale']]] as Row[][]) {
    for (const count of [238, 239, 240, 241]) {
      const last: Row = [ADD_ONCE, 600, 3];
      expect(lastAfter([[...long.slice(0, count), ...between], [last], [last]])).toEqual([count + 3, 1]);
    }
  }
  // A marker at that time is no earlier sending of the addition.
  check(
    [
      [
        [ADD_ONCE, 10, 5],
        [SET, 20, 'stale'],
      ],
      [[ADD_ONCE, 20, 2]],
    ],
    '9:0 10:5 20:stale',
    'duplicate_timestamp 1',
  );
});

/** One row a series, `count` of them from `first` on. */
function manySeries(first: number, count: number, timeMs: number): Batch {
  const builder = batchBuilder();
  for (let i = first; i < first + count; i++) {
    builder.add(labelsOf({ __name__: 'm', i: String(i) }), timeMs, 1);
  }
  return builder.build();
}

test('series past the limits are rejected, those stored go on', () => {
  const store = openStore({ path: storePath(), now: () => NOW, seriesLimit: 3 });
  expect(store.append(manySeries(0, 2, 10))).toMatchObject({ stored: 2, repeated: 0, rejected: new Map() });
  expect(store.append(manySeries(0, 6, 20))).toMatchObject({
    stored: 3,
    repeated: 0,
    rejected: new Map([['series_limit', { count: 3, firstRow: 3 }]]),
  });
  expect(store.append(manySeries(0, 6, 30)).stored).toBe(3);
  expect(store.stats()).toMatchObject({ series: 3, samples: 8 });
  store.close();
});

test('one request adds no more series than its limit', () => {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  const limit = LIMITS.newSeriesPerRequest;
  const batch = manySeries(0, limit + 7, 10);
  expect(store.append(batch)).toMatchObject({
    stored: limit,
    rejected: new Map([['series_limit', { count: 7, firstRow: limit }]]),
  });
  // The next request may add the rest, and what the first one added is known.
  expect(store.append(batch)).toMatchObject({ stored: 7, repeated: limit, rejected: new Map() });
  expect(store.stats().series).toBe(limit + 7);
  store.close();
});

test('additions after a staleness marker go on from the value before it', () => {
  check(
    [
      [
        [ADD, 10, 5],
        [SET, 20, 'stale'],
        [ADD, 30, 2],
      ],
    ],
    '9:0 10:5 20:stale 30:7',
  );
  check([[[ADD, 10, 5]], [[SET, 20, 'stale']], [[ADD_ONCE, 30, 2]]], '9:0 10:5 20:stale 30:7');
  check([[[ADD, 10, 5]], [[SET, 20, 'stale']], [[ADD, 15, 2]]], '9:0 10:5 20:7');
});

test('a base older than the last sealed chunk is remembered', () => {
  const rows: Row[] = [[SET, 0, 42]];
  for (let i = 1; i <= 500; i++) rows.push([SET, i, 'stale']);
  const markers = rows
    .slice(1)
    .map(([, time]) => `${time}:stale`)
    .join(' ');
  check([rows, [[ADD, 1_000, 1]]], `0:42 ${markers} 1000:43`);
});

test('a series of which no row was stored does not exist', () => {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  store.append(batchOf([[SET, LATEST + 1, 1]], 'never'));
  store.append(batchOf([[SET, 1, 1]], 'once'));
  expect(store.stats()).toMatchObject({ series: 1, samples: 1 });
  expect([...store.series([], -Infinity, Infinity)]).toEqual([labelsOf({ __name__: 'once' })]);
  store.close();
});

test('equal label sets in one batch are one series', () => {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  const labels = labelsOf({ __name__: 'm' });
  store.append({
    ...batchBuilder().build(),
    series: [seriesHandle(labels), seriesHandle([...labels])],
    seriesOf: Uint32Array.of(0, 1),
    times: Float64Array.of(1, 2),
    values: Float64Array.of(1, 2),
    modes: Uint8Array.of(SET, SET),
  });
  expect(readable(store, 'm')).toBe('1:1 2:2');
  store.close();
});

test('columns that do not fit together are refused whole', () => {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  const good = batchOf([
    [SET, 1, 1],
    [SET, 2, 2],
  ]);
  const bad: Batch[] = [
    { ...good, values: good.values.subarray(1) },
    { ...good, modes: good.modes.subarray(1) },
    { ...good, seriesOf: Uint32Array.of(0, 1) },
    { ...good, modes: Uint8Array.of(SET, 3) },
  ];
  for (const batch of bad) expect(() => store.append(batch)).toThrow(expect.objectContaining({ code: 'bad_data' }));
  expect(store.stats().series).toBe(0);
  store.close();
});

test('series() names those that may have a sample in the range', () => {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  const rows = (first: number): Row[] => Array.from({ length: 300 }, (_, i) => [SET, first + i, i]);
  store.append(batchOf(rows(1_000), 'early'));
  store.append(batchOf(rows(5_000), 'late'));
  const names = (from: number, to: number) => [...store.series([], from, to)].map((labels) => labels[1]);
  for (const flush of [() => {}, () => store.flush()]) {
    flush();
    expect(names(0, 999)).toEqual([]);
    expect(names(0, 1_000)).toEqual(['early']);
    expect(names(1_299, 5_000)).toEqual(['early', 'late']);
    expect(names(1_300, 4_999)).toEqual([]);
    expect(names(5_299, 9_000)).toEqual(['late']);
    expect(names(5_300, 9_000)).toEqual([]);
  }
  store.close();
});

test('what was selected stays as it was while more is appended', () => {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  store.append(batchOf(Array.from({ length: 100 }, (_, i) => [SET, i, i])));
  const [before] = store.select([], 0, 1_000);
  store.append(batchOf(Array.from({ length: 900 }, (_, i) => [SET, 100 + i, -1])));
  store.flush();
  expect([...before!.values]).toEqual(Array.from({ length: 100 }, (_, i) => i));
  store.close();
});
