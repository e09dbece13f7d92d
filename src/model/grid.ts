import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/** The steps of a query: `steps` times from `startMs`, `stepMs` apart. An instant query has one step. */
export interface StepGrid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly steps: number;
  /** The end as it was asked for, where the last step may fall short of it. */
  readonly endMs?: number;
}

/** The steps that a caller asked for. */
export interface QueryGrid extends StepGrid {
  /** As it was asked for, which the last step may fall short of and `@ end()` means. */
  readonly endMs: number;
  /** Whether one point in time was asked for: then PromQL's step() is 0. */
  readonly isInstant: boolean;
}

export function instantGrid(timeMs: number): QueryGrid {
  return { startMs: timeMs, stepMs: 1, steps: 1, endMs: timeMs, isInstant: true };
}

/** The grid of a range query; its last step is the last one that does not pass `endMs`. Throws `bad_data`. */
export function rangeGrid(startMs: number, endMs: number, stepMs: number): QueryGrid {
  if (endMs < startMs) throw new ComityError('bad_data', 'end timestamp must not be before start time');
  if (!(stepMs > 0)) {
    throw new ComityError(
      'bad_data',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  const steps = Math.floor((endMs - startMs) / stepMs) + 1;
  if (steps > LIMITS.stepsPerQuery) {
    throw new ComityError(
      'bad_data',
      `exceeded maximum resolution of ${LIMITS.stepsPerQuery} points per timeseries (asked for ${steps}). Raise the step or shorten the range`,
    );
  }
  return { startMs, stepMs, steps, endMs, isInstant: false };
}

export function stepTime(grid: StepGrid, step: number): number {
  return grid.startMs + step * grid.stepMs;
}

/** The time of every step, in ms. */
export function stepTimes(grid: StepGrid): Float64Array {
  return Float64Array.from({ length: grid.steps }, (_none, step) => stepTime(grid, step));
}

/** The first step alone. */
export function firstStep(grid: StepGrid): StepGrid {
  return { ...grid, steps: Math.min(1, grid.steps), endMs: grid.startMs };
}

export function gridEnd(grid: StepGrid): number {
  return stepTime(grid, grid.steps - 1);
}

/** Whether the steps are those of a range, which may have room for one only, rather than one point in time. */
export function isRange(grid: StepGrid): boolean {
  return (grid.endMs ?? gridEnd(grid)) > grid.startMs;
}
