import { assertCells, collectRows, type Row } from '../engine/rows.ts';
import { spend, type Usage } from '../engine/usage.ts';
import type { Notes } from '../engine/notes.ts';
import { GROUPED, startGroups, type Groups, type GroupsOf } from '../engine/aggregate/groups.ts';
import type { AnswerRow } from './frames/columns-codec.ts';
import type { Fragment } from './distribute.ts';

/**
 * One vector from what all that were asked made of a fragment: whole vectors stand side by side (where they come from keeps
 * them apart), partials and sketches merge group by group with the algebra that made them. `notes` take what there is to say
 * of the merged.
 */
export function mergeFragment(
  fragment: Fragment,
  rows: readonly AnswerRow[],
  notes: Notes,
  usage: Usage,
): readonly Row[] {
  const { steps } = fragment.grid;
  if (fragment.answer === 'partial' || fragment.answer === 'sketch') {
    const groups = mergeGroups(fragment, rows, steps, usage);
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
export function mergeGroups(of: GroupsOf, rows: readonly AnswerRow[], steps: number, usage: Usage): Groups {
  const groups = startGroups(of, steps, GROUPED, 'anyOrder');
  for (const row of rows) {
    spend(usage, steps * (row.columns.fields.length + 1) + (row.columns.sketches?.keys.length ?? 0));
    groups.merge(row);
  }
  return groups;
}
