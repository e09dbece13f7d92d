import { quantileOfSorted, sortNanFirst } from '../quantile.ts';
import { windowed, type StepsKernel } from './kernels.ts';

/** The samples of a window in order; of a window that overlaps with the one before, only what came and went is moved. */
interface SortedWindow {
  /** The samples [from, to) ascending, NaN before everything. Valid until the next call. */
  of(from: number, to: number): Float64Array;
}

export const quantiles: StepsKernel = windowed(1, (_times, values, { params }) => {
  const window = sortedWindow(values);
  const [phis] = params;
  return (from, to, step) => quantileOfSorted(phis![step]!, window.of(from, to));
});

/** The median distance from the median; NaN where any value is. */
export const medianDeviations: StepsKernel = windowed(1, (_times, values) => {
  const window = sortedWindow(values);
  return (from, to) => {
    const sorted = window.of(from, to);
    const [first, last] = [sorted[0]!, sorted.at(-1)!];
    // NaN stands first.
    if (Number.isNaN(first)) return NaN;
    const median = quantileOfSorted(0.5, sorted);
    if (first === -Infinity || last === Infinity || !Number.isFinite(median)) {
      const distances = sorted.map((value) => Math.abs(value - median));
      sortNanFirst(distances);
      return quantileOfSorted(0.5, distances);
    }
    return medianDistance(sorted, median);
  };
});

/**
 * The median of the distances from `median`: they ascend from there to both sides, so that the ones in the middle are found
 * by halving the number that is taken from one of them.
 */
function medianDistance(sorted: Float64Array, median: number): number {
  const { length } = sorted;
  let right = 0;
  let end = length;
  while (right < end) {
    const middle = (right + end) >>> 1;
    if (sorted[middle]! > median) end = middle;
    else right = middle + 1;
  }
  const left = (i: number): number => (i < right ? Math.abs(sorted[right - 1 - i]! - median) : Infinity);
  const above = (i: number): number => (i < length - right ? Math.abs(sorted[right + i]! - median) : Infinity);
  if (length === 1) return 0;
  const rank = 0.5 * (length - 1);
  const lower = Math.floor(rank);
  // How many of the `lower` smallest lie to the left.
  let least = Math.max(0, lower - (length - right));
  let most = Math.min(lower, right);
  while (least < most) {
    const taken = (least + most) >>> 1;
    if (left(taken) < above(lower - taken - 1)) least = taken + 1;
    else most = taken;
  }
  const [l, r] = [least, lower - least];
  const below = Math.min(left(l), above(r));
  const next = left(l) <= above(r) ? Math.min(left(l + 1), above(r)) : Math.min(left(l), above(r + 1));
  const weight = rank - lower;
  return below * (1 - weight) + next * weight;
}

function sortedWindow(values: Float64Array): SortedWindow {
  let buffer = new Float64Array(64);
  let fromBefore = 0;
  let toBefore = 0;
  const sorted = (length: number): Float64Array => buffer.subarray(0, length);

  function refill(from: number, to: number): void {
    const length = to - from;
    if (length > buffer.length) buffer = new Float64Array(2 * length);
    buffer.set(values.subarray(from, to));
    sortNanFirst(sorted(length));
  }

  return {
    of(from, to) {
      const gone = Math.min(from, toBefore) - fromBefore;
      const came = to - Math.max(toBefore, from);
      let length = toBefore - fromBefore;
      if (2 * (gone + came) >= to - from || from >= toBefore) {
        refill(from, to);
      } else {
        if (length + came > buffer.length) {
          const longer = new Float64Array(2 * (length + came));
          longer.set(sorted(length));
          buffer = longer;
        }
        for (let i = fromBefore; i < from; i++) {
          removeAt(buffer, placeOf(buffer, length, values[i]!), length);
          length--;
        }
        for (let i = toBefore; i < to; i++) {
          insertAt(buffer, placeOf(buffer, length, values[i]!), length, values[i]!);
          length++;
        }
      }
      fromBefore = from;
      toBefore = to;
      return sorted(to - from);
    },
  };
}

/** The first place whose value is not less; NaN is less than all numbers. */
function placeOf(buffer: Float64Array, length: number, value: number): number {
  if (value !== value) return 0;
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (buffer[middle]! >= value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** So many places are moved one by one; beyond it a call pays. */
const LOOP_PLACES = 24;

function removeAt(buffer: Float64Array, at: number, length: number): void {
  if (length - at > LOOP_PLACES) buffer.copyWithin(at, at + 1, length);
  else for (let i = at + 1; i < length; i++) buffer[i - 1] = buffer[i]!;
}

function insertAt(buffer: Float64Array, at: number, length: number, value: number): void {
  if (length - at > LOOP_PLACES) buffer.copyWithin(at + 1, at, length);
  else for (let i = length; i > at; i--) buffer[i] = buffer[i - 1]!;
  buffer[at] = value;
}
