import { describe, expect, it } from 'vitest';
import type { EvalContext } from '../../src/engine/context.ts';
import { evaluate } from '../../src/engine/evaluate.ts';
import { joinHistograms } from '../../src/engine/select/histogram-rows.ts';
import { selectRange } from '../../src/engine/select/select-range.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { histogramBuilder } from '../../src/model/growing-histograms.ts';
import { histogramAt, isHistogramAt, type HistogramColumns, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { noteText } from '../../src/engine/note-codes.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { STALE } from '../memory-source.ts';
import { memorySource } from '../memory-source.ts';
import { custom, exponential, nativeSeries } from './native-series.ts';
import { contextOver } from './context.ts';

const s = 1000;

// Counts tell the histograms apart: 3 at 10 s, 7 (another layout) at 20 s, 9 at 50 s.
const SOURCE = memorySource([
  nativeSeries({ __name__: 'h', job: 'a' }, [
    [10 * s, exponential(0, [[1, 3]])],
    [20 * s, exponential(2, [[-1, 4]], { negative: [[3, 2]], zero: [0.1, 1] })],
    [30 * s, STALE],
    [50 * s, exponential(0, [[1, 9]])],
  ]),
  nativeSeries({ __name__: 'mixed', job: 'a' }, [
    [10 * s, 5],
    [
      20 * s,
      custom(
        [1, 2],
        [
          [0, 6],
          [2, 5],
        ],
      ),
    ],
    [40 * s, 8],
  ]),
  nativeSeries({ __name__: 'f', job: 'a' }, [
    [10 * s, 1],
    [20 * s, 2],
    [40 * s, 4],
  ]),
]);

type Cell = number | string | null;

/** A cell: null for nothing, a number for a float, `H<count>` for a histogram. */
function cell(value: number, present: boolean, histograms: HistogramColumns | undefined, index: number): Cell {
  if (!present) return null;
  return isHistogramAt(histograms, index) ? `H${histogramAt(histograms, index).count}` : value;
}

function context(startS: number, endS: number, scope: EvalContext['scope'] = 'whole') {
  const grid = rangeGrid(startS * s, endS * s, 10 * s);
  return { ...contextOver(SOURCE, grid, { lookbackMs: 15 * s, scope }), grid };
}

function run(
  text: string,
  startS: number,
  endS = startS,
  scope?: EvalContext['scope'],
): [Record<string, string>, Cell[]][] {
  const ctx = context(startS, endS, scope);
  const value = evaluate(normalise(parseExpr(text), ctx.grid), ctx);
  if (value.kind !== 'vector') throw new Error(`a ${value.kind} has no rows`);
  return value.rows.map(({ labels, values, present, histograms }) => [
    labelsRecord(labels),
    Array.from(values, (one, i) => cell(one, present[i] === 1, histograms, i)),
  ]);
}

describe('native histograms pass through', () => {
  it.each<[string, number, number, Cell[]]>([
    ['h', 10, 60, ['H3', 'H7', null, null, 'H9', 'H9']],
    ['(h)', 10, 20, ['H3', 'H7']],
    ['+h', 20, 20, ['H7']],
    ['h offset 10s', 20, 60, ['H3', 'H7', null, null, 'H9']],
    ['h @ 20', 40, 60, ['H7', 'H7', 'H7']],
    ['mixed', 10, 50, [5, 'H11', 'H11', 8, 8]],
    ['h and on (job) f', 10, 40, ['H3', 'H7', null, null]],
    ['f and on (job) h', 10, 40, [1, 2, null, null]],
    ['h unless on (job) f', 10, 60, [null, null, null, null, null, 'H9']],
    ['h or on (job) f', 10, 20, ['H3', 'H7']],
    ['last_over_time(h[25s])', 10, 60, ['H3', 'H7', 'H7', 'H7', 'H9', 'H9']],
    ['last_over_time(mixed[15s])', 10, 50, [5, 'H11', 'H11', 8, 8]],
  ])('%s from %d to %d', (text, from, to, want) => expect(run(text, from, to)[0]![1]).toEqual(want));

  it.each<[string, number, number, Cell[]]>([
    ['count(h)', 10, 60, [1, 1, null, null, 1, 1]],
    ['group(mixed)', 10, 20, [1, 1]],
    ['count(mixed or on (__name__) f)', 10, 20, [2, 2]],
    ['count_over_time(h[1m])', 50, 60, [3, 3]],
    ['present_over_time(h[5s])', 10, 50, [1, 1, null, null, 1]],
    // Where the histogram is not present any more, only floats are left.
    ['mixed + 1', 40, 50, [9, 9]],
    ['rate(mixed[15s])', 50, 50, []],
    ['sum_over_time(mixed[15s])', 40, 50, [8, 8]],
  ])('or count as samples: %s from %d to %d', (text, from, to, want) =>
    expect(run(text, from, to)[0]?.[1] ?? []).toEqual(want),
  );

  it('with every part of them', () => {
    const ctx = context(20, 20);
    const value = evaluate(parseExpr('h'), ctx);
    if (value.kind !== 'vector') throw new Error('no vector');
    expect(histogramAt(value.rows[0]!.histograms!, 0)).toEqual(
      exponential(2, [[-1, 4]], { negative: [[3, 2]], zero: [0.1, 1] }),
    );
  });

  it('in one row with the floats of another series that takes its turns', () => {
    const both = 'last_over_time(mixed[5s]) or (mixed offset 10s)';
    expect(run(both, 10, 50)).toEqual([[{ __name__: 'mixed', job: 'a' }, [5, 'H11', 'H11', 8, 8]]]);
    expect(run('mixed @ 20 unless mixed offset 10s or mixed offset 10s', 10, 50)[0]![1]).toEqual([
      'H11',
      5,
      'H11',
      'H11',
      8,
    ]);
  });
});

describe('rows of histograms', () => {
  const columns = (...samples: [number, NativeHistogram][]): HistogramColumns => {
    const builder = histogramBuilder();
    for (const [step, histogram] of samples) builder.set(step, histogram);
    return builder.build(4)!;
  };
  const one = exponential(0, [[1, 3]]);
  const other = custom(
    [1],
    [
      [0, 4],
      [1, 5],
    ],
  );

  it('hold a sample once, however many steps it counts at', () => {
    const value = evaluate(parseExpr('h @ 20'), context(0, 500));
    if (value.kind !== 'vector') throw new Error('no vector');
    expect(value.rows[0]!.histograms!.cells).toHaveLength(5);
  });

  it('are joined with other layouts and numbers', () => {
    const joined = joinHistograms(
      columns([0, one]),
      columns([0, other], [2, other], [3, one]),
      Uint8Array.of(0, 0, 1, 1),
    )!;
    expect([0, 2, 3].map((step) => histogramAt(joined, step))).toEqual([one, other, one]);
    expect(isHistogramAt(joined, 1)).toBe(false);
    expect(joinHistograms(undefined, columns([0, other]), Uint8Array.of(0, 1, 0, 0))).toBeUndefined();
  });
});

describe('functions and operators of floats leave native histograms out', () => {
  it.each<[string, Cell | undefined]>([
    ['max(h)', undefined],
    ['max({__name__=~"h|f"})', 2],
    ['quantile(0.5, {__name__=~"h|f"})', 2],
    ['topk(1, h)', undefined],
    ['abs(h)', undefined],
    ['clamp_min(h, 5)', undefined],
    ['2 > h', undefined],
    ['h + on (job) f', undefined],
    ['f == on (job) h', undefined],
    ['sum({__name__=~"h|f"})', undefined],
    // Others take them.
    ['sum(h)', 'H7'],
    ['-h', 'H-7'],
    ['h * 2', 'H14'],
    ['count({__name__=~"h|f"})', 2],
    ['histogram_count(h)', 7],
  ])('%s', (text, want) => expect(run(text, 20)[0]?.[1][0]).toEqual(want));

  it('and say so', () => {
    const ctx = context(20, 20);
    for (const text of ['max(h)', '2 > h', 'sum({__name__=~"h|f"})'])
      evaluate(normalise(parseExpr(text), ctx.grid), ctx);
    expect(ctx.notes.list().map(noteText)).toEqual([
      'PromQL info: ignored histogram in max aggregation',
      'PromQL info: incompatible sample types encountered for binary operator ">": float > histogram',
      'PromQL warning: encountered a mix of histograms and floats for aggregation',
    ]);
  });
});

it('a range vector is the raw samples of a left-open window without staleness markers', () => {
  const read = (text: string, atS: number): [number, Cell][][] => {
    const matrix = parseExpr(text);
    if (matrix.kind !== 'matrix') throw new Error('no range vector');
    return [...selectRange(matrix, context(atS, atS))].map(({ times, values, histograms }) =>
      Array.from(times, (time, i) => [time / s, cell(values[i]!, true, histograms, i)]),
    );
  };
  expect(read('h[40s]', 50)).toEqual([
    [
      [20, 'H7'],
      [50, 'H9'],
    ],
  ]);
  expect(read('mixed[1m] offset 20s', 50)).toEqual([
    [
      [10, 5],
      [20, 'H11'],
    ],
  ]);
  expect(read('{job="a"}[10s]', 40)).toEqual([[[40, 4]], [[40, 8]]]);
  expect(read('h[10s] @ 40', 50)).toEqual([]);
});
