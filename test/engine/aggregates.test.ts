import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/engine/evaluate.ts';
import { noteTexts, startNotes } from '../../src/engine/notes.ts';
import { startUsage } from '../../src/engine/usage.ts';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import { GAUGE, histogramAt, isHistogramAt, NOT_RESET, RESET } from '../../src/model/histogram.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { ALL_FEATURES, featuresFrom } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { memorySource } from '../memory-source.ts';
import { custom, exponential, nativeSeries, type NativeSample } from './native-series.ts';

const s = 1000;
const STEPS = [10 * s, 20 * s, 30 * s];

/** A series with a sample at each of 10 s, 20 s and 30 s; null for none. */
function at(labels: Record<string, string>, ...samples: (NativeSample | null)[]) {
  const kept = samples.flatMap((sample, i): [number, NativeSample][] => (sample === null ? [] : [[STEPS[i]!, sample]]));
  return nativeSeries(labels, kept);
}

const h = (count: number, hint = GAUGE) => ({ ...exponential(0, [[1, count]], { sum: count }), hint });
const c = (bounds: number[], count: number) => custom(bounds, [[0, count]]);

const SOURCE = memorySource([
  at({ __name__: 'f', job: 'a', i: '0' }, 1, 5, NaN),
  at({ __name__: 'f', job: 'a', i: '1' }, 3, null, 2),
  at({ __name__: 'f', job: 'b', i: '2' }, 8, 5, 2),
  at({ __name__: 'f', job: 'b', i: '3' }, -8, Infinity, 7),
  at({ __name__: 'n', job: 'a', i: '0' }, h(3), h(4), 6),
  at({ __name__: 'n', job: 'a', i: '1' }, h(5), 2, 1),
  at({ __name__: 'n', job: 'b', i: '2' }, null, h(7), h(2)),
  at({ __name__: 'hints', i: '0' }, h(1, RESET)),
  at({ __name__: 'hints', i: '1' }, h(1, NOT_RESET)),
  at({ __name__: 'kinds', i: '0' }, h(1)),
  at({ __name__: 'kinds', i: '1' }, c([1, 2], 4)),
  at({ __name__: 'first', i: '0' }, 1),
  at({ __name__: 'first', i: '1' }, h(1)),
  at({ __name__: 'first', i: '2' }, c([1, 2], 4)),
  at({ __name__: 'bounds', i: '0' }, c([1, 2], 4)),
  at({ __name__: 'bounds', i: '1' }, c([1, 3], 5)),
  at({ __name__: 'k' }, 1, 2, 0),
  at({ __name__: 'bad' }, 1, NaN, 1e19),
]);

type Cell = number | string | null;

interface Answer {
  readonly rows: Record<string, Cell[]>;
  readonly notes: readonly string[];
}

function run(text: string, instant = false, features = ALL_FEATURES): Answer {
  const grid = instant ? instantGrid(10 * s) : rangeGrid(10 * s, 30 * s, 10 * s);
  const notes = startNotes();
  const query = { ...grid, endMs: instant ? 10 * s : 30 * s, isInstant: instant };
  const value = evaluate(normalise(parseExpr(text, features), query, text), {
    grid,
    lookbackMs: 5 * s,
    source: SOURCE,
    merged: [],
    usage: startUsage(Infinity),
    features,
    notes,
    scope: 'whole',
  });
  if (value.kind !== 'vector') throw new Error(`a ${value.kind} has no rows`);
  const rows = value.rows.map(({ labels, values, present, histograms }): [string, Cell[]] => [
    Object.values(labelsRecord(labels)).join(' '),
    Array.from(values, (one, i) => {
      if (present[i] === 0) return null;
      return isHistogramAt(histograms, i) ? `H${histogramAt(histograms, i).count}` : one;
    }),
  ]);
  const { warnings, infos } = noteTexts(notes.list(), text);
  return { rows: Object.fromEntries(rows), notes: [...warnings, ...infos].map((note) => note.replace(/^PromQL /, '')) };
}

const MIX = 'warning: encountered a mix of histograms and floats for aggregation';
const ignored = (op: string, column: number): string => `info: ignored histogram in ${op} aggregation (1:${column})`;

