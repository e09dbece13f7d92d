import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD, ADD_ONCE, SET, type Appended, type Batch } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { readable, storePath } from './samples.ts';

type Row = [mode: number, timeMs: number, value: number | 'stale'];

/** Rows that are appended to series `m`, or a range of it that is deleted. */
type Step = Row[] | { readonly from: number; readonly to: number };

const NOW = 1_000_000;
const M = { name: '__name__', op: '=', value: 'm' } as const;

function open(path: string): Store {
  return openStore({ path, now: () => NOW, outOfOrderMs: 0 });
}

/** What is done after a step. What comes of it must not depend on that. */
type Between = (store: Store, path: string, isDeletion: boolean) => Promise<Store>;

const WAYS: Readonly<Record<string, Between>> = {
  nothing: (store) => Promise.resolve(store),
  flush(store) {
    store.flush();
    return Promise.resolve(store);
  },
  open(store, path) {
    store.close();
    return Promise.resolve(open(path));
  },
  // So that nothing of what is deleted ever is in a chunk.
  'flush and open after deletions'(store, path, isDeletion) {
    if (!isDeletion) return Promise.resolve(store);
    store.flush();
    store.close();
    return Promise.resolve(open(path));
  },
  'flush and open'(store, path) {
    store.flush();
    store.close();
    return Promise.resolve(open(path));
  },
};

/** A compaction forgets of a series of which nothing is left where it ended, so that is for those that keep something. */
const COMPACTING: typeof WAYS = {
  async compaction(store) {
    await store.compact();
    return store;
  },
  async 'compaction and open'(store, path) {
    await store.compact();
    store.close();
    return open(path);
  },
};

/** Compares what series `m` holds in the end, and what became of the rows of the last append. */
async function check(steps: readonly Step[], want: string, outcome: string, keepsSome = true): Promise<void> {
  for (const [way, between] of Object.entries({ ...WAYS, ...(keepsSome ? COMPACTING : {}) })) {
    const path = storePath();
    let store = open(path);
    let last: Appended | undefined;
    for (const step of steps) {
      if (Array.isArray(step)) last = store.append(batchOf(step));
      else store.delete([M], step.from, step.to);
      store = await between(store, path, !Array.isArray(step));
    }
    expect(outcomeOf(last!), `${way} in between`).toBe(outcome);
    expect(readable(store, 'm'), `${way} in between`).toBe(want);
    store.close();
  }
}

function batchOf(rows: Row[]): Batch {
  const builder = batchBuilder();
  for (const [mode, time, value] of rows) {
    if (value === 'stale') builder.addStale(labelsOf({ __name__: 'm' }), time);
    else builder.add(labelsOf({ __name__: 'm' }), time, value, mode);
  }
  return builder.build();
}

