import type { AnswerRow, Data, Point } from './answer.ts';
import { closePoints, rowsWithoutName } from './compare.ts';

/** How much further apart two right answers may be than those that were seen. */
const SLACK = 32;

/**
 * Whether every difference between `want` and `got` lies where other right answers differ from `want` as well, and is about
 * as large: sample by sample, and for what is missing on one side, missing in one of them too. Metric names do not count.
 */
export function isWithinSpread(want: Data, got: Data, others: readonly Data[]): boolean {
  const variants = others.map(rowsWithoutName);
  const wanted = rowsWithoutName(want);
  const given = rowsWithoutName(got);
  for (const key of new Set([...wanted.keys(), ...given.keys()])) {
    for (const timeMs of timesOf(wanted.get(key), given.get(key))) {
      const points = variants.map((rows) => rows.get(key)?.points.get(timeMs));
      if (!isWithin(wanted.get(key)?.points.get(timeMs), given.get(key)?.points.get(timeMs), points)) return false;
    }
  }
  return true;
}

/** Whether each note that one of two answers lacks is one that some of the others have, and some lack. */
export function areNotesWithinSpread(want: Data, got: Data, others: readonly Data[]): boolean {
  for (const kind of ['warnings', 'infos'] as const) {
    const all = [want, ...others].map((answer) => new Set(answer[kind]));
    for (const note of new Set([...want[kind], ...got[kind]])) {
      if (want[kind].includes(note) === got[kind].includes(note)) continue;
      if (!all.some((notes) => notes.has(note)) || all.every((notes) => notes.has(note))) return false;
    }
  }
  return true;
}

/** Whether two answers have the same samples, metric names aside. */
export function haveSameSamples(a: Data, b: Data): boolean {
  const rows = rowsWithoutName(a);
  const others = rowsWithoutName(b);
  if (rows.size !== others.size) return false;
  return [...rows].every(([key, { points }]) => {
    const other = others.get(key);
    if (other?.points.size !== points.size) return false;
    return [...points].every(([timeMs, point]) => {
      const same = other.points.get(timeMs);
      return same !== undefined && closePoints(point, same);
    });
  });
}

function timesOf(...rows: readonly (AnswerRow | undefined)[]): Set<number> {
  return new Set(rows.flatMap((row) => [...(row?.points.keys() ?? [])]));
}

/** Each of the three may be missing. */
function isWithin(want: Point | undefined, got: Point | undefined, variants: readonly (Point | undefined)[]): boolean {
  if (want === undefined && got === undefined) return true;
  if (want === undefined || got === undefined) {
    return variants.some((one) => (one === undefined) !== (want === undefined));
  }
  if (closePoints(want, got)) return true;
  const wanted = numbersOf(want);
  const given = numbersOf(got);
  const others = variants.filter((one) => one !== undefined).map(numbersOf);
  // A float instead of a histogram, or other buckets: one of the others must be just so.
  if (wanted.length !== given.length) return others.some((one) => one.length === given.length);
  return wanted.every((value, i) => {
    if (closePoints(value, given[i]!)) return true;
    const spread = others.map((one) => Math.abs((one[i] ?? NaN) - value));
    const apart = Math.abs(given[i]! - value);
    // A difference without a size: one of the others must have one too.
    if (Number.isNaN(apart) || apart === Infinity) return spread.some((size) => !Number.isFinite(size));
    return spread.some((size) => apart <= SLACK * size);
  });
}

function numbersOf(point: Point): number[] {
  return typeof point === 'number' ? [point] : [point.count, point.sum, ...point.buckets.flat()];
}
