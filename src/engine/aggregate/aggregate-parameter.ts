import { ComityError } from '../../base/errors.ts';
import { formatShort } from '../../base/numbers.ts';
import { larger, smaller } from '../scalar.ts';

/** The least and the largest of an aggregation's parameters over all steps, as Prometheus takes them. */
interface ParameterRange {
  readonly least: number;
  readonly largest: number;
  readonly hasNaN: boolean;
}

export function rangeOf(parameters: Float64Array): ParameterRange {
  return {
    least: parameters.reduce(smaller, Number.MAX_VALUE),
    largest: parameters.reduce(larger, -Number.MAX_VALUE),
    hasNaN: parameters.includes(NaN),
  };
}

/**
 * What is wrong with the parameters of topk, bottomk and limitk, which must be 64-bit integers at every step; undefined when
 * nothing is, or when no step asks for a row.
 */
export function invalidLimit(parameters: Float64Array): ComityError | undefined {
  const { least, largest, hasNaN } = rangeOf(parameters);
  if (largest < 1) return undefined;
  if (hasNaN) return new ComityError('execution', 'Parameter value is NaN');
  if (least <= -INT64_MAX) return new ComityError('execution', `Scalar value ${formatShort(least)} underflows int64`);
  if (largest >= INT64_MAX) return new ComityError('execution', `Scalar value ${formatShort(largest)} overflows int64`);
  return undefined;
}

/** The most rows that they give for a group at each step: at least 0 and at most `rows`. */
export function limitsOf(parameters: Float64Array, rows: number): Uint32Array {
  return Uint32Array.from(parameters, (limit) => (limit >= 1 ? Math.min(Math.trunc(limit), rows) : 0));
}

const INT64_MAX = 2 ** 63;
