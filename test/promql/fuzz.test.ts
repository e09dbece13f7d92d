import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { PromqlError, renderCaret } from '../../src/promql/parse-error.ts';
import { printExpr } from '../../src/promql/print.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 20_260_102);

const WORDS = (
  'up sum rate by without on ignoring group_left group_right bool offset and or unless atan2 start end fill step inf nan ' +
  'topk quantile count_values label_join time round ( ( ( ) ) ) { } [5m] [5m:] [1h:1m] [ ] , , : = == != =~ !~ < > + - ' +
  '* / % ^ @ "a" \'b\' `c` {a="b"} {"x y"} 0x1F 1e3 .5 1_0 5m 1h30m 08 # \n " \\ é 😀 up up 1 2 a b anchored smoothed ' +
  'fill(1) fill_left range() step() max_of info </ >/ [step() (5m) offset(1)'
).split(' ');

/** Whatever the text: a tree that prints to a fixed point, or a typed error with a position inside the text. */
function parseAnything(text: string): 'tree' | 'error' {
  let printed: string;
  try {
    printed = printExpr(parseExpr(text, ALL_FEATURES));
  } catch (error) {
    expect(error).toBeInstanceOf(ComityError);
    if (error instanceof PromqlError) {
      expect(error.line).toBeLessThanOrEqual(text.split('\n').length);
      expect(error.column).toBeLessThanOrEqual((text.split('\n')[error.line - 1] ?? '').length + 1);
      expect(error.message).toMatch(/^\d+:\d+: parse error: ./);
      expect(renderCaret(error).split('\n')).toHaveLength(2);
    } else expect(error).toMatchObject({ code: 'limit' });
    return 'error';
  }
  // What is printed may be longer than what was written, with a space after each comma, and so too long.
  if (printed.length <= LIMITS.expressionChars) expect(printExpr(parseExpr(printed, ALL_FEATURES))).toBe(printed);
  return 'tree';
}

test(`token soup gives a tree or a typed error, seed ${SEED}`, { timeout: 60_000 }, () => {
  const outcomes = { tree: 0, error: 0 };
  const soup = fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }).map((words) => words.join(' '));
  const run = (text: string) => void outcomes[parseAnything(text)]++;
  fc.assert(fc.property(soup, run), { seed: SEED, numRuns: 4000 });
  expect(outcomes.tree).toBeGreaterThan(50);
  expect(outcomes.error).toBeGreaterThan(1000);
});

test(`random text gives a tree or a typed error, seed ${SEED}`, { timeout: 60_000 }, () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 30 }).map((units) => String.fromCharCode(...units)),
  );
  fc.assert(
    fc.property(texts, (text) => void parseAnything(text)),
    { seed: SEED, numRuns: 2000 },
  );
});

/** Near the bound on characters, where recursion, backtracking or quadratic work would show. */
const HUGE: readonly (readonly [string, string])[] = [
  ['opening parentheses', '('.repeat(60_000)],
  ['unary signs', '-'.repeat(60_000)],
  ['a chain of sums', `${'a+'.repeat(30_000)}a`],
  ['a chain of powers', `${'a^'.repeat(30_000)}a`],
  ['calls', 'abs('.repeat(15_000)],
  ['aggregations', 'sum by (a) ('.repeat(5000)],
  ['subqueries', `a${'[5m:]'.repeat(12_000)}`],
  ['computed ranges', `a[${'(1+'.repeat(15_000)}`],
  ['chains in ranges', `a[${'1+'.repeat(30_000)}1]`],
  ['signs in ranges', `a[${'-'.repeat(60_000)}1]`],
  ['powers in ranges', `a[${'2^'.repeat(30_000)}2]`],
  ['nested max_of', `a offset ${'max_of('.repeat(8000)}`],
  ['modifiers', `a${' anchored'.repeat(7000)}`],
  ['fills', `a + ${'fill_left(1) '.repeat(5000)}b`],
  ['stray bytes', `"${'\\xff'.repeat(16_000)}"`],
  ['hexadecimal digits', `0x${'1e'.repeat(32_000)}`],
  ['offsets', `a${' offset 0s'.repeat(6000)}`],
  ['matchers', `a{${'b="c",'.repeat(10_000)}}`],
  ['labels', `a + on (${'b,'.repeat(16_000)}) group_left (${'c,'.repeat(16_000)}) a`],
  ['arguments', `label_join(a, "b", "c"${',"d"'.repeat(15_000)})`],
  ['digits', '1'.repeat(65_000)],
  ['octal digits', '0'.repeat(65_000)],
  ['underscores', '1_'.repeat(32_000)],
  ['exponents', '1e'.repeat(32_000)],
  ['a duration', `${'1'.repeat(65_000)}m`],
  ['a name', `${'x'.repeat(65_000)}(a)`],
  ['lines', `a${'\n'.repeat(65_000)})`],
  ['escapes', `"${'\\x41'.repeat(16_000)}"`],
  ['large regular expressions', `a{${'b=~"c{1000}",'.repeat(4600)}}`],
  ['large classes', `a{${'b=~"\\\\pL{1000}",'.repeat(3000)}}`],
  ['nested classes', `a{b=~"${'(?i:\\\\pL'.repeat(3000)}"}`],
  ['more than is allowed', 'a'.repeat(65_537)],
];

test.for(HUGE)('%s are answered soon', ([, text]) => {
  const started = performance.now();
  parseAnything(text);
  // Generous for a busy machine: each takes milliseconds to a few hundred of them.
  expect(performance.now() - started).toBeLessThan(5000);
});
