import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { randomFrom } from '../random.ts';
import { canaries } from './canaries.ts';
import { search, varint } from './search.ts';

/* What the search is worth: canaries that are sent through on purpose, in each form, among other bytes. */

const SEED = Number(process.env['COMITY_SEED'] ?? 4_711);

const words = canaries();
const WORD = words.word('a word');
words.word('another word');
const NUMBER = words.number('a number');
words.number('another number');
const COUNT = words.count('a count');
words.count('another count');
words.known('a pseudonym', 'k7Rw-x_9Lm');

const float = (value: number, write: 'writeDoubleLE' | 'writeDoubleBE' = 'writeDoubleLE'): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes[write](value);
  return bytes;
};
const escaped = (text: string, one: (code: number) => string): string =>
  Array.from(text, (letter) => one(letter.charCodeAt(0))).join('');
const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');
/** A field of a message: its tag, its length and what it holds. */
const field = (tag: number, bytes: Buffer): Buffer => Buffer.concat([Buffer.from([tag]), varint(bytes.length), bytes]);

const WORD_FORMS: Record<string, Buffer | string> = {
  'as it is': WORD,
  'in capitals': WORD.toUpperCase(),
  'within a word': `x${WORD}y`,
  'UTF-16': Buffer.from(WORD, 'utf16le'),
  'UTF-16, the other end first': Buffer.from(WORD, 'utf16le').swap16(),
  base64: Buffer.from(WORD).toString('base64'),
  'base64 after a byte': Buffer.from(`.${WORD}`).toString('base64'),
  'base64 after two bytes': Buffer.from(`..${WORD}`).toString('base64'),
  'base64 behind other letters': `ab${Buffer.from(WORD).toString('base64')}`,
  'base64 of a URL': Buffer.from(`ÿþ${WORD}`).toString('base64url'),
  hex: Buffer.from(WORD).toString('hex'),
  'hex in capitals': Buffer.from(WORD).toString('hex').toUpperCase(),
  'JSON escapes': escaped(WORD, (code) => `\\u${hex(code, 4)}`),
  'hex escapes': escaped(WORD, (code) => `\\x${hex(code, 2)}`),
  'percent-encoded': escaped(WORD, (code) => `%${hex(code, 2)}`),
  gzip: gzipSync(WORD),
  zstd: zstdCompressSync(Buffer.from(WORD)),
  deflate: deflateSync(WORD),
  'base64 of gzip': gzipSync(WORD).toString('base64'),
  'hex in JSON in zstd': zstdCompressSync(Buffer.from(JSON.stringify({ leaf: Buffer.from(WORD).toString('hex') }))),
  'the beginning of one': WORD.slice(0, -2),
  'a message in a message': field(0x0a, field(0x12, Buffer.from(WORD))),
};

const NUMBER_FORMS: Record<string, Buffer | string> = {
  float64: float(NUMBER),
  'float64, the other end first': float(NUMBER, 'writeDoubleBE'),
  'a negative float64': float(-NUMBER),
  'a float64 that lost its last bit': float(NUMBER + 2 ** -40),
  decimal: String(NUMBER),
  'decimal, cut short': NUMBER.toFixed(3),
  'base64 of a float64': float(NUMBER).toString('base64'),
  'hex of a float64': float(NUMBER).toString('hex'),
  'zstd of a block': zstdCompressSync(Buffer.concat([float(1), float(2), float(NUMBER), float(3)])),
};

const COUNT_FORMS: Record<string, Buffer | string> = {
  decimal: ` ${COUNT} `,
  'decimal with an exponent': `${COUNT / 1e8}e+08`,
  float64: float(COUNT),
  'float64, the other end first': float(COUNT, 'writeDoubleBE'),
  varint: varint(COUNT),
  'zigzag varint': varint(COUNT * 2),
  'differences of varints': field(0x1a, Buffer.concat([varint(3), varint(COUNT - 3), varint(9)])),
  'zigzag differences': field(0x1a, Buffer.concat([varint(10), varint((COUNT - 5) * 2), varint(9)])),
};

/** What is said of one that is not whole. */
const WANTED: Record<string, unknown> = {
  'the beginning of one': expect.stringContaining('part of a word'),
  'decimal, cut short': expect.stringContaining('cut short'),
};

test.each([
  ...Object.entries(WORD_FORMS).map(([form, bytes]) => ['a word', form, bytes] as const),
  ...Object.entries(NUMBER_FORMS).map(([form, bytes]) => ['a number', form, bytes] as const),
  ...Object.entries(COUNT_FORMS).map(([form, bytes]) => ['a count', form, bytes] as const),
  ['a pseudonym', 'as it is', 'user=k7Rw-x_9Lm'] as const,
])(`%s is found: %s (seed ${SEED})`, (what, form, planted) => {
  const random = randomFrom(SEED);
  const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.int(128, 255)));
  // What is found by reading a message is found only in one.
  const inMessage = form.includes('differences');
  const bytes = inMessage ? Buffer.from(planted) : Buffer.concat([noise(37), Buffer.from(planted), noise(11)]);
  const found = [...new Set(search(bytes, words).map(({ place }) => place))];
  expect(found).toEqual([WANTED[form] ?? what]);
});

test(`nothing is found in what holds none (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(Array.from({ length: random.int(0, 4_000) }, () => random.int(0, 255)));
    expect(search(bytes, words)).toEqual([]);
    expect(search(Buffer.from(bytes.toString('base64')), words)).toEqual([]);
    expect(search(Buffer.from(bytes.toString('hex')), words)).toEqual([]);
  }
  expect(search(Buffer.from('4711 4711.2 47113 471136000'), words)).toEqual([]);
});
