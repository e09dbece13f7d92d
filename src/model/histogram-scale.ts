import { log2 } from '../base/go-math.ts';

/**
 * The part, from 0 to 1, of the bucket between two finite bounds that lies up to a value within: by width where `isLinear`,
 * otherwise on the logarithmic scale, on which exponential buckets are equally wide.
 */
export function fractionBelow(lower: number, upper: number, value: number, isLinear: boolean): number {
  if (isLinear) return (value - lower) / (upper - lower);
  const logLower = log2(Math.abs(lower));
  const logUpper = log2(Math.abs(upper));
  const logValue = log2(Math.abs(value));
  if (value > 0) return (logValue - logLower) / (logUpper - logLower);
  return 1 - (logValue - logUpper) / (logLower - logUpper);
}

/** The value up to which the given part of a bucket lies on the logarithmic scale, its inverse. */
export function valueAt(lower: number, upper: number, fraction: number): number {
  const logLower = log2(Math.abs(lower));
  const logUpper = log2(Math.abs(upper));
  if (lower > 0) return exp2(logLower + (logUpper - logLower) * fraction);
  return -exp2(logUpper + (logLower - logUpper) * (1 - fraction));
}

/**
 * Two to the power of a number, bit by bit as Go computes it: its package math has the method and the coefficients of
 * FreeBSD's msun (e_exp.c, Sun Microsystems 2004).
 */
function exp2(exponent: number): number {
  if (Number.isNaN(exponent)) return NaN;
  if (exponent > 1023.9999999999999) return Infinity;
  if (exponent < -1074) return 0;
  const whole = Math.trunc(exponent > 0 ? exponent + 0.5 : exponent - 0.5);
  const rest = exponent - whole;
  const high = rest * LN2_HIGH;
  const low = -rest * LN2_LOW;
  const x = high - low;
  const y = x * x;
  const even =
    y *
    (0.16666666666666666 +
      y *
        (-0.0027777777777015593 +
          y * (6.613756321437934e-5 + y * (-1.6533902205465252e-6 + y * 4.1381367970572385e-8))));
  const c = x - even;
  const factor = 1 - (low - (x * c) / (2 - c) - high);
  // In two steps where one power of two alone is too large, or the result has fewer digits and must be rounded once.
  if (whole > 1000) return factor * 2 ** (whole - 64) * 2 ** 64;
  return whole < -900 ? factor * 2 ** (whole + 128) * 2 ** -128 : factor * 2 ** whole;
}

/** The natural logarithm of 2 in two parts, the first of which has few digits. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
