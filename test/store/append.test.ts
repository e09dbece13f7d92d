import { expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { batchBuilder, type BatchBuilder } from '../../src/model/batch-builder.ts';
import {
  ADD,
  ADD_ONCE,
  NO_ID,
  NO_REF,
  SET,
  seriesHandle,
  type Batch,
  type Metadata,
  type SeriesHandle,
} from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore, type Store, type StoreProgress } from '../../src/store/store.ts';
import { HEAD, readable, storePath, tamper } from './samples.ts';

const NOW = 1_000_000;

function open(path = storePath(), limits: { seriesLimit?: number; metricSeriesLimit?: number } = {}): Store {
  return openStore({ path, now: () => NOW, outOfOrderMs: 0, ...limits });
}

/** Opens the store anew, its records read back or its chunks. */
function reopened(store: Store, path: string, flush: boolean): Store {
  if (flush) store.flush();
  store.close();
  return open(path);
}

/** A classic histogram of a series set of its own: a point of three rows. */
function addPoint(builder: BatchBuilder, job: string, timeMs: number, value = 1, metric = 'h'): void {
  builder.beginPoint();
  for (const le of ['1', '2', '+Inf']) {
    builder.add(labelsOf({ __name__: `${metric}_bucket`, job, le }), timeMs, value);
  }
  builder.endPoint();
}

/** Room for one row at first: some tests make very many batches. */
function built(fill: (builder: BatchBuilder) => void, delivery?: string): Batch {
  const builder = batchBuilder(1);
  fill(builder);
  return builder.build(delivery);
}

test('outcomes count points, and name the first row', () => {
  const store = open();
  const batch = built((builder) => {
    addPoint(builder, 'a', 10);
    addPoint(builder, 'b', 10);
    builder.add(labelsOf({ __name__: 'm' }), 10, 1);
  });
  expect(store.append(batch)).toEqual({ stored: 3, repeated: 0, rejected: new Map(), histograms: 0, exemplars: 0 });
  expect(store.append(batch)).toMatchObject({ stored: 0, repeated: 3, rejected: new Map() });
  const mixed = built((builder) => {
    addPoint(builder, 'a', 10);
    addPoint(builder, 'a', 20);
    addPoint(builder, 'b', 9);
    addPoint(builder, 'b', 10, 2);
    addPoint(builder, 'b', 10, 2);
    builder.add(labelsOf({ __name__: 'm' }), NaN, 1);
  });
  expect(store.append(mixed)).toMatchObject({
    stored: 1,
    repeated: 1,
    rejected: new Map([
      ['out_of_order', { count: 1, firstRow: 6 }],
      ['duplicate_timestamp', { count: 2, firstRow: 9 }],
      ['too_far_in_future', { count: 1, firstRow: 15 }],
    ]),
  });
  store.close();
});

test('a point of which any row is rejected counts as rejected', () => {
  const store = open();
  store.append(built((builder) => builder.add(labelsOf({ __name__: 'h_bucket', job: 'a', le: '2' }), 30, 5)));
  const point = built((builder) => addPoint(builder, 'a', 20));
  const rejected = new Map([['out_of_order', { count: 1, firstRow: 1 }]]);
  expect(store.append(point)).toMatchObject({ stored: 0, repeated: 0, rejected });
  // And one of which no row is rejected, but some are known, as stored.
  const next = built((builder) => {
    builder.add(labelsOf({ __name__: 'h_bucket', job: 'a', le: '1' }), 30, 5);
    addPoint(builder, 'a', 30, 5);
  });
  expect(store.append(next)).toMatchObject({ stored: 2, repeated: 0, rejected: new Map() });
  store.close();
});

test('a point is stored as a whole or not at all where a limit meets it', () => {
  const store = open(storePath(), { seriesLimit: 7 });
  const batch = built((builder) => {
    addPoint(builder, 'a', 10);
    addPoint(builder, 'b', 10);
    addPoint(builder, 'c', 10);
    builder.add(labelsOf({ __name__: 'm' }), 10, 1);
    addPoint(builder, 'a', 20);
  });
  expect(store.append(batch)).toMatchObject({
    stored: 4,
    // The seventh series is the first of the point and would fit; the eighth does not.
    rejected: new Map([['series_limit', { count: 1, firstRow: 7 }]]),
  });
  expect(store.stats()).toMatchObject({ series: 7, samples: 10 });
  store.close();
});

test('the series of a point that are one count once', () => {
  const store = open(storePath(), { seriesLimit: 1 });
  const labels = { __name__: 'm' };
  const batch: Batch = {
    ...built((builder) => {
      builder.beginPoint();
      builder.series(seriesHandle(labelsOf(labels)));
      builder.series(seriesHandle(labelsOf(labels)));
      builder.sample(0, 10, 1);
      builder.sample(1, 20, 2);
    }),
  };
  expect(store.append(batch)).toMatchObject({ stored: 1, rejected: new Map() });
  expect(readable(store, 'm')).toBe('10:1 20:2');
  store.close();
});