function outcomeOf({ stored, repeated, rejected }: Appended): string {
  const counts: [string, number][] = [
    ['stored', stored],
    ['repeated', repeated],
  ];
  for (const [reason, { count }] of rejected) counts.push([reason, count]);
  return counts
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

const SOME: Row[] = [
  [SET, 10, 1],
  [SET, 20, 2],
  [SET, 30, 3],
];

test('what is deleted is not read, what comes later is', async () => {
  await check([SOME, { from: 20, to: 30 }], '10:1', 'stored 3');
  await check([SOME, { from: 11, to: 29 }], '10:1 30:3', 'stored 3');
  await check([SOME, { from: 31, to: 99 }], '10:1 20:2 30:3', 'stored 3');
  await check([SOME, { from: 0, to: 15 }, { from: 25, to: 35 }], '20:2', 'stored 3');
  await check([SOME, { from: 20, to: 99 }, [[SET, 40, 4]]], '10:1 40:4', 'stored 1');
  await check([SOME, { from: 20, to: 99 }, [[SET, 40, 4]], { from: 0, to: 15 }], '40:4', 'stored 1');
});

test('a sample may come again at the time of one that was deleted', async () => {
  await check([SOME, { from: 30, to: 30 }, [[SET, 30, 3]]], '10:1 20:2 30:3', 'stored 1');
  await check([SOME, { from: 30, to: 30 }, [[SET, 30, 0]]], '10:1 20:2 30:0', 'stored 1');
  await check([SOME, { from: 30, to: 30 }, [[SET, 30, 7]], [[SET, 30, 7]]], '10:1 20:2 30:7', 'repeated 1');
  await check([SOME, { from: 30, to: 30 }, [[SET, 30, 7]], [[SET, 30, 8]]], '10:1 20:2 30:7', 'duplicate_timestamp 1');
  await check(
    [
      SOME,
      { from: 30, to: 30 },
      [
        [SET, 30, 7],
        [SET, 30, 8],
      ],
    ],
    '10:1 20:2 30:7',
    'stored 1, duplicate_timestamp 1',
  );
  await check([SOME, { from: 20, to: 20 }, [[SET, 30, 3]]], '10:1 30:3', 'repeated 1');
});

test('where a series ended is known though its last samples, or all of them, are deleted', async () => {
  await check([SOME, { from: 20, to: 99 }, [[SET, 25, 9]]], '10:1', 'out_of_order 1');
  await check([SOME, { from: 0, to: 99 }, [[SET, 25, 9]]], '', 'out_of_order 1', false);
  await check([SOME, { from: 0, to: 99 }, [[SET, 30, 9]]], '30:9', 'stored 1', false);
  await check([SOME, { from: 0, to: 99 }, [[SET, 40, 9]]], '40:9', 'stored 1', false);
});

test('additions start from zero where the value that they would go on from is deleted', async () => {
  await check([SOME, { from: 30, to: 30 }, [[ADD, 40, 5]]], '10:1 20:2 40:5', 'stored 1');
  await check([SOME, { from: 20, to: 20 }, [[ADD, 40, 5]]], '10:1 30:3 40:8', 'stored 1');
  await check([SOME, { from: 30, to: 30 }, [[ADD, 15, 5]]], '10:1 20:2 30:5', 'stored 1');
  // Whether it was counted before nobody knows any more.
  await check([SOME, { from: 30, to: 30 }, [[ADD_ONCE, 30, 5]]], '10:1 20:2', 'duplicate_timestamp 1');
  const ended: Row[] = [...SOME, [SET, 40, 'stale']];
  await check([ended, { from: 30, to: 30 }, [[ADD, 50, 5]]], '10:1 20:2 40:NaN 50:5', 'stored 1');
  await check([ended, { from: 40, to: 40 }, [[ADD, 50, 5]]], '10:1 20:2 30:3 50:5', 'stored 1');
  await check([ended, { from: 41, to: 99 }, [[ADD, 50, 5]]], '10:1 20:2 30:3 40:NaN 50:8', 'stored 1');
});

test('a deletion is reported, by number and without what it matched', async () => {
  const path = storePath();
  let store = open(path);
  store.append(batchOf(SOME));
  expect(store.delete([{ name: '__name__', op: '=', value: 'none' }], 0, 99)).toEqual({
    id: 1,
    series: 0,
    fromMs: 0,
    toMs: 99,
    state: 'hidden',
  });
  expect(store.delete([M], -Infinity, Infinity)).toMatchObject({ id: 2, series: 1, fromMs: -8.64e15, toMs: 8.64e15 });
  store.close();
  store = open(path);
  expect(store.deletions().map(({ id, state }) => `${id} ${state}`)).toEqual(['1 hidden', '2 hidden']);
  await store.compact();
  expect(store.deletions().map(({ id, state }) => `${id} ${state}`)).toEqual(['1 erased', '2 erased']);
  expect(store.stats()).toMatchObject({ series: 0, samples: 0 });
  expect(() => store.delete([{ name: 'a', op: '=~', value: '(' }], 0, 1)).toThrow(
    expect.objectContaining({ code: 'bad_data' }),
  );
  expect(store.deletions()).toHaveLength(2);
  store.close();
});

test('exemplars go with the time that is deleted, also where no samples came with them or lie there', async () => {
  for (const [way, between] of Object.entries({ ...WAYS, ...COMPACTING })) {
    const path = storePath();
    let store = open(path);
    store.append(batchOf([[SET, 10, 1]]));
    store.flush();
    const builder = batchBuilder();
    builder.seriesOf(labelsOf({ __name__: 'm' }));
    for (const timeMs of [11, 12, 20]) builder.exemplar({ series: 0, timeMs, value: 1, labels: ['id', `${timeMs}`] });
    expect(store.append(builder.build())).toMatchObject({ stored: 0, exemplars: 3 });
    expect(store.delete([M], 11, 15)).toMatchObject({ series: 1 });
    for (let turn = 0; turn < 3; turn++) {
      const held = [...store.exemplars([], -Infinity, Infinity)].flatMap(({ exemplars }) => exemplars);
      expect(
        held.map(({ timeMs }) => timeMs),
        way,
      ).toEqual([20]);
      store = await between(store, path, true);
    }
    expect(readable(store, 'm')).toBe('10:1');
    store.close();
  }
});
