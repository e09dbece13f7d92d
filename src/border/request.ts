import { LIMITS } from '../base/limits.ts';
import type { ReleaseKind } from '../ledger/leaf.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { FragmentQuery } from '../plan/frames/query-codec.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import type { Policy } from '../policy/document.ts';
import { costOf, LIGHT_COST } from './admission.ts';
import type { Border } from './border.ts';
import type { Asked } from './consumer.ts';
import type { FragmentData, Spent } from './domain-data.ts';
import { NOTHING, type Estimate } from './estimate.ts';
import { checkHeld, type CheckedFragment } from './held-check.ts';

/**
 * What a hub asks, by which policy it is decided, who waits for the answer and until when; what is estimated and what is
 * `spent` grow from fragment to fragment.
 */
export interface Request {
  readonly kind: ReleaseKind;
  readonly query: FragmentQuery;
  readonly asked: Asked;
  readonly border: Border;
  /** The one in force when the request came. An answer by another is not sealed. */
  readonly policy: Policy;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  estimate: Estimate;
  /** What the regular expressions of the estimates have cost. */
  estimateWork: number;
  spent: Spent;
}

export interface Refused {
  readonly refusal: Refusal;
}

export function startRequest(
  kind: ReleaseKind,
  query: FragmentQuery,
  asked: Asked,
  border: Border,
  signal: AbortSignal,
): Request {
  return {
    kind,
    query,
    asked,
    border,
    policy: border.policy(),
    signal,
    deadlineMs: Date.now() + Math.min(query.timeLeftMs, LIMITS.answerMs),
    estimate: NOTHING,
    estimateWork: 0,
    spent: { series: 0, cells: 0, samples: 0, regexWork: 0 },
  };
}

export function checkTree(
  fragment: Fragment,
  { border, policy, deadlineMs, signal }: Request,
): Promise<CheckedFragment> {
  return checkHeld(fragment, policy, (matchers) => border.data.kinds(matchers, deadlineMs, signal));
}

/** The rows of a fragment as they are inside the domain. */
export async function fragmentData(fragment: Fragment, request: Request): Promise<FragmentData> {
  const { query, border, signal, deadlineMs, estimate, spent } = request;
  const { lookbackMs, features } = query;
  const isLight = costOf(estimate) <= LIGHT_COST;
  const found = await border.data.fragment({ fragment, lookbackMs, features, deadlineMs, spent, isLight }, signal);
  request.spent = found.spent;
  return found;
}
