import { bucketBound } from './histogram-bounds.ts';
import { CUSTOM_BUCKETS, type NativeHistogram } from './histogram.ts';

/**
 * The histogram as Prometheus writes it into a label (`count_values`): `{count:3, sum:4.5, [-0.5,0.5]:1, (1,2]:2}`, with
 * its buckets in ascending order, without empty ones.
 */
export function histogramText({ layout, count, sum, zeroCount, positive, negative }: NativeHistogram): string {
  const { schema, zeroThreshold } = layout;
  const parts = [`count:${shortest(count)}`, `sum:${shortest(sum)}`];
  for (let i = negative.length - 1; i >= 0; i--) {
    if (negative[i] === 0) continue;
    const index = layout.negative[i]!;
    const lower = -bucketBound(layout, index);
    const upper = -bucketBound(layout, index - 1);
    parts.push(bucketText(lower < 0, lower, upper, upper > 0, negative[i]!));
  }
  // Custom buckets have no zero bucket; what arithmetic may leave in its count is nothing.
  if (zeroCount !== 0 && schema !== CUSTOM_BUCKETS) {
    parts.push(bucketText(true, -zeroThreshold, zeroThreshold, true, zeroCount));
  }
  for (let i = 0; i < positive.length; i++) {
    if (positive[i] === 0) continue;
    const index = layout.positive[i]!;
    const lower = bucketBound(layout, index - 1);
    const upper = bucketBound(layout, index);
    const isCustom = schema === CUSTOM_BUCKETS;
    parts.push(bucketText(isCustom ? index === 0 : lower < 0, lower, upper, isCustom || upper > 0, positive[i]!));
  }
  return `{${parts.join(', ')}}`;
}

function bucketText(hasLower: boolean, lower: number, upper: number, hasUpper: boolean, count: number): string {
  return `${hasLower ? '[' : '('}${shortest(lower)},${shortest(upper)}${hasUpper ? ']' : ')'}:${shortest(count)}`;
}

/** The shortest digits, as Go's `%g` has them: an exponent, of two digits at least, below 1e-4 and from a million on. */
function shortest(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const magnitude = Math.abs(value);
  if (value === 0 || !(magnitude < 1e-4 || magnitude >= 1e6)) return String(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
