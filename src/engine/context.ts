import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { StepGrid } from '../model/grid.ts';
import type { Source } from '../model/source.ts';
import type { Row } from './rows.ts';

/** What an evaluation runs on. Nothing in it does I/O that waits. */
export interface EvalContext {
  readonly grid: StepGrid;
  /** How far back an instant selector looks for a sample, in ms (Prometheus's default is five minutes). */
  readonly lookbackMs: number;
  readonly source: Source;
  /** The vectors that `merged` leaves stand for, by fragment index. */
  readonly merged: readonly (readonly Row[])[];
  readonly usage: Usage;
  /**
   * Whether the source and the merged vectors are all there is, or only one domain's part of it. Matching vectors is no
   * error while one side is empty everywhere, which a part cannot know: it throws `undecided` instead.
   */
  readonly scope: 'whole' | 'part';
}

/** Counts what an evaluation touches and stops it at the limits. */
export interface Usage {
  series: number;
}

export function startUsage(): Usage {
  return { series: 0 };
}

/** Counts one more series. Throws `limit` past `LIMITS.seriesPerQuery`. */
export function touchSeries(usage: Usage): void {
  usage.series++;
  if (usage.series > LIMITS.seriesPerQuery) {
    throw new ComityError(
      'limit',
      `the query touches more than ${LIMITS.seriesPerQuery} series. Narrow its selectors with more matchers`,
    );
  }
}
