import { RE2JS } from 're2js';
import { ComityError } from '../base/errors.ts';
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
 * The predicate of a matcher on a label's value (the empty string stands for an absent label).
 * Throws `bad_data` when the regular expression is not RE2. Linear time in the value's length, whatever the pattern.
 */
export function matcherTest(matcher: Matcher): (value: string) => boolean {
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

/** Plain alternations of words (`a|b|c`, what Grafana writes for a multi-value variable), or undefined. */
export function literalAlternatives(pattern: string): readonly string[] | undefined {
  return /^[\w\-/:. ]*(\|[\w\-/:. ]*)*$/.test(pattern) && !pattern.includes('.') ? pattern.split('|') : undefined;
}

function compileAnchored(matcher: Matcher): (value: string) => boolean {
  const literals = literalAlternatives(matcher.value);
  if (literals !== undefined) {
    const set = new Set(literals);
    return (candidate) => set.has(candidate);
  }
  // Whoever sent the pattern: compiling is the one step whose cost its length does not bound.
  if (regexCost(matcher.value) > LIMITS.regexCost) {
    throw new ComityError('limit', `the regular expression in the matcher on ${matcher.name} is too large (regexCost)`);
  }
  try {
    const compiled = RE2JS.compile(`^(?s:${matcher.value})$`);
    return (candidate) => compiled.matches(candidate);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ComityError('bad_data', `invalid regular expression in matcher on ${matcher.name}: ${reason}`);
  }
}
