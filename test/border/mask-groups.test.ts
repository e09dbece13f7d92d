import { expect, it } from 'vitest';
import { maskGroups, smallCells } from '../../src/border/mask-groups.ts';
import type { AnswerRow } from '../../src/plan/frames/columns-codec.ts';

const row = (fields: readonly (readonly number[])[], present = [1, 1, 1]): AnswerRow => ({
  labels: ['service', 's'],
  columns: { present: Uint8Array.from(present), fields: fields.map((field) => Float64Array.from(field)) },
});
const counts = (...of: readonly number[]): AnswerRow => row([of], of.map(Math.sign));

it.each<[string, readonly number[], readonly number[], number]>([
  ['enough at each step', [3, 4, 5], [1, 1, 1], 0],
  ['too few at one', [3, 2, 5], [1, 0, 1], 1],
  ['none that count at one', [3, 0, 5], [1, 0, 1], 1],
])('%s', (_, of, present, suppressed) => {
  const masked = maskGroups([row([[7, 8, 9]])], { all: [counts(...of)], floats: [] }, 3);
  expect([...masked.rows[0]!.columns.present]).toEqual(present);
  expect([...masked.rows[0]!.columns.fields[0]!]).toEqual([7, 8, 9].map((value, step) => value * present[step]!));
  expect(masked.suppressed).toBe(suppressed);
});

it('a group that is small at every step, or in no count, is gone', () => {
  expect(maskGroups([row([[1, 2, 3]])], { all: [counts(1, 2, 2)], floats: [] }, 3)).toEqual({
    rows: [],
    suppressed: 3,
  });
  expect(maskGroups([row([[1, 2, 3]])], { all: [], floats: [] }, 3)).toEqual({ rows: [], suppressed: 3 });
});

it('what is masked is in no part of the state, and what was there stays as it is', () => {
  const sketches = {
    starts: Uint32Array.of(0, 2, 3, 5),
    keys: Int32Array.of(1, 2, 47, 3, 4),
    counts: Float64Array.of(1, 1, 1, 2, 2),
  };
  const histograms = {
    seen: Uint8Array.of(2, 2, 2),
    metric: 'm',
    clashing: [],
    blocks: [
      {
        layout: {
          schema: 0,
          zeroThreshold: 0,
          positive: Int32Array.of(),
          negative: Int32Array.of(),
          bounds: new Float64Array(0),
        },
        holds: Uint8Array.of(1, 1, 1),
        hints: Uint8Array.of(0, 1, 0),
        counts: Float64Array.of(3, 1, 3),
        cells: Float64Array.of(3, 3, 47, 47, 5, 5),
        lost: new Float64Array(6),
      },
    ],
  };
  const state = row([]);
  const whole = { ...state, columns: { ...state.columns, sketches, histograms } };
  const [masked] = maskGroups([whole], { all: [counts(3, 1, 3)], floats: [] }, 3).rows;
  expect([...masked!.columns.sketches!.starts]).toEqual([0, 2, 2, 4]);
  expect([...masked!.columns.sketches!.keys]).toEqual([1, 2, 3, 4]);
  expect([...masked!.columns.histograms!.seen]).toEqual([2, 0, 2]);
  const [block] = masked!.columns.histograms!.blocks;
  expect([...block!.holds, ...block!.counts]).toEqual([1, 0, 1, 3, 0, 3]);
  expect([...block!.cells]).toEqual([3, 3, 0, 0, 5, 5]);
  expect([...sketches.keys]).toEqual([1, 2, 47, 3, 4]);
  expect([...histograms.blocks[0]!.cells]).toEqual([3, 3, 47, 47, 5, 5]);
});

it('counts what is small', () => {
  expect(smallCells([counts(1, 0, 3), counts(2, 2, 4)], 3)).toBe(3);
});
