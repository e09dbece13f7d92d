import { expect, test } from 'vitest';
import { hashOfIds, hashOfSum, hashOfText, saltSum, withUnit } from '../../../src/store/index/keyed-hash.ts';

/** Many inputs of one kind that are alike, such as somebody would send who wants them to have one hash. */
const KINDS: readonly (readonly [string, (n: number) => number])[] = [
  ['counted', (n) => hashOfText(1, `value-${n}`)],
  ['the same text under names', (n) => hashOfText(n, 'value')],
  ['ends of long texts', (n) => hashOfText(1, 'x'.repeat(2_000) + String(n))],
  ['zeros', (n) => hashOfText(1, '\0'.repeat(n))],
  [
    'the highest bits of two units',
    (n) =>
      hashOfText(
        1,
        n
          .toString(2)
          .split('')
          .map((bit) => (bit === '1' ? '\u8000' : '\0'))
          .join(''),
      ),
  ],
  ['one unit far away', (n) => hashOfText(1, `${'\0'.repeat(n)}\u8000${'\0'.repeat(2_000 - n)}`)],
  ['pairs with ids one after the other', (n) => hashOfIds(Uint32Array.of(n, n + 1, n + 2), 3)],
  ['pairs that change places', (n) => hashOfIds(Uint32Array.of(n & 31, (n >> 5) & 31, n >> 10), 3)],
  [
    'the last of many pairs',
    (n) =>
      hashOfIds(
        Uint32Array.from({ length: 600 }, (_, at) => (at === 599 ? n : at)),
        600,
      ),
  ],
  ['high bits of ids', (n) => hashOfIds(Uint32Array.of((n & 0xff) << 24, (n >> 8) << 24), 2)],
];

test.each(KINDS)('hashes rarely meet, nor do their low bits: %s', (_, hashOf) => {
  const hashes = Array.from({ length: 2_000 }, (_one, n) => hashOf(n));
  // Two meet with a probability of 2^-17 at most, so that 15 pairs are to be expected at the worst; but pairs meet in droves.
  expect(new Set(hashes).size).toBeGreaterThan(1_700);
  const low = new Set(hashes.map((hash) => hash & 0xfff));
  expect(low.size).toBeGreaterThan(1_100);
});

test('a hash that is put together unit by unit is that of the text', () => {
  let sum = saltSum(70_000);
  for (const [at, char] of 'value'.split('').entries()) sum = withUnit(sum, at, char.charCodeAt(0));
  expect(hashOfSum(sum, 5)).toBe(hashOfText(70_000, 'value'));
  expect(hashOfText(70_001, 'value')).not.toBe(hashOfText(70_000, 'value'));
});
