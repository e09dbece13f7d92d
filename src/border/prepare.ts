import { toComityError, type ComityError } from '../base/errors.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { AskedFragment } from '../plan/frames/fragment-codec.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { checkInForce } from '../policy/check.ts';
import { claimedCost, fragmentEstimate, fragmentReads, pastLimit, together, type Estimate } from './estimate.ts';
import { costOf } from './admission.ts';
import { checkBudget } from './budget.ts';
import { checkCountable, countFragment, guardedGroups, withoutSmallGroups, type GuardedGroups } from './min-series.ts';
import type { Released } from './released.ts';
import { checkTree, type Refused, type Request } from './request.ts';
import { selectedByFragment, type Selected } from './selected.ts';
import { mayGoOn } from './veto.ts';

/** A fragment that is to be evaluated, as far as can be told before the answer is there. */
export interface Prepared {
  readonly fragment: Fragment;
  readonly selected: Selected;
  /** What is evaluated in its place: the same without small groups. */
  readonly evaluated: Fragment;
  readonly guarded: readonly GuardedGroups[];
  /** As `CheckedFragment`. */
  readonly hasLooked: boolean;
}

/** A fragment that is not answered; what could not be read selects nothing that is known. */
export interface RefusedFragment extends Refused {
  readonly fragment: Fragment | undefined;
  readonly selected: Selected | undefined;
}

/**
 * The fragments that are to be evaluated, and why the others are not. In this order: whether the policy lets anything out at
 * all, what could not be read, the policy's check of the tree, the day's bytes, the veto, and an estimate of what it takes.
 * Nothing is looked up of what one of them refuses: an estimate would tell of it.
 */
export async function prepareAll(request: Request): Promise<readonly (Prepared | RefusedFragment)[]> {
  const permitted: (Prepared | RefusedFragment)[] = [];
  for (const fragment of request.query.fragments) permitted.push(await permit(fragment, request));
  const allowed = await unlessVetoed(permitted, request);
  const prepared: (Prepared | RefusedFragment)[] = [];
  for (const one of allowed) {
    const past = 'refusal' in one ? undefined : await attempt(() => estimateMore(one, request));
    prepared.push(past === undefined || 'refusal' in one ? one : refused(one, past.refusal));
  }
  return prepared;
}

/** What `run` makes of a fragment, or why there is nothing. */
export async function attempt<T>(run: () => Promise<T | Refused>): Promise<T | Refused> {
  try {
    return await run();
  } catch (error) {
    return { refusal: evaluationRefusal(toComityError(error)) };
  }
}

/** Runs the work on a request when there is room for it. What needs no evaluation does not wait. */
export async function admitted(
  prepared: readonly (Prepared | Refused)[],
  request: Request,
  work: () => Promise<Released>,
): Promise<Released> {
  const { border, deadlineMs, estimate, signal } = request;
  if (border.admit === undefined || prepared.every((one) => 'refusal' in one)) return work();
  const permit = await border.admit({ cost: claimedCost(estimate), bytes: estimate.bytes, deadlineMs }, signal);
  let bytes = 0;
  try {
    const released = await work();
    bytes = released.byteLength;
    return released;
  } finally {
    permit.done(costOf(request.spent), bytes);
  }
}

/** A fragment that is refused after all. */
export function refused(
  { fragment, selected }: Pick<Prepared, 'fragment' | 'selected'>,
  refusal: Refusal,
): RefusedFragment {
  return { fragment, selected, refusal };
}

async function permit(fragment: AskedFragment, request: Request): Promise<Prepared | RefusedFragment> {
  const { policy, border } = request;
  const denied = checkInForce(policy);
  if (fragment.answer === 'unread') {
    return { fragment: undefined, selected: undefined, refusal: denied ?? fragment.refusal };
  }
  const selected = selectedByFragment(fragment, policy);
  if (denied !== undefined) return { fragment, selected, refusal: denied };
  const checked = await attempt(() => checkTree(fragment, request));
  const refusal = checked.refusal ?? checkCountable(fragment.expr, policy) ?? checkBudget(policy, border.recorder);
  if (refusal !== undefined) return { fragment, selected, refusal };
  const guarded = guardedGroups(fragment.expr, policy);
  const evaluated = withoutSmallGroups(fragment, guarded);
  return { fragment, selected, evaluated, guarded, hasLooked: 'hasLooked' in checked && checked.hasLooked };
}

/** The veto is asked once for all that is left of a request. */
async function unlessVetoed(
  permitted: readonly (Prepared | RefusedFragment)[],
  { border, policy, asked, kind, signal }: Request,
): Promise<readonly (Prepared | RefusedFragment)[]> {
  const open = permitted.flatMap((one) => ('refusal' in one ? [] : [one.selected]));
  const about = { domain: policy.domain, consumer: asked.consumer, kind };
  if (await mayGoOn(border.veto, about, open, signal)) return permitted;
  return permitted.map((one) => ('refusal' in one ? one : refused(one, { code: 'vetoed', name: '' })));
}

/** Adds what a fragment takes to what the request takes; a refusal where that is bound to pass a limit. */
async function estimateMore(prepared: Prepared, request: Request): Promise<Refused | undefined> {
  let estimate = request.estimate;
  for (const fragment of fragmentsOf(prepared)) {
    estimate = together(estimate, await estimated(fragment, request));
  }
  const past = pastLimit(estimate);
  if (past !== undefined) return { refusal: past };
  request.estimate = estimate;
  return undefined;
}

/** All that is evaluated for a fragment. */
function fragmentsOf({ evaluated, guarded }: Prepared): readonly Fragment[] {
  return [evaluated, ...guarded.map((groups) => countFragment(evaluated, groups))];
}

async function estimated(fragment: Fragment, request: Request): Promise<Estimate> {
  const { query, border, signal, deadlineMs, estimateWork: regexWork } = request;
  const reads = fragmentReads(fragment, query.lookbackMs);
  const found = await border.data.estimate({ reads, deadlineMs, regexWork }, signal);
  request.estimateWork = found?.regexWork ?? regexWork;
  return fragmentEstimate(fragment, reads, found?.sizes);
}

/** An error of evaluation leaves as its code: its message may hold label values. Our own faults stay errors. */
function evaluationRefusal(error: ComityError): Refusal {
  switch (error.code) {
    case 'refused':
      return { code: 'class_sealed', name: '' };
    case 'unavailable':
      return { code: 'source_unavailable', name: '' };
    case 'execution':
    case 'undecided':
    case 'limit':
    case 'timeout':
    case 'unsupported':
      return { code: error.code, name: '' };
    default:
      throw error;
  }
}
