import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { shareRegexMeter, startRegexMeter, type Matcher } from '../../model/matcher.ts';
import { decodeMatcher } from './expr-codec.ts';
import type { MatcherMessage } from './expr-message.ts';

/** The MatcherSets of proto/federation.proto. */
interface MatcherSetMessage {
  readonly matchers: readonly MatcherMessage[];
}

export function encodeSelectors(selectors: readonly (readonly Matcher[])[]): MatcherSetMessage[] {
  return selectors.map((matchers) => ({ matchers }));
}

/** The selectors of a request, whose regular expressions share one budget. Throws `limit` for too many of them. */
export function decodeSelectors(sets: readonly MatcherSetMessage[]): Matcher[][] {
  if (sets.length > LIMITS.selectorsPerRequest) throw new ComityError('limit', 'too many selectors');
  const selectors = sets.map(({ matchers }) => matchers.map(decodeMatcher));
  const meter = startRegexMeter();
  for (const matcher of selectors.flat()) shareRegexMeter(matcher, meter);
  return selectors;
}
