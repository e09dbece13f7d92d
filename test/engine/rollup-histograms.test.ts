import { describe, expect, it } from 'vitest';
import { statsOf } from '../../src/engine/select/stats-only.ts';
import { GAUGE, NOT_RESET, RESET, RESET_UNKNOWN, type NativeHistogram } from '../../src/model/histogram.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { series, STALE } from '../memory-source.ts';
import { custom, exponential } from './native-series.ts';
import { rangeAnswer, type Cell } from './ranges.ts';

type Sample = number | typeof STALE | NativeHistogram;

/** A series `h` with samples 10 s apart, the first at 10 s. */
const spaced = (...samples: Sample[]): SeriesColumns =>
  series(
    { __name__: 'h' },
    samples.map((sample, i) => [(i + 1) * 10_000, sample] as const),
  );

/** So many observations in (1, 2], and a sum of twice as much. */
const h = (count: number, hint = RESET_UNKNOWN): NativeHistogram => ({
  ...exponential(0, [[1, count]], { sum: 2 * count }),
  hint,
});

const text = (count: number): string => `{count:${count}, sum:${2 * count}, (1,2]:${count}}`;

const MIXED = 'PromQL warning: encountered a mix of histograms and floats for metric name "h" (1:';
const IGNORED =
  'PromQL info: ignored histograms in a range containing both floats and histograms for metric name "h" (1:';

describe('functions of a range with native histograms at 40 s', () => {
  it.each<[string, Sample[], Cell | undefined, string[]]>([
    ['count_over_time(h[40s])', [h(1), 2, STALE, h(4)], 3, []],
    ['last_over_time(h[40s])', [h(1), 2, STALE, h(4)], text(4), []],
    ['first_over_time(h[40s])', [h(1), 2, STALE, h(4)], text(1), []],
    ['ts_of_last_over_time(h[40s])', [h(1), 2, h(4), STALE], 30, []],
    ['sum_over_time(h[40s])', [h(1), h(2), STALE, h(4)], text(7), []],
    ['avg_over_time(h[40s])', [h(1), h(2), h(3), h(6)], text(3), []],
    ['sum_over_time(h[40s])', [h(1), 2, STALE, h(4)], undefined, [`${MIXED}15)`]],
    ['sum_over_time(h[15s])', [h(1), 2, h(3), h(4)], text(7), []],
    [
      'sum_over_time(h[40s])',
      [h(1, RESET), h(2, NOT_RESET), h(3), h(4)],
      text(10),
      ['PromQL warning: conflicting counter resets during histogram aggregation (1:15)'],
    ],
    ['max_over_time(h[40s])', [h(1), 2, 1, h(4)], 2, [`${IGNORED}15)`]],
    ['max_over_time(h[40s])', [h(1), h(2), h(3), h(4)], undefined, []],
    ['quantile_over_time(0.5, h[40s])', [h(1), 2, 4, h(4)], 3, [`${IGNORED}20)`]],
    ['deriv(h[40s])', [h(1), 2, STALE, h(4)], undefined, [`${IGNORED}7)`]],
    ['mad_over_time(h[40s])', [1, 2, 4, h(4)], 1, [`${IGNORED}15)`]],
    ['changes(h[40s])', [h(1), h(1), 5, h(1)], 2, []],
    ['resets(h[40s])', [h(4), h(1), 5, 6], 2, []],
    ['irate(h[40s])', [1, 2, h(1), h(6)], '{count:0.5, sum:1, (1,2]:0.5}', []],
    ['irate(h[40s])', [1, 2, h(6), h(1)], '{count:0.1, sum:0.2, (1,2]:0.1}', []],
    ['irate(h[40s])', [1, 2, 3, h(1)], undefined, [`${MIXED}7)`]],
    [
      'idelta(h[40s])',
      [1, 2, h(1, GAUGE), h(6)],
      text(5),
      ['PromQL warning: this native histogram metric is not a gauge: "h" (1:8)'],
    ],
    // The rise from 1 to 4 over 30 s, and 10 s more at the start, where it was zero.
    ['increase(h[40s])', [h(1), h(2), h(3), h(4)], text(4), []],
    ['rate(h[40s])', [h(3), h(1), h(2), h(3)], '{count:0.1, sum:0.2, (1,2]:0.1}', []],
    [
      'rate(h[40s])',
      [h(1), h(2, GAUGE), h(3), h(4)],
      '{count:0.1, sum:0.2, (1,2]:0.1}',
      ['PromQL warning: this native histogram metric is not a counter: "h" (1:6)'],
    ],
    // What was before a reset may be of any kind.
    ['increase(h[40s])', [custom([1], [[0, 9]]), h(3), h(4), h(6)], text(8), []],
    ['delta(h[40s])', [h(4, GAUGE), h(2, GAUGE), h(3, GAUGE), h(1, GAUGE)], text(-4), []],
    ['rate(h[40s])', [h(1), 2, 3, 4], undefined, [`${MIXED}6)`]],
    [
      'rate(h[40s])',
      [h(1), h(2), h(3), custom([1], [[0, 9]])],
      undefined,
      [
        'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "h" (1:6)',
      ],
    ],
    [
      'increase(h[20s])',
      [
        STALE,
        STALE,
        custom(
          [1, 2],
          [
            [0, 1],
            [1, 1],
          ],
        ),
        custom(
          [1, 3],
          [
            [0, 5],
            [1, 7],
          ],
        ),
      ],
      // From 2 to 12, and for the 2 s more in which it came to 2.
      '{count:12, sum:0, [-Inf,1]:4.8, (1,+Inf]:7.199999999999999}',
      ['PromQL info: mismatched custom buckets were reconciled during subtraction (1:10)'],
    ],
    [
      'avg_over_time(h[40s])',
      [h(1), h(2), h(3), custom([1], [[0, 9]])],
      undefined,
      [
        'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "h" (1:15)',
      ],
    ],
  ])('%s of %#', (query, samples, want, notes) => {
    const answer = rangeAnswer(query, [spaced(...samples)], { from: 40 });
    expect(Object.values(answer.rows)).toEqual(want === undefined ? [] : [[want]]);
    expect(answer.notes).toEqual(notes);
  });

  it('have a coarse result where any of them is coarse', () => {
    const fine = (count: number) =>
      exponential(
        1,
        [
          [1, count],
          [2, count],
        ],
        { sum: 0 },
      );
    const coarse = exponential(0, [[1, 40]], { sum: 0 });
    const rows = (...samples: Sample[]) => rangeAnswer('increase(h[40s])', [spaced(...samples)], { from: 40 }).rows;
    expect(rows(fine(5), fine(10), fine(15), coarse)).toEqual({ '{}': ['{count:40, sum:0, (1,2]:40}'] });
  });
});

