import { bitLength, PACKED_BITS_MAX } from './bit-packing.ts';

/**
 * How a block of integers is best written. Those from `base` on that fit into `width` bits are packed; where there are
 * exceptions, these are all others.
 */
export interface BlockPlan {
  base: number;
  width: number;
  exceptions: boolean;
  /** About how many bits the block takes. */
  bits: number;
}

const plan: BlockPlan = { base: 0, width: 0, exceptions: false, bits: 0 };

/** Classes of distances from the pivot: bits of those above it, and behind them bits of those below. */
const BELOW = 64;

/** How many integers there are in each class, and how far the farthest one is. */
const classCount = new Int32Array(2 * BELOW);
const classMost = new Float64Array(2 * BELOW);

/** How `values[from, to)`, at least one, take the least bits. The plan is good until the next one. */
export function planBlock(values: Float64Array, from: number, to: number): Readonly<BlockPlan> {
  let low = values[from]!;
  let high = low;
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  const width = bitLength(high - low);
  plan.base = low;
  plan.width = width;
  plan.exceptions = false;
  plan.bits = HEADER_BITS + (to - from) * width;
  const isPlain = width < EXCEPTION_GAIN_BITS || (width <= PACKED_BITS_MAX && isEven(values, from, to, width));
  if (!isPlain) planExceptions(values, from, to, low, high);
  if (!plan.exceptions && low > 0) {
    // A base takes a byte at least, which it may not be worth.
    const widthFromZero = bitLength(high);
    if ((to - from) * (widthFromZero - width) <= 8 && widthFromZero <= PACKED_BITS_MAX) {
      plan.base = 0;
      plan.width = widthFromZero;
    }
  }
  return plan;
}

const HEADER_BITS = 16;

/** Narrower blocks gain nothing by exceptions. */
const EXCEPTION_GAIN_BITS = 2;

const SAMPLES = 16;

/**
 * Whether a few of the integers, the lowest and the highest of them aside, lie nearly as far apart as all do: then exceptions
 * gain next to nothing.
 */
function isEven(values: Float64Array, from: number, to: number, width: number): boolean {
  const step = Math.max(1, Math.floor((to - from) / SAMPLES));
  let lowest = Number.POSITIVE_INFINITY;
  let low = lowest;
  let highest = Number.NEGATIVE_INFINITY;
  let high = highest;
  for (let i = from; i < to; i += step) {
    const value = values[i]!;
    if (value < low) {
      low = Math.max(lowest, value);
      lowest = Math.min(lowest, value);
    }
    if (value > high) {
      high = Math.min(highest, value);
      highest = Math.max(highest, value);
    }
  }
  return high > low && bitLength(high - low) >= width;
}

/** Tries which of the classes farthest from a typical integer had better be exceptions. */
function planExceptions(values: Float64Array, from: number, to: number, low: number, high: number): void {
  const pivot = middleOf(values[from]!, values[(from + to) >>> 1]!, values[to - 1]!);
  const aboveMax = bitLength(high - pivot);
  const belowMax = bitLength(pivot - low);
  classify(values, from, to, pivot, aboveMax, belowMax);
  const rows = to - from;
  let best = plan.width <= PACKED_BITS_MAX ? plan.bits : Number.POSITIVE_INFINITY;
  let exceptionsAbove = 0;
  for (let above = aboveMax; above >= 0; above--) {
    if (above > 0 && classCount[above] === 0) continue;
    // Fewer classes would only make more exceptions.
    if (exceptionsAbove >= best) break;
    let exceptionBits = exceptionsAbove;
    for (let below = belowMax; below >= 0; below--) {
      if (below > 0 && classCount[BELOW + below] === 0) continue;
      if (exceptionBits >= best) break;
      const width = bitLength(classMost[above]! + classMost[BELOW + below]!);
      const bits = HEADER_BITS + rows * width + (exceptionBits === 0 ? 0 : exceptionBits + 8);
      if (bits < best && width <= PACKED_BITS_MAX) {
        best = bits;
        plan.base = pivot - classMost[BELOW + below]!;
        plan.width = width;
        plan.exceptions = exceptionBits > 0;
      }
      exceptionBits += exceptionBitsOf(classCount[BELOW + below]!, below);
    }
    exceptionsAbove += exceptionBitsOf(classCount[above]!, above);
  }
  plan.bits = best;
}

function classify(
  values: Float64Array,
  from: number,
  to: number,
  pivot: number,
  aboveMax: number,
  belowMax: number,
): void {
  classCount.fill(0);
  classMost.fill(0);
  if (Math.max(aboveMax, belowMax) < 31) {
    // Whether an integer is above or below is a toss-up, which a branch would guess wrong half of the time.
    for (let i = from; i < to; i++) {
      const distance = (values[i]! - pivot) | 0;
      const sign = distance >> 31;
      const magnitude = (distance ^ sign) - sign;
      const place = 32 - Math.clz32(magnitude) + (sign & BELOW);
      classCount[place]!++;
      if (magnitude > classMost[place]!) classMost[place] = magnitude;
    }
    return;
  }
  for (let i = from; i < to; i++) {
    const distance = values[i]! - pivot;
    const place = bitLength(Math.abs(distance)) + (distance < 0 ? BELOW : 0);
    classCount[place]!++;
    classMost[place] = Math.max(classMost[place]!, Math.abs(distance));
  }
}

/** A place and a signed varint each. */
function exceptionBitsOf(count: number, bits: number): number {
  return count * 8 * (2 + Math.floor(bits / 7));
}

function middleOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
