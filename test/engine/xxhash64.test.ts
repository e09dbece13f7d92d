import { expect, it } from 'vitest';
import { hashFraction } from '../../src/engine/aggregate/label-hash.ts';
import { xxhash64 } from '../../src/engine/aggregate/xxhash64.ts';
import { labelsOf } from '../../src/model/labels.ts';

const hex = (text: string): string => {
  const { high, low } = xxhash64(Buffer.from(text));
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
};

it.each([
  ['', 'ef46db3751d8e999'],
  ['a', 'd24ec4f1a98c6e5b'],
  ['as', '1c330fb2d66be179'],
  ['asd', '631c37ce72a97393'],
  ['asdf', '415872f599cea71e'],
  ['Call me Ishmael. Some years ago--never mind how long precisely-', '02a2e85470d6fd96'],
])('the hash of %j is %s', (text, want) => expect(hex(text)).toBe(want));

it('label sets are hashed with the lengths of their parts', () => {
  // 1 'a' 1 'b' as bytes.
  const { high, low } = xxhash64(Uint8Array.of(1, 97, 1, 98));
  expect(hashFraction(labelsOf({ a: 'b' }))).toBe((high * 2 ** 32 + low) / 2 ** 64);
  const long = 'ä'.repeat(200);
  const text = xxhash64(Buffer.concat([Uint8Array.of(1, 97, 255, 144, 1, 0), Buffer.from(long)]));
  expect(hashFraction(labelsOf({ a: long }))).toBe((text.high * 2 ** 32 + text.low) / 2 ** 64);
  const huge = 'x'.repeat(5000);
  const big = xxhash64(Buffer.concat([Uint8Array.of(1, 97, 255, 136, 19, 0), Buffer.from(huge)]));
  expect(hashFraction(labelsOf({ a: huge }))).toBe((big.high * 2 ** 32 + big.low) / 2 ** 64);
});
