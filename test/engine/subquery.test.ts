import { describe, expect, it } from 'vitest';
import { evaluate } from '../../src/engine/evaluate.ts';
import { subqueryGrid } from '../../src/engine/select/subquery.ts';
import { startUsage } from '../../src/engine/usage.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { GAUGE, NOT_RESET, RESET } from '../../src/model/histogram.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { memorySource, series } from '../memory-source.ts';
import { contextOver } from './context.ts';
import { exponential } from './native-series.ts';
import { rangeAnswer } from './ranges.ts';

/** The first step, how many there are, and how far they are apart, in seconds. */
function gridOf(text: string, startS: number, steps = 1, stepS = 1): readonly number[] {
  const node = parseExpr(text);
  if (node.kind !== 'subquery') throw new Error('no subquery');
  const grid = subqueryGrid(node, { startMs: startS * 1000, stepMs: stepS * 1000, steps });
  return [grid.startMs / 1000, grid.steps, grid.stepMs / 1000];
}

describe('the steps of a subquery', () => {
  it.each<[string, number, number, number, readonly number[]]>([
    ['m[30s:10s]', 100, 1, 1, [80, 3, 10]],
    ['m[30s:10s]', 105, 1, 1, [80, 3, 10]],
    ['m[30s:7s]', 100, 1, 1, [77, 4, 7]],
    ['m[30s:10s]', 100, 3, 60, [80, 15, 10]],
    ['m[30s:10s] offset 50s', 100, 1, 1, [30, 3, 10]],
    ['m[30s:10s] @ 20 offset -5s', 100, 9, 60, [0, 3, 10]],
    ['m[30s:10s]', 0, 1, 1, [-20, 3, 10]],
    ['m[5s:10s]', 3, 1, 1, [0, 1, 10]],
    ['m[5s:10s]', 8, 1, 1, [10, 0, 10]],
    ['m[30s:10s]', 100, 0, 1, [80, 0, 10]],
  ])('%s at %d, %d steps of %d s', (text, start, steps, step, want) =>
    expect(gridOf(text, start, steps, step)).toEqual(want),
  );

  it('are bounded', () => expect(() => gridOf('m[30d:1s]', 0)).toThrow(/has 2592000 steps.*Raise its step/));
});

describe('functions over a subquery', () => {
  const held = [
    series(
      { __name__: 'm_total' },
      [0, 10, 20, 30, 40, 50, 60].map((second) => [second * 1000, second * 2] as const),
    ),
  ];

  it('see the values at its steps', () => {
    const when = { from: 40, to: 60, step: 20 };
    expect(rangeAnswer('sum_over_time(m_total[20s:10s])', held, when).rows).toEqual({ '{}': [140, 220] });
    expect(rangeAnswer('max_over_time(rate(m_total[20s])[30s:10s])', held, when).rows).toEqual({ '{}': [2, 2] });
    // Between samples the last one counts, so that it comes twice.
    expect(rangeAnswer('count_over_time(m_total[20s:5s])', held, when).rows).toEqual({ '{}': [4, 4] });
    expect(rangeAnswer('sum_over_time((m_total > 90)[20s:10s])', held, when).rows).toEqual({ '{}': [null, 220] });
    expect(rangeAnswer('sum_over_time(sum_over_time(m_total[20s:10s])[20s:10s])', held, when).rows).toEqual({
      '{}': [240, 400],
    });
    expect(rangeAnswer('last_over_time(m_total[10s:10s] @ 30)', held, when).rows).toEqual({
      '{__name__="m_total"}': [60, 60],
    });
  });

  it('know only the samples themselves of counter resets', () => {
    const hinted = [NOT_RESET, RESET, GAUGE].map(
      (hint, i) => [i * 10_000, { ...exponential(0, [[1, i + 1]]), hint }] as const,
    );
    expect(rangeAnswer('resets(h[30s])', [series({ __name__: 'h' }, hinted)], { from: 20 }).rows).toEqual({
      '{}': [1],
    });
    expect(rangeAnswer('resets(h[30s:10s])', [series({ __name__: 'h' }, hinted)], { from: 20 }).rows).toEqual({
      '{}': [0],
    });
  });

  it('have no place in the text for their notes, which come after those from within', () => {
    const gauges = [
      series(
        { __name__: 'm' },
        [0, 10, 20].map((second) => [second * 1000, second] as const),
      ),
    ];
    const note = (place: string) =>
      `PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "m" (${place})`;
    expect(rangeAnswer('sum(rate(m[30s:10s]))', gauges, { from: 20 }).notes).toEqual([note('1:1')]);
    expect(rangeAnswer('rate(last_over_time(m[10s])[30s:10s])', gauges, { from: 20 }).notes).toEqual([note('1:1')]);
    expect(rangeAnswer('max_over_time(rate(m[20s])[30s:10s])', gauges, { from: 20 }).notes).toEqual([note('1:20')]);
  });
});

it('long work on the rows of a subquery looks round, when all of them have come', () => {
  const held = [1, 2].map((x) => series({ __name__: 'm', x: String(x) }, [[0, x]]));
  let turns = 0;
  const usage = startUsage(Infinity, { turn: () => turns++ });
  const grid = rangeGrid(50_000, 99_000, 100);
  const text = 'deriv(m[40s:50ms])';
  const value = evaluate(normalise(parseExpr(text), grid, text), contextOver(memorySource(held), grid, { usage }));
  expect(value).toMatchObject({ kind: 'vector', rows: [{ labels: ['x', '1'] }, { labels: ['x', '2'] }] });
  // 491 steps of 800 points for each of both.
  expect(turns).toBeGreaterThan(40);
});

describe('a subquery as the whole query', () => {
  const held = ['a', 'b'].map((name, i) =>
    series(
      { __name__: name },
      [0, 10, 20].map((second) => [second * 1000 + i * 30_000, second + i] as const),
    ),
  );

  it('is the points of its steps', () =>
    expect(rangeAnswer('a[20s:5s]', held, { from: 20 }).rows).toEqual({
      '{__name__="a"}': [
        [5, 0],
        [10, 10],
        [15, 10],
        [20, 20],
      ],
    }));

  it('loses the names that are marked for it at the end', () => {
    const delayed = ['promql-delayed-name-removal'];
    expect(rangeAnswer('(a * 2)[20s:10s]', held, { from: 20 }, delayed).rows).toEqual({
      '{}': [
        [10, 20],
        [20, 40],
      ],
    });
    expect(() => rangeAnswer('({__name__=~"a|b"} * 2)[20s:10s]', held, { from: 40 }, delayed)).toThrow(/same labelset/);
  });
});
