import { exponentialBound } from './histogram-bounds.ts';
import { addTerm } from './histogram-cells.ts';
import type { Side } from './histogram-sides.ts';

/** What a zero bucket holds: the count, its rounding error, and up to which magnitude. */
export interface ZeroBucket {
  readonly count: number;
  readonly lost: number;
  readonly threshold: number;
}

/**
 * What the zero bucket of a histogram with exponential buckets would hold if it reached up to `threshold`, which must not
 * be less than now. Where that lies within a populated bucket, the bucket's end is the threshold.
 *
 * When a negative bucket raises the threshold, the counts are added anew, but the rounding errors of the first round stay:
 * Prometheus does so, and its sums are to be met.
 */
export function zeroCountUpTo(
  zero: ZeroBucket,
  schema: number,
  positive: Side,
  negative: Side,
  threshold: number,
): ZeroBucket {
  if (threshold === zero.threshold) return zero;
  const count = Float64Array.of(zero.count);
  const lost = Float64Array.of(zero.lost);
  let wanted = threshold;
  for (;;) {
    count[0] = zero.count;
    wanted = addBelow(positive, schema, wanted, count, lost);
    const end = addBelow(negative, schema, wanted, count, lost);
    // Not the other way round: a threshold that is no number is never reached.
    if (!(end > wanted)) return { count: count[0], lost: lost[0]!, threshold: wanted };
    wanted = end;
  }
}

/** Adds what begins below the threshold; returns it, or the end of the populated bucket that it splits. */
function addBelow(
  { indexes, counts, lost: sideLost }: Side,
  schema: number,
  threshold: number,
  count: Float64Array,
  lost: Float64Array,
): number {
  for (let i = 0; i < indexes.length; i++) {
    if (exponentialBound(schema, indexes[i]! - 1) >= threshold) break;
    addTerm(count, lost, 0, counts[i]!);
    if (sideLost !== undefined) addTerm(count, lost, 0, sideLost[i]!);
    const end = exponentialBound(schema, indexes[i]!);
    if (end > threshold) return counts[i] === 0 ? threshold : end;
  }
  return threshold;
}
