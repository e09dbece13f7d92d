import { formatFloat } from '../base/numbers.ts';
import { bucketBound } from '../model/histogram-bounds.ts';
import { CUSTOM_BUCKETS, type NativeHistogram } from '../model/histogram.ts';

/**
 * A native histogram in Prometheus's HTTP API
 * (https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms): count and sum, then the buckets that are
 * not empty from the lowest to the highest, each as `[boundary rule, lower, upper, count]`. All numbers but the rule are
 * strings.
 */
export function histogramJson({ layout, count, sum, zeroCount, positive, negative }: NativeHistogram): string {
  const { zeroThreshold } = layout;
  const buckets: string[] = [];
  for (let i = negative.length - 1; i >= 0; i--) {
    if (negative[i] === 0) continue;
    const index = layout.negative[i]!;
    const lower = -bucketBound(layout, index);
    const upper = -bucketBound(layout, index - 1);
    buckets.push(
      bucket(openness(lower, upper), lower, upper < 0 ? Math.min(upper, -zeroThreshold) : upper, negative[i]!),
    );
  }
  if (zeroCount > 0) buckets.push(bucket(CLOSED, -zeroThreshold, zeroThreshold, zeroCount));
  for (let i = 0; i < positive.length; i++) {
    if (positive[i] === 0) continue;
    const index = layout.positive[i]!;
    const lower = bucketBound(layout, index - 1);
    const upper = bucketBound(layout, index);
    let rule = openness(lower, upper);
    // Custom buckets hold their upper bounds whatever the sign, and the lowest holds minus infinity too.
    if (layout.schema === CUSTOM_BUCKETS) rule = index === 0 ? CLOSED : LEFT_OPEN;
    buckets.push(bucket(rule, lower > 0 ? Math.max(lower, zeroThreshold) : lower, upper, positive[i]!));
  }
  const list = buckets.length === 0 ? '' : `,"buckets":[${buckets.join(',')}]`;
  return `{"count":"${formatFloat(count)}","sum":"${formatFloat(sum)}"${list}}`;
}

/** Which ends belong to a bucket, as the first number of its array. */
const LEFT_OPEN = 0;
const RIGHT_OPEN = 1;
const OPEN = 2;
const CLOSED = 3;

/** Exponential buckets hold the bound that lies farther from zero; one too near zero for floats to tell holds neither. */
function openness(lower: number, upper: number): number {
  if (lower < 0) return RIGHT_OPEN;
  return upper > 0 ? LEFT_OPEN : OPEN;
}

function bucket(rule: number, lower: number, upper: number, count: number): string {
  return `[${rule},"${formatFloat(lower)}","${formatFloat(upper)}","${formatFloat(count)}"]`;
}
