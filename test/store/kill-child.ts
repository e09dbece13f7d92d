import { writeSync } from 'node:fs';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, type Batch } from '../../src/model/batch.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore } from '../../src/store/store.ts';

// Appends batches first, first + 1, … to the store at a path and writes each number once it is stored, until killed.
const [path, first] = process.argv.slice(2);
// Checkpoints are many and small, so that some of them are cut short.
const store = openStore({ path: path!, now: () => Number.MAX_SAFE_INTEGER / 2, checkpointBytes: 30_000 });
// The answer to the last one may have been lost, so it is sent again: it must not count twice.
if (Number(first) > 1 && store.append(batchNumber(Number(first) - 1)).stored > 0) throw new Error('counted twice');
for (let n = Number(first); ; n++) {
  store.append(batchNumber(n));
  writeSync(1, `${n}\n`);
  if (n % 40 === 0) store.checkpoint();
}

function batchNumber(n: number): Batch {
  const batch = batchBuilder();
  batch.add(labelsOf({ __name__: 'counter' }), n * 1_000, 1, ADD);
  for (let i = 0; i < 50; i++) batch.add(labelsOf({ __name__: 'gauge', i: `${i}` }), n * 1_000, n);
  batch.add(labelsOf({ __name__: 'newcomer', n: `${n}` }), n * 1_000, n);
  const histogram = batch.seriesOf(labelsOf({ __name__: 'histogram' }));
  batch.histogram(histogram, n * 1_000, oneObservation(n % 5), ADD);
  batch.exemplar({ series: histogram, timeMs: n, value: n, labels: [] });
  return batch.build(`delivery ${n}`);
}

function oneObservation(index: number): NativeHistogram {
  return {
    layout: {
      schema: 0,
      zeroThreshold: 0,
      positive: Int32Array.of(index),
      negative: new Int32Array(0),
      bounds: new Float64Array(0),
    },
    hint: 0,
    count: 1,
    sum: 1,
    zeroCount: 0,
    positive: Float64Array.of(1),
    negative: new Float64Array(0),
  };
}