describe('aggregations', () => {
  it.each<[string, Record<string, Cell[]>, string[]]>([
    ['sum(f)', { '': [4, Infinity, NaN] }, []],
    ['avg by (job) (f)', { a: [2, 5, NaN], b: [0, Infinity, 4.5] }, []],
    ['min(f)', { '': [-8, 5, 2] }, []],
    ['max by (job) (f)', { a: [3, 5, 2], b: [8, Infinity, 7] }, []],
    ['count(f)', { '': [4, 3, 4] }, []],
    ['group without (i) (f)', { a: [1, 1, 1], b: [1, 1, 1] }, []],
    ['stdvar by (job) (f)', { a: [1, 0, NaN], b: [64, NaN, 6.25] }, []],
    ['stddev by (job) (f)', { a: [1, 0, NaN], b: [8, NaN, 2.5] }, []],
    // As in Prometheus, an infinite value above the rank counts with weight 0, which is not a number.
    ['quantile(0.5, f)', { '': [2, NaN, 2] }, []],
    [
      'quantile by (job) (scalar(k) - 1, f)',
      { a: [1, 5, -Infinity], b: [-8, NaN, -Infinity] },
      ['warning: quantile value should be between 0 and 1, got -1 (1:20)'],
    ],
    [
      'quantile(1.5, f)',
      { '': [Infinity, Infinity, Infinity] },
      ['warning: quantile value should be between 0 and 1, got 1.5 (1:10)'],
    ],
    [
      'quantile(NaN, f)',
      { '': [NaN, NaN, NaN] },
      ['warning: quantile value should be between 0 and 1, got NaN (1:10)'],
    ],
    ['sum by (job) (n)', { a: ['H8', null, 7], b: [null, 'H7', 'H2'] }, [`${MIX} (1:15)`]],
    ['avg(n)', { '': ['H4', null, null] }, [`${MIX} (1:5)`]],
    ['count(n)', { '': [2, 3, 3] }, []],
    ['group(n)', { '': [1, 1, 1] }, []],
    ['max(n)', { '': [null, 2, 6] }, [ignored('max', 5)]],
    ['min((n))', { '': [null, 2, 1] }, [ignored('min', 6)]],
    ['stddev(n)', { '': [null, 0, 2.5] }, [ignored('stddev', 8)]],
    ['stdvar(n)', { '': [null, 0, 6.25] }, [ignored('stdvar', 8)]],
    ['quantile(0, n)', { '': [null, 2, 1] }, [ignored('quantile', 13)]],
    [
      'sum(hints)',
      { '': ['H2', null, null] },
      ['warning: conflicting counter resets during histogram aggregation (1:5)'],
    ],
    ['sum(first)', {}, [`${MIX} (1:5)`]],
    [
      'avg(bounds)',
      { '': ['H4.5', null, null] },
      ['info: mismatched custom buckets were reconciled during aggregation (1:5)'],
    ],
    [
      'sum(kinds)',
      {},
      [
        'warning: vector contains a mix of histograms with exponential and custom buckets schemas ' +
          'for metric name "kinds" (1:5)',
      ],
    ],
  ])('%s', (text, rows, notes) => expect(run(text)).toEqual({ rows, notes }));
});

