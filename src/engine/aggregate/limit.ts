import { ComityError } from '../../base/errors.ts';
import type { Aggregate } from '../../promql/ast.ts';
import { invalidLimit, limitsOf, rangeOf } from './aggregate-parameter.ts';
import { invalidRatio } from '../annotations.ts';
import type { Evaluation } from '../evaluation.ts';
import { groupingOf } from './groups.ts';
import { innerSpan } from './inner-span.ts';
import { hashFraction } from './label-hash.ts';
import { labelOrder } from './label-order.ts';
import { anyPresent, assertCells, type RowSink } from '../rows.ts';
import { spend } from '../usage.ts';

/**
 * `limitk`: at each step k samples of each group, whatever they are: the first by labels, so that the answer does not hang
 * on the order in which series come.
 */
export function limitkRows(node: Aggregate, evaluation: Evaluation, sink: RowSink): void {
  const { grid, usage } = evaluation;
  const parameters = evaluation.scalar(node.param!);
  const rows = evaluation.collect(node.expr);
  const invalid = invalidLimit(parameters);
  // What is wrong in the argument is said first.
  if (invalid !== undefined) throw invalid;
  const limits = limitsOf(parameters, rows.length);
  const grouping = groupingOf(node);
  const groups = new Map<string, Uint32Array>();
  for (const index of labelOrder(rows, usage)) {
    const row = rows[index]!;
    spend(usage, grid.steps);
    const key = grouping.key(row.labels);
    let taken = groups.get(key);
    if (taken === undefined) {
      taken = new Uint32Array(grid.steps);
      groups.set(key, taken);
      assertCells(groups.size * grid.steps);
    }
    const present = row.present.slice();
    for (let step = 0; step < grid.steps; step++) {
      if (present[step] === 0) continue;
      if (taken[step]! < limits[step]!) taken[step]! += 1;
      else present[step] = 0;
    }
    if (anyPresent(present)) sink({ ...row, present });
  }
}

/**
 * `limit_ratio`: the series whose hash lies in the given part of all hashes, the first one for a positive ratio and the last
 * one for a negative.
 */
export function limitRatioRows(node: Aggregate, evaluation: Evaluation, sink: RowSink): void {
  const ratios = evaluation.scalar(node.param!);
  const { least, largest, hasNaN } = rangeOf(ratios);
  evaluation.rows(node.expr, (row) => {
    if (hasNaN) return;
    const fraction = hashFraction(row.labels);
    const present = row.present.map((bit, step) => (isWithin(fraction, ratios[step]!) ? bit : 0));
    if (anyPresent(present)) sink({ ...row, present });
  });
  if (hasNaN) throw new ComityError('execution', 'Ratio value is NaN');
  const span = innerSpan(node.param!);
  if (largest > 1) evaluation.notes.add(invalidRatio(largest, 1, span));
  if (least < -1) evaluation.notes.add(invalidRatio(least, -1, span));
}

function isWithin(fraction: number, ratio: number): boolean {
  return ratio >= 0 ? fraction < ratio : fraction >= 1 + Math.max(-1, ratio);
}
