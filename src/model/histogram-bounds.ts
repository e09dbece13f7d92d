import { CUSTOM_BUCKETS, SCHEMA_MAX, type HistogramLayout } from './histogram.ts';

/** 2^(2^-k) for k from 1 to 8, the roots that the bounds of exponential schemas are products of. */
const ROOTS: readonly number[] = roots();

/**
 * The bound between the buckets `index` and `index + 1` on the positive side: the upper one of bucket `index`, bit by bit
 * as Prometheus has it, so that bounds compare equal between programs. The last bucket of numbers ends at the largest
 * number, the one after it holds the infinities. Under `CUSTOM_BUCKETS`, -1 gives -Inf and the number of bounds +Inf.
 */
export function bucketBound({ schema, bounds }: Pick<HistogramLayout, 'schema' | 'bounds'>, index: number): number {
  if (schema === CUSTOM_BUCKETS) return index < 0 ? -Infinity : (bounds[index] ?? Infinity);
  return schema < 0 ? powerOfTwo(1, index * 2 ** -schema) : powerOfTwo(fraction(schema, index), index >> schema);
}

/** 2^f for the part of `index` that lies between two powers of two: at least 1, less than 2. */
function fraction(schema: number, index: number): number {
  const part = (index & ((1 << schema) - 1)) << (SCHEMA_MAX - schema);
  let product = 1;
  for (let k = 1; k <= SCHEMA_MAX; k++) if ((part & (1 << (SCHEMA_MAX - k))) !== 0) product *= ROOTS[k - 1]!;
  return product;
}

/** `factor` (from 1 to 2) times 2^exponent, rounded once also where the result has fewer digits; see `bucketBound`. */
function powerOfTwo(factor: number, exponent: number): number {
  if (exponent === 1024 && factor === 1) return Number.MAX_VALUE;
  if (exponent > -960) return factor * 2 ** exponent;
  return factor * 2 ** (exponent + 64) * 2 ** -64;
}

function roots(): number[] {
  const list: number[] = [];
  for (let k = 1, root = 2; k <= SCHEMA_MAX; k++) list.push((root = Math.sqrt(root)));
  // Prometheus's bounds hold this root rounded down, in all products, and the others rounded to the nearest.
  list[0] = 1.414213562373095;
  return list;
}
