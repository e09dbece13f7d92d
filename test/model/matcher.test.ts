import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { ComityError } from '../../src/base/errors.ts';
import {
  literalAlternatives,
  literalPrefix,
  matcherTest,
  shareRegexMeter,
  startRegexMeter,
  type Matcher,
  type MatchOp,
} from '../../src/model/matcher.ts';
import { regexCost } from '../../src/model/regex-cost.ts';

const matches = (op: MatchOp, pattern: string, value: string): boolean =>
  matcherTest({ name: 'l', op, value: pattern })(value);

describe('a matcher', () => {
  it.each<[MatchOp, string, string, boolean]>([
    ['=', 'a', 'a', true],
    ['!=', 'a', '', true],
    ['=~', 'a|b', 'b', true],
    ['=~', 'a', 'ab', false],
    ['=~', 'a.*', 'a\nb', true],
    ['=~', 'a\\.b', 'a.b', true],
    ['=~', 'a\\.b', 'axb', false],
    ['=~', '', '', true],
    ['!~', 'a.+', '', true],
    ['!~', 'a.+', 'ab', false],
    ['=~', '(?i)AB', 'ab', true],
  ])('%s %j of %j is %s', (op, pattern, value, want) => expect(matches(op, pattern, value)).toBe(want));

  it.each(['(', 'a)?(?:b', 'x)|(?:y', '[', '*', '\\é', 'a{2,1}', '(?<n>a)(?<n>b)', '(?=a)'])(
    'refuses %j, which is no RE2 by itself',
    (pattern) => expect(() => matches('=~', pattern, 'a')).toThrow(/invalid regular expression/),
  );

  it('refuses what would take long to compile or to run', () => {
    expect(() => matches('=~', '(.{100}){200}', 'a')).toThrow(/too large \(regexCost\)/);
    const meter = startRegexMeter();
    const tests = ['(.?){500}x', '(.?){500}y'].map((value) => {
      const matcher: Matcher = { name: 'l', op: '=~', value };
      shareRegexMeter(matcher, meter);
      return matcherTest(matcher);
    });
    const long = 'z'.repeat(1000);
    expect(() => {
      for (let i = 0; i < 200; i++) for (const test of tests) test(long);
    }).toThrow(/takes too long \(regexWork\)/);
  });

  it('is compiled once', () => {
    const matcher: Matcher = { name: 'l', op: '=~', value: 'a.*' };
    expect(matcherTest(matcher)).toBe(matcherTest(matcher));
  });
});

describe('the cost of a regular expression', () => {
  it.each([
    ['abc', 3],
    ['(ab){100}', 200],
    ['((a{10}){10}){10}', 1000],
    ['a{2,}', 2],
    ['\\pL{10}', 2010],
    ['\\p{Greek}', 201],
    ['\\Q(((\\E', 5],
  ])('%s: about %d', (pattern, want) => {
    const cost = regexCost(pattern);
    expect(cost).toBeGreaterThanOrEqual(want * 0.5);
    expect(cost).toBeLessThanOrEqual(want * 1.5 + 2);
  });

  it('is found in one pass', () => {
    const started = performance.now();
    for (const pattern of ['[', '(', '{', '\\', '\\Q', '\\p{', '[^]', 'a{']) regexCost(pattern.repeat(60_000));
    // A second pass for each character would take minutes.
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

describe('what is read off a pattern', () => {
  const tokens = [
    'a',
    'b',
    'ab',
    '.',
    '*',
    '+',
    '?',
    '|',
    '(',
    ')',
    '(?:',
    ')?(?:',
    '(?i)',
    '(?-s)',
    '[ab]',
    '[^a]',
    '{0}',
    '{2}',
    '{1,}',
    '\\.',
    '\\Qa*\\E',
    '\\x61',
    '\\pL',
    '^',
    '$',
    '😀',
    'é',
    '\\_',
    '-',
    ' ',
    '_',
  ];
  const pattern = fc.array(fc.constantFrom(...tokens), { maxLength: 8 }).map((parts) => parts.join(''));
  const text = fc
    .array(fc.constantFrom('a', 'b', 'A', '.', '*', '😀', 'é', '\n', '-', '_', '\ud83d'), { maxLength: 6 })
    .map((parts) => parts.join(''));

  /** The predicate, or undefined where the pattern is refused. */
  function predicate(value: string): ((candidate: string) => boolean) | undefined {
    try {
      return matcherTest({ name: 'l', op: '=~', value });
    } catch (error) {
      if (error instanceof ComityError) return undefined;
      throw error;
    }
  }

  it('is the prefix of everything that it matches', () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { maxLength: 20 }), (value, candidates) => {
        const test = predicate(value);
        const prefix = literalPrefix(value);
        if (test === undefined) return;
        for (const candidate of [...candidates, prefix, prefix.slice(0, -1), '']) {
          if (test(candidate)) expect(candidate.startsWith(prefix), `${value} matches ${candidate}`).toBe(true);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('is the alternatives that the engine itself would take', () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { maxLength: 10 }), (value, candidates) => {
        const literals = literalAlternatives(value);
        if (literals === undefined) return;
        const compiled = RE2JS.compile(`^(?s:${value})$`);
        for (const candidate of [...candidates, ...literals]) {
          expect(literals.includes(candidate), `${value} against ${candidate}`).toBe(compiled.matches(candidate));
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
