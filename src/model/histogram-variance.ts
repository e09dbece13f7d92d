import { addTerm } from './histogram-cells.ts';
import { countAt, lowerAt, placesIn, upperAt } from './histogram-walk.ts';
import { CUSTOM_BUCKETS, type NativeHistogram } from './histogram.ts';

/**
 * `histogram_stdvar` of one native histogram: the mean square distance from the mean, where all observations of a bucket
 * count as its middle: the arithmetic one of custom buckets, 0 of the one that holds 0, the geometric one of others.
 */
export function histogramVariance(histogram: NativeHistogram): number {
  const mean = histogram.sum / histogram.count;
  const isCustom = histogram.layout.schema === CUSTOM_BUCKETS;
  const sum = new Float64Array(1);
  const lost = new Float64Array(1);
  const places = placesIn(histogram);
  for (let place = 0; place < places; place++) {
    const count = countAt(histogram, place);
    if (count === 0) continue;
    const distance = middleOf(lowerAt(histogram, place), upperAt(histogram, place), isCustom) - mean;
    addTerm(sum, lost, 0, count * distance * distance);
  }
  return (sum[0]! + lost[0]!) / histogram.count;
}

function middleOf(lower: number, upper: number, isCustom: boolean): number {
  if (isCustom) return (upper + lower) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  const middle = Math.sqrt(upper * lower);
  return upper < 0 ? -middle : middle;
}
