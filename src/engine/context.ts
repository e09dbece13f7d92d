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

/** Counts what the evaluations of one request touch and stops them at the limits. */
export interface Usage {
  series: number;
  cells: number;
  readonly deadlineMs: number;
}

/** `deadlineMs`: when to give up, in ms since the epoch. */
export function startUsage(deadlineMs: number): Usage {
  return { series: 0, cells: 0, deadlineMs };
}

/** The clock is looked at once in so many series. */
const SERIES_PER_LOOK = 64;

/** Counts one more series over the steps of a query. Throws `limit` past a bound and `timeout` past the deadline. */
export function touchSeries({ usage, grid }: EvalContext): void {
  usage.series++;
  usage.cells += grid.steps;
  if (usage.series > LIMITS.seriesPerQuery) {
    throw new ComityError(
      'limit',
      `the query touches more than ${LIMITS.seriesPerQuery} series. Narrow its selectors with more matchers`,
    );
  }
  if (usage.cells > LIMITS.cellsPerQuery) {
    throw new ComityError(
      'limit',
      `the query computes more than ${LIMITS.cellsPerQuery} values (series x steps). Narrow its selectors or raise the step`,
    );
  }
  if (usage.series % SERIES_PER_LOOK === 0 && Date.now() > usage.deadlineMs) {
    throw new ComityError('timeout', 'the query ran out of time');
  }
}