test('one metric name has no more series than its limit, and no room is lost for others', () => {
  const path = storePath();
  const store = open(path, { metricSeriesLimit: 4 });
  const batch = built((builder) => {
    addPoint(builder, 'a', 10);
    addPoint(builder, 'b', 10);
    addPoint(builder, 'c', 10, 1, 'other');
    builder.add(labelsOf({ __name__: 'h_bucket', job: 'x' }), 10, 1);
  });
  const rejectedFrom = (firstRow: number) => new Map([['metric_series_limit', { count: 1, firstRow }]]);
  expect(store.append(batch)).toMatchObject({ stored: 3, rejected: rejectedFrom(4) });
  // By now there is no room for the first series of the point either.
  const rejected = rejectedFrom(3);
  expect(store.append(batch)).toMatchObject({ stored: 0, repeated: 3, rejected });
  expect(store.stats().series).toBe(7);
  store.close();
  const again = openStore({ path, now: () => NOW, metricSeriesLimit: 4 });
  expect(again.append(batch)).toMatchObject({ stored: 0, repeated: 3, rejected });
  again.close();
});

test('handles know their series, also behind equal label sets and after what was there first is gone', async () => {
  const path = storePath();
  let store = open(path);
  const sampled = (timeMs: number, ...handles: SeriesHandle[]): Batch =>
    built((builder) => {
      for (const each of handles) builder.sample(builder.series(each), timeMs++, timeMs);
    });
  const first = seriesHandle(labelsOf({ __name__: 'first' }));
  const handle = seriesHandle(labelsOf({ __name__: 'm', a: '1' }));
  const twin = seriesHandle(Object.freeze(labelsOf({ __name__: 'm', a: '1' })));
  expect([handle.ref, handle.id]).toEqual([NO_REF, NO_ID]);
  store.append(sampled(1, first));
  store.append(sampled(10, handle, twin, handle));
  expect([twin.ref, twin.id]).toEqual([handle.ref, handle.id]);
  expect([first, handle].map(({ ref, id }) => store.knows(ref, id))).toEqual([true, true]);
  expect([store.knows(first.ref, handle.id), store.knows(NO_REF, NO_ID), store.knows(99, 1)]).toEqual([
    false,
    false,
    false,
  ]);
  const one = { ...first };
  store.delete([{ name: '__name__', op: '=', value: 'first' }], -Infinity, Infinity);
  await store.compact();
  expect(store.knows(one.ref, one.id)).toBe(false);
  // The next new series takes the place, but not the id.
  const newcomer = seriesHandle(labelsOf({ __name__: 'newcomer' }));
  store.append(sampled(20, newcomer));
  expect(newcomer.ref).toBe(one.ref);
  expect(newcomer.id).toBeGreaterThan(handle.id);
  store.append(sampled(30, first, handle));
  expect(readable(store, 'newcomer')).toBe('20:21');
  expect(readable(store, 'first')).toBe('30:31');
  expect(readable(store, 'm')).toBe('10:11 11:12 12:13 31:32');
  // No id comes again after an open either, not even the highest one.
  store.delete([{ name: '__name__', op: '=', value: 'first' }], -Infinity, Infinity);
  await store.compact();
  store.close();
  store = open(path);
  const last = seriesHandle(labelsOf({ __name__: 'last' }));
  store.append(sampled(40, last));
  expect(last.id).toBeGreaterThan(first.id);
  store.close();
});

test('batches of one commit are stored as if one came after the other', () => {
  const add = (timeMs: number, delivery?: string): Batch =>
    built((builder) => builder.add(labelsOf({ __name__: 'm' }), timeMs, 1, ADD_ONCE), delivery);
  const batches = [add(10), add(10), add(20), add(5), add(30, 'x'), add(40, 'x'), add(50, 'y')];
  const outcomes = ['stored', 'repeated', 'stored', 'out_of_order', 'stored', 'repeated', 'stored'];
  for (const together of [false, true]) {
    const path = storePath();
    const store = open(path);
    const appended = together ? store.appendAll(batches) : batches.map((batch) => store.append(batch));
    const said = appended.map(({ stored, repeated, rejected }) =>
      stored === 1 ? 'stored' : repeated === 1 ? 'repeated' : [...rejected.keys()].join(','),
    );
    expect(said).toEqual(outcomes);
    expect(readable(store, 'm')).toBe('9:0 10:1 20:2 30:3 50:4');
    store.close();
  }
  const store = open();
  expect(store.appendAll([])).toEqual([]);
  expect(store.stats()).toMatchObject({ series: 0, samples: 0 });
  const broken = { ...add(10), modes: new Uint8Array(0) };
  expect(() => store.appendAll([add(10), broken])).toThrow(expect.objectContaining({ code: 'bad_data' }));
  expect(store.stats()).toMatchObject({ series: 0, samples: 0 });
  store.close();
});

