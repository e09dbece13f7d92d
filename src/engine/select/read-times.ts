import { ComityError } from '../../base/errors.ts';
import { gridEnd, stepTime, type StepGrid } from '../../model/grid.ts';
import type { AtModifier } from '../../promql/ast.ts';

/** The times that a selector or subquery is read at: one a step, or the same one at every step under `@`. */
export interface ReadTimes {
  readonly firstMs: number;
  readonly lastMs: number;
  at(step: number): number;
}

/** A node that may be moved in time. */
interface Moved {
  readonly at?: AtModifier;
  readonly offsetMs: number;
}

export function readTimes({ at, offsetMs }: Moved, { grid }: { readonly grid: StepGrid }): ReadTimes {
  if (at !== undefined) {
    if (at.kind !== 'time') throw new ComityError('internal', 'normalise resolves @ start() and @ end()');
    const fixed = at.ms - offsetMs;
    return { firstMs: fixed, lastMs: fixed, at: () => fixed };
  }
  return {
    firstMs: grid.startMs - offsetMs,
    lastMs: gridEnd(grid) - offsetMs,
    at: (step) => stepTime(grid, step) - offsetMs,
  };
}

/** The time of each of `steps` steps. */
export function timesOf(read: ReadTimes, steps: number): Float64Array {
  return Float64Array.from({ length: steps }, (_none, step) => read.at(step));
}
