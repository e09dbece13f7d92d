import type { Edit } from '../../src/federationtest/plant-edits.ts';

/** A check of the border, and how it is taken out. */
export interface Check {
  readonly name: string;
  /** What it keeps from leaving. */
  readonly stops: string;
  /** The entry of the list that is tried first: it is the one that should notice. */
  readonly entry: string;
  /** Take it out. */
  readonly edits: readonly [Edit, ...Edit[]];
  /**
   * Of a check that stands behind others, or for what no module does: faults under which it is the one that helps. With these
   * alone nothing leaks, and without the check as well something does.
   */
  readonly given?: readonly Edit[];
  /** Refusals that it makes, and functions that do the checking, as `decisions.ts` finds them in the sources. */
  readonly decides: readonly string[];
}

/** `file`: below `src/`. */
export function edit(file: string, find: string, replace: string): Edit {
  return { file: `src/${file}`, find, replace };
}
