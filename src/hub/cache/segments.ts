import type { Note } from '../../engine/notes.ts';
import type { AnswerRow } from '../../plan/frames/columns-codec.ts';
import { bytesOfRows, joinRows, sliceRows } from './rows.ts';
import type { Steps } from './steps.ts';

/** A note on a node of a fragment's tree, by preorder index; -1 for one that is about none. */
export interface PlacedNote {
  readonly note: Note;
  readonly node: number;
}

/** What a domain said of some successive steps of a fragment. Never changed. */
export interface Segment extends Steps {
  readonly rows: readonly AnswerRow[];
  /** What there is to say of these steps taken together, or, unless they are exact, may be. */
  readonly notes: readonly PlacedNote[];
  readonly isExact: boolean;
}

/** A part of a segment. What there is to say of all steps need not hold for some. */
export function partOf(segment: Segment, { from, to }: Steps): Segment {
  if (segment.from === from && segment.to === to) return segment;
  const { rows, notes, isExact } = segment;
  return {
    from,
    to,
    rows: sliceRows(rows, from - segment.from, to - segment.from),
    notes,
    isExact: isExact && notes.length === 0,
  };
}

/** The segments, in order of steps and apart, without these steps. */
export function segmentsWithout(segments: readonly Segment[], { from, to }: Steps): readonly Segment[] {
  return segments.flatMap((segment) => {
    if (segment.to <= from || segment.from >= to) return [segment];
    const parts: Segment[] = [];
    if (segment.from < from) parts.push(partOf(segment, { from: segment.from, to: from }));
    if (segment.to > to) parts.push(partOf(segment, { from: to, to: segment.to }));
    return parts;
  });
}

/**
 * The segments with one more, whose steps none of them has. It is joined with the one before and behind it while that is not
 * much longer and says the same: so there are few of them, and no row is copied often.
 */
export function segmentsWith(segments: readonly Segment[], added: Segment): readonly Segment[] {
  const all = [...segments, added].toSorted((a, b) => a.from - b.from);
  let at = all.indexOf(added);
  for (;;) {
    if (at > 0 && areJoinable(all[at - 1]!, all[at]!)) at--;
    else if (at + 1 >= all.length || !areJoinable(all[at]!, all[at + 1]!)) return all;
    all.splice(at, 2, joined(all[at]!, all[at + 1]!));
  }
}

/** How much longer one of two segments may be than the other. */
const LENGTHS_APART = 2;

function areJoinable(one: Segment, other: Segment): boolean {
  const lengths = [one.to - one.from, other.to - other.from];
  return (
    one.to === other.from &&
    Math.max(...lengths) <= LENGTHS_APART * Math.min(...lengths) &&
    one.isExact === other.isExact &&
    saysOf(one) === saysOf(other)
  );
}

function saysOf({ notes }: Segment): string {
  return JSON.stringify(notes.map(({ note: { code, args }, node }) => [code, args, node]));
}

function joined(one: Segment, other: Segment): Segment {
  const steps = one.to - one.from;
  const pieces = [
    { from: 0, steps, rows: one.rows },
    { from: steps, steps: other.to - other.from, rows: other.rows },
  ];
  return { ...one, to: other.to, rows: joinRows(pieces, other.to - one.from) };
}

/** A segment's own objects, beside its rows. */
const SEGMENT_BYTES = 200;
const NOTE_BYTES = 300;

export function bytesOfSegment({ rows, notes }: Segment): number {
  return SEGMENT_BYTES + notes.length * NOTE_BYTES + bytesOfRows(rows);
}
