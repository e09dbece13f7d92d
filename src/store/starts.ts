import type { Framed, Sections } from './framed.ts';

/**
 * When the counters behind a column's samples started, in ms, 0 where that is unknown: one number where it is the same for
 * all of them, which it mostly is, since counters start with their process.
 */
export type Starts = number | Float64Array;

export const UNKNOWN_START = 0;

export function startAt(starts: Starts, index: number): number {
  return typeof starts === 'number' ? starts : starts[index]!;
}

/** Starts in as little room as they need. */
export function startsOf(column: Float64Array): Starts {
  const first = column[0] ?? UNKNOWN_START;
  for (let i = 1; i < column.length; i++) if (column[i] !== first) return column;
  return first;
}

/** Those of the samples from `from` up to before `to`; a view where they differ. */
export function sliceStarts(starts: Starts, from: number, to: number): Starts {
  return typeof starts === 'number' ? starts : starts.subarray(from, to);
}

/** Writes the starts of `target.length` samples. */
export function spreadStarts(starts: Starts, target: Float64Array): void {
  if (typeof starts === 'number') target.fill(starts);
  else target.set(starts);
}

/** Flags of frames; see docs/formats.md. */
const ONE_START = 1;
const EACH_START = 2;
export const START_FLAGS: Framed['flags'] = ONE_START | EACH_START;

export function startFlags(starts: Starts): number {
  if (typeof starts !== 'number') return EACH_START;
  return starts === UNKNOWN_START ? 0 : ONE_START;
}

export function startBytes(starts: Starts): number {
  if (typeof starts !== 'number') return starts.length * 8;
  return starts === UNKNOWN_START ? 0 : 8;
}

export function writeStarts(sections: Sections, starts: Starts): void {
  if (typeof starts !== 'number') sections.f64(starts.length).set(starts);
  else if (starts !== UNKNOWN_START) sections.f64(1)[0] = starts;
}

export function readStarts(sections: Sections): Starts {
  if ((sections.flags & EACH_START) !== 0) return sections.f64(sections.rows);
  return (sections.flags & ONE_START) !== 0 ? sections.f64(1)[0]! : UNKNOWN_START;
}
