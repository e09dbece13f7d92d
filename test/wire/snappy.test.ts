import { compress } from 'snappyjs';
import { describe, expect, test } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { snappyDecoder } from '../../src/wire/snappy.ts';
import { mutate } from '../mutate.ts';
import { randomFrom, type Random } from '../random.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const LIMIT = 64 * 1024;

const decoder = snappyDecoder(LIMIT);

/** The code of the error that a block ends in. */
function errorOf(block: readonly number[] | Uint8Array): string {
  try {
    decoder.decode(Uint8Array.from(block));
  } catch (error) {
    if (error instanceof ComityError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
}

describe('blocks made by hand', () => {
  test.each<[string, number[], string]>([
    ['nothing', [0], ''],
    ['a literal', [3, 0x08, 0x61, 0x62, 0x63], 'abc'],
    ['a literal with its size after it', [3, 0xf0, 2, 0x61, 0x62, 0x63], 'abc'],
    ['a literal with its size in four bytes', [3, 0xfc, 2, 0, 0, 0, 0x61, 0x62, 0x63], 'abc'],
    ['a copy, one byte of offset', [8, 0x0c, 0x61, 0x62, 0x63, 0x64, 0x01, 4], 'abcdabcd'],
    ['a copy, two bytes of offset', [6, 0x08, 0x61, 0x62, 0x63, 0x0a, 3, 0], 'abcabc'],
    ['a copy, four bytes of offset', [6, 0x08, 0x61, 0x62, 0x63, 0x0b, 3, 0, 0, 0], 'abcabc'],
    ['a copy of what it makes itself', [9, 0x00, 0x61, 0x1e, 1, 0], 'aaaaaaaaa'],
    ['a copy that overlaps by a little', [19, 0x20, ...Buffer.from('abcdefghi'), 0x26, 9, 0], 'abcdefghiabcdefghia'],
  ])('%s', (_what, block, want) => {
    expect(Buffer.from(decoder.decode(Uint8Array.from(block))).toString()).toBe(want);
  });

  test.each<[string, number[], RegExp]>([
    ['no length', [], /ends within its length/],
    ['a length cut off', [0x80], /ends within its length/],
    ['a length of 35 bits', [0xff, 0xff, 0xff, 0xff, 0x7f, 0], /more than 32 bits/],
    ['a length of six bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0], /more than 32 bits/],
    ['nothing for a length', [3], /0 bytes cannot make the 3/],
    ['a literal cut off', [3, 0x08, 0x61], /byte 1: a literal of 3 bytes is cut off/],
    ['a long literal cut off', [3, 0xfc, 0xff, 0xff, 0xff, 0xff], /a literal of 4294967296 bytes is cut off/],
    ['a size cut off', [3, 0xfc, 1, 0], /an element is cut off/],
    ['an offset cut off', [6, 0x08, 0x61, 0x62, 0x63, 0x0a, 3], /an element is cut off/],
    ['a copy of what is not there', [6, 0x08, 0x61, 0x62, 0x63, 0x0a, 4, 0], /4 bytes back, 3 are there/],
    ['a copy of nothing', [6, 0x08, 0x61, 0x62, 0x63, 0x0a, 0, 0], /0 bytes back/],
    ['an offset of 32 bits', [6, 0x08, 0x61, 0x62, 0x63, 0x0b, 0xff, 0xff, 0xff, 0xff], /4294967295 bytes back/],
    ['a literal too many', [2, 0x08, 0x61, 0x62, 0x63], /more than the 2 bytes announced/],
    ['a copy too many', [5, 0x08, 0x61, 0x62, 0x63, 0x0a, 3, 0], /more than the 5 bytes announced/],
    ['less than announced', [4, 0x08, 0x61, 0x62, 0x63], /3 bytes came of 4/],
  ])('fails: %s', (_what, block, message) => {
    expect(errorOf(block)).toMatch(/^bad_data: malformed snappy at byte/);
    expect(errorOf(block)).toMatch(message);
  });
});

describe('bombs', () => {
  test('more than the limit is refused before memory is taken for it', () => {
    const decode = snappyDecoder(2 ** 32);
    const before = process.memoryUsage().arrayBuffers;
    expect(errorOf([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61])).toMatch(/^body_too_large: .* 4294967295 bytes/);
    // Within the limit here, but not what seven bytes can make.
    expect(() => decode.decode(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61))).toThrow(/cannot make/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });

  test('the limit itself is allowed', () => {
    expect(decoder.decode(compress(new Uint8Array(LIMIT)))).toHaveLength(LIMIT);
    expect(errorOf(compress(new Uint8Array(LIMIT + 1)))).toMatch(/^body_too_large/);
  });
});

/** Text with repetitions, noise, or long runs. */
function randomBytes(random: Random): Buffer {
  const words = Array.from({ length: random.int(1, 20) }, () =>
    Buffer.alloc(random.int(1, 40), random.int(0, 2 ** 31).toString(36)),
  );
  const parts = Array.from({ length: random.int(0, 200) }, () =>
    random.chance(0.8)
      ? random.pick(words)
      : Buffer.from(Array.from({ length: random.int(0, 90) }, () => random.int(0, 255))),
  );
  return Buffer.concat(parts).subarray(0, LIMIT);
}

test(`gives back what was compressed, small and large in turn, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  const large = snappyDecoder(64 * 1024 * 1024);
  for (let run = 0; run < 400; run++) {
    const bytes = randomBytes(random);
    expect(Buffer.compare(decoder.decode(compress(bytes)), bytes), `run ${run}`).toBe(0);
    expect(Buffer.compare(large.decode(compress(bytes)), bytes), `run ${run}`).toBe(0);
  }
  const many = Buffer.alloc(5 * 1024 * 1024, 'more than is kept between calls');
  expect(Buffer.compare(large.decode(compress(many)), many)).toBe(0);
});

test(`broken blocks end in an error or in as many bytes as announced, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  let failed = 0;
  for (let run = 0; run < 5000; run++) {
    // Less than a kilobyte: what is announced stays a number of one or two bytes.
    const block = mutate(random, compress(randomBytes(random).subarray(0, random.int(0, 1000))));
    const code = errorOf(block).split(':', 1)[0];
    expect(['none', 'bad_data', 'body_too_large'], `run ${run}`).toContain(code);
    if (code !== 'none') failed++;
  }
  expect(failed).toBeGreaterThan(500);
  expect(failed).toBeLessThan(4990);
});
