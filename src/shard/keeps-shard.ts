import { METRIC_NAME } from '../model/labels.ts';
import type { PlaceRule } from '../plan/keeps.ts';

/**
 * Labels that do not tell the shard of a series: a shard is the hash of all the others, so that the series of one histogram,
 * and those that differ by name alone, lie together.
 */
const NOT_HASHED: ReadonlySet<string> = new Set([METRIC_NAME, 'le']);

/**
 * What keeps the shard: every row of the result still has all the labels by which its series were spread, so rows whose
 * hashed labels are equal are in one shard. That holds for a match when it compares all of those labels (what it then copies
 * from the other side is equal already), and for groups when none of those labels is aggregated away.
 *
 * `matchOutside` leaves the matching of two vectors to whoever asks, for the rare query whose errors hang on all shards.
 */
export function shardRule(matchOutside: boolean): PlaceRule {
  const tellsNothing = (names: readonly string[]): boolean => names.every((name) => NOT_HASHED.has(name));
  return {
    matching: ({ on, labels }) => !matchOutside && !on && tellsNothing(labels),
    grouping: ({ without, grouping }) => without && tellsNothing(grouping),
    relabelling: (target) => tellsNothing([target]),
    isOpen: true,
  };
}
