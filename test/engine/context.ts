import type { EvalContext } from '../../src/engine/context.ts';
import { startNotes } from '../../src/engine/notes.ts';
import { startUsage } from '../../src/engine/usage.ts';
import type { StepGrid } from '../../src/model/grid.ts';
import type { Source } from '../../src/model/source.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';

/** What an evaluation over one source runs on, without limits of time and without features. */
export function contextOver(source: Source, grid: StepGrid, changes: Partial<EvalContext> = {}): EvalContext {
  return {
    grid,
    lookbackMs: 300_000,
    source,
    merged: [],
    usage: startUsage(Infinity),
    features: NO_FEATURES,
    notes: startNotes(),
    scope: 'whole',
    ...changes,
  };
}
