import { CUSTOM_BUCKETS, SCHEMA_MAX, type HistogramLayout } from './histogram.ts';

/**
 * The bound between the buckets `index` and `index + 1` on the positive side: the upper one of bucket `index`, bit by bit
 * as Prometheus has it, so that bounds compare equal between programs. The last bucket of numbers ends at the largest
 * number, the one after it holds the infinities. Under `CUSTOM_BUCKETS`, -1 gives -Inf and the number of bounds +Inf.
 */
export function bucketBound({ schema, bounds }: Pick<HistogramLayout, 'schema' | 'bounds'>, index: number): number {
  if (schema === CUSTOM_BUCKETS) return index < 0 ? -Infinity : (bounds[index] ?? Infinity);
  return exponentialBound(schema, index);
}

/** `bucketBound` of a schema that is not `CUSTOM_BUCKETS`. */
export function exponentialBound(schema: number, index: number): number {
  if (schema < 0) return powerOfTwo(1, index * 2 ** -schema);
  const fraction = FRACTIONS[(index & ((1 << schema) - 1)) << (SCHEMA_MAX - schema)]!;
  return powerOfTwo(fraction, index >> schema);
}

/** 2^(i / 256): the bounds of the finest schema from 1 up to 2, among which those of the coarser ones are. */
const FRACTIONS = fractions();

/** Beyond these exponents, powers of two are 0 or infinite also times 2^64. */
const EXPONENT_MIN = -1140;
const EXPONENT_MAX = 1024;

/** 2^exponent from `EXPONENT_MIN` on: walking over buckets takes one or two of them each. */
const POWERS = Float64Array.from({ length: EXPONENT_MAX - EXPONENT_MIN + 1 }, (_, i) => 2 ** (i + EXPONENT_MIN));

/** `factor` (from 1 to 2) times 2^exponent, rounded once also where the result has fewer digits; see `bucketBound`. */
function powerOfTwo(factor: number, exponent: number): number {
  if (exponent >= EXPONENT_MAX) return exponent === EXPONENT_MAX && factor === 1 ? Number.MAX_VALUE : Infinity;
  if (exponent > -960) return factor * POWERS[exponent - EXPONENT_MIN]!;
  if (exponent < EXPONENT_MIN) return 0;
  return factor * POWERS[exponent + 64 - EXPONENT_MIN]! * 2 ** -64;
}

function fractions(): Float64Array {
  const roots: number[] = [];
  for (let k = 1, root = 2; k <= SCHEMA_MAX; k++) roots.push((root = Math.sqrt(root)));
  // Prometheus's bounds hold this root rounded down, in all products, and the others rounded to the nearest.
  roots[0] = 1.414213562373095;
  return Float64Array.from({ length: 1 << SCHEMA_MAX }, (_, part) =>
    roots.reduce((product, root, k) => (part & (1 << (SCHEMA_MAX - 1 - k)) ? product * root : product), 1),
  );
}
