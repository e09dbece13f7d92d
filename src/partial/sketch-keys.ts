import { ComityError } from '../base/errors.ts';
import { HIGH_HALF, logarithm } from './fast-logarithm.ts';

/**
 * How a DDSketch (Masson, Rim and Lee, VLDB 2019) puts values into bins: the bins of positive values end at powers of
 * gamma = (1 + e) / (1 - e), so that one number of a bin stands for all of it with a relative error of at most e. Negative
 * values have the same bins the other way round, and zeros, infinities and NaN bins of their own. Bins have whole numbers
 * for keys in the order of a quantile's values: NaN, -Inf, negative numbers, zero, positive numbers, +Inf.
 */
export interface SketchKeys {
  /** The key of +Inf; -Inf has minus that, NaN one less. There are none beyond. */
  readonly largest: number;
  /**
   * Writes the keys of a column to `keys` from `at` on, `NO_KEY` where `present` is 0.
   */
  write(values: Float64Array, present: Uint8Array, keys: Int32Array, at: number): void;
  /**
   * What a bin stands for: within e of every value in it, relative to the value, beside an error of rounding of 1e-12 and
   * of one denormal.
   */
  valueOf(key: number): number;
}

/** Where there is no value. */
export const NO_KEY = -(2 ** 31);

/** Below this, keys would not fit into 32 bits. */
const LEAST_ERROR = 1e-6;

/** Throws `bad_data` unless a sketch can have this relative error. */
export function assertRelativeError(relativeError: number): void {
  if (relativeError >= LEAST_ERROR && relativeError < 1) return;
  throw new ComityError(
    'bad_data',
    `a sketch can have a relative error from ${LEAST_ERROR} to below 1, such as 0.01, and not ${relativeError}`,
  );
}

/** Throws `bad_data` for what no sketch can have. */
export function sketchKeys(relativeError: number): SketchKeys {
  assertRelativeError(relativeError);
  const logGamma = Math.log1p(relativeError) - Math.log1p(-relativeError);
  const perLog = 1 / logGamma;
  // The least number has key 1.
  const before = Math.ceil(Math.log(Number.MIN_VALUE) * perLog) - 1;
  const largest = Math.ceil(Math.log(Number.MAX_VALUE) * perLog) - before + 1;
  // In the middle of a bin in that it is as far from either end, relative to the end.
  const logMiddle = Math.log1p(-relativeError);

  /** `high` is the upper half of the bits. */
  function keyOf(value: number, high: number): number {
    if (value > 0) return value === Infinity ? largest : Math.ceil(logarithm(value, high) * perLog) - before;
    if (value < 0) return value === -Infinity ? -largest : before - Math.ceil(logarithm(-value, high) * perLog);
    return value === 0 ? 0 : -largest - 1;
  }

  function magnitudeOf(key: number): number {
    if (key === largest) return Infinity;
    const middle = Math.exp((key + before) * logGamma + logMiddle);
    return Math.min(Number.MAX_VALUE, Math.max(Number.MIN_VALUE, middle));
  }

  return {
    largest,
    write(values, present, keys, at) {
      const highs = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
      // Many series keep their value from step to step.
      let last = 0;
      let key = 0;
      for (let i = 0; i < present.length; i++) {
        if (present[i] === 0) {
          keys[at + i] = NO_KEY;
          continue;
        }
        const value = values[i]!;
        if (value !== last) {
          last = value;
          key = keyOf(value, highs[2 * i + HIGH_HALF]!);
        }
        keys[at + i] = key;
      }
    },
    valueOf(key) {
      if (key === 0) return 0;
      if (key < -largest) return NaN;
      return key > 0 ? magnitudeOf(key) : -magnitudeOf(-key);
    },
  };
}
