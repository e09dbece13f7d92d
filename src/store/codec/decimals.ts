import type { ByteReader } from './bytes.ts';
import { readIntegers, readSums } from './integers.ts';
import { scratchColumn } from './scratch.ts';

/**
 * Floats as integers: a float is `integer * 2^shift / 10^exponent`, both steps rounded as IEEE 754 says, which gives back
 * the float nearest to a decimal number exactly.
 */
export interface Decimals {
  /** 0 to 15; -1 where the floats are no decimals. */
  readonly exponent: number;
  readonly shift: number;
  /** The integers of the floats that are ones, in order. Good until the next call. */
  readonly integers: Float64Array;
  /** Each integer less the one before it, without the first. */
  readonly differences: Float64Array;
  readonly count: number;
  /** How far the integers lie apart. */
  readonly range: number;
  /** How far the differences lie apart. */
  readonly differenceRange: number;
}

const EXPONENT_MAX = 15;
const POWERS = Float64Array.from({ length: EXPONENT_MAX + 1 }, (_, exponent) => 10 ** exponent);

/** Magnitudes below this: their differences stay below `INTEGER_LIMIT`. */
const DECIMAL_LIMIT = 2 ** 51;

/** Of this many floats one may be no decimal. */
const ROWS_PER_MISS = 16;

const integers = scratchColumn();
const differences = scratchColumn();

/** The low bits that any of the integers has. */
let lowBits = 0;

const found = { exponent: -1, shift: 0, integers, differences, count: 0, range: 0, differenceRange: 0 };

/**
 * The decimals among `values[0, count)`, which are nearly all of them or the result's exponent is -1. `isDecimal` tells them.
 */
export function decimalsOf(values: Float64Array, rows: number): Decimals {
  found.exponent = findIntegers(values, rows);
  if (found.exponent >= 0) describe(found.count);
  return found;
}

/** Whether the value is an integer divided by 10^exponent. Zeros below zero, NaNs and infinities are not. */
export function isDecimal(value: number, exponent: number): boolean {
  const power = POWERS[exponent]!;
  const integer = Math.round(value * power);
  return (
    integer / power === value && integer < DECIMAL_LIMIT && integer > -DECIMAL_LIMIT && (value !== 0 || 1 / value > 0)
  );
}

/** Fills in the integers at the least exponent that fits nearly all values, and returns it; -1 where none does. */
function findIntegers(values: Float64Array, rows: number): number {
  let exponent = 0;
  let power = 1;
  let count = 0;
  let misses = 0;
  lowBits = 0;
  for (let i = 0; i < rows; i++) {
    const value = values[i]!;
    const integer = Math.round(value * power);
    if (integer / power === value && integer < DECIMAL_LIMIT && integer > -DECIMAL_LIMIT) {
      if (value === 0 && 1 / value < 0) continue;
      integers[count++] = integer;
      lowBits |= integer;
      continue;
    }
    // NaNs and infinities stand apart whatever the exponent is.
    if (value - value !== 0) continue;
    const higher = higherExponent(value, exponent);
    if (higher === -1) {
      if (++misses * ROWS_PER_MISS > rows) return -1;
      continue;
    }
    // From the beginning: what was an integer before is a larger one now.
    exponent = higher;
    power = POWERS[exponent]!;
    count = 0;
    misses = 0;
    lowBits = 0;
    i = -1;
  }
  found.count = count;
  return exponent;
}

function higherExponent(value: number, exponent: number): number {
  for (let higher = exponent + 1; higher <= EXPONENT_MAX; higher++) if (isDecimal(value, higher)) return higher;
  return -1;
}

/** Fills in what is known of the first `count` integers. */
function describe(count: number): void {
  // Sizes in bytes are multiples of whole pages. The shift itself takes a byte.
  const shift = lowBits === 0 ? 0 : 31 - Math.clz32(lowBits & -lowBits);
  found.shift = shift * count > 16 ? shift : 0;
  if (found.shift > 0) for (let i = 0, size = 2 ** found.shift; i < count; i++) integers[i]! /= size;
  let before = integers[0]!;
  let low = before;
  let high = before;
  let lowStep = 0;
  let highStep = 0;
  for (let i = 1; i < count; i++) {
    const integer = integers[i]!;
    const step = integer - before;
    differences[i - 1] = step;
    if (i === 1) lowStep = highStep = step;
    else if (step < lowStep) lowStep = step;
    else if (step > highStep) highStep = step;
    if (integer < low) low = integer;
    else if (integer > high) high = integer;
    before = integer;
  }
  found.range = count === 0 ? 0 : high - low;
  found.differenceRange = highStep - lowStep;
}

/** Reads `count` decimals that stand as integers. */
export function readLevels(
  reader: ByteReader,
  count: number,
  exponent: number,
  shift: number,
  target: Float64Array,
  at: number,
): void {
  readIntegers(reader, count, target, at);
  if (exponent === 0 && shift === 0) return;
  const size = 2 ** shift;
  const power = POWERS[exponent]!;
  for (let i = at; i < at + count; i++) target[i] = (target[i]! * size) / power;
}

/** Reads `count` decimals, at least one, whose integers stand as differences from one to the next. */
export function readDifferences(
  reader: ByteReader,
  first: number,
  count: number,
  exponent: number,
  shift: number,
  target: Float64Array,
  at: number,
): void {
  const size = 2 ** shift;
  const power = POWERS[exponent]!;
  target[at] = (first * size) / power;
  readSums(reader, count - 1, target, at + 1, first, size, power);
}
