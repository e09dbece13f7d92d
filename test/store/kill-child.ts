import { writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, type Batch } from '../../src/model/batch.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore } from '../../src/store/store.ts';
import { INPUT_LABEL } from '../../src/model/input-label.ts';
import { DELETED_BEFORE, DELETION_EVERY, inputValue, INPUTS } from './kill-rules.ts';

// Appends batches first, first + 1, … to the store at a path and writes each number once it is stored, until killed. Now and then
// a series that came alone is deleted, which is said as `d` and its number, and all the time something is done by the way.
const [path, first] = process.argv.slice(2);
// Logs are short, so that their flushes are many and some of them are cut short.
const store = openStore({
  path: path!,
  now: () => Number.MAX_SAFE_INTEGER / 2,
  logBytes: 30_000,
  samplesPerStep: 200,
});
// The answer to the last one may have been lost, so it is sent again: it must not count twice.
if (Number(first) > 1) {
  const again = [batchNumber(Number(first) - 1), joinedBatch(Number(first) - 1)];
  for (const { stored } of store.appendAll(again)) if (stored > 0) throw new Error('counted twice');
}
let isCompacting = false;
for (let n = Number(first); ; n++) {
  store.appendAll([batchNumber(n), joinedBatch(n)]);
  writeSync(1, `${n}\n`);
  store.upkeep();
  if (n % DELETION_EVERY === 0) {
    const deleted = n - DELETED_BEFORE;
    store.delete(
      [
        { name: '__name__', op: '=', value: 'newcomer' },
        { name: 'n', op: '=', value: `${deleted}` },
      ],
      -Infinity,
      Infinity,
    );
    writeSync(1, `d ${deleted}\n`);
  }
  if (n % 40 === 0) store.flush();
  if (n % 30 === 0 && !isCompacting) {
    isCompacting = true;
    void store.compact().finally(() => (isCompacting = false));
  }
  await setImmediate();
}

function batchNumber(n: number): Batch {
  const batch = batchBuilder();
  batch.add(labelsOf({ __name__: 'counter' }), n * 1_000, 1, ADD);
  for (let i = 0; i < 50; i++) batch.add(labelsOf({ __name__: 'gauge', i: `${i}` }), n * 1_000, n);
  batch.add(labelsOf({ __name__: 'newcomer', n: `${n}` }), n * 1_000, n);
  // Each time one in order, and one behind the one before.
  batch.add(labelsOf({ __name__: 'jumbled' }), n * 1_000, n);
  batch.add(labelsOf({ __name__: 'jumbled' }), n * 1_000 - 1_500, -n);
  const histogram = batch.seriesOf(labelsOf({ __name__: 'histogram' }));
  batch.histogram(histogram, n * 1_000, oneObservation(n % 5), ADD);
  batch.exemplar({ series: histogram, timeMs: n, value: n, labels: [] });
  return batch.build(`delivery ${n}`);
}

/** What inputs of one output count, each beginning anew now and then. No digest tells it from another. */
function joinedBatch(n: number): Batch {
  const batch = batchBuilder();
  for (let i = 0; i < INPUTS; i++) {
    batch.add(labelsOf({ __name__: 'joined', [INPUT_LABEL]: `${i}` }), n * 1_000, inputValue(i, n));
  }
  return batch.build();
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