describe('start times', () => {
  const started = (startTimes: readonly number[], ...samples: Sample[]): SeriesColumns => ({
    ...spaced(...samples),
    startTimes: Float64Array.from(startTimes, (seconds) => seconds * 1000),
  });
  const OVERLAP = 'PromQL warning: sample has start time that overlaps with previous sample timestamp for metric "h"';

  it.each<[string, number[], Sample[], Cell | undefined, string[]]>([
    // A counter that started anew between 20 s and 30 s, and went past what it had.
    ['resets(h[40s])', [1, 1, 25, 25], [1, 2, 3, 4], 1, []],
    ['resets(h[40s])', [1, 1, 25, 25], [h(1), h(2), h(3), h(4)], 1, []],
    ['irate(h[20s])', [1, 1, 1, 35], [1, 2, 3, 4], 0.4, []],
    ['irate(h[20s])', [1, 1, 1, 35], [h(1), h(2), h(3), h(4)], '{count:0.4, sum:0.8, (1,2]:0.4}', []],
    // One sample is enough where the counter started inside the window: at zero.
    ['increase(h[10s])', [0, 0, 0, 35], [1, 2, 3, 4], 4, []],
    ['increase(h[10s])', [0, 0, 0, 35], [h(1), h(2), h(3), h(4)], text(4), []],
    ['increase(h[10s])', [0, 0, 0, 40], [1, 2, 3, 4], undefined, []],
    ['increase(h[40s])', [0, 0, 0, 0], [custom([1], [[0, 9]]), h(3), h(4), h(6)], text(8), []],
    ['rate(h[40s])', [5, 5, 25, 25], [3, 5, 6, 8], 13 / 40, []],
    ['rate(h[40s])', [5, 5, 5, 25], [3, 5, 6, 8], 8 / 40, [`${OVERLAP} (1:6)`]],
  ])('%s started at %j', (query, starts, samples, want, notes) => {
    const held = [started(starts, ...samples)];
    const answer = rangeAnswer(query, held, { from: 40 }, ['use-start-timestamps', 'type-and-unit-labels']);
    expect(Object.values(answer.rows)).toEqual(want === undefined ? [] : [[want]]);
    expect(answer.notes.filter((note) => !note.includes('might not be a counter'))).toEqual(notes);
  });

  it('mean nothing unless they are asked for', () =>
    expect(rangeAnswer('resets(h[40s])', [started([1, 1, 25, 25], 1, 2, 3, 4)], { from: 40 }).rows).toEqual({
      '{}': [0],
    }));
});

it('histograms of their counts and sums alone say of resets what their buckets would', () => {
  const { histograms } = statsOf(spaced(h(4), h(5), exponential(0, [[2, 9]]), 7, h(20, GAUGE), h(21)));
  expect([...histograms!.hints]).toEqual([RESET_UNKNOWN, NOT_RESET, RESET, 0, GAUGE, NOT_RESET]);
  expect([...histograms!.layoutOf]).toEqual([0, 0, 0, -1, 0, 0]);
  expect(histograms!.layouts.map(({ positive, zeroThreshold }) => [positive.length, zeroThreshold])).toEqual([[0, 0]]);
  expect([...histograms!.cells.subarray(3, 6)]).toEqual([5, 10, 0]);
});
