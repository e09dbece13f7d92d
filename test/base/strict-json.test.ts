import { expect, test } from 'vitest';
import { parseStrictJson } from '../../src/base/strict-json.ts';
import { randomFrom, type Random } from '../random.ts';

test.for<[string, unknown]>([
  ['1', 1],
  ['{}', {}],
  ['[]', []],
  ['{"a":[{"a":1},{"a":2}],"b":{"a":3}}', { a: [{ a: 1 }, { a: 2 }], b: { a: 3 } }],
  [' {"a" \n: "b:\\"c\\":" } ', { a: 'b:"c":' }],
  ['{"\\":":1}', { '":': 1 }],
])('takes %s', ([text, want]) => {
  expect(parseStrictJson(text)).toEqual(want);
});

test.for([
  '',
  '{"a":1,"a":1}',
  '{"a":1,"\\u0061":1}',
  '{"b":[{"a":1,"c":2,"a":{}}]}',
  '{"__proto__":1,"__proto__":2}',
  "{'a':1}",
  '{"a":1,}',
  `${'['.repeat(33)}${']'.repeat(33)}`,
  `${'[{"a":'.repeat(1_000)}`,
  '"\\"'.repeat(100_000),
])('refuses %s', (text) => {
  expect(() => parseStrictJson(text)).toThrow(SyntaxError);
});

/** A value in which no object has a name twice. */
function randomValue(random: Random, depth: number): unknown {
  const text = (chars: readonly string[]): string =>
    Array.from({ length: random.int(0, 4) }, () => random.pick(chars)).join('');
  // Of V8 13.6, JSON.parse takes some names with an escape for others, so that names have none here.
  const name = (): string => text([':', '{', 'a', 'é', ',']);
  switch (depth === 0 ? 0 : random.int(0, 3)) {
    case 1:
      return Array.from({ length: random.int(0, 3) }, () => randomValue(random, depth - 1));
    case 2:
    case 3:
      return Object.fromEntries(
        Array.from({ length: random.int(0, 4) }, () => [name(), randomValue(random, depth - 1)]),
      );
    default:
      return random.pick([null, true, 4711, text(['"', '\\', ':', '{', 'é', ','])]);
  }
}

test('takes whatever is written without a name twice, however it is laid out', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = randomFrom(seed);
  for (let i = 0; i < 500; i++) {
    const value = randomValue(random, 4);
    expect(parseStrictJson(JSON.stringify(value, null, random.int(0, 2))), `seed ${seed}`).toEqual(value);
  }
});
