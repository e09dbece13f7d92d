import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { shareRegexMeter, startRegexMeter, type Matcher } from '../../model/matcher.ts';
import { decodeMatcher } from './expr-codec.ts';
import type { MatcherMessage } from './expr-message.ts';

/** The selectors of a request, whose regular expressions share one budget. Throws `limit` for too many of them. */
export function decodeSelectors(sets: readonly { readonly matchers: readonly MatcherMessage[] }[]): Matcher[][] {
  if (sets.length > LIMITS.selectorsPerRequest) throw new ComityError('limit', 'too many selectors');
  const selectors = sets.map(({ matchers }) => matchers.map(decodeMatcher));
  const meter = startRegexMeter();
  for (const matcher of selectors.flat()) shareRegexMeter(matcher, meter);
  return selectors;
}
