import type { Labels } from '../model/labels.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';

/** Decides beside the border and changes nothing: a policy that may come into force, say. */
export interface Shadow {
  /** What was decided of a fragment: its rows, where they were let out, or why they were not. Must not throw. */
  decided(
    fragment: Fragment,
    rows: readonly { readonly labels: Labels }[] | undefined,
    refusal: Refusal | undefined,
  ): void;
}
