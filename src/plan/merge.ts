import { assertCells, collectRows, type Row } from '../engine/rows.ts';
import { spend, type Usage } from '../engine/usage.ts';
import type { Notes } from '../engine/notes.ts';
import { GROUPED, startGroups, type Groups } from '../engine/aggregate/groups.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import type { Aggregate } from '../promql/ast.ts';
import type { ColumnsRow } from './columns-codec.ts';
import type { Fragment } from './distribute.ts';

/** A row of an answer to a fragment. Native histograms only come from inside a domain. */
export interface AnswerRow extends ColumnsRow {
  readonly histograms?: HistogramColumns | undefined;
  readonly dropsName?: boolean | undefined;
}

/**
 * One vector from what all that were asked made of a fragment: whole vectors stand side by side (where they come from keeps
 * them apart), partials merge group by group with the algebra that made them. `notes` take what there is to say of the
 * merged.
 */
export function mergeFragment(
  fragment: Fragment,
  rows: readonly AnswerRow[],
  notes: Notes,
  usage: Usage,
): readonly Row[] {
  const { steps } = fragment.grid;
  if (fragment.answer === 'partial') {
    const groups = mergeGroups(fragment.expr, rows, steps, usage);
    return collectRows((sink) => groups.finish({ notes, usage }, sink));
  }
  assertCells(rows.length * steps);
  return rows.map(({ labels, columns: { present, fields }, histograms, dropsName }) => ({
    labels,
    values: fields[0]!,
    present,
    histograms,
    dropsName,
  }));
}

/** The groups of an aggregation that are spread over `rows`, not finished. */
export function mergeGroups(node: Aggregate, rows: readonly AnswerRow[], steps: number, usage: Usage): Groups {
  const groups = startGroups(node, steps, GROUPED, 'anyOrder');
  for (const row of rows) {
    spend(usage, steps * (row.columns.fields.length + 1));
    groups.merge(row);
  }
  return groups;
}
