import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { ComityError } from '../../../src/base/errors.ts';
import { chunkRows, decodeChunk, encodeChunk } from '../../../src/store/codec/chunk.ts';
import { mutate } from '../../mutate.ts';
import { randomFrom } from '../../random.ts';
import { anyChunk, latencyChunk } from './samples.ts';

/** The checksum as it should be: damage that a disk does not do, but a mistake of ours may. */
function withChecksum(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= 5) new DataView(bytes.buffer, bytes.byteOffset).setUint32(1, crc32(bytes.subarray(5)), true);
  return bytes;
}

/** Decodes what may be damaged. Memory is bounded by the bytes that there are, times the rows that a chunk can have. */
function decodeDamaged(bytes: Uint8Array): boolean {
  try {
    const { times, values, histograms } = decodeChunk(bytes);
    expect(times.length).toBe(values.length);
    expect(times.length).toBeLessThanOrEqual(8_192);
    expect(histograms?.cells.length ?? 0).toBeLessThanOrEqual(2 * bytes.length * 8_192);
    return true;
  } catch (error) {
    if (!(error instanceof ComityError)) throw error;
    expect(error.code).toBe('internal');
    expect(error.message).toMatch(/a chunk is damaged: /);
    return false;
  }
}

test('any change of a bit and any missing byte is refused', () => {
  const bytes = encodeChunk(latencyChunk(randomFrom(1), 12)).slice();
  for (let length = 0; length < bytes.length; length++) expect(decodeDamaged(bytes.slice(0, length))).toBe(false);
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const changed = bytes.slice();
      changed[at]! ^= 1 << bit;
      expect(decodeDamaged(changed), `byte ${at}, bit ${bit}`).toBe(false);
    }
  }
});

test('damage under a right checksum is refused or read, and nothing worse', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  console.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const outcomes = { read: 0, refused: 0 };
  for (let round = 0; round < 60; round++) {
    const bytes = encodeChunk(anyChunk(random)).slice();
    for (let change = 0; change < 150; change++) {
      try {
        const changed = withChecksum(mutate(random, bytes));
        outcomes[decodeDamaged(changed) ? 'read' : 'refused']++;
      } catch (error) {
        throw new Error(`seed ${seed}, round ${round}, change ${change}`, { cause: error });
      }
    }
  }
  expect(outcomes.read).toBeGreaterThan(100);
  expect(outcomes.refused).toBeGreaterThan(1_000);
}, 60_000);

test('random bytes under a header are refused or read', () => {
  const random = randomFrom(5);
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: random.int(6, 80) }, () => random.int(0, 255));
    bytes[0] = 3;
    bytes[5] = random.int(0, 7);
    if (random.chance(0.5)) bytes[6] = random.int(1, 40);
    decodeDamaged(withChecksum(bytes));
  }
});

/** A chunk of these bytes behind the checksum. */
function chunkOf(...body: number[]): Uint8Array {
  return withChecksum(Uint8Array.of(3, 0, 0, 0, 0, ...body));
}

test.each<[string, Uint8Array, RegExp]>([
  ['nothing', new Uint8Array(0), /0 bytes are too few for its header/],
  ['another version', Uint8Array.of(2, 0, 0, 0, 0, 0, 0), /version 2 is unknown/],
  ['a wrong checksum', Uint8Array.of(3, 0, 0, 0, 0, 0, 1), /its checksum does not match/],
  ['an unknown flag', chunkOf(8, 1), /flags 8 are unknown/],
  ['too many rows', chunkOf(0, 0xff, 0x7f), /rows/],
  ['rows without columns', chunkOf(0, 1), /ends too early/],
  ['a few bytes for many wide integers', chunkOf(0, 0xc0, 0x3e, 0x20, 0, 1, 49, 1, 2, 3), /ends too early/],
  ['bytes behind the columns', chunkOf(0, 0, 1), /1 bytes are too many/],
  ['a grid in place of values', chunkOf(0, 1, 0x10, 2, 0x20), /grid/],
  ['a shift that no float has', chunkOf(0, 1, 0x90, 64), /shifted by 64 bits/],
  ['integers that are too wide', chunkOf(0, 2, 0x10, 2, 50), /50 bits are too wide/],
  ['an exception behind the end', chunkOf(0, 2, 0x10, 2, 0x40, 1, 1, 0), /exception is in row 1 of 1/],
  ['an integer that does not end', chunkOf(0, 1, 0x10, ...Array(9).fill(0xff)), /an integer is too long/],
  ['a gap behind the end', chunkOf(0, 2, 0x60, 0, 1, 1, 2, 1), /a gap is before row 2 of 2/],
  ['floats apart behind the end', chunkOf(0, 1, 0x40, 1, 0, 2), /rows 0 to 2 stand apart/],
  ['no histogram', chunkOf(4, 1, 0x10, 2, 0), /none of its rows is a histogram/],
  ['more histograms than rows', chunkOf(4, 1, 0x10, 2, 2), /2 histograms, and 1 are the most/],
  ['no layout', chunkOf(4, 1, 0x10, 2, 1, 0), /have no layout/],
  ['a layout of many buckets', chunkOf(4, 1, 0x10, 2, 1, 1, 0, 0, 0xff, 0xff, 3), /65535 buckets in a layout/],
])('the error says what is wrong: %s', (_, bytes, want) => {
  expect(() => decodeChunk(bytes)).toThrow(want);
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['another version', Uint8Array.of(2, 0, 0, 0, 0, 0, 1)],
  ['a count that does not end', Uint8Array.of(3, 0, 0, 0, 0, 0, 0xff)],
  ['a count that is too long', Uint8Array.of(3, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 1)],
  ['too many rows', Uint8Array.of(3, 0, 0, 0, 0, 0, 0x81, 0x40)],
])('rows of a damaged header: %s', (_, bytes) => {
  expect(() => chunkRows(bytes)).toThrow(/a chunk is damaged/);
});
