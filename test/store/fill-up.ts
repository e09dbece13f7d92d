import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, type Batch } from '../../src/model/batch.ts';
import { toComityError, type ComityError } from '../../src/base/errors.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore, type Store } from '../../src/store/store.ts';

const SERIES = 2_000;
const NOW = 10_000_000;

export function openFull(path: string): Store {
  return openStore({ path, now: () => NOW, logBytes: 1024 * 1024 });
}

/** Batch `n`: a sum, a sample of each of many series, a new series, an exemplar, metadata and a delivery. */
export function batchNumber(n: number): Batch {
  const batch = batchBuilder();
  batch.add(labelsOf({ __name__: 'sum' }), n * 10, n, ADD);
  for (let i = 0; i < SERIES; i++) batch.add(labelsOf({ __name__: 'm', i: `${i}` }), n * 10, n);
  batch.add(labelsOf({ __name__: 'new', n: `${n}` }), n * 10, n);
  batch.exemplar({ series: 0, timeMs: n * 10, value: n, labels: [] });
  batch.metadata({ metric: 'm', type: 'gauge', help: `Help ${n}.`, unit: '' });
  return batch.build(`delivery ${n}`);
}

/** Appends batches until one fails; the store is still open. */
export function fillUp(path: string): { store: Store; stored: number; error: ComityError } {
  const store = openFull(path);
  for (let n = 1; ; n++) {
    try {
      store.append(batchNumber(n));
    } catch (error) {
      return { store, stored: n - 1, error: toComityError(error) };
    }
  }
}

/** What a store with batches 1 to n holds, and nothing else; undefined when that is so, otherwise what differs. */
export function differs(store: Store, n: number): string | undefined {
  const numbers = Array.from({ length: n }, (_, i) => i + 1);
  const sums = numbers.map((one) => (one * (one + 1)) / 2);
  const all = [...store.select([], -Infinity, Infinity)];
  if (all.length !== SERIES + n + 1) return `${all.length} series`;
  for (const { labels, values } of all) {
    const name = labels[1];
    const want = name === 'sum' ? [0, ...sums] : name === 'm' ? numbers : [Number(labels[3])];
    if (values.join() !== want.join()) return `${labels.join()} is ${values.join()} and not ${want.join()}`;
  }
  const exemplars = [...store.exemplars([], -Infinity, Infinity)].flatMap((one) => one.exemplars);
  if (exemplars.map(({ value }) => value).join() !== numbers.join()) return `${exemplars.length} exemplars`;
  const help = [...store.metadata()].map((one) => one.help).join();
  if (help !== `Help ${n}.`) return help;
  const { series, samples } = store.stats();
  const want = n * (SERIES + 2) + 1;
  return series === all.length && samples === want ? undefined : `${series} series, ${samples} samples, not ${want}`;
}
