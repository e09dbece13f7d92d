import type { SeriesColumns } from '../../model/series.ts';
import type { RollupCall } from './call.ts';

/**
 * What start times say of the counter behind a series' samples (OpenTelemetry, metrics data model, "Resets and gaps"): the
 * feature `use-start-timestamps`. A start time of 0 is unknown.
 */
export interface CounterStarts {
  /** The start time of a sample, in ms. */
  at(index: number): number;
  /** Whether the counter started anew between the sample before this one and this one. */
  isReset(index: number): boolean;
  /** Whether a sample started before the one before it ended, as no counter does. */
  overlaps(index: number): boolean;
}

/** What is known of the series' starts; undefined for nothing. */
export function counterStarts(
  { times, startTimes }: Pick<SeriesColumns, 'times' | 'startTimes'>,
  { features }: RollupCall,
): CounterStarts | undefined {
  if (!features.startTimestamps || startTimes === undefined || startTimes === 0) return undefined;
  const at = (index: number): number => (typeof startTimes === 'number' ? startTimes : startTimes[index]!);
  return {
    at,
    isReset: (index) =>
      (features.keptStartsReset || at(index) !== at(index - 1)) &&
      startsAnew(at(index - 1), times[index - 1]!, at(index), times[index]!),
    overlaps: (index) => at(index) !== 0 && at(index) < times[index - 1]! && at(index) !== at(index - 1),
  };
}

/** Whether a sample's start says that its counter is not the one of the sample before. */
function startsAnew(startBefore: number, timeBefore: number, start: number, time: number): boolean {
  // A start at or after the sample itself is one that is not known.
  if (start === 0 || start >= time || start < timeBefore) return false;
  if (start > timeBefore) return true;
  // It started at the time of the sample before: each counts for itself, unless that one's start is not known either.
  return startBefore !== 0 && startBefore < timeBefore;
}
