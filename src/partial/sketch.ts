import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { NO_KEY } from './sketch-keys.ts';

/**
 * The sketches of one group, one at every step: how many values fell into which bin (see sketch-keys.ts). Typed arrays that
 * are never written to once they are here, so that states may share them.
 */
export interface Sketches {
  /** Step -> where its bins begin; one more for the end of the last. */
  readonly starts: Uint32Array;
  /** The bins' keys, ascending within a step. */
  readonly keys: Int32Array;
  /** The bins' counts, whole numbers from 1 on. */
  readonly counts: Float64Array;
  /** Series that were added and are not in the bins yet; a state that goes elsewhere has none: see `settled`. */
  readonly pending?: PendingKeys | undefined;
}

/** Keys of series one after the other, each at every step. */
interface PendingKeys {
  /** `NO_KEY` where a series has no value. */
  readonly keys: Int32Array;
  readonly rows: number;
}

export function zeroSketches(steps: number): Sketches {
  return { starts: new Uint32Array(steps + 1), keys: new Int32Array(0), counts: new Float64Array(0) };
}

/** How many numbers of 64 bits the state takes. */
export function numbersInSketches({ starts, keys, counts, pending }: Sketches): number {
  return Math.ceil((starts.length + keys.length + (pending?.keys.length ?? 0)) / 2) + counts.length;
}

/** Keys that wait at least before they are sorted into bins; the more at once, the less each costs. */
const PENDING_MIN = 131_072;

/** The sketches with one more series, whose keys `write` puts into the array from the index on. */
export function withRow(sketches: Sketches, write: (keys: Int32Array, at: number) => void): Sketches {
  const steps = sketches.starts.length - 1;
  let into = sketches;
  // As many wait as there are bins: then sorting them in costs no more for each, however many bins there are.
  if (rowsPending(into) > 0 && (rowsPending(into) + 1) * steps > Math.max(PENDING_MIN, into.keys.length)) {
    into = settled(into);
  }
  const rows = rowsPending(into);
  let keys = into.pending?.keys ?? new Int32Array(steps);
  if (keys.length < (rows + 1) * steps) {
    const more = new Int32Array(2 * rows * steps);
    more.set(keys);
    keys = more;
  }
  write(keys, rows * steps);
  return { ...into, pending: { keys, rows: rows + 1 } };
}

function rowsPending({ pending }: Sketches): number {
  return pending?.rows ?? 0;
}

/** The same with all series in the bins. Throws `limit` past `LIMITS.binsPerSketch`. */
export function settled(sketches: Sketches): Sketches {
  const { starts, pending } = sketches;
  if (pending === undefined) return sketches;
  const { rows } = pending;
  const steps = starts.length - 1;
  const bins = startBins(steps, sketches.keys.length + rows * steps);
  const column = new Int32Array(rows);
  const window = new Float64Array(rows < WINDOW_MIN ? 0 : WINDOW);
  for (let step = 0; step < steps; step++) {
    let length = 0;
    for (let at = step; at < rows * steps; at += steps) {
      if (pending.keys[at] !== NO_KEY) column[length++] = pending.keys[at]!;
    }
    addColumn(bins, sketches, step, column, length, window);
    endStep(bins, step);
  }
  return finishBins(bins);
}

/** The sketches of all values of both. Throws `limit` past `LIMITS.binsPerSketch`. */
export function mergedSketches(a: Sketches, b: Sketches): Sketches {
  return mergedBins(settled(a), settled(b));
}

/** The sketches of two states that are settled. */
function mergedBins(a: Sketches, b: Sketches): Sketches {
  const steps = a.starts.length - 1;
  const bins = startBins(steps, a.keys.length + b.keys.length);
  for (let step = 0; step < steps; step++) {
    let i = a.starts[step]!;
    let j = b.starts[step]!;
    const [endA, endB] = [a.starts[step + 1]!, b.starts[step + 1]!];
    while (i < endA || j < endB) {
      const keyA = i < endA ? a.keys[i]! : NO_LIMIT;
      const keyB = j < endB ? b.keys[j]! : NO_LIMIT;
      let count = 0;
      if (keyA <= keyB) count += a.counts[i++]!;
      if (keyB <= keyA) count += b.counts[j++]!;
      addBin(bins, Math.min(keyA, keyB), count);
    }
    endStep(bins, step);
  }
  return finishBins(bins);
}

/** Bins that are written one after the other. */
interface Bins {
  readonly starts: Uint32Array;
  readonly keys: Int32Array;
  readonly counts: Float64Array;
  used: number;
}

