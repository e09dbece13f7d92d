import { bucketBound } from './histogram-bounds.ts';
import type { NativeHistogram } from './histogram.ts';

/**
 * All buckets of a histogram by their place in ascending order: the negative ones, the zero bucket if it counts anything,
 * and the positive ones. Places are from 0 to `placesIn(histogram) - 1`.
 */
export function placesIn({ negative, zeroCount, positive }: NativeHistogram): number {
  return negative.length + (zeroCount > 0 ? 1 : 0) + positive.length;
}

export function countAt({ negative, zeroCount, positive }: NativeHistogram, place: number): number {
  if (place < negative.length) return negative[negative.length - 1 - place]!;
  const beyond = place - negative.length;
  if (!(zeroCount > 0)) return positive[beyond]!;
  return beyond === 0 ? zeroCount : positive[beyond - 1]!;
}

/** The lower bound; where the bucket begins within the zero bucket, the end of that. */
export function lowerAt({ layout, negative, zeroCount }: NativeHistogram, place: number): number {
  if (place < negative.length) return -bucketBound(layout, layout.negative[negative.length - 1 - place]!);
  const beyond = place - negative.length - (zeroCount > 0 ? 1 : 0);
  if (beyond < 0) return -layout.zeroThreshold;
  const lower = bucketBound(layout, layout.positive[beyond]! - 1);
  return lower > 0 && lower < layout.zeroThreshold ? layout.zeroThreshold : lower;
}

/** The upper bound; where the bucket ends within the zero bucket, the beginning of that. */
export function upperAt({ layout, negative, zeroCount }: NativeHistogram, place: number): number {
  if (place < negative.length) {
    const upper = -bucketBound(layout, layout.negative[negative.length - 1 - place]! - 1);
    return upper < 0 && upper > -layout.zeroThreshold ? -layout.zeroThreshold : upper;
  }
  const beyond = place - negative.length - (zeroCount > 0 ? 1 : 0);
  return beyond < 0 ? layout.zeroThreshold : bucketBound(layout, layout.positive[beyond]!);
}
