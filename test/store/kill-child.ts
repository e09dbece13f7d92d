import { writeSync } from 'node:fs';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore } from '../../src/store/store.ts';

// Appends batches first, first + 1, … to the store at a path and writes each number once it is stored, until killed.
const [path, first] = process.argv.slice(2);
const store = openStore({ path: path!, now: () => Number.MAX_SAFE_INTEGER / 2 });
for (let n = Number(first); ; n++) {
  const batch = batchBuilder();
  batch.add(labelsOf({ __name__: 'counter' }), n * 1_000, 1, ADD);
  for (let i = 0; i < 50; i++) batch.add(labelsOf({ __name__: 'gauge', i: `${i}` }), n * 1_000, n);
  batch.add(labelsOf({ __name__: 'newcomer', n: `${n}` }), n * 1_000, n);
  store.append(batch.build());
  writeSync(1, `${n}\n`);
  if (n % 40 === 0) store.checkpoint();
}
