import { startGroups } from '../engine/groups.ts';
import { collectRows, type Row } from '../engine/rows.ts';
import { partialOf, type PartialOp } from '../partial/algebra.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { FragmentAnswer } from '../plan/frames.ts';

/**
 * One vector from the domains' answers to a fragment: whole vectors stand side by side (their domain labels keep them
 * apart), partials merge group by group with the algebra that made them.
 */
export function mergeFragment(fragment: Fragment, answers: readonly FragmentAnswer[], steps: number): readonly Row[] {
  const rows = answers.flatMap((answer) => ('rows' in answer ? answer.rows : []));
  if (fragment.answer === 'vector') {
    return rows.map(({ labels, columns }) => ({ labels, values: columns.fields[0]!, present: columns.present }));
  }
  const groups = startGroups(partialOf(fragment.expr.op as PartialOp), steps, (labels) => labels);
  for (const row of rows) groups.merge(row);
  return collectRows(groups.finish);
}
