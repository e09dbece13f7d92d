import { describe, expect, it } from 'vitest';
import { gridEnd, rangeGrid } from '../../src/model/grid.ts';

describe('rangeGrid', () => {
  it.each<[number, number, number, number, number]>([
    [0, 10, 10, 2, 10],
    [0, 19, 10, 2, 10],
    [0, 9, 10, 1, 0],
    [5, 5, 10, 1, 5],
    [-15, 0, 10, 2, -5],
    // Prometheus counts the steps between points, so there is one point more.
    [0, 11_000, 1, 11_001, 11_000],
  ])('from %d to %d by %d has %d steps, the last at %d', (start, end, step, steps, last) => {
    const grid = rangeGrid(start, end, step);
    expect([grid.steps, gridEnd(grid), grid.endMs]).toEqual([steps, last, end]);
  });

  it.each<[number, number, number, RegExp]>([
    [0, 11_001, 1, /exceeded maximum resolution/],
    [1, 0, 1, /end timestamp must not be before/],
    [0, 1, 0, /zero or negative/],
    [0, 1, NaN, /zero or negative/],
  ])('from %d to %d by %d is refused', (start, end, step, message) => {
    expect(() => rangeGrid(start, end, step)).toThrow(message);
  });
});
