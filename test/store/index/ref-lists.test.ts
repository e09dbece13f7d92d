import { expect, test } from 'vitest';
import { intersect, marked, subtract, withMark } from '../../../src/store/index/ref-lists.ts';
import { randomFrom, type Random } from '../../random.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** Ascending numbers, of which each is there with probability `share`. */
function someList(random: Random, end: number, share: number): Uint32Array {
  return Uint32Array.from({ length: end }, (_, n) => n).filter(() => random.chance(share));
}

test(`lists have in common, lose and keep what sets do (SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < 300; round++) {
    const end = random.pick([1, 10, 100, 1_000]);
    const a = someList(random, end, random.pick([0, 0.02, 0.3, 1]));
    const b = someList(random, end, random.pick([0, 0.02, 0.3, 1]));
    const inA = new Set(a);
    const inB = new Set(b);
    const before = [...a];
    const bits = new Uint32Array((end + 31) >>> 5);
    for (const item of b) bits[item >>> 5]! |= 1 << (item & 31);
    expect([...intersect(a, b)]).toEqual([...inA.intersection(inB)].sort((x, y) => x - y));
    expect([...subtract(a, b)]).toEqual([...inA.difference(inB)]);
    expect([...withMark(a, bits, 1)]).toEqual([...intersect(a, b)]);
    expect([...withMark(a, bits, 0)]).toEqual([...subtract(a, b)]);
    expect([...marked(bits, b.length)]).toEqual([...b]);
    expect([...a]).toEqual(before);
  }
});
