import { expect, test } from 'vitest';
import { matcherTest } from '../../../src/model/matcher.ts';
import { patternBranches, type Branch } from '../../../src/store/index/pattern.ts';
import { randomFrom, type Random } from '../../random.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const IN_SHORT: Readonly<Record<Branch['rest'], string>> = { nothing: '', anything: '*', something: '+', unknown: '?' };

/** Branches in short: the text, then how it goes on. */
function check(pattern: string, want: readonly string[] | undefined): void {
  expect(
    patternBranches(pattern)?.map(({ text, rest }) => text + IN_SHORT[rest]),
    pattern,
  ).toEqual(want);
}

test.each<[string, readonly string[] | undefined]>([
  ['', ['']],
  ['a', ['a']],
  ['a|b', ['a', 'b']],
  ['|a', ['', 'a']],
  ['a.*', ['a*']],
  ['.*', ['*']],
  ['a.+|b', ['a+', 'b']],
  ['^a.*$', ['a*']],
  ['^a|b$', ['a', 'b']],
  ['a\\.b\\|c', ['a.b|c']],
  ['a(b|c)d', ['abd', 'acd']],
  ['a(?:b|)', ['ab', 'a']],
  ['(a|b)(c|d.*)', ['ac', 'ad*', 'bc', 'bd*']],
  ['(a.*)b', ['a?']],
  ['a.*b', ['a?']],
  ['.*b', ['?']],
  ['ab*', ['a?']],
  ['ab?c', ['a?']],
  ['ab{2}', ['a?']],
  ['a(b|c)+', ['a?']],
  ['a.b', ['a?']],
  ['a[bc]', ['a?']],
  ['a\\d', ['a?']],
  ['a.*?', ['a?']],
  ['a|b\\d', ['a', 'b?']],
  ['b\\d|a', undefined],
  ['a(?i)b', ['?']],
  ['a(?i)?', ['?']],
  ['a\\Q\\E*', ['?']],
  ['a(?:b\\d)', ['a?']],
  ['(?i)a|b', undefined],
  ['a(b\\d)c', ['a?']],
  ['a(b\\d|c)', undefined],
  ['a^b', ['a?']],
  ['a$b', ['a?']],
  ['\\Qa\\E', ['?']],
  ['\u{1f600}*', ['?']],
  ['a\u{1f600}?', ['a?']],
  ['\ud83d.*', undefined],
  [`${'('.repeat(40)}a${')'.repeat(40)}`, ['?']],
  [`x${'(a|b)'.repeat(30)}`, undefined],
])('%s', check);

const PARTS: readonly string[] = [
  ...'a b ab c | | .* .+ . * + ? {2} \\. \\d \\| [ab] [^a|] ^ $ (?i) (?m) (?: ) ( ) (?P<n> \\Qa|\\E \u{1f600} \\b \u00fc - \\-'.split(
    ' ',
  ),
  '\n',
];
const CHARS: readonly string[] = ['a', 'b', 'A', 'c', '.', '|', '1', '-', '\n', '\u{1f600}', '\ud83d', '\u00fc', ''];

function someText(random: Random, parts: readonly string[], max: number): string {
  return Array.from({ length: random.int(0, max) }, () => random.pick(parts)).join('');
}

/** What branches say of a text; undefined when only the expression can tell. */
function verdictOf(branches: readonly Branch[], text: string): boolean | undefined {
  let verdict: boolean | undefined = false;
  for (const branch of branches) {
    if (branch.rest === 'nothing' ? text !== branch.text : !text.startsWith(branch.text)) continue;
    if (branch.rest === 'unknown') verdict = undefined;
    else if (branch.rest !== 'something' || text !== branch.text) return true;
  }
  return verdict;
}

test(`what the branches say of a text is what the expression says (SEED=${SEED})`, () => {
  const random = randomFrom(SEED);
  let told = 0;
  for (let round = 0; round < 6_000; round++) {
    const pattern = someText(random, PARTS, 7);
    let matches: (text: string) => boolean;
    try {
      matches = matcherTest({ name: 'a', op: '=~', value: pattern });
    } catch {
      continue;
    }
    const branches = patternBranches(pattern);
    if (branches === undefined) continue;
    for (let count = 0; count < 12; count++) {
      const start: string = branches.length > 0 && random.chance(0.7) ? random.pick(branches).text : '';
      const text = start + someText(random, CHARS, 3);
      const want = verdictOf(branches, text);
      if (want === undefined) continue;
      told++;
      if (matches(text) !== want) expect.fail(`${JSON.stringify(pattern)} on ${JSON.stringify(text)}: not ${want}`);
    }
  }
  expect(told).toBeGreaterThan(5_000);
});

test('patterns that would take long to take apart are left alone', () => {
  const long = `(${Array.from({ length: 5_000 }, (_, n) => `value${n}`).join('|')})`;
  expect(patternBranches(long)).toHaveLength(5_000);
  const longer = patternBranches(long + 'x'.repeat(20_000))!;
  expect(longer.every(({ text, rest }) => text.length < 100 && rest === 'unknown')).toBe(true);
  expect(patternBranches(`${long}${'x'.repeat(20_000)}|y`)).toBeUndefined();
  expect(patternBranches('a'.repeat(60_000))).toHaveLength(1);
});
