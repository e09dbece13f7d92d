import { describe, expect, it } from 'vitest';
import { compareNaturally } from '../../src/engine/calls/natural-order.ts';
import { exponential, nativeSeries } from './native-series.ts';
import { answer, now, rowsOf } from './instant.ts';

const HELD = [
  now({ __name__: 'm', x: 'a10', y: '1' }, 2),
  now({ __name__: 'm', x: 'a9', y: '2' }, NaN),
  now({ __name__: 'm', x: 'b', y: '1' }, -1),
  now({ __name__: 'm', x: 'a1', y: '1' }, 2),
  nativeSeries({ __name__: 'm', x: 'h', y: '0' }, [[60_000, exponential(0, [[1, 2]])]]),
];

describe('functions that sort', () => {
  it.each<[string, string[]]>([
    // NaN is last either way, equal values are in the order of labels, and a histogram is left out.
    ['sort(m)', ['b', 'a1', 'a10', 'a9']],
    ['sort_desc(m)', ['a1', 'a10', 'b', 'a9']],
    ['sort_by_label(m, "x")', ['a1', 'a9', 'a10', 'b', 'h']],
    ['sort_by_label_desc(m, "x")', ['h', 'b', 'a10', 'a9', 'a1']],
    ['sort_by_label(m, "y", "x")', ['h', 'a1', 'a10', 'b', 'a9']],
    ['sort_by_label(m, "nope")', ['a1', 'a10', 'a9', 'b', 'h']],
  ])('%s', (text, want) => {
    const { rows, warnings } = answer(text, HELD);
    expect(rows.map(([labels]) => /x="(\w+)"/.exec(labels)![1])).toEqual(want);
    expect(rows.every(([labels]) => labels.startsWith('{__name__="m"'))).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('say that they do nothing over a range', () => {
    const { rows, warnings } = answer('sort_desc(sort(m))', HELD, { from: 50, to: 60 });
    expect(rows).toHaveLength(4);
    const text = 'PromQL warning: sort is ineffective for range queries since results are always ordered by labels';
    expect(warnings).toEqual([`${text} (1:1)`]);
    expect(rowsOf('sort_by_label(m, "x")', HELD, { from: 50, to: 60 })).toHaveLength(5);
  });
});

describe('natural order', () => {
  it.each<[string, string]>([
    ['a2', 'a10'],
    ['a', 'a1'],
    ['9', '10'],
    ['1.9', '1.10'],
    ['a', 'b'],
    ['1', 'a'],
    ['2x', '10'],
    ['x9y1', 'x10y0'],
    // Digits beyond 64 bits are text.
    ['10000000000000000000', '9'],
    ['', 'a'],
    ['a01', 'a1'],
  ])('%s comes before %s', (one, other) => {
    expect(compareNaturally(one, other)).toBeLessThan(0);
    expect(compareNaturally(other, one)).toBeGreaterThan(0);
  });
});
