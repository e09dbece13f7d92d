import { randomBytes } from 'node:crypto';

/**
 * Hashes of texts and of lists of ids: sums of 16-bit units, each multiplied by a random key of its place (multilinear
 * hashing: Lemire and Kaser, "Strongly universal string hashing is fast", 2014).
 *
 * Senders choose label values, and can guess the ids that pairs are given, so the hash must not let them choose what
 * collides. Two different inputs have one sum only when the keys satisfy one linear equation modulo 2^32, whose
 * coefficients are the differences of units: at least one of them is not 0 and divisible by 2^15 at most, so that this
 * happens for at most one in 2^17 choices of the keys, whatever the inputs are. Without the keys nobody can make more than
 * about 16 of two million entries meet, and for texts of a byte a character it is one in 2^25. A mix without loss follows,
 * because tables take the low bits, which depend on few bits of the units.
 */
export const HASHED_UNITS = 1024;

/** Keys that are not of a unit's place come first. */
const SALT_LOW = 0;
const SALT_HIGH = 1;
const LENGTH = 2;
const FIRST = 3;

const KEYS = randomKeys();

/** The hash of a text. `salt` is a 32-bit number that is part of what is hashed. */
export function hashOfText(salt: number, text: string): number {
  let sum = saltSum(salt);
  const end = Math.min(text.length, HASHED_UNITS);
  for (let i = 0; i < end; i++) sum = (sum + Math.imul(KEYS[FIRST + i]!, text.charCodeAt(i))) | 0;
  if (text.length > HASHED_UNITS) sum = hashOfRest(sum, text);
  return hashOfSum(sum, text.length);
}

/** The sum to begin with, for one who adds the units by `withUnit` and ends with `hashOfSum`. */
export function saltSum(salt: number): number {
  return (Math.imul(KEYS[SALT_LOW]!, salt & 0xffff) + Math.imul(KEYS[SALT_HIGH]!, salt >>> 16)) | 0;
}

/** Adds the unit at `at`, which must be less than `HASHED_UNITS`. */
export function withUnit(sum: number, at: number, unit: number): number {
  return (sum + Math.imul(KEYS[FIRST + at]!, unit)) | 0;
}

export function hashOfSum(sum: number, length: number): number {
  return mixed((sum + Math.imul(KEYS[LENGTH]!, length)) | 0);
}

/** The hash of the first `count` ids. */
export function hashOfIds(ids: Uint32Array, count: number): number {
  let sum = 0;
  let key = FIRST;
  for (let i = 0; i < count; i++) {
    const id = ids[i]!;
    sum = (sum + Math.imul(KEYS[key]!, id & 0xffff) + Math.imul(KEYS[key + 1]!, id >>> 16)) | 0;
    key += 2;
    if (key < FIRST + HASHED_UNITS) continue;
    sum = mixed(sum);
    key = FIRST;
  }
  return hashOfSum(sum, count);
}

/** Longer texts go through the keys again; the mix between keeps units with one key from making up for each other. */
function hashOfRest(start: number, text: string): number {
  let sum = start;
  for (let at = HASHED_UNITS; at < text.length; at += HASHED_UNITS) {
    sum = mixed(sum);
    const end = Math.min(text.length, at + HASHED_UNITS);
    for (let i = at; i < end; i++) sum = (sum + Math.imul(KEYS[FIRST + i - at]!, text.charCodeAt(i))) | 0;
  }
  return sum;
}

/** Spreads every bit over all others, and maps no two words to one. */
function mixed(word: number): number {
  const half = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  const most = Math.imul(half ^ (half >>> 13), 0xc2b2ae35);
  return most ^ (most >>> 16);
}

function randomKeys(): Int32Array {
  const keys = new Int32Array(FIRST + HASHED_UNITS);
  randomBytes(keys.byteLength).copy(new Uint8Array(keys.buffer));
  return keys;
}
