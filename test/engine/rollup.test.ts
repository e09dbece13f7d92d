import { describe, expect, it } from 'vitest';
import { series, STALE } from '../memory-source.ts';
import { rangeAnswer, type Cell } from './ranges.ts';

/** One series `m` with samples 10 s apart, the first at 10 s. */
const spaced = (...values: (number | typeof STALE)[]) => [
  series(
    { __name__: 'm', x: '1' },
    values.map((value, i) => [(i + 1) * 10_000, value] as const),
  ),
];

/** Checks the value of a function at 60 s over the samples from 10 s to 60 s, with the name gone. */
function check(text: string, values: readonly (number | typeof STALE)[], want: Cell | undefined): void {
  const { rows } = rangeAnswer(text, spaced(...values), { from: 60 });
  expect(rows).toEqual(want === undefined ? {} : { '{x="1"}': [want] });
}

describe('functions of the floats of a range', () => {
  // The window (0, 60] holds all six samples, and (20, 60] the last four.
  it.each<[string, readonly (number | typeof STALE)[], Cell | undefined]>([
    ['count_over_time(m[60s])', [1, 2, STALE, 4, 5, 6], 5],
    ['present_over_time(m[40s])', [1, 2, STALE, STALE, STALE, STALE], undefined],
    ['present_over_time(m[50s])', [1, 2, STALE, STALE, STALE, STALE], 1],
    ['sum_over_time(m[60s])', [1e100, 1, -1e100, 1, 0, 0], 2],
    ['sum_over_time(m[60s])', [1, Infinity, 2, 3, 4, 5], Infinity],
    ['sum_over_time(m[60s])', [1, Infinity, 2, -Infinity, 4, 5], NaN],
    ['avg_over_time(m[60s])', [1.5e308, 1.5e308, 1.5e308, 1.5e308, 1.5e308, 1.5e308], 1.5e308],
    ['avg_over_time(m[40s])', [100, 100, 1, 2, 3, 6], 3],
    ['min_over_time(m[60s])', [NaN, 3, 2, NaN, 9, 4], 2],
    ['max_over_time(m[60s])', [NaN, NaN, NaN, NaN, NaN, NaN], NaN],
    ['ts_of_max_over_time(m[60s])', [7, 3, 7, 2, 7, 1], 50],
    ['ts_of_min_over_time(m[60s])', [NaN, 3, 3, 9, 8, NaN], 30],
    ['ts_of_max_over_time(m[60s])', [NaN, NaN, NaN, NaN, NaN, STALE], 50],
    ['ts_of_first_over_time(m[40s])', [1, 2, STALE, 4, 5, 6], 40],
    ['ts_of_last_over_time(m[40s])', [1, 2, 3, 4, 5, STALE], 50],
    ['stdvar_over_time(m[60s])', [2, 4, 4, 4, 5, 5], 1],
    ['stddev_over_time(m[40s])', [9, 9, 1, 3, 5, 7], Math.sqrt(5)],
    ['stddev_over_time(m[40s])', [1, 2, Infinity, 4, 5, 6], NaN],
    ['quantile_over_time(0.5, m[60s])', [6, 1, 5, 2, 4, 3], 3.5],
    ['quantile_over_time(0, m[60s])', [6, 1, NaN, 2, 4, 3], NaN],
    ['mad_over_time(m[60s])', [1, 1, 2, 2, 4, 6], 1],
    ['mad_over_time(m[60s])', [1, 1, NaN, 2, 4, 6], NaN],
    ['changes(m[60s])', [1, 1, 2, NaN, NaN, 1], 3],
    ['resets(m[60s])', [5, 6, 1, 2, NaN, 1], 1],
    ['irate(m[60s])', [1, 1, 1, 1, 5, 2], 0.2],
    ['idelta(m[60s])', [1, 1, 1, 1, 5, 2], -3],
    ['idelta(m[10s])', [1, 1, 1, 1, 5, 2], undefined],
    ['deriv(m[60s])', [1, 2, 3, 4, 5, 6], 0.1],
    ['deriv(m[60s])', [7, 7, 7, 7, 7, 7], 0],
    ['deriv(m[60s])', [Infinity, Infinity, Infinity, Infinity, Infinity, Infinity], NaN],
    ['predict_linear(m[60s], 100)', [1, 2, 3, 4, 5, 6], 16],
    ['predict_linear(m[50s] offset 10s, 0)', [1, 2, 3, 4, 5, 100], 6],
    ['double_exponential_smoothing(m[60s], 0.5, 0.5)', [1, 2, 3, 4, 5, 6], 6],
    ['double_exponential_smoothing(m[30s], 0.5, 0.5)', [0, 0, 0, 4, 0, 8], 2],
    // The difference over 40 s of the 60, of which half a spacing is missing at neither end.
    ['increase(m[60s])', [0, 10, 20, 30, 40, 50], 50],
    ['delta(m[60s])', [50, 40, 30, 20, 10, 0], -60],
    ['rate(m[60s])', [10, 20, 30, 5, 15, 25], (45 * (50 + 10)) / 50 / 60],
  ])('%s of %j', check);

  it('keep the name where they give samples of the series', () => {
    const held = spaced(3, 5, STALE, 7);
    expect(rangeAnswer('last_over_time(m[20s])', held, { from: 10, to: 60 }).rows).toEqual({
      '{__name__="m", x="1"}': [3, 5, 5, 7, 7, null],
    });
    expect(rangeAnswer('first_over_time(m[20s])', held, { from: 10, to: 60 }).rows).toEqual({
      '{__name__="m", x="1"}': [3, 3, 5, 7, 7, null],
    });
  });

  it('note what may be wrong with them, at their first argument', () => {
    const held = spaced(1, 2, 3, 4, 5, 6);
    expect(rangeAnswer('rate(m[1m]) + increase(m[1m])', held, { from: 60 }).notes).toEqual([
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "m" (1:24)',
    ]);
    expect(rangeAnswer('rate(m[1m])', held, { from: 60 }, ['type-and-unit-labels']).notes).toEqual([
      'PromQL info: metric might not be a counter, __type__ label is not set to "counter" or "histogram", got "": "m" (1:6)',
    ]);
    expect(rangeAnswer('quantile_over_time(1.5, m[1m])', held, { from: 60 })).toEqual({
      rows: { '{x="1"}': [Infinity] },
      notes: ['PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:20)'],
    });
    // Where there is no sample nothing is asked for.
    expect(rangeAnswer('quantile_over_time(1.5, m[1m])', held, { from: 500 })).toEqual({ rows: {}, notes: [] });
  });

  it('refuse factors of smoothing that are none, where there is a sample', () => {
    const run = (factors: string, from = 60) =>
      rangeAnswer(`double_exponential_smoothing(m[1m], ${factors})`, spaced(1, 2, 3, 4, 5, 6), { from });
    expect(() => run('1, 0.5')).toThrow('invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000');
    expect(() => run('0.5, -Inf')).toThrow('invalid trend factor. Expected: 0 < tf < 1, got: -Inf');
    expect(() => run('1e22, 0.5')).toThrow('got: 10000000000000000000000.000000');
    expect(run('1, 0.5', 500).rows).toEqual({});
  });
});

describe('absent_over_time', () => {
  const held = [series({ __name__: 'm', x: '1' }, [[20_000, 1]]), series({ __name__: 'm', x: '2' }, [[50_000, 1]])];

  it.each<[string, Record<string, Cell[]>]>([
    ['absent_over_time(m{x="1",y!="2",z=~"."}[10s])', { '{x="1"}': [1, 1, 1, 1, 1, 1] }],
    ['absent_over_time(m{x=~"."}[15s])', { '{}': [1, null, null, 1, null, null] }],
    ['absent_over_time(m[1m])', { '{}': [1, null, null, null, null, null] }],
    ['absent_over_time(m[1m] @ 20)', {}],
    ['absent_over_time((m{x="1"} > 0)[15s:5s])', { '{}': [1, null, null, null, null, null] }],
    ['absent_over_time((m{x="1"} > 1)[15s:5s])', { '{}': [1, 1, 1, 1, 1, 1] }],
  ])('%s', (text, want) => expect(rangeAnswer(text, held, { from: 10, to: 60 }).rows).toEqual(want));
});
