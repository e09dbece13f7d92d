import { expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, ADD_ONCE, SET, type Appended, type Batch } from '../../src/model/batch.ts';
import { CUSTOM_BUCKETS, histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { isStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { storePath } from './samples.ts';

/** A float, the name of a histogram or a marker, and when its counter started. */
type Row = [mode: number, timeMs: number, sample: number | string | NativeHistogram, startMs?: number];

const NOW = 1_000_000;
const M = labelsOf({ __name__: 'm' });

/** A histogram of schema 0 from the counts of buckets by index: `1:2 3:1`, and its count and sum. */
function histogram(text: string, schema = 0, hint = 0): NativeHistogram {
  const pairs = text === '' ? [] : text.split(' ').map((pair) => pair.split(':').map(Number) as [number, number]);
  const count = pairs.reduce((sum, [, one]) => sum + one, 0);
  const bounds = schema === CUSTOM_BUCKETS ? Float64Array.of(1, 2, 3) : new Float64Array(0);
  return {
    layout: {
      schema,
      zeroThreshold: 0,
      positive: Int32Array.from(pairs, ([index]) => index),
      negative: new Int32Array(0),
      bounds,
    },
    hint,
    count,
    sum: count * 2,
    zeroCount: 0,
    positive: Float64Array.from(pairs, ([, one]) => one),
    negative: new Float64Array(0),
  };
}

/** As in rows.test.ts: in a store that stays open, and in one that is opened anew between the batches. */
function check(batches: Row[][], want: string, outcome = ''): void {
  for (const reopen of [false, true]) {
    const path = storePath();
    let store = openStore({ path, now: () => NOW, outOfOrderMs: 0 });
    const outcomes: string[] = [];
    for (const rows of batches) {
      outcomes.push(...outcomeOf(store.append(batchOf(rows))));
      if (!reopen) continue;
      store.flush();
      store.close();
      store = openStore({ path, now: () => NOW, outOfOrderMs: 0 });
    }
    expect(printed(store)).toBe(want);
    expect(outcomes.join(', ')).toBe(outcome);
    store.close();
  }
}

function outcomeOf({ repeated, rejected }: Appended): string[] {
  const outcomes = [...rejected].map(([reason, { count }]) => `${reason} ${count}`);
  return repeated > 0 ? [`repeated ${repeated}`, ...outcomes] : outcomes;
}

function batchOf(rows: Row[]): Batch {
  const builder = batchBuilder();
  const series = builder.seriesOf(M);
  for (const [mode, time, sample, start] of rows) {
    if (sample === 'stale') builder.stale(series, time);
    else if (typeof sample === 'number') builder.sample(series, time, sample, mode, start);
    else {
      const value = typeof sample === 'string' ? histogram(sample) : sample;
      builder.histogram(series, time, value, mode, start);
    }
  }
  return builder.build();
}

function printed(store: Store): string {
  const [columns] = store.select([{ name: '__name__', op: '=', value: 'm' }], -Infinity, Infinity);
  return columns === undefined ? '' : printColumns(columns);
}

/** `time:float`, or `time:[buckets]` with the schema unless it is 0 and the hint unless it is unknown; `@start` if known. */
function printColumns({ times, values, histograms, startTimes }: SeriesColumns): string {
  return Array.from(times, (time, i) => {
    const startMs = (typeof startTimes === 'number' ? startTimes : startTimes?.[i]) ?? 0;
    const start = startMs === 0 ? '' : `@${startMs}`;
    if (!isHistogramAt(histograms, i)) return `${time}:${isStaleAt(values, i) ? 'stale' : values[i]}${start}`;
    const { layout, hint, count, positive, sum } = histogramAt(histograms, i);
    expect(sum).toBe(count * 2);
    const buckets = Array.from(layout.positive, (index, at) => `${index}:${positive[at]}`);
    return `${time}:${layout.schema || ''}[${buckets.join(' ')}]${hint === 0 ? '' : `hint${hint}`}${start}`;
  }).join(' ');
}

test('histograms, floats and markers stay in order', () => {
  check(
    [
      [
        [SET, 10, '1:1'],
        [SET, 20, '1:1 4:2'],
      ],
      [
        [SET, 30, 5],
        [SET, 40, 'stale'],
        [SET, 50, '2:7'],
      ],
    ],
    '10:[1:1] 20:[1:1 4:2] 30:5 40:stale 50:[2:7]',
  );
});

test('hints are kept', () => {
  check([[[SET, 10, histogram('1:1', 0, 1)]], [[SET, 20, histogram('1:1', 3, 3)]]], '10:[1:1]hint1 20:3[1:1]hint3');
});

test('an equal histogram is a repetition, any other sample at its time is not', () => {
  check([[[SET, 10, '1:1']], [[SET, 10, '1:1']]], '10:[1:1]', 'repeated 1');
  check([[[SET, 10, '1:1']], [[SET, 10, histogram('1:1', 0, 2)]]], '10:[1:1]', 'repeated 1');
  check([[[SET, 10, '1:1']], [[SET, 10, '1:2']]], '10:[1:1]', 'duplicate_timestamp 1');
  check([[[SET, 10, '1:1']], [[SET, 10, '2:1']]], '10:[1:1]', 'duplicate_timestamp 1');
  check([[[SET, 10, '1:1']], [[SET, 10, 0]]], '10:[1:1]', 'duplicate_timestamp 1');
  check([[[SET, 10, 0]], [[SET, 10, '1:1']]], '10:0', 'duplicate_timestamp 1');
  check([[[SET, 10, '1:1']], [[SET, 10, 'stale']]], '10:[1:1]', 'duplicate_timestamp 1');
  check([[[SET, 10, '1:1']], [[SET, 9, '1:1']]], '10:[1:1]', 'out_of_order 1');
});

test('histograms are added bucket by bucket, from zero', () => {
  check(
    [
      [
        [ADD, 10, '1:1 2:1'],
        [ADD, 20, '2:1 5:1'],
      ],
    ],
    '9:[] 10:[1:1 2:1] 20:[1:1 2:2 5:1]',
  );
  check([[[ADD_ONCE, 10, '1:1']], [[ADD_ONCE, 20, '2:1']]], '9:[] 10:[1:1] 20:[1:1 2:1]');
  check([[[ADD, 10, '1:1']], [[ADD, 10, '1:1']]], '9:[] 10:[1:2]');
  check([[[ADD, 10, '1:1']], [[ADD, 5, '1:1']]], '9:[] 10:[1:2]');
  check([[[SET, 10, '1:1']], [[ADD, 20, '1:1']]], '10:[1:1] 20:[1:2]');
});

test('a finer histogram is added at the coarser schema', () => {
  check([[[ADD, 10, '1:1']], [[ADD, 20, histogram('1:1 2:1 3:1', 1)]]], '9:[] 10:[1:1] 20:[1:3 2:1]');
});

test('ADD_ONCE knows a histogram that comes again', () => {
  check([[[ADD_ONCE, 10, '1:1']], [[ADD_ONCE, 10, '1:1']]], '9:[] 10:[1:1]', 'repeated 1');
  check(
    [
      [
        [ADD_ONCE, 10, '1:1'],
        [ADD_ONCE, 10, '1:1'],
      ],
    ],
    '9:[] 10:[1:1]',
    'duplicate_timestamp 1',
  );
  check([[[ADD_ONCE, 10, '1:1']], [[ADD_ONCE, 10, 3]]], '9:[] 10:[1:1]', 'duplicate_timestamp 1');
  check([[[ADD_ONCE, 10, 3]], [[ADD_ONCE, 10, '1:1']]], '9:0 10:3', 'duplicate_timestamp 1');
});

test('an addition of another type starts anew and never takes the place of what is there', () => {
  check([[[ADD, 10, '1:1']], [[ADD, 20, 3]]], '9:[] 10:[1:1] 19:0 20:3');
  check([[[ADD, 10, 3]], [[ADD, 20, '1:1']]], '9:0 10:3 19:[]hint1 20:[1:1]');
  check([[[ADD, 10, '1:1']], [[ADD, 11, 3]]], '9:[] 10:[1:1] 11:3');
  check([[[ADD, 10, 3]], [[ADD, 5, '1:1']]], '9:0 10:3 11:[1:1]hint1');
  check([[[ADD, 10, 3]], [[ADD, 20, '1:1']], [[ADD, 30, 4]]], '9:0 10:3 19:[]hint1 20:[1:1] 29:0 30:4');
  // Custom buckets are of another kind than exponential ones.
  check([[[ADD, 10, '1:1']], [[ADD, 20, histogram('1:1', CUSTOM_BUCKETS)]]], '9:[] 10:[1:1] 19:-53[]hint1 20:-53[1:1]');
});

test('additions after a staleness marker go on from the histogram before it', () => {
  check([[[ADD, 10, '1:1']], [[SET, 20, 'stale']], [[ADD, 30, '1:1']]], '9:[] 10:[1:1] 20:stale 30:[1:2]');
  check(
    [[[ADD, 10, '1:1']], [[SET, 20, 'stale']], [[ADD_ONCE, 20, '1:1']]],
    '9:[] 10:[1:1] 20:stale',
    'duplicate_timestamp 1',
  );
});

test('a histogram older than the last sealed chunk is remembered', () => {
  const rows: Row[] = [[SET, 0, '1:42']];
  for (let i = 1; i <= 500; i++) rows.push([SET, i, 'stale']);
  const markers = rows
    .slice(1)
    .map(([, time]) => `${time}:stale`)
    .join(' ');
  // Past one flush, and past one more that wrote the tail once again.
  check([rows, [[ADD, 1_000, '1:1']]], `0:[1:42] ${markers} 1000:[1:43]`);
  check([rows, [[SET, 900, 'stale']], [[ADD, 1_000, '1:1']]], `0:[1:42] ${markers} 900:stale 1000:[1:43]`);
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  store.append(batchOf(rows));
  store.flush();
  store.append(batchOf(Array.from({ length: 300 }, (_, i): Row => [SET, 501 + i, 'stale'])));
  store.flush();
  store.append(batchOf([[ADD, 1_000, '1:1']]));
  expect(printed(store)).toMatch(/^0:\[1:42\]( \d+:stale){800} 1000:\[1:43\]$/);
  store.close();
});

test('an addition that has too many buckets goes to a coarser schema', () => {
  const many = (first: number): NativeHistogram => {
    const indexes = Array.from({ length: LIMITS.bucketsPerHistogram }, (_, i) => `${first + i}:1`);
    return histogram(indexes.join(' '), 4);
  };
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  store.append(batchOf([[ADD, 10, many(1)]]));
  store.append(batchOf([[ADD, 20, many(1 + LIMITS.bucketsPerHistogram)]]));
  const [columns] = store.select([], 20, 20);
  const { layout, count } = histogramAt(columns!.histograms!, 0);
  expect([layout.schema, layout.positive.length, count]).toEqual([
    3,
    LIMITS.bucketsPerHistogram,
    2 * LIMITS.bucketsPerHistogram,
  ]);
  // The coarsest schema is the last one.
  const wide = (first: number): NativeHistogram => ({ ...many(first), layout: { ...many(first).layout, schema: -4 } });
  expect(outcomeOf(store.append(batchOf([[SET, 30, wide(1)]])))).toEqual([]);
  expect(outcomeOf(store.append(batchOf([[ADD, 40, wide(9_000)]])))).toEqual(['bad_histogram 1']);
  store.close();
});

test('starts are kept with their samples, and additions have none', () => {
  check(
    [
      [
        [SET, 10, 1, 5],
        [SET, 20, 2, 5],
      ],
      [[SET, 30, 3, 25]],
      [
        [SET, 40, 4],
        [ADD, 50, 1, 45],
        [SET, 60, '1:1', 55],
      ],
    ],
    '10:1@5 20:2@5 30:3@25 40:4 50:5 60:[1:1]@55',
  );
  const times = Array.from({ length: 600 }, (_, i) => i);
  const start = (i: number): number => (i < 300 ? 7 : 8);
  check([times.map((i): Row => [SET, i, i, start(i)])], times.map((i) => `${i}:${i}@${start(i)}`).join(' '));
});

test('rows of a float series cost 20 bytes in a record', () => {
  const path = storePath();
  const store = openStore({ path, now: () => NOW, outOfOrderMs: 0 });
  const bytes = (): number => store.stats().bytes;
  const before = bytes();
  const builder = batchBuilder();
  for (let i = 0; i < 100_000; i++) builder.sample(0, i, i);
  store.append({ ...builder.build(), series: batchOf([[SET, 1, 1]]).series });
  expect((bytes() - before) / 100_000).toBeLessThan(21);
  store.close();
});

test('what was selected stays as it was while histograms are replaced and added', () => {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  store.append(batchOf([[ADD, 10, '1:1']]));
  const [before] = store.select([], 0, 1_000);
  const text = printColumns(before!);
  for (let i = 0; i < 20; i++) {
    store.append(batchOf([[ADD, 10, '3:1 4:1']]));
    // A query moves what is pending into the tail.
    expect([...store.select([], 0, 1_000)]).toHaveLength(1);
  }
  store.append(batchOf(Array.from({ length: 700 }, (_, i) => [SET, 20 + i, i % 2 === 0 ? '1:1 2:2' : i])));
  store.flush();
  expect(printColumns(before!)).toBe(text);
  store.close();
});

test('a histogram that the sender changes later stays as it was stored', () => {
  const store = openStore({ path: storePath(), now: () => NOW, outOfOrderMs: 0 });
  const batch = batchOf([[SET, 10, '1:1 2:2']]);
  store.append(batch);
  batch.histograms!.cells.fill(99);
  expect(printed(store)).toBe('10:[1:1 2:2]');
  store.close();
});
