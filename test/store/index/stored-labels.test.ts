import { expect, test } from 'vitest';
import { labelsFrom, type Labels } from '../../../src/model/labels.ts';
import { seriesIndex } from '../../../src/store/index/series-index.ts';
import { mutate } from '../../mutate.ts';
import { randomFrom, type Random } from '../../random.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** The label set of a stored row by the book: undefined when it is none, or is none in the form in which rows are stored. */
function parsed(json: Uint8Array): Labels | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(json).toString());
  } catch {
    return undefined;
  }
  if (!Array.isArray(value) || value.length % 2 !== 0) return undefined;
  const texts: readonly unknown[] = value;
  if (!texts.every((text) => typeof text === 'string')) return undefined;
  for (let i = 2; i < texts.length; i += 2) if (!(texts[i - 2]! < texts[i]!)) return undefined;
  return texts;
}

/** Whether spaces stand between the texts, which may be refused. */
function isSpaced(json: Uint8Array): boolean {
  const text = Buffer.from(json).toString();
  return /\s/.test(text.replace(/"(?:[^"\\]|\\.)*"/gs, ''));
}

function check(rows: readonly Uint8Array[]): void {
  const index = seriesIndex();
  const known = new Map<string, number>();
  for (const row of rows) {
    const want = parsed(row);
    const sizeBefore = index.size;
    const namesBefore = [...index.names()].length;
    const ref = index.insertStored(row);
    const text = Buffer.from(row).toString();
    if (want === undefined || known.has(JSON.stringify(want)) || (ref === undefined && isSpaced(row))) {
      expect(ref, text).toBeUndefined();
      expect(index.size).toBe(sizeBefore);
      expect([...index.names()].length).toBe(namesBefore);
    } else {
      expect(ref, text).toBeTypeOf('number');
      known.set(JSON.stringify(want), ref!);
    }
  }
  for (const [key, ref] of known) {
    const labels = JSON.parse(key) as Labels;
    expect(index.labels(ref)).toEqual(labels);
    expect(index.find(labels), key).toBe(ref);
  }
}

const NASTY: readonly string[] = [
  '',
  ' ',
  '\b\f\n\r\t',
  ...'a " \\ \\" / \0 \u001f \u007f \u0080 \u00ff \u2028 \ufeff \ufffd __proto__ , "," ["a","b"] \\u0041'.split(' '),
  ...'\ud800 \udfff \udc00\ud800 \ud83d\ude00'.split(' '),
  ...[1_023, 1_024, 1_025, 3_000].map((length) => 'x'.repeat(length)),
  `${'x'.repeat(1_500)}\u4e2d`,
];

function nastyText(random: Random): string {
  return Array.from({ length: random.int(1, 3) }, () => random.pick(NASTY)).join('');
}

/** Rows of which neighbours have much in common, as in a store. */
function someRows(random: Random, count: number): Buffer[] {
  const names = Array.from({ length: 6 }, () => nastyText(random));
  const values = Array.from({ length: 6 }, () => nastyText(random));
  return Array.from({ length: count }, () => {
    const pairs = random.subset(names, 0.8).map((name): [string, string] => [name, random.pick(values)]);
    if (random.chance(0.3)) pairs.push(['own', nastyText(random)]);
    return Buffer.from(JSON.stringify(labelsFrom(pairs)));
  });
}

test(`rows of any texts are read as JSON says (SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  for (let round = 0; round < 100; round++) check(someRows(random, 20));
});

test(`damaged rows are taken exactly when JSON still makes sense of them (SEED=${SEED})`, () => {
  const random = randomFrom(SEED).fork(1);
  let taken = 0;
  for (let round = 0; round < 300; round++) {
    const rows = someRows(random, 12).filter((row) => row.length < 500);
    const damaged = rows.flatMap((row) => [mutate(random, row), row, mutate(random, row)]);
    taken += damaged.filter((row) => parsed(row) !== undefined).length;
    check(damaged);
  }
  expect(taken).toBeGreaterThan(100);
});

test.each<[string, boolean]>([
  ['[]', true],
  ['["a","b"]', true],
  ['["a",""]', true],
  ['["\\u0061","\\ud800"]', true],
  ['["a","b","b","b"]', true],
  ['["a","\\/"]', true],
  ['["b","b","a","b"]', false],
  ['["a","b","a","b"]', false],
  ['["\\u0062","b","a","b"]', false],
  ['["a"]', false],
  ['["a",]', false],
  ['["a","b",]', false],
  ['["a","b"', false],
  ['["a","b]', false],
  ['["a","b\\"]', false],
  ['["a","b"]]', false],
  ['["a","b"]]"]', false],
  ['["a","b"],"c","d"]', false],
  ['["a","b""c","d"]', false],
  ['["a":"b"]', false],
  ['["a",1]', false],
  ['["a","\\x"]', false],
  ['["a","\n"]', false],
  ['["a","\\u12"]', false],
  ['', false],
  ['[', false],
  ['[,]', false],
  ['{}', false],
  ['"a","b"', false],
])('%s', (text, taken) => {
  const row = Buffer.from(text);
  expect(parsed(row) !== undefined).toBe(taken);
  check([row]);
  // Behind one that it may be compared with, and with the same bytes in a larger buffer.
  check([Buffer.from('["a","b"]'), row]);
  check([Buffer.from(`..${text}"`).subarray(2, -1)]);
});

test('a row that is there already adds nothing, and one that was taken out comes again', () => {
  const index = seriesIndex();
  const row = Buffer.from('["a","b","c","d"]');
  const ref = index.insertStored(row)!;
  expect(index.insertStored(row)).toBeUndefined();
  expect(index.size).toBe(1);
  index.remove([ref]);
  expect([...index.names()]).toEqual([]);
  expect(index.insertStored(Buffer.from('["x","b","y","d"]'))).toBe(ref);
  expect(index.labels(ref)).toEqual(['x', 'b', 'y', 'd']);
  expect(index.labels(index.insertStored(row)!)).toEqual(['a', 'b', 'c', 'd']);
});
