import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partialOf, zeroColumns, type PartialOp } from '../../src/partial/algebra.ts';
import type { PartialColumns } from '../../src/partial/partial.ts';

const OPS: readonly PartialOp[] = ['sum', 'count', 'avg', 'min', 'max', 'group', 'stddev', 'stdvar'];

/** A value of one series at one step; undefined where the series has none. */
type Cell = number | undefined;

/** The state of the given series, one cell each. */
function stateOf(op: PartialOp, cells: readonly Cell[]): PartialColumns {
  const columns = zeroColumns(partialOf(op), 1);
  for (const cell of cells) {
    partialOf(op).add(columns, Float64Array.of(cell ?? 0), Uint8Array.of(cell === undefined ? 0 : 1));
  }
  return columns;
}

function merged(op: PartialOp, ...states: readonly PartialColumns[]): PartialColumns {
  const into = zeroColumns(partialOf(op), 1);
  for (const state of states) partialOf(op).merge(into, state);
  return into;
}

function valueOf(op: PartialOp, state: PartialColumns): Cell {
  if (state.present[0] === 0) return undefined;
  const out = new Float64Array(1);
  partialOf(op).finish(state, out);
  return out[0]!;
}

/**
 * Equal within 1e-12 relative, or within 16 machine epsilons of the absolute terms where they cancel; variances, which
 * cancel by themselves, within as much of the mean square for each term.
 */
function expectEqual(op: PartialOp, one: Cell, other: Cell, cells: readonly Cell[]): void {
  if (op === 'stddev' || op === 'stdvar') return expectEqualVariance(op, one, other, cells);
  const [a, b] = [one, other];
  const finite = cells.filter((cell) => Number.isFinite(cell));
  const absolute = finite.reduce<number>((sum, cell) => sum + Math.abs(cell!), 0);
  // Where sums overflow it depends on the order which of them do.
  if (!Number.isFinite(absolute)) return undefined;
  if (a === undefined || b === undefined || !Number.isFinite(a) || !Number.isFinite(b)) return expect(a).toEqual(b);
  const bound = Math.max(1e-12 * Math.max(Math.abs(a), Math.abs(b)), 16 * Number.EPSILON * absolute);
  return expect(Math.abs(a - b), `${a} against ${b}`).toBeLessThanOrEqual(bound);
}

function expectEqualVariance(op: PartialOp, one: Cell, other: Cell, cells: readonly Cell[]): void {
  const square = cells.reduce<number>((sum, cell) => sum + (cell ?? 0) ** 2, 0) * cells.length;
  // What overflows does so sooner or later by the order.
  if (!Number.isFinite(square)) return;
  if (one === undefined || other === undefined) return expect(one).toEqual(other);
  const [a, b] = op === 'stddev' ? [one ** 2, other ** 2] : [one, other];
  expect(Math.abs(a - b), `${a} against ${b}`).toBeLessThanOrEqual(16 * Number.EPSILON * square + Number.MIN_VALUE);
}

const cells = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }) },
    { weight: 2, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
    { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity, 1e300, -1e300, 0, -0) },
    { weight: 1, arbitrary: fc.constant(undefined) },
  ),
  { maxLength: 12 },
);

describe.each(OPS)('%s is a commutative monoid', (op) => {
  it('has an identity', () => {
    fc.assert(
      fc.property(cells, (a) => {
        const state = stateOf(op, a);
        expect(merged(op, state)).toEqual(merged(op, zeroColumns(partialOf(op), 1), state));
        expectEqual(op, valueOf(op, merged(op, state)), valueOf(op, state), a);
      }),
    );
  });

  it('commutes', () => {
    fc.assert(
      fc.property(cells, cells, (a, b) => {
        const [x, y] = [stateOf(op, a), stateOf(op, b)];
        expectEqual(op, valueOf(op, merged(op, x, y)), valueOf(op, merged(op, y, x)), [...a, ...b]);
      }),
    );
  });

  it('associates', () => {
    fc.assert(
      fc.property(cells, cells, cells, (a, b, c) => {
        const [x, y, z] = [stateOf(op, a), stateOf(op, b), stateOf(op, c)];
        const left = merged(op, merged(op, x, y), z);
        const right = merged(op, x, merged(op, y, z));
        expectEqual(op, valueOf(op, left), valueOf(op, right), [...a, ...b, ...c]);
      }),
    );
  });

  it('gives the same value however the series are split', () => {
    fc.assert(
      fc.property(cells, fc.array(fc.nat(2), { minLength: 12, maxLength: 12 }), (all, domains) => {
        const parts = [0, 1, 2].map((domain) => all.filter((_cell, i) => domains[i] === domain));
        const split = merged(op, ...parts.map((part) => stateOf(op, part)));
        expectEqual(op, valueOf(op, split), valueOf(op, stateOf(op, all)), all);
      }),
    );
  });
});

describe('values', () => {
  const check = (op: PartialOp, parts: readonly (readonly Cell[])[], want: Cell): void =>
    expect(valueOf(op, merged(op, ...parts.map((part) => stateOf(op, part))))).toEqual(want);

  it.each<[PartialOp, Cell[][], Cell]>([
    [
      'sum',
      [
        [1e100, 1],
        [-1e100, 1],
      ],
      2,
    ],
    ['sum', [[0.1, 0.2], [0.3]], 0.6],
    ['sum', [[Infinity], [-Infinity]], NaN],
    ['sum', [[Infinity, 1], [2]], Infinity],
    ['sum', [[], [undefined]], undefined],
    ['avg', [[9.98e307], [9.99e307]], 9.985e307],
    ['avg', [[1, 2, 3], [10]], 4],
    [
      'avg',
      [
        [-1.7e308, -1.7e308],
        [1.7e308, 1.7e308],
      ],
      0,
    ],
    [
      'count',
      [
        [NaN, 1],
        [undefined, 2],
      ],
      3,
    ],
    ['min', [[NaN], [3, 2]], 2],
    ['max', [[NaN], [NaN]], NaN],
    ['max', [[-Infinity], [-5]], -5],
    ['group', [[7], [undefined]], 1],
    ['stdvar', [[1, 3], [undefined], [5]], 8 / 3],
    ['stddev', [[2, 4, 4, 4], [5, 5, 7], [9]], 2],
    ['stdvar', [[7]], 0],
    ['stdvar', [[Infinity], [1]], NaN],
    ['stddev', [[1e8], [1e8 + 2]], 1],
    ['avg', [[Infinity, 1], [2]], Infinity],
    [
      'avg',
      [
        [1.6e308, 1.6e308],
        [1.6e308, 1.6e308],
      ],
      1.6e308,
    ],
    ['avg', [[1.7e308], [-1.7e308, 3]], 1],
    ['avg', [[2 ** 1022, 2 ** 1022, 2 ** 1022, 2 ** 1023]], 1.25 * 2 ** 1022],
  ])('%s of %j is %j', check);
});
