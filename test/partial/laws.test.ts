import { describe, expect, it } from 'vitest';
import { partialOf, zeroColumns, type PartialOp } from '../../src/partial/algebra.ts';
import type { Partial, PartialColumns } from '../../src/partial/partial.ts';
import { caseOf, LAWS } from './laws.ts';
import { OPS } from './states.ts';

const algebra = (op: PartialOp): Partial => partialOf({ answer: 'partial', expr: { op } });

/** A value of one series at one step; undefined where the series has none. */
type Cell = number | undefined;

/** The state of the given series, one cell each. */
function stateOf(op: PartialOp, cells: readonly Cell[]): PartialColumns {
  const columns = zeroColumns(algebra(op), 1);
  for (const cell of cells) {
    algebra(op).add(columns, Float64Array.of(cell ?? 0), Uint8Array.of(cell === undefined ? 0 : 1));
  }
  return columns;
}

function merged(op: PartialOp, ...states: readonly PartialColumns[]): PartialColumns {
  const into = zeroColumns(algebra(op), 1);
  for (const state of states) algebra(op).merge(into, state);
  return into;
}

function valueOf(op: PartialOp, state: PartialColumns): Cell {
  if (state.present[0] === 0) return undefined;
  const out = new Float64Array(1);
  algebra(op).finish(state, out);
  return out[0]!;
}

const SEED = Number(process.env['COMITY_SEED'] ?? Date.now() % 1_000_000);
const CASES = 100;

describe.each(OPS)(`%s (seed ${SEED})`, (op) => {
  it.each(Object.keys(LAWS))('%s', (law) => {
    for (let i = 0; i < CASES; i++) expect(LAWS[law]!(caseOf(op, SEED, i)), `case ${i}`).toBeUndefined();
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