function startBins(steps: number, room: number): Bins {
  return { starts: new Uint32Array(steps + 1), keys: new Int32Array(room), counts: new Float64Array(room), used: 0 };
}

function addBin(bins: Bins, key: number, count: number): void {
  bins.keys[bins.used] = key;
  bins.counts[bins.used++] = count;
}

function endStep(bins: Bins, step: number): void {
  bins.starts[step + 1] = bins.used;
  if (bins.used - bins.starts[step]! <= LIMITS.binsPerSketch) return;
  throw new ComityError(
    'limit',
    `the sketch of one group has more than ${LIMITS.binsPerSketch} bins at one step: its values differ by too many orders of ` +
      'magnitude for so small an error. Allow a larger one, or aggregate into more groups',
  );
}

function finishBins({ starts, keys, counts, used }: Bins): Sketches {
  return { starts, keys: keys.slice(0, used), counts: counts.slice(0, used) };
}

/** Keys that are counted in place: with a relative error of 1 % values over 35 decades. */
const WINDOW = 4096;
/** Fewer keys are faster sorted. */
const WINDOW_MIN = 32;

/**
 * Writes the bins of a step with the keys of `column[0, length)`. Most keys lie near each other and are counted in `window`,
 * which is all zeros before and after; the others are sorted.
 */
function addColumn(
  bins: Bins,
  old: Sketches,
  step: number,
  column: Int32Array,
  length: number,
  window: Float64Array,
): void {
  const end = old.starts[step + 1]!;
  let from = old.starts[step]!;
  if (length < WINDOW_MIN) {
    sortKeys(column, length);
    addUpTo(bins, old, from, end, column, 0, length, NO_LIMIT);
    return;
  }
  const base = middleOf(column, length) - WINDOW / 2;
  let others = 0;
  let low = WINDOW;
  let high = -1;
  for (let i = 0; i < length; i++) {
    const key = column[i]!;
    const at = key - base;
    if (at < 0 || at >= WINDOW) {
      column[others++] = key;
      continue;
    }
    window[at]! += 1;
    if (at < low) low = at;
    if (at > high) high = at;
  }
  sortKeys(column, others);
  const used = addUpTo(bins, old, from, end, column, 0, others, base);
  while (from < end && old.keys[from]! < base) from++;
  for (; from < end && old.keys[from]! < base + WINDOW; from++) {
    const at = old.keys[from]! - base;
    window[at]! += old.counts[from]!;
    if (at < low) low = at;
    if (at > high) high = at;
  }
  for (let at = low; at <= high; at++) {
    if (window[at] === 0) continue;
    addBin(bins, base + at, window[at]!);
    window[at] = 0;
  }
  addUpTo(bins, old, from, end, column, used, others, NO_LIMIT);
}

/** A key that has many near it, as far as one can tell at a glance: of a number other than zero, which are far from it. */
function middleOf(column: Int32Array, length: number): number {
  for (let i = 0; i < length; i++) if (column[i] !== 0) return column[i]!;
  return 0;
}

/** Above all keys. */
const NO_LIMIT = 2 ** 31 - 1;

/**
 * Writes the old bins [from, end) and the ascending keys of `column[first, length)` as far as they are below `limit`. Gives
 * the first key that is not.
 */
function addUpTo(
  bins: Bins,
  old: Sketches,
  from: number,
  end: number,
  column: Int32Array,
  first: number,
  length: number,
  limit: number,
): number {
  let i = from;
  let j = first;
  for (;;) {
    const oldKey = i < end ? old.keys[i]! : NO_LIMIT;
    const newKey = j < length ? column[j]! : NO_LIMIT;
    const key = oldKey < newKey ? oldKey : newKey;
    if (key >= limit) return j;
    let count = oldKey === key ? old.counts[i++]! : 0;
    for (; j < length && column[j] === key; j++) count += 1;
    addBin(bins, key, count);
  }
}

/** Up to so many keys, insertion is faster than a call of the native sort. */
const INSERTION_MAX = 48;

/** Sorts the first keys in place. */
function sortKeys(keys: Int32Array, length: number): void {
  if (length > INSERTION_MAX) {
    keys.subarray(0, length).sort();
    return;
  }
  for (let i = 1; i < length; i++) {
    const key = keys[i]!;
    let at = i;
    for (; at > 0 && keys[at - 1]! > key; at--) keys[at] = keys[at - 1]!;
    keys[at] = key;
  }
}
