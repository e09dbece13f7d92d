import { ComityError } from '../base/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { checkFragment } from '../policy/check.ts';
import type { Policy } from '../policy/document.ts';
import type { VectorSelector } from '../promql/ast.ts';

/** One label set for each combination of metric name and label names among the series that satisfy all matchers. */
export type Kinds = (matchers: readonly Matcher[]) => Promise<readonly Labels[]>;

/** The policy's word on a fragment, and whether it hangs on what the domain holds. */
export interface CheckedFragment {
  readonly refusal: Refusal | undefined;
  readonly hasLooked: boolean;
}

/**
 * The policy's check of a fragment. It comes to its verdict in one go and asks for the series of a selector only where they
 * matter; those are fetched then and the check is made again with them, so nothing is looked at that it did not ask for.
 */
export async function checkHeld(fragment: Fragment, policy: Policy, kinds: Kinds): Promise<CheckedFragment> {
  const held = new Map<VectorSelector, readonly Labels[]>();
  for (;;) {
    let wanted: VectorSelector | undefined;
    try {
      const refusal = checkFragment(fragment, policy, (selector) => {
        const series = held.get(selector);
        if (series !== undefined) return series;
        wanted = selector;
        throw new ComityError('internal', 'the series of a selector are to be fetched');
      });
      return { refusal, hasLooked: held.size > 0 };
    } catch (error) {
      if (wanted === undefined) throw error;
    }
    held.set(wanted, await kinds(wanted.matchers));
  }
}
