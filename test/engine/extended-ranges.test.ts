import { describe, expect, it } from 'vitest';
import { GAUGE } from '../../src/model/histogram.ts';
import { series, STALE } from '../memory-source.ts';
import { custom, exponential } from './native-series.ts';
import { rangeAnswer, type Cell } from './ranges.ts';

/** A series `m_total` with samples at seconds. */
const at = (...samples: [number, number | typeof STALE][]) => [
  series(
    { __name__: 'm_total' },
    samples.map(([second, value]) => [second * 1000, value] as const),
  ),
];

/** A rising counter that is reset once; the lookback is 100 s. */
const COUNTER = at([5, 10], [25, 30], [45, 50], [65, 10], [85, 30]);

function check(text: string, held: ReturnType<typeof at>, from: number, want: Cell | undefined): void {
  expect(rangeAnswer(text, held, { from }).rows).toEqual(want === undefined ? {} : { '{}': [want] });
}

describe('anchored ranges', () => {
  it.each<[string, number, Cell | undefined]>([
    // From the sample at 25 s, which is the last one before the window, to that at 45 s.
    ['increase(m_total[20s] anchored)', 50, 20],
    ['rate(m_total[20s] anchored)', 50, 1],
    // Through the reset: 30 -> 50, 0 -> 10.
    ['increase(m_total[40s] anchored)', 70, 30],
    ['delta(m_total[40s] anchored)', 70, -20],
    // Nothing before the window: from its first sample on.
    ['increase(m_total[60s] anchored)', 50, 40],
    // No sample inside.
    ['increase(m_total[5s] anchored)', 60, undefined],
    ['changes(m_total[20s] anchored)', 50, 1],
    ['changes(m_total[20s])', 50, 0],
    ['resets(m_total[20s] anchored)', 70, 1],
    ['resets(m_total[20s])', 70, 0],
    ['resets(m_total[5s] anchored)', 60, undefined],
    // The sample at 85 s is out of the lookback of a window from 190 s on.
    ['increase(m_total[10s] anchored)', 200, undefined],
  ])('%s at %d s', (text, from, want) => check(text, COUNTER, from, want));
});

describe('smoothed ranges', () => {
  it.each<[string, number, Cell | undefined]>([
    // On the line from 10 at 5 s to 50 at 45 s.
    ['increase(m_total[20s] smoothed)', 40, 20],
    ['rate(m_total[20s] smoothed)', 40, 1],
    // From 40 to 50 and, as the counter is taken to rise from 0 at 45 s to 10 at 65 s, to 5.
    ['increase(m_total[20s] smoothed)', 55, 15],
    ['delta(m_total[20s] smoothed)', 55, -10],
    // Up to the last sample where none comes after.
    ['increase(m_total[20s] smoothed)', 95, 10],
    ['increase(m_total[20s] smoothed)', 200, undefined],
    ['increase(m_total[4s] smoothed)', 4, undefined],
  ])('%s at %d s', (text, from, want) => check(text, COUNTER, from, want));

  it('are for functions that know what to do with them', () => {
    expect(() => rangeAnswer('sum_over_time(m_total[1m] smoothed)', COUNTER, { from: 60 })).toThrow(
      'smoothed modifier can only be used with: delta, increase, rate - not with sum_over_time',
    );
    expect(() => rangeAnswer('irate(m_total[1m] anchored)', COUNTER, { from: 60 })).toThrow(
      'anchored modifier can only be used with: changes, delta, increase, rate, resets - not with irate',
    );
  });
});

it('smoothed instants lie on the line between the samples', () => {
  const held = at([10, 10], [30, 30], [40, STALE], [50, 10]);
  expect(rangeAnswer('m_total smoothed', held, { from: 0, to: 60 }).rows).toEqual({
    '{__name__="m_total"}': [null, 10, 20, 30, 20, 10, 10],
  });
  expect(rangeAnswer('m_total smoothed offset 5s', held, { from: 20, to: 25, step: 5 }).rows).toEqual({
    '{__name__="m_total"}': [15, 20],
  });
});

describe('histograms', () => {
  const first = exponential(0, [[1, 10]]);
  const second = exponential(0, [[1, 30]]);
  const held = [
    series({ __name__: 'h' }, [
      [0, first],
      [20_000, second],
    ]),
  ];

  it('are smoothed as counters bucket by bucket', () => {
    expect(rangeAnswer('h smoothed', held, { from: 10 }).rows).toEqual({
      '{__name__="h"}': ['{count:20, sum:1.5, (1,2]:20}'],
    });
    expect(rangeAnswer('increase(h[10s] smoothed)', held, { from: 15 }).rows).toEqual({
      '{}': ['{count:10, sum:0, (1,2]:10}'],
    });
    expect(rangeAnswer('rate(h[10s] anchored)', held, { from: 20 }).rows).toEqual({
      '{}': ['{count:2, sum:0, (1,2]:2}'],
    });
    expect(rangeAnswer('delta(h[10s] anchored)', held, { from: 20 }).notes).toEqual([
      'PromQL warning: this native histogram metric is not a gauge: "h" (1:7)',
    ]);
  });

  it('that do not go together have no result, and a note', () => {
    const other = series({ __name__: 'h' }, [
      [0, first],
      [20_000, custom([1, 2], [[0, 5]])],
    ]);
    const note = (place: string) =>
      `PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "h" (${place})`;
    expect(rangeAnswer('h smoothed', [other], { from: 10 })).toEqual({ rows: {}, notes: [note('1:1')] });
    expect(rangeAnswer('rate(h[10s] smoothed)', [other], { from: 15 })).toEqual({ rows: {}, notes: [note('1:6')] });
    const mixed = series({ __name__: 'h' }, [
      [0, { ...first, hint: GAUGE }],
      [20_000, 5],
    ]);
    expect(rangeAnswer('h smoothed', [mixed], { from: 10 })).toEqual({
      rows: {},
      notes: ['PromQL warning: encountered a mix of histograms and floats for metric name "h" (1:1)'],
    });
  });

  it('are no part of a range under a modifier that is the whole query', () =>
    expect(() => rangeAnswer('h[1m] anchored', held, { from: 20 })).toThrow(
      'anchored modifier is not supported with histograms',
    ));
});

it.each<[string, number, [number, number][]]>([
  [
    'm_total[20s] anchored',
    50,
    [
      [30, 30],
      [45, 50],
      [50, 50],
    ],
  ],
  [
    'm_total[20s] smoothed',
    40,
    [
      [20, 25],
      [25, 30],
      [40, 45],
    ],
  ],
  ['m_total[5s] anchored', 60, []],
])('%s at %d s as the whole query has a sample at both ends', (text, from, want) => {
  const { rows } = rangeAnswer(text, COUNTER, { from });
  expect(rows).toEqual(want.length === 0 ? {} : { '{__name__="m_total"}': want });
});
