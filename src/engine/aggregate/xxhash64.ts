/** A 64-bit number as its two halves. */
interface Wide {
  readonly high: number;
  readonly low: number;
}

/**
 * xxHash64 with seed 0 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md). In halves of 32 bits: 64-bit
 * integers of JavaScript are objects, and each operation makes one.
 */
export function xxhash64(bytes: Uint8Array): Wide {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { length } = bytes;
  let at = 0;
  const hash = wide(PRIME_5);
  const input = wide(ZERO);
  if (length >= STRIPE) {
    const lanes = LANE_STARTS.map(wide);
    for (; at + STRIPE <= length; at += STRIPE) {
      for (let lane = 0; lane < 4; lane++) round(lanes[lane]!, read(input, view, at + lane * 8));
    }
    hash.fill(0);
    lanes.forEach((lane, i) => add(hash, rotate(wide(lane), LANE_ROTATIONS[i]!)));
    for (const lane of lanes) {
      xor(hash, round(wide(ZERO), lane));
      add(multiply(hash, PRIME_1), PRIME_4);
    }
  }
  add(hash, wide([0, length]));
  for (; at + 8 <= length; at += 8) {
    xor(hash, round(wide(ZERO), read(input, view, at)));
    add(multiply(rotate(hash, 27), PRIME_1), PRIME_4);
  }
  if (at + 4 <= length) {
    xor(hash, multiply(wide([0, view.getUint32(at, true)]), PRIME_1));
    add(multiply(rotate(hash, 23), PRIME_2), PRIME_3);
    at += 4;
  }
  for (; at < length; at++) {
    xor(hash, multiply(wide([0, bytes[at]!]), PRIME_5));
    multiply(rotate(hash, 11), PRIME_1);
  }
  multiply(xorShifted(hash, 33), PRIME_2);
  multiply(xorShifted(hash, 29), PRIME_3);
  xorShifted(hash, 32);
  return { high: hash[0]!, low: hash[1]! };
}

/** High half, low half. Operations below change the first operand and return it. */
type Halves = Uint32Array;

const STRIPE = 32;
const ZERO = Uint32Array.of(0, 0);
const PRIME_1 = Uint32Array.of(0x9e3779b1, 0x85ebca87);
const PRIME_2 = Uint32Array.of(0xc2b2ae3d, 0x27d4eb4f);
const PRIME_3 = Uint32Array.of(0x165667b1, 0x9e3779f9);
const PRIME_4 = Uint32Array.of(0x85ebca77, 0xc2b2ae63);
const PRIME_5 = Uint32Array.of(0x27d4eb2f, 0x165667c5);

/** The first two primes together, the second, zero, and the first one's negative. */
const LANE_STARTS: readonly Halves[] = [
  Uint32Array.of(0x60ea27ee, 0xadc0b5d6),
  PRIME_2,
  ZERO,
  Uint32Array.of(0x61c8864e, 0x7a143579),
];
const LANE_ROTATIONS = [1, 7, 12, 18];

function wide(halves: readonly number[] | Halves): Halves {
  return new Uint32Array(halves);
}

function read(into: Halves, view: DataView, at: number): Halves {
  into[0] = view.getUint32(at + 4, true);
  into[1] = view.getUint32(at, true);
  return into;
}

/** Changes the input too. */
function round(lane: Halves, input: Halves): Halves {
  return multiply(rotate(add(lane, multiply(input, PRIME_2)), 31), PRIME_1);
}

function add(into: Halves, other: Halves): Halves {
  const low = into[1]! + other[1]!;
  into[0] = into[0]! + other[0]! + (low >= 2 ** 32 ? 1 : 0);
  into[1] = low;
  return into;
}

function xor(into: Halves, other: Halves): Halves {
  into[0]! ^= other[0]!;
  into[1]! ^= other[1]!;
  return into;
}

function multiply(into: Halves, by: Halves): Halves {
  const [high, low] = into as unknown as readonly [number, number];
  const [byHigh, byLow] = by as unknown as readonly [number, number];
  into[0] = highProduct(low, byLow) + Math.imul(high, byLow) + Math.imul(low, byHigh);
  into[1] = Math.imul(low, byLow);
  return into;
}

/** The upper 32 bits of the product of two numbers of 32 bits. */
function highProduct(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 2 ** 16);
  const carried = aLow * bHigh + (middle % 2 ** 16);
  return aHigh * bHigh + Math.floor(middle / 2 ** 16) + Math.floor(carried / 2 ** 16);
}

/** To the left by 1 to 31 bits. */
function rotate(into: Halves, bits: number): Halves {
  const high = into[0]!;
  const low = into[1]!;
  into[0] = (high << bits) | (low >>> (32 - bits));
  into[1] = (low << bits) | (high >>> (32 - bits));
  return into;
}

/** `x ^ (x >>> bits)`. */
function xorShifted(into: Halves, bits: number): Halves {
  const high = into[0]!;
  const low = into[1]!;
  const shifted = bits >= 32 ? high >>> (bits - 32) : (low >>> bits) | (high << (32 - bits));
  into[1] = low ^ shifted;
  into[0] = bits >= 32 ? high : high ^ (high >>> bits);
  return into;
}
