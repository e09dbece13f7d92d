/** Where the upper half of a number's bits is among two of 32. */
export const HIGH_HALF = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** Mantissas are divided by the middle of one of so many equal parts of [1, 2). */
const PARTS_BITS = 9;
const PARTS = 1 << PARTS_BITS;

const INVERSES = Float64Array.from({ length: PARTS }, (_, part) => 1 / (1 + (part + 0.5) / PARTS));
const LOGS = INVERSES.map((inverse) => -Math.log(inverse));
/** Biased exponent -> the power of two that brings a number of it to [1, 2). */
const SCALES = Float64Array.from({ length: 2047 }, (_, exponent) => 2 ** (1023 - exponent));

/**
 * The natural logarithm of a positive finite number, within 3e-13: a few multiplications, where `Math.log` is a call that
 * takes three times as long. `high` is the upper half of its bits, or of those of minus the number.
 */
export function logarithm(value: number, high: number): number {
  const exponent = (high >>> 20) & 2047;
  if (exponent === 0) return Math.log(value);
  const part = (high >>> (20 - PARTS_BITS)) & (PARTS - 1);
  const beyond = value * SCALES[exponent]! * INVERSES[part]! - 1;
  // The first terms of the series of log(1 + x): x is at most 1 / 1024, so the next would be below 1e-15.
  const rest = beyond * (1 - beyond * (1 / 2 - beyond * (1 / 3 - beyond * (1 / 4))));
  return (exponent - 1023) * Math.LN2 + LOGS[part]! + rest;
}