test('a delivery that comes again is a repetition, but for what was rejected while that is known', () => {
  for (const flush of [false, true]) {
    const path = storePath();
    let store = open(path);
    const batch = built((builder) => {
      builder.add(labelsOf({ __name__: 'm' }), 10, 1, ADD);
      builder.add(labelsOf({ __name__: 'm' }), NaN, 1, ADD);
      addPoint(builder, 'a', 10);
      builder.exemplar({ series: 0, timeMs: 10, value: 1, labels: [] });
    }, 'one');
    expect(store.append(batch)).toMatchObject({ stored: 2, exemplars: 1 });
    const again = { stored: 0, histograms: 0, exemplars: 1 };
    const rejected = new Map([['too_far_in_future', { count: 1, firstRow: 1 }]]);
    expect(store.append(batch)).toEqual({ ...again, repeated: 2, rejected });
    store = reopened(store, path, flush);
    expect(store.append(batch)).toEqual({ ...again, repeated: 3, rejected: new Map() });
    expect(store.append({ ...batch, delivery: 'two' })).toMatchObject({ stored: 1, repeated: 1 });
    expect(readable(store, 'm')).toBe('9:0 10:2');
    store.close();
  }
});

test('a delivery of which nothing was stored may still be', () => {
  const path = storePath();
  const store = open(path, { seriesLimit: 0 });
  const batch = built((builder) => builder.add(labelsOf({ __name__: 'm' }), 10, 1, ADD), 'one');
  expect(store.append(batch)).toMatchObject({
    stored: 0,
    rejected: new Map([['series_limit', { count: 1, firstRow: 0 }]]),
  });
  store.close();
  const again = open(path);
  expect(again.append(batch)).toMatchObject({ stored: 1 });
  again.close();
});

test('exemplars are kept in order, with their series', () => {
  const labels = (id: number): Record<string, string> => ({ trace_id: `${id}` });
  const texts = (store: Store, from = -Infinity, to = Infinity): string[] =>
    [...store.exemplars([], from, to)].map(
      ({ labels: [, name], exemplars }) =>
        `${name} ${exemplars.map((one) => `${one.timeMs}:${one.value}#${one.labels[1]}`).join(' ')}`,
    );
  for (const flush of [false, true]) {
    const path = storePath();
    let store = open(path);
    const appended = store.append(
      built((builder) => {
        for (const name of ['a', 'b']) builder.add(labelsOf({ __name__: name }), 10, 1);
        const unknown = builder.seriesOf(labelsOf({ __name__: 'unknown' }));
        for (const [series, timeMs, value, id] of [
          [0, 10, 1, 1],
          [0, 10, 1, 1],
          [0, 10, 2, 1],
          [0, 9, 1, 1],
          [0, NOW + LIMITS.futureMs + 1, 1, 1],
          [1, 20, NaN, 2],
          [unknown, 10, 1, 1],
        ] as const) {
          builder.exemplar({ series, timeMs, value, labels: labelsOf(labels(id)) });
        }
      }),
    );
    expect(appended.exemplars).toBe(4);
    store = reopened(store, path, flush);
    expect(texts(store)).toEqual(['a 10:1#1 10:2#1', 'b 20:NaN#2']);
    // An append that brings nothing else.
    const only = built((builder) => {
      builder.seriesOf(labelsOf({ __name__: 'a' }));
      builder.exemplar({ series: 0, timeMs: 30, value: 3, labels: labelsOf(labels(3)) });
    });
    expect(store.append(only)).toMatchObject({ stored: 0, exemplars: 1 });
    expect(store.append(only)).toMatchObject({ stored: 0, exemplars: 1 });
    store = reopened(store, path, flush);
    expect(texts(store)).toEqual(['a 10:1#1 10:2#1 30:3#3', 'b 20:NaN#2']);
    expect(texts(store, 11, 20)).toEqual(['b 20:NaN#2']);
    expect([...store.exemplars([{ name: '__name__', op: '=', value: 'b' }], 0, 100)]).toHaveLength(1);
    store.close();
  }
});

