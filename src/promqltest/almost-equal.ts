import { CUSTOM_BUCKETS, type NativeHistogram } from '../model/histogram.ts';
import type { SequenceValue } from './command.ts';

/** The relative difference up to which numbers count as equal. */
const TOLERANCE = 1e-6;
const NORMAL_MIN = 2 ** -1022;

/** Whether two values are equal within the tolerance of Prometheus's tests; any NaN equals any other. */
function almostEqual(a: number, b: number): boolean {
  if (a === b || (a !== a && b !== b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < NORMAL_MIN) return difference < TOLERANCE * NORMAL_MIN;
  return difference / Math.min(sum, Number.MAX_VALUE) < TOLERANCE;
}

/** Whether a value is as expected: of the same kind, and within the tolerance. */
export function isAsExpected(expected: SequenceValue, got: SequenceValue): boolean {
  if (expected.kind === 'histogram') {
    if (got.kind !== 'histogram') return false;
    if (expected.hintGiven && expected.histogram.hint !== got.histogram.hint) return false;
    return sameHistogramWithin(expected.histogram, got.histogram, almostEqual);
  }
  if (expected.kind === 'float') return got.kind === 'float' && almostEqual(expected.value, got.value);
  return expected.kind === got.kind;
}

/**
 * Whether counts and sums are close to one another, as `close` says; schemas, thresholds, bounds and which buckets have a
 * count must be the same.
 */
export function sameHistogramWithin(a: NativeHistogram, b: NativeHistogram, close: Close): boolean {
  const { schema, zeroThreshold, bounds } = a.layout;
  if (schema !== b.layout.schema || zeroThreshold !== b.layout.zeroThreshold) return false;
  if (schema === CUSTOM_BUCKETS && !sameNumbers(bounds, b.layout.bounds)) return false;
  return (
    close(a.count, b.count) &&
    close(a.sum, b.sum) &&
    close(a.zeroCount, b.zeroCount) &&
    sameSides(a.layout.positive, a.positive, b.layout.positive, b.positive, close) &&
    sameSides(a.layout.negative, a.negative, b.layout.negative, b.negative, close)
  );
}

type Close = (a: number, b: number) => boolean;

function sameNumbers(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Buckets without a count are none. */
function sameSides(
  aIndexes: Int32Array,
  aCounts: Float64Array,
  bIndexes: Int32Array,
  bCounts: Float64Array,
  close: Close,
): boolean {
  let j = 0;
  for (let i = 0; i < aIndexes.length; i++) {
    if (aCounts[i] === 0) continue;
    while (j < bIndexes.length && bCounts[j] === 0) j++;
    if (j >= bIndexes.length || aIndexes[i] !== bIndexes[j] || !close(aCounts[i]!, bCounts[j]!)) return false;
    j++;
  }
  return bCounts.subarray(j).every((count) => count === 0);
}
