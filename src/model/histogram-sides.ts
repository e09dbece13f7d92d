import { addTerm } from './histogram-cells.ts';

/** The buckets on one side of zero: ascending indexes, counts, and their rounding errors in a compensated sum. */
export interface Side {
  readonly indexes: Int32Array;
  readonly counts: Float64Array;
  readonly lost: Float64Array | undefined;
}

/**
 * The buckets merged to a schema that is `shift` steps coarser: bucket i lies in bucket ((i - 1) >> shift) + 1. Where the
 * sum is compensated, so are the merged counts.
 */
export function coarser(side: Side, shift: number, isCompensated: boolean): Side {
  if (shift <= 0) return side;
  const indexes = new Int32Array(side.indexes.length);
  const counts = new Float64Array(indexes.length);
  const lost = isCompensated ? new Float64Array(indexes.length) : undefined;
  let used = 0;
  for (let i = 0; i < indexes.length; i++) {
    const index = ((side.indexes[i]! - 1) >> shift) + 1;
    const ownLost = side.lost?.[i] ?? 0;
    if (used === 0 || indexes[used - 1] !== index) {
      indexes[used] = index;
      counts[used] = side.counts[i]!;
      if (lost !== undefined) lost[used] = ownLost;
      used++;
      continue;
    }
    addTerm(counts, lost, used - 1, side.counts[i]!);
    if (lost !== undefined) addTerm(counts, lost, used - 1, ownLost);
  }
  return { indexes: indexes.slice(0, used), counts: counts.slice(0, used), lost: lost?.slice(0, used) };
}

/** The indexes of `a` and those of `b` from position `from` on; one of them by reference where it has all. */
export function unionOf(a: Int32Array, b: Int32Array, from: number): Int32Array {
  if (from === b.length || (a === b && from === 0)) return a;
  let added = 0;
  for (let i = 0, j = from; j < b.length; j++) {
    while (i < a.length && a[i]! < b[j]!) i++;
    if (i === a.length || a[i] !== b[j]) added++;
  }
  if (added === 0) return a;
  if (from === 0 && a.length + added === b.length) return b;
  const union = new Int32Array(a.length + added);
  for (let i = 0, j = from, k = 0; k < union.length; k++) {
    if (j === b.length || (i < a.length && a[i]! <= b[j]!)) {
      if (j < b.length && a[i] === b[j]) j++;
      union[k] = a[i++]!;
    } else {
      union[k] = b[j++]!;
    }
  }
  return union;
}

/**
 * Adds or subtracts the buckets of `other` from position `from` on. `target` has the indexes of both; its counts are those
 * of `own` already, or are to be taken from there. A bucket that was not there takes over the count as it is.
 */
export function addSide(target: Side, own: Side, other: Side, from: number, isSubtracted: boolean): void {
  const { indexes, counts, lost } = target;
  const isInPlace = indexes === own.indexes && counts.buffer === own.counts.buffer;
  if (!isInPlace) spread(target, own);
  let at = 0;
  let i = 0;
  for (let j = from; j < other.indexes.length; j++) {
    const index = other.indexes[j]!;
    while (indexes[at]! < index) at++;
    while (i < own.indexes.length && own.indexes[i]! < index) i++;
    const count = isSubtracted ? -other.counts[j]! : other.counts[j]!;
    const countLost = lost === undefined ? 0 : (other.lost?.[j] ?? 0);
    if (i < own.indexes.length && own.indexes[i] === index) {
      addTerm(counts, lost, at, count);
      if (countLost !== 0) addTerm(counts, lost, at, countLost);
    } else {
      counts[at] = count;
      if (lost !== undefined) lost[at] = countLost;
    }
  }
}

/** The buckets that count something or have lost something; the same object when all do. */
export function populated(side: Side): Side {
  const { indexes, counts, lost } = side;
  let used = 0;
  for (let i = 0; i < counts.length; i++) if (isPopulated(side, i)) used++;
  if (used === counts.length) return side;
  const kept = {
    indexes: new Int32Array(used),
    counts: new Float64Array(used),
    lost: lost === undefined ? undefined : new Float64Array(used),
  };
  for (let i = 0, at = 0; at < used; i++) {
    if (!isPopulated(side, i)) continue;
    kept.indexes[at] = indexes[i]!;
    kept.counts[at] = counts[i]!;
    if (kept.lost !== undefined) kept.lost[at] = lost![i]!;
    at++;
  }
  return kept;
}

/** Bounds that are in both ascending lists; one of them by reference where it has no others. */
export function sharedBounds(a: Float64Array, b: Float64Array): Float64Array {
  const shared = new Float64Array(Math.min(a.length, b.length));
  let used = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      shared[used++] = a[i++]!;
      j++;
    } else if (a[i]! < b[j]!) {
      i++;
    } else {
      j++;
    }
  }
  if (used === a.length) return a;
  return used === b.length ? b : shared.slice(0, used);
}

/**
 * Adds or subtracts counts of buckets between the bounds `from` to those of the buckets between `to`, which are some of
 * them. `counts` and `lost` have one cell more than `to` has bounds; the sums are compensated.
 */
export function mapOntoBounds(
  side: Side,
  from: Float64Array,
  to: Float64Array,
  counts: Float64Array,
  lost: Float64Array,
  isSubtracted: boolean,
): void {
  let bucket = 0;
  for (let i = 0; i < side.indexes.length; i++) {
    const bound = from[side.indexes[i]!] ?? Infinity;
    while (bucket < to.length && to[bucket]! < bound) bucket++;
    addTerm(counts, lost, bucket, isSubtracted ? -side.counts[i]! : side.counts[i]!);
    if (side.lost !== undefined) addTerm(counts, lost, bucket, side.lost[i]!);
  }
}

function isPopulated({ counts, lost }: Side, i: number): boolean {
  return counts[i] !== 0 || (lost !== undefined && lost[i] !== 0);
}

function spread(target: Side, own: Side): void {
  for (let i = 0, at = 0; i < own.indexes.length; i++) {
    while (target.indexes[at]! < own.indexes[i]!) at++;
    target.counts[at] = own.counts[i]!;
    if (target.lost !== undefined && own.lost !== undefined) target.lost[at] = own.lost[i]!;
  }
}
