import { expect, test } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { ADD } from '../../src/model/batch.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { openStore, type Store, type StoreProblem } from '../../src/store/store.ts';
import { FLIP, HEAD, printHistogram, storePath, tamper } from './samples.ts';

const NOW = 1_000_000;
const DAY = '1970-01-01.sqlite';

function open(path: string, problems: StoreProblem[] = []): Store {
  return openStore({ path, now: () => NOW, onProblem: (problem) => problems.push(problem) });
}

/** Series 1 alternates between floats and histograms, all with starts; every 10th histogram has other buckets. */
function appendMixed(store: Store, from: number, to: number): void {
  const batch = batchBuilder();
  const series = batch.seriesOf(labelsOf({ __name__: 'm' }));
  for (let time = from; time <= to; time++) {
    const index = Math.floor(time / 20);
    if (time % 2 === 0) batch.sample(series, time, time * 2, undefined, 1 + index);
    else batch.histogram(series, time, histogramOf(index, time), undefined, 1 + index);
  }
  store.append(batch.build());
}

function histogramOf(index: number, count: number): NativeHistogram {
  const none = { indexes: new Int32Array(0), counts: new Float64Array(0) };
  return {
    layout: {
      schema: 0,
      zeroThreshold: 0,
      positive: Int32Array.of(index),
      negative: none.indexes,
      bounds: new Float64Array(0),
    },
    hint: 0,
    count,
    sum: count,
    zeroCount: 0,
    positive: Float64Array.of(count),
    negative: none.counts,
  };
}

/** The times that a store holds, as ranges, every sample being the one that `appendMixed` made. */
function held(store: Store): string {
  const [columns] = store.select([], -Infinity, Infinity);
  const { times, values, histograms, startTimes } = columns!;
  const ranges: [from: number, to: number][] = [];
  for (const [i, time] of times.entries()) {
    const index = Math.floor(time / 20);
    if (time % 2 === 0) expect(values[i]).toBe(time * 2);
    else expect(printHistogram(histogramAt(histograms!, i))).toBe(printHistogram(histogramOf(index, time)));
    expect(isHistogramAt(histograms, i)).toBe(time % 2 !== 0);
    expect(typeof startTimes === 'number' ? startTimes : startTimes![i]).toBe(1 + index);
    if (ranges.at(-1)?.[1] === time - 1) ranges.at(-1)![1] = time;
    else ranges.push([time, time]);
  }
  return ranges.map(([from, to]) => `${from}-${to}`).join(' ');
}

/** Any bit of the sections behind the plain columns, or their end. */
const SECTION_DAMAGE = [
  `CAST(substr(body, 1, length(body) - 100) || x'5a' || substr(body, length(body) - 98) AS BLOB)`,
  `CAST(substr(body, 1, length(body) / 2) || x'5a' || substr(body, length(body) / 2 + 2) AS BLOB)`,
  'substr(body, 1, length(body) - 8)',
  `CAST(body || x'0000000000000000' AS BLOB)`,
  `CAST(substr(body, 1, 12) || x'ff' || substr(body, 14) AS BLOB)`,
];

test('records with histograms and starts are damaged one by one', () => {
  for (const damage of SECTION_DAMAGE) {
    const path = storePath();
    const store = open(path);
    for (let n = 0; n < 3; n++) appendMixed(store, n * 100, n * 100 + 99);
    expect(held(store)).toBe('0-299');
    store.close();
    tamper(path, 'log-1.sqlite', (db) => db.exec(`UPDATE record SET body = ${damage} WHERE id = 2`));
    const problems: StoreProblem[] = [];
    const again = open(path, problems);
    expect(problems.map(({ kind }) => kind)).toEqual(['record']);
    expect(held(again)).toBe('0-99 200-299');
    expect(again.stats()).toMatchObject({ samples: 200, quarantined: 1 });
    again.close();
  }
});

test('chunks with histograms and starts are damaged one by one', () => {
  for (const damage of SECTION_DAMAGE) {
    const path = storePath();
    const store = open(path);
    appendMixed(store, 0, 999);
    store.flush();
    expect(held(store)).toBe('0-999');
    store.close();
    tamper(path, DAY, (db) => {
      const keys = db.prepare<[], number>('SELECT key FROM chunk ORDER BY key').pluck().all();
      db.exec(`UPDATE chunk SET body = ${damage} WHERE key IN (${keys[0]}, ${keys[2]})`);
    });
    const problems: StoreProblem[] = [];
    const again = open(path, problems);
    expect(held(again)).toBe('333-665');
    expect(problems.map(({ kind }) => kind)).toEqual(['chunk', 'chunk']);
    appendMixed(again, 1_000, 1_009);
    again.flush();
    again.close();
    const third = open(path, problems);
    expect(held(third)).toBe('333-665 1000-1009');
    expect(third.stats()).toMatchObject({ samples: 343, quarantined: 2 });
    expect(problems).toHaveLength(2);
    third.close();
  }
});

test('an addition goes on from the histogram of the last chunk where it is lost how the series ended', () => {
  const path = storePath();
  const store = open(path);
  appendMixed(store, 0, 301);
  store.flush();
  store.close();
  tamper(path, HEAD, (db) => db.exec(`UPDATE state SET body = ${FLIP}`));
  let again = open(path);
  const batch = batchBuilder();
  batch.histogram(batch.seriesOf(labelsOf({ __name__: 'm' })), 310, histogramOf(15, 5), ADD);
  expect(again.append(batch.build())).toMatchObject({ stored: 1 });
  for (const flushes of [false, true]) {
    const [columns] = again.select([], 310, Infinity);
    expect(printHistogram(histogramAt(columns!.histograms!, 0))).toBe(printHistogram(histogramOf(15, 301 + 5)));
    if (flushes) again.flush();
    again.close();
    again = open(path);
  }
  again.close();
});

test('a damaged exemplar goes into quarantine and the rest serves', () => {
  const path = storePath();
  const store = open(path);
  const batch = batchBuilder();
  batch.add(labelsOf({ __name__: 'm' }), 10, 1);
  for (let time = 1; time <= 3; time++)
    batch.exemplar({ series: 0, timeMs: time, value: 1, labels: ['id', `${time}`] });
  store.append(batch.build());
  store.close();
  tamper(path, 'log-1.sqlite', (db) => db.exec(`UPDATE exemplar SET labels = '["id"' WHERE id = 2`));
  const problems: StoreProblem[] = [];
  const again = open(path, problems);
  expect(problems.map(({ kind }) => kind)).toEqual(['exemplar']);
  expect([...again.exemplars([], 0, 10)].map(({ exemplars }) => exemplars.map(({ timeMs }) => timeMs))).toEqual([
    [1, 3],
  ]);
  again.close();
  open(path, problems).close();
  expect(problems).toHaveLength(1);
});
