import { describe, expect, test } from 'vitest';
import { toComityError } from '../../src/base/errors.ts';
import { decodeMetricsRequest } from '../../src/wire/otlp/decode.ts';
import { placeOfFault } from '../../src/wire/otlp/json-fault.ts';
import { randomFrom } from '../random.ts';
import { mutate } from '../mutate.ts';
import { randomMetricsRequest } from './otlp-requests.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

function messageOf(body: Uint8Array): string {
  try {
    decodeMetricsRequest(body, 'json');
  } catch (error) {
    return toComityError(error).message;
  }
  return 'no error';
}

describe('a syntax error is told with its place', () => {
  test.each<[body: string, place: string]>([
    ['', 'line 1, column 1'],
    ['{', 'line 1, column 2'],
    ['x', 'line 1, column 1'],
    ['{"a":1,}', 'line 1, column 8'],
    ['{"a":[1,]}', 'line 1, column 9'],
    ['[1 2]', 'line 1, column 4'],
    ['{"a" 1}', 'line 1, column 6'],
    ['{a:1}', 'line 1, column 2'],
    ['{}}', 'line 1, column 3'],
    ['{\n  "a": tru}\n', 'line 2, column 11'],
    ['{\n\n "ä😀": 01}', 'line 3, column 9'],
    ['{"a": -}', 'line 1, column 8'],
    ['{"a": 1.}', 'line 1, column 9'],
    ['{"a": 1e+}', 'line 1, column 10'],
    ['{"a": "\\x"}', 'line 1, column 9'],
    ['{"a": "\\u12g4"}', 'line 1, column 12'],
    ['{"a": "\n"}', 'line 1, column 8'],
    ['{"a": "never ends', 'line 1, column 18'],
    ['{"a": [1}', 'line 1, column 9'],
  ])('%j', (body, place) => {
    expect(messageOf(Buffer.from(body))).toMatch(new RegExp(`^malformed JSON at ${place}: `));
  });

  test.each<[hex: string, place: string]>([
    ['ff', 'line 1, column 1'],
    ['7b0a22c3a4c0af', 'line 2, column 3'],
    ['22eda080', 'line 1, column 2'],
    ['22f0808080', 'line 1, column 2'],
    ['22e282', 'line 1, column 2'],
    ['22f4908080', 'line 1, column 2'],
  ])('bytes %s', (hex, place) => {
    expect(messageOf(Buffer.from(hex, 'hex'))).toBe(`malformed JSON at ${place}: the body is not UTF-8`);
  });
});

test(`a fault is where the text before it could go on and the text with it cannot, seed ${SEED}`, () => {
  const random = randomFrom(SEED);
  let faults = 0;
  for (let i = 0; i < 400; i++) {
    const whole = Buffer.from(JSON.stringify(randomMetricsRequest(random, { startMs: 0, temporality: 2 })));
    const text = Buffer.from(mutate(random, whole).toString()).toString();
    let position: number | undefined;
    try {
      JSON.parse(text);
    } catch (error) {
      const found = / at position (\d+)/.exec((error as Error).message)?.[1];
      position = found === undefined ? undefined : Number(found);
    }
    // V8 tells a position for most faults, in UTF-16 units; it says nothing of texts that end too early.
    if (position === undefined) continue;
    faults++;
    const before = text.slice(0, position).split('\n');
    const want = `line ${before.length}, column ${Array.from(before.at(-1)!).length + 1}`;
    expect(placeOfFault(Buffer.from(text)), `text ${i} of seed ${SEED}`).toBe(want);
  }
  expect(faults).toBeGreaterThan(100);
});
