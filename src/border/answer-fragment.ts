import type { FragmentAnswer } from '../plan/frames/query-codec.ts';
import { preorder } from '../plan/frames/preorder.ts';
import type { Note } from '../engine/notes.ts';
import { checkRows } from '../policy/check.ts';
import type { Aggregate, Expr } from '../promql/ast.ts';
import { checkValues } from './answer-limits.ts';
import type { FragmentData } from './domain-data.ts';
import { hasMixed, maskGroups, smallCells } from './mask-groups.ts';
import { countFloatsFragment, countFragment, hasStates } from './min-series.ts';
import type { Prepared } from './prepare.ts';
import { releasedNotes } from './release-notes.ts';
import { checkTree, fragmentData, type Refused, type Request } from './request.ts';

/** What is let out of a fragment that may be evaluated. */
export type AnsweredFragment = Exclude<FragmentAnswer, Refused>;

/**
 * Evaluates a fragment and decides about what has come of it, in this order: groups that are too small go, the policy's check
 * of the tree is made again where it looked at the series, then that of the labels that the rows really carry, the number of
 * their values, and the notes.
 */
export async function answerFragment(prepared: Prepared, request: Request): Promise<AnsweredFragment | Refused> {
  const { fragment, hasLooked } = prepared;
  const { policy } = request;
  const { rows, notes } = await largeGroups(prepared, request);
  // Series that were stored since it was checked may have been read as well.
  const after = hasLooked ? await checkTree(fragment, request) : undefined;
  const refusal = after?.refusal ?? checkRows(rows, policy) ?? checkValues(rows, policy);
  if (refusal !== undefined) return { refusal };
  const mayLeave = async (expr: Expr): Promise<boolean> => {
    const checked = await checkTree({ answer: 'vector', expr, grid: fragment.grid }, request);
    return checked.refusal === undefined;
  };
  const told = notesOutside(prepared, notes);
  return { rows, notes: await releasedNotes(told, preorder(fragment.expr), policy, mayLeave) };
}

/** The data of a fragment without groups of fewer series than the policy asks for. */
export async function largeGroups({ fragment, evaluated, guarded }: Prepared, request: Request): Promise<FragmentData> {
  const data = await fragmentData(evaluated, request);
  const { onSuppressed } = request.border;
  let { rows } = data;
  for (const groups of guarded) {
    const isRoot = hasStates(fragment) && groups.node === fragment.expr;
    if (isRoot) {
      // Counted as it is evaluated: without the small groups of what is nested in it.
      const node = evaluated.expr as Aggregate;
      const own = { ...groups, node };
      const { rows: all } = await fragmentData(countFragment(evaluated, own), request);
      const floats = hasMixed(rows) ? (await fragmentData(countFloatsFragment(evaluated, own), request)).rows : [];
      const masked = maskGroups(rows, { all, floats }, groups.minSeries);
      rows = masked.rows;
      onSuppressed?.(masked.suppressed);
    } else if (groups.isOnGrid && onSuppressed !== undefined) {
      const counts = await fragmentData(countFragment(evaluated, groups), request);
      onSuppressed(smallCells(counts.rows, groups.minSeries));
    }
  }
  return { ...data, rows };
}

/** Notes on what stands above the guarded aggregations: those on the rest could tell of groups that do not leave. */
function notesOutside({ guarded }: Prepared, notes: readonly Note[]): readonly Note[] {
  if (guarded.length === 0) return notes;
  const inside = new Set(guarded.flatMap(({ node }) => preorder(node).map(({ span }) => span.start)));
  return notes.filter(({ span }) => span.end > 0 && !inside.has(span.start));
}
