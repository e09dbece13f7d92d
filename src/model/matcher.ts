import { RE2JS } from 're2js';
import { ComityError, messageOf } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { regexCost } from './regex-cost.ts';

export type MatchOp = '=' | '!=' | '=~' | '!~';

/** A label matcher as the caller wrote it. Regular expressions are RE2, fully anchored, and `.` matches newlines. */
export interface Matcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

/**
 * The predicate of a matcher on a label's value (the empty string stands for an absent label). Throws `bad_data` when the
 * regular expression is not RE2, and `limit` when it is too large or, later, has been run over too much text. Linear time in
 * the value's length, whatever the pattern. One matcher gives one predicate, so a query compiles its patterns once.
 */
export function matcherTest(matcher: Matcher): (value: string) => boolean {
  let test = TESTS.get(matcher);
  if (test === undefined) {
    test = makeTest(matcher);
    TESTS.set(matcher, test);
  }
  return test;
}

const TESTS = new WeakMap<Matcher, (value: string) => boolean>();

function makeTest(matcher: Matcher): (value: string) => boolean {
  const { op, value } = matcher;
  switch (op) {
    case '=':
      return (candidate) => candidate === value;
    case '!=':
      return (candidate) => candidate !== value;
    case '=~':
      return compileAnchored(matcher);
    case '!~': {
      const test = compileAnchored(matcher);
      return (candidate) => !test(candidate);
    }
  }
}

/**
 * The strings that a pattern stands for when it is a plain alternation, escaped punctuation included (`a\.b|c`, what
 * Grafana writes for a variable with several values), or undefined.
 */
export function literalAlternatives(pattern: string): readonly string[] | undefined {
  const alternatives = [''];
  for (let i = 0; i < pattern.length; i++) {
    let char = pattern[i]!;
    if (char === '|') {
      alternatives.push('');
      continue;
    }
    if (char === '\\') {
      char = pattern[++i] ?? '';
      // Elsewhere a backslash means something else than the character after it, or nothing at all.
      if (!/^[!-/:-@[-`{-~]$/.test(char) || char === '_') return undefined;
    } else if (META.has(char)) return undefined;
    alternatives[alternatives.length - 1] += char;
  }
  return alternatives;
}

/**
 * Text that every match of a valid pattern begins with. Policy rests on it, so it sees only what is beyond doubt: nothing in
 * a pattern with groups, alternatives or characters outside ASCII.
 */
export function literalPrefix(pattern: string): string {
  if (!/^[ -~]*$/.test(pattern) || pattern.includes('|') || pattern.includes('(')) return '';
  let end = 0;
  while (end < pattern.length && !META.has(pattern[end]!) && pattern[end] !== '\\') end++;
  // A repetition can take the last character away.
  return '*?{'.includes(pattern[end] ?? ' ') ? pattern.slice(0, Math.max(0, end - 1)) : pattern.slice(0, end);
}

/** What the regular expressions that share it have cost so far, in atoms x characters. */
export interface RegexMeter {
  work: number;
}

export function startRegexMeter(): RegexMeter {
  return { work: 0 };
}

/** Makes a matcher count with others towards `LIMITS.regexWork`; to be called before its predicate is made. */
export function shareRegexMeter(matcher: Matcher, meter: RegexMeter): void {
  METERS.set(matcher, meter);
}

const METERS = new WeakMap<Matcher, RegexMeter>();

const META: ReadonlySet<string> = new Set('.+*?()|[]{}^$');

function compileAnchored(matcher: Matcher): (value: string) => boolean {
  const literals = literalAlternatives(matcher.value);
  if (literals !== undefined) {
    const set = new Set(literals);
    return (candidate) => set.has(candidate);
  }
  // Whoever sent the pattern: the length of a pattern does not bound what it costs to compile and to run.
  const cost = regexCost(matcher.value);
  if (cost > LIMITS.regexCost) {
    throw new ComityError('limit', `the regular expression in the matcher on ${matcher.name} is too large (regexCost)`);
  }
  const compiled = compile(matcher);
  const meter = METERS.get(matcher) ?? startRegexMeter();
  return (candidate) => {
    meter.work += cost * (candidate.length + 1);
    if (meter.work > LIMITS.regexWork) {
      throw new ComityError(
        'limit',
        `the regular expression in the matcher on ${matcher.name} takes too long (regexWork)`,
      );
    }
    return compiled.matches(candidate);
  };
}

function compile(matcher: Matcher): RE2JS {
  try {
    // On its own first: a pattern that is valid only inside the anchoring group (`a)?(?:b`) would break out of it.
    RE2JS.compile(matcher.value);
    return RE2JS.compile(`^(?s:${matcher.value})$`);
  } catch (error) {
    const reason = messageOf(error);
    throw new ComityError('bad_data', `invalid regular expression in matcher on ${matcher.name}: ${reason}`);
  }
}
