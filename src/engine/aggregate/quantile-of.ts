import { quantileOfSorted, sortNanFirst } from '../quantile.ts';

/** The phi-quantile of values in any order, which come out in another. */
export function quantileOf(phi: number, values: Float64Array): number {
  const { length } = values;
  if (length <= SORTED_MAX || !(phi >= 0 && phi <= 1)) {
    sortNanFirst(values);
    return quantileOfSorted(phi, values);
  }
  const nans = nansToFront(values);
  const rank = phi * (length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(length - 1, lower + 1);
  const weight = rank - lower;
  if (lower < nans) return NaN;
  partition(values, nans, lower);
  let next = values[upper]!;
  for (let i = upper + 1; i < length; i++) if (values[i]! < next) next = values[i]!;
  return values[lower]! * (1 - weight) + next * weight;
}

/** Up to so many values, sorting is as fast. */
const SORTED_MAX = 32;

/** How many of the values are not numbers; they come first. */
function nansToFront(values: Float64Array): number {
  let nans = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value === value) continue;
    values[i] = values[nans]!;
    values[nans++] = value;
  }
  return nans;
}

/**
 * Moves the value of rank `rank` among those from `from` on to its place, no larger one before it and no smaller one after it
 * (Hoare's quickselect). Values that make it slow are sorted instead.
 */
function partition(values: Float64Array, from: number, rank: number): void {
  let low = from;
  let high = values.length - 1;
  for (let rounds = 2 * Math.ceil(Math.log2(values.length)); high - low >= SORTED_MAX; rounds--) {
    if (rounds === 0) break;
    const pivot = medianOfThree(values[low]!, values[(low + high) >>> 1]!, values[high]!);
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i]! < pivot) i++;
      while (values[j]! > pivot) j--;
      if (i > j) break;
      const moved = values[i]!;
      values[i++] = values[j]!;
      values[j--] = moved;
    }
    if (rank <= j) high = j;
    else if (rank >= i) low = i;
    else return;
  }
  sortNanFirst(values.subarray(low, high + 1));
}

function medianOfThree(a: number, b: number, c: number): number {
  if (a < b) return b < c ? b : Math.max(a, c);
  return a < c ? a : Math.max(b, c);
}