test('the latest exemplars and deliveries are kept, no more', { timeout: 60_000 }, () => {
  const path = storePath();
  let store = open(path);
  const handle = seriesHandle(labelsOf({ __name__: 'm' }));
  const extra = 10;
  const exemplars = built((builder) => {
    builder.sample(builder.series(handle), 10, 1);
    for (let i = 0; i < LIMITS.exemplars + extra; i++) builder.exemplar({ series: 0, timeMs: i, value: 1, labels: [] });
  });
  store.append(exemplars);
  const delivery = (i: number): Batch =>
    built((builder) => builder.sample(builder.series(handle), 20, 1, ADD), `delivery ${i}`);
  store.appendAll(Array.from({ length: LIMITS.deliveries + extra }, (_, i) => delivery(i)));
  for (const flush of [undefined, false, true]) {
    if (flush !== undefined) store = reopened(store, path, flush);
    const [found] = store.exemplars([], -Infinity, Infinity);
    expect(found!.exemplars.length).toBe(LIMITS.exemplars);
    expect([found!.exemplars[0]!.timeMs, found!.exemplars.at(-1)!.timeMs]).toEqual([
      extra,
      LIMITS.exemplars + extra - 1,
    ]);
    expect(store.append(delivery(extra)).repeated).toBe(1);
    expect(store.append(delivery(LIMITS.deliveries + extra - 1)).repeated).toBe(1);
  }
  expect(store.append(delivery(0)).stored).toBe(1);
  store.flush();
  store.close();
  tamper(path, HEAD, (db) => {
    const rows = (table: string): unknown => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
    expect([rows('exemplar'), rows('delivery')]).toEqual([LIMITS.exemplars, LIMITS.deliveries]);
  });
});

test('metadata is kept by family, the latest of what says something', () => {
  const counter: Metadata = { metric: 'a_total', type: 'counter', help: 'Help.', unit: '' };
  const gauge: Metadata = { metric: 'b', type: 'gauge', help: '', unit: 'bytes' };
  const check = (news: Metadata[], want: Metadata[]): void => {
    for (const flush of [false, true]) {
      const path = storePath();
      let store = open(path);
      for (const metadata of news) store.append(built((builder) => builder.metadata(metadata)));
      store = reopened(store, path, flush);
      expect([...store.metadata()]).toEqual(want);
      store.close();
    }
  };
  check([counter, gauge, counter], [counter, gauge]);
  check([counter, { ...counter, help: 'New help.' }], [{ ...counter, help: 'New help.' }]);
  check([counter, { metric: 'a_total', type: 'unknown', help: '', unit: 'x' }], [{ ...counter, unit: 'x' }]);
  check([{ metric: 'a', type: 'unknown', help: '', unit: '' }], []);
});

test('an append that brings nothing new writes nothing', () => {
  const store = open();
  const batch = built((builder) => {
    builder.add(labelsOf({ __name__: 'm' }), 10, 1);
    builder.metadata({ metric: 'm', type: 'gauge', help: 'Help.', unit: '' });
    builder.exemplar({ series: 0, timeMs: 10, value: 1, labels: [] });
  });
  store.append(batch);
  const { bytes } = store.stats();
  for (let i = 0; i < 100; i++) expect(store.append(batch)).toMatchObject({ repeated: 1, exemplars: 1 });
  expect(store.stats().bytes).toBe(bytes);
  store.close();
});

test('an open says how far it is', () => {
  const path = storePath();
  const store = open(path);
  for (let i = 0; i < 10; i++) store.append(built((builder) => builder.add(labelsOf({ __name__: 'm' }), i, i, SET)));
  store.close();
  const said: StoreProgress[] = [];
  openStore({ path, now: () => NOW, onProgress: (progress) => said.push(progress) }).close();
  const total = said[0]!.total;
  expect(total).toBeGreaterThan(10 * 36 - 1);
  expect(said).toEqual([
    { kind: 'replay', done: 0, total },
    { kind: 'replay', done: total, total },
  ]);
});

test('flushes in parts lose nothing, whatever comes in between', { timeout: 60_000 }, () => {
  const path = storePath();
  // Small enough that one flush takes many appends, and starts again right after.
  const options = { path, now: () => NOW, logBytes: 20_000, samplesPerStep: 1_000 };
  let store = openStore(options);
  let handles: SeriesHandle[] = [];
  for (let round = 0; round < 500; round++) {
    if (round % 100 === 51 || round === 0) {
      handles = Array.from({ length: 200 }, (_, i) => seriesHandle(labelsOf({ __name__: 'm', i: `${i}` })));
    }
    const builder = batchBuilder();
    for (const handle of handles) builder.sample(builder.series(handle), round * 1_000, round, ADD);
    store.append(builder.build());
    if (round % 3 === 0) store.upkeep();
    if (round % 100 !== 50) continue;
    // The end of the process, in the middle of a flush.
    store.close();
    store = openStore(options);
  }
  for (const columns of store.select([], 0, Infinity)) {
    expect(columns.times.length).toBe(500);
    expect(columns.values[499]).toBe((499 * 500) / 2);
  }
  while (store.upkeep());
  store.flush();
  expect(store.stats().samples).toBe(200 * 501);
  store.close();
});
