import { assertCells, collectRows, type Row } from '../engine/rows.ts';
import { spend, type Usage } from '../engine/usage.ts';
import { GROUPED, startGroups, type Groups } from '../engine/groups.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import { partialOf, type PartialOp } from '../partial/algebra.ts';
import type { Aggregate } from '../promql/ast.ts';
import type { ColumnsRow } from './columns-codec.ts';
import type { Fragment } from './distribute.ts';

/** A row of an answer to a fragment. Native histograms only come from inside a domain. */
export interface AnswerRow extends ColumnsRow {
  readonly histograms?: HistogramColumns | undefined;
}

/**
 * One vector from what all that were asked made of a fragment: whole vectors stand side by side (where they come from keeps
 * them apart), partials merge group by group with the algebra that made them.
 */
export function mergeFragment(
  fragment: Fragment,
  rows: readonly AnswerRow[],
  steps: number,
  usage: Usage,
): readonly Row[] {
  if (fragment.answer === 'partial') {
    return collectRows((sink) => mergeGroups(fragment.expr, rows, steps, usage).finish(usage, sink));
  }
  assertCells(rows.length * steps);
  return rows.map(({ labels, columns: { present, fields }, histograms }) => ({
    labels,
    values: fields[0]!,
    present,
    histograms,
  }));
}

/** The groups of an aggregation that are spread over `rows`, not finished. */
export function mergeGroups(node: Aggregate, rows: readonly AnswerRow[], steps: number, usage: Usage): Groups {
  const partial = partialOf(node.op as PartialOp);
  const groups = startGroups(partial, steps, GROUPED);
  for (const row of rows) {
    spend(usage, steps * partial.fields.length);
    groups.merge(row);
  }
  return groups;
}
