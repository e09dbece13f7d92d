import { ComityError } from '../base/errors.ts';
import { gridEnd, stepTime } from '../model/grid.ts';
import type { VectorSelector } from '../promql/ast.ts';
import type { EvalContext } from './context.ts';

/** The times that a selector is read at: one a step, or the same one at every step under `@`. */
export interface ReadTimes {
  readonly firstMs: number;
  readonly lastMs: number;
  at(step: number): number;
}

export function readTimes(selector: VectorSelector, ctx: EvalContext): ReadTimes {
  const { grid } = ctx;
  const { at, offsetMs } = selector;
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
