import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { seriesHandle } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { mergeAppended, splitBatch } from '../../src/shard/append-split.ts';
import { router, shardOf } from '../../src/shard/router.ts';

test('series that differ in name and bucket only are in one shard', () => {
  for (let i = 0; i < 200; i++) {
    const own = { job: 'j', instance: `host-${i}` };
    const shard = shardOf(labelsOf({ ...own, __name__: 'latency_sum' }), 5);
    expect(shardOf(labelsOf({ ...own, __name__: 'latency_bucket', le: '0.1' }), 5)).toBe(shard);
    expect(shardOf(labelsOf(own), 5)).toBe(shard);
  }
});

test('series spread over shards evenly', () => {
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 4_000; i++) counts[shardOf(labelsOf({ __name__: 'm', job: 'j', instance: `host-${i}` }), 4)]!++;
  for (const count of counts) expect(count).toBeGreaterThan(850);
});

test.each([
  [{}, 575],
  [{ job: 'a' }, 998],
  [{ job: 'a', instance: 'b' }, 552],
  [{ job: 'ü', instance: '10.0.0.1:9100' }, 834],
  [{ jo: 'ba' }, 86],
  [{ j: 'oba' }, 125],
])('the shard of %j is the same for ever: samples lie there', (labels, want) => {
  expect(shardOf(labelsOf(labels), 1_009)).toBe(want);
});

test('a data point is never split, whatever its series are', () => {
  const builder = batchBuilder();
  const handles = Array.from({ length: 40 }, (_, i) => seriesHandle(labelsOf({ __name__: 'm', i: `${i}` })));
  for (let i = 0; i < 40; i += 4) {
    builder.beginPoint();
    for (let row = i; row < i + 4; row++) builder.sample(builder.series(handles[row]!), 1_000, row);
    builder.endPoint();
  }
  const routes = router(3);
  const parts = splitBatch(builder.build(), routes);
  expect(parts.length).toBeGreaterThan(1);
  const rows = parts.flatMap(({ shard, batch }) => {
    const values = [...batch.values];
    for (let at = 0; at < values.length; at += 4) {
      expect(values.slice(at, at + 4)).toEqual([0, 1, 2, 3].map((more) => values[at]! + more));
      expect(values[at]! % 4).toBe(0);
      expect(routes.shardOf(handles[values[at]!]!)).toBe(shard);
    }
    // Their labels come along, but not the references of another shard's series.
    for (const [at, index] of batch.seriesOf.entries()) {
      expect(batch.series[index]!.labels).toEqual(handles[values[at]!]!.labels);
    }
    return values;
  });
  expect(rows.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
});

test('a batch of one shard is not copied', () => {
  const builder = batchBuilder();
  for (const name of ['a', 'b', 'c']) builder.add(labelsOf({ __name__: name, job: 'j' }), 1_000, 1);
  const batch = builder.build();
  const parts = splitBatch(batch, router(4));
  expect(parts).toHaveLength(1);
  expect(parts[0]!.batch).toBe(batch);
});

test('outcomes of parts name the first row of the whole', () => {
  const none = { stored: 0, repeated: 0, histograms: 0, exemplars: 0 };
  const { batch } = splitBatch(batchBuilder().build(), router(1))[0]!;
  const merged = mergeAppended(
    [
      { shard: 0, batch, rows: Uint32Array.of(1, 5, 6) },
      { shard: 1, batch, rows: Uint32Array.of(0, 2, 3) },
    ],
    [
      {
        ...none,
        stored: 1,
        rejected: new Map([['out_of_order', { count: 2, firstRow: 1 }]]),
        late: { fromMs: 5, toMs: 9 },
      },
      {
        ...none,
        repeated: 1,
        rejected: new Map([
          ['series_limit', { count: 1, firstRow: 2 }],
          ['out_of_order', { count: 1, firstRow: 1 }],
        ]),
        late: { fromMs: 2, toMs: 6 },
      },
    ],
  );
  expect(merged).toEqual({
    ...none,
    stored: 1,
    repeated: 1,
    rejected: new Map([
      ['out_of_order', { count: 3, firstRow: 2 }],
      ['series_limit', { count: 1, firstRow: 3 }],
    ]),
    late: { fromMs: 2, toMs: 9 },
  });
  expect([...merged.rejected.keys()]).toEqual(['out_of_order', 'series_limit']);
});

test('a row of a series that the batch has not is refused', () => {
  const builder = batchBuilder();
  for (let i = 0; i < 9; i++) builder.add(labelsOf({ __name__: 'm', i: `${i}` }), 1_000, 1);
  const batch = { ...builder.build(), seriesOf: Uint32Array.from({ length: 9 }, (_, i) => i + 1) };
  expect(() => splitBatch(batch, router(3))).toThrow(/names series 9, of 9/);
});
