import { noteText } from '../../engine/note-codes.ts';
import { startNotes, type Note } from '../../engine/notes.ts';
import type { AnswerRow } from '../../plan/frames/columns-codec.ts';
import { preorder } from '../../plan/frames/preorder.ts';
import type { Span } from '../../promql/ast.ts';
import type { PlacedNote, Segment } from '../cache/segments.ts';
import { stepsBeside, type Steps } from '../cache/steps.ts';
import type { Column } from './columns.ts';
import { joinRows, sliceRows } from '../cache/rows.ts';

/** Some steps of a segment, which a query takes for its answer. */
export interface Piece extends Steps {
  readonly of: Segment;
  /** Whether it is from the cache. */
  readonly isKept: boolean;
}

/** What is left of pieces, in order and apart, without these steps. */
export function piecesWithout(pieces: readonly Piece[], { from, to }: Steps): readonly Piece[] {
  return pieces.flatMap((piece) => {
    if (piece.to <= from || piece.from >= to) return [piece];
    const before = { ...piece, to: Math.min(piece.to, from) };
    const behind = { ...piece, from: Math.max(piece.from, to) };
    return [before, behind].filter((part) => part.from < part.to);
  });
}

/** Those of the pieces' steps that are among these. */
export function piecesWithin(pieces: readonly Piece[], { from, to }: Steps): readonly Piece[] {
  return [
    { from: -Infinity, to: from },
    { from: Math.max(from, to), to: Infinity },
  ].reduce(piecesWithout, pieces);
}

/** What has still to be asked where these pieces are known. */
export function missingSteps({ steps }: Column, pieces: readonly Piece[]): readonly Steps[] {
  return stepsBeside(steps, pieces);
}

/**
 * The pieces of which it is known what there is to say: what is true of a whole segment need not be true of a part of it. It
 * is where another piece says the same, as what is said of some steps is said of all. Numbers must not be guessed at.
 */
export function certainPieces(pieces: readonly Piece[]): readonly Piece[] {
  const said = new Set(pieces.filter(isCertain).flatMap(({ of }) => of.notes.map(textOf)));
  return pieces.filter(
    (piece) =>
      isCertain(piece) || piece.of.notes.every((one) => one.note.detail === undefined && said.has(textOf(one))),
  );
}

function isCertain({ from, to, of }: Piece): boolean {
  return of.notes.length === 0 || (of.isExact && from === of.from && to === of.to);
}

function textOf({ note, node }: PlacedNote): string {
  return `${node} ${noteText(note)}`;
}

/** The answer that the pieces, all of a column, make. */
export function joinPieces(
  { fragment, steps }: Column,
  pieces: readonly Piece[],
): { readonly rows: readonly AnswerRow[]; readonly notes: readonly Note[] } {
  const parts = pieces.map(({ from, to, of }) => {
    const isAll = from === of.from && to === of.to;
    const rows = isAll ? of.rows : sliceRows(of.rows, from - of.from, to - of.from);
    return { from: from - steps.from, steps: to - from, rows };
  });
  const said = pieces.filter(isCertain).flatMap(({ of }) => of.notes);
  // Of equal notes the last one says where; an evaluation comes to nodes further on later, at whichever step.
  const ordered = pieces.length === 1 ? said : said.toSorted((a, b) => a.node - b.node);
  const nodes = preorder(fragment.expr);
  const notes = startNotes();
  for (const { note, node } of ordered) notes.add({ ...note, span: nodes[node]?.span ?? NOWHERE });
  return { rows: joinRows(parts, steps.to - steps.from), notes: notes.list() };
}

const NOWHERE: Span = { start: 0, end: 0 };

/** Notes by the nodes of the fragment that they are on: in another query the same fragment stands elsewhere. */
export function placed({ fragment }: Column, notes: readonly Note[]): readonly PlacedNote[] {
  if (notes.length === 0) return [];
  const spans = preorder(fragment.expr).map(({ span }) => span);
  return notes.map((note) => ({
    note,
    node: spans.findIndex(({ start, end }) => start === note.span.start && end === note.span.end),
  }));
}
