import { argumentKinds, type ArgumentKind, type NoteArgument } from '../engine/note-codes.ts';
import type { Note } from '../engine/notes.ts';
import type { Policy } from '../policy/document.ts';
import { isWithheld } from '../policy/egress-class.ts';
import type { Expr } from '../promql/ast.ts';

/**
 * What of the notes on a fragment may leave: the code, and what it names as far as that may be named. Numbers of the data
 * leave only where the noted node could leave by itself, which `mayLeave` tells; a note without them still says what it is
 * about. A note that names what may not be named is dropped.
 *
 * `nodes`: those of the fragment, by preorder index. A note with the span of nothing is about none of them.
 */
export async function releasedNotes(
  notes: readonly Note[],
  nodes: readonly Expr[],
  policy: Policy,
  mayLeave: (node: Expr) => Promise<boolean>,
): Promise<readonly Note[]> {
  const known = new Map<Expr, boolean>();

  async function leaves(node: Expr): Promise<boolean> {
    let answer = known.get(node);
    if (answer === undefined) known.set(node, (answer = await mayLeave(node)));
    return answer;
  }

  const released: Note[] = [];
  for (const { level, code, args, span, detail } of notes) {
    const isPlaced = span.end > 0;
    const node = nodes[span.start];
    if (node === undefined) continue;
    const kinds = argumentKinds(code);
    if (!args.every((arg, i) => mayName(kinds[i]!, arg, policy))) continue;
    const note = { level, code, args, span };
    released.push(detail !== undefined && isPlaced && (await leaves(node)) ? { ...note, detail } : note);
  }
  return released;
}

/** Numbers are parameters: of the query, or scalars of it, which the policy's check lets through only as it would an answer. */
function mayName(kind: ArgumentKind, value: NoteArgument, policy: Policy): boolean {
  if (kind === 'metric') return !isWithheld(policy.classOf(String(value)));
  return typeof kind !== 'object' || policy.permitsLabel(kind.label);
}