describe('aggregations that pick', () => {
  it.each<[string, Record<string, Cell[]>, string[]]>([
    ['topk(1, f)', { 'f 2 b': [8, null, null], 'f 3 b': [null, Infinity, 7] }, []],
    ['topk(scalar(k), f)', { 'f 2 b': [8, null, null], 'f 0 a': [null, 5, null], 'f 3 b': [null, Infinity, null] }, []],
    [
      'bottomk by (job) (1, f)',
      { 'f 0 a': [1, 5, null], 'f 1 a': [null, null, 2], 'f 3 b': [-8, null, null], 'f 2 b': [null, 5, 2] },
      [],
    ],
    ['topk(5, n)', { 'n 0 a': [null, null, 6], 'n 1 a': [null, 2, 1] }, [ignored('topk', 1)]],
    ['bottomk(0, n)', {}, []],
    ['limitk(1, n)', { 'n 0 a': ['H3', 'H4', 6] }, []],
    [
      'limitk by (job) (scalar(k), n)',
      { 'n 0 a': ['H3', 'H4', null], 'n 1 a': [null, 2, null], 'n 2 b': [null, 'H7', null] },
      [],
    ],
    ['limit_ratio(1, n)', { 'n 0 a': ['H3', 'H4', 6], 'n 1 a': ['H5', 2, 1], 'n 2 b': [null, 'H7', 'H2'] }, []],
    ['limit_ratio(0, n)', {}, []],
    [
      'limit_ratio(-2, k)',
      { k: [1, 2, 0] },
      ['warning: ratio value should be between -1 and 1, got -2, capping to -1 (1:13)'],
    ],
    [
      'limit_ratio(1.5, k)',
      { k: [1, 2, 0] },
      ['warning: ratio value should be between -1 and 1, got 1.5, capping to 1 (1:13)'],
    ],
  ])('%s', (text, rows, notes) => expect(run(text)).toEqual({ rows, notes }));

  it('two ratios that make one share out all series', () => {
    for (const ratio of ['0.3', '0.5', '0.9']) {
      const one = Object.keys(run(`limit_ratio(${ratio}, f)`).rows);
      const other = Object.keys(run(`limit_ratio(${ratio} - 1, f)`).rows);
      expect([...one, ...other].sort()).toEqual(['f 0 a', 'f 1 a', 'f 2 b', 'f 3 b']);
    }
  });

  it('an instant answer is by value, group by group', () => {
    expect(Object.keys(run('topk(3, f)', true).rows)).toEqual(['f 2 b', 'f 1 a', 'f 0 a']);
    expect(Object.keys(run('bottomk by (job) (2, f)', true).rows)).toEqual(['f 0 a', 'f 1 a', 'f 3 b', 'f 2 b']);
  });

  it.each([
    ['topk(NaN, f)', 'Parameter value is NaN'],
    ['bottomk(scalar(bad), f)', 'Parameter value is NaN'],
    ['limitk(1e19, f)', 'Scalar value 1e+19 overflows int64'],
    ['limitk(scalar(bad) - 2e19, f)', 'Parameter value is NaN'],
    ['topk(2 - scalar(k) * 1e19, f)', 'Scalar value -2e+19 underflows int64'],
    ['limit_ratio(NaN, f)', 'Ratio value is NaN'],
    ['topk(Inf, f)', 'Scalar value +Inf overflows int64'],
  ])('%s throws %j', (text, message) => expect(() => run(text)).toThrow(message));
});

describe('count_values', () => {
  it.each<[string, Record<string, Cell[]>]>([
    [
      'count_values("v", f)',
      {
        '1': [1, null, null],
        '3': [1, null, null],
        '8': [1, null, null],
        '-8': [1, null, null],
        '5': [null, 2, null],
        '+Inf': [null, 1, null],
        NaN: [null, null, 1],
        '2': [null, null, 2],
        '7': [null, null, 1],
      },
    ],
    ['count_values by (job) ("v", k * 0)', { '0': [1, 1, 1] }],
    ['count_values("v", k * -0)', { '-0': [1, 1, 1] }],
    [
      'count_values("v", k * 1e21)',
      {
        '1000000000000000000000': [1, null, null],
        '2000000000000000000000': [null, 1, null],
        '0': [null, null, 1],
      },
    ],
    [
      'count_values("v", k * 1.25e-7)',
      { '0.000000125': [1, null, null], '0.00000025': [null, 1, null], '0': [null, null, 1] },
    ],
    ['count_values by (job) ("job", n > 1)', { '2': [null, 1, null], '6': [null, null, 1] }],
    ['count_values without (v, i) ("v", n)', { a: [2, 2, 2], b: [null, 1, 1] }],
    [
      'count_values("v", bounds)',
      {
        '{count:4, sum:1.5, [-Inf,1]:4}': [1, null, null],
        '{count:5, sum:1.5, [-Inf,1]:5}': [1, null, null],
      },
    ],
  ])('%s', (text, rows) => expect(run(text).rows).toEqual(rows));

  it.each([
    ['count_values("", f)', 'invalid label name ""'],
    [String.raw`count_values("a\xc5z", f)`, String.raw`invalid label name "a\xc5z"`],
  ])('%s throws', (text, message) => expect(() => run(text)).toThrow(message));
});

it('names that go at the end go from groups too', () => {
  const features = featuresFrom(['promql-delayed-name-removal']);
  expect(run('sum by (__name__) (f * 1)', true, features).rows).toEqual({ '': [4] });
  expect(run('sum by (__name__) (f)', true, features).rows).toEqual({ f: [4] });
  expect(run('quantile by (__name__) (0, f * 1)', true, features).rows).toEqual({ '': [-8] });
});
