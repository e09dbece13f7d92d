/** The last one to three bytes of a region as a word. */
export function tailOf(view: DataView, at: number, count: number): number {
  let word = view.getUint8(at);
  if (count > 1) word |= view.getUint8(at + 1) << 8;
  if (count > 2) word |= view.getUint8(at + 2) << 16;
  return word;
}

/** Odd constants with well mixed bits. */
const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;

/**
 * A 32-bit hash of a region, in four lanes that do not wait for one another. It only has to spread keys: the seed keeps
 * others from choosing keys that meet, and every hit is compared in full.
 */
export function hashOf(view: DataView, at: number, length: number, seed: number): number {
  let a = seed ^ Math.imul(length, P1);
  let b = Math.imul(seed, P2) ^ P3;
  let c = seed ^ P3;
  let d = Math.imul(seed, P3) ^ P1;
  let i = at;
  for (const end = at + (length & ~15); i < end; i += 16) {
    a = Math.imul(a ^ view.getInt32(i, true), P1);
    a ^= a >>> 15;
    b = Math.imul(b ^ view.getInt32(i + 4, true), P2);
    b ^= b >>> 13;
    c = Math.imul(c ^ view.getInt32(i + 8, true), P1);
    c ^= c >>> 14;
    d = Math.imul(d ^ view.getInt32(i + 12, true), P2);
    d ^= d >>> 16;
  }
  for (const end = at + (length & ~3); i < end; i += 4) {
    a = Math.imul(a ^ view.getInt32(i, true), P3);
    a ^= a >>> 15;
  }
  if ((length & 3) !== 0) b = Math.imul(b ^ tailOf(view, i, length & 3), P2);
  return mixed(mixed(a) ^ b) ^ mixed(mixed(c) ^ d);
}

function mixed(word: number): number {
  const half = Math.imul(word ^ (word >>> 15), P2);
  return Math.imul(half ^ (half >>> 13), P3) ^ (half >>> 16);
}
