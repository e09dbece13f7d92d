import { setImmediate } from 'node:timers/promises';
import { ComityError, toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { ColumnsRow } from '../plan/columns-codec.ts';
import type { Fragment } from '../plan/distribute.ts';
import {
  encodeErrorAnswer,
  encodeLabelsAnswer,
  encodeQueryAnswer,
  encodeStatusAnswer,
  type DomainStatus,
  type FragmentAnswer,
  type FragmentQuery,
  type LabelsQuery,
  type Refusal,
} from '../plan/frames.ts';
import { checkFragment, checkLabels, checkMatchers } from '../policy/check.ts';
import type { Policy } from '../policy/document.ts';
import type { VectorSelector } from '../promql/ast.ts';
import { seal, type Released } from './released.ts';

/** What the border decides by. */
export interface Border {
  readonly policy: Policy;
  readonly data: DomainData;
  status(): DomainStatus;
}

/**
 * What the domain holds, wherever that is. Whoever keeps the samples has the policy too and reads none of a sealed metric for
 * these questions, whatever the border has checked. All fail with `canceled` when `signal` says so, and with `timeout` past
 * `deadlineMs` (since the epoch).
 */
export interface DomainData {
  /** The rows of a fragment and what the request has used with it. Throws what the engine throws. */
  fragment(
    question: FragmentQuestion,
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly ColumnsRow[]; readonly spent: Spent }>;
  /** One label set for each combination of metric name and label names among the series that satisfy all matchers. */
  kinds(matchers: readonly Matcher[], deadlineMs: number, signal: AbortSignal): Promise<readonly Labels[]>;
  /** Label names, or the values of a label, of metrics that are not sealed: the first `limit` in order. */
  labels(question: LabelsQuery & { readonly deadlineMs: number }, signal: AbortSignal): Promise<readonly string[]>;
}

/** What the fragments of one request have touched and their regular expressions have cost, towards its limits. */
interface Spent {
  readonly series: number;
  readonly cells: number;
  readonly samples: number;
  readonly regexWork: number;
}

interface FragmentQuestion {
  readonly fragment: Fragment;
  readonly lookbackMs: number;
  readonly deadlineMs: number;
  readonly spent: Spent;
}

/** Who waits for an answer, and until when; `spent` grows from fragment to fragment. */
interface Request {
  readonly border: Border;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  spent: Spent;
}

/**
 * Answers a hub's fragments: for each, the policy's check of the tree, the evaluation, then the policy's check of every
 * label set that would leave. A fragment that fails is answered with a refusal; the others are answered all the same.
 * Between fragments others of the process get their turn. `signal` says that nobody waits for the answer any more.
 */
export async function releaseQuery(query: FragmentQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const deadlineMs = Date.now() + Math.min(query.timeLeftMs, LIMITS.answerMs);
  const request: Request = { border, signal, deadlineMs, spent: { series: 0, cells: 0, samples: 0, regexWork: 0 } };
  // What is stored from here on is late to the watermark in it, so that it is known not to be in this answer.
  const status = border.status();
  const fragments: FragmentAnswer[] = [];
  for (const fragment of query.fragments) {
    fragments.push(await answerFragment(fragment, query, request));
    await setImmediate();
  }
  return seal('query', encodeQueryAnswer({ status, fragments }, query.fragments));
}

/** Label names or the values of one label, as far as the policy permits them, of metrics that are not sealed. */
export async function releaseLabels(query: LabelsQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const { policy, data } = border;
  const status = border.status();
  const forbidden =
    query.name !== '' && !policy.permitsLabel(query.name)
      ? ({ code: 'label_not_permitted', name: query.name } as const)
      : query.selectors.map((matchers) => checkMatchers(matchers, policy)).find((refusal) => refusal !== undefined);
  if (forbidden !== undefined) return seal('labels', encodeLabelsAnswer({ status, refusal: forbidden }));

  const limit = Math.min(query.limit || LIMITS.labelValues, LIMITS.labelValues);
  const found = await data.labels({ ...query, limit, deadlineMs: Date.now() + LIMITS.answerMs }, signal);
  const values = query.name === '' ? found.filter((name) => policy.permitsLabel(name)) : found;
  return seal('labels', encodeLabelsAnswer({ status, values }));
}

/** The heartbeat: what `DomainStatus` has and nothing more. */
export function releaseStatus(border: Border): Released {
  return seal('status', encodeStatusAnswer(border.status()));
}

/** The code of an error, without its words: they could tell of the data. */
export function releaseError(error: ComityError): Released {
  return seal('error', encodeErrorAnswer(error.code));
}

async function answerFragment(fragment: Fragment, query: FragmentQuery, request: Request): Promise<FragmentAnswer> {
  const { policy, data } = request.border;
  const { lookbackMs } = query;
  try {
    const before = await checkTree(fragment, request);
    if (before.refusal !== undefined) return { refusal: before.refusal };
    const { signal, deadlineMs, spent } = request;
    const answer = await data.fragment({ fragment, lookbackMs, deadlineMs, spent }, signal);
    request.spent = answer.spent;
    // Series that were stored since then may have been read as well.
    const after = before.hasLooked ? await checkTree(fragment, request) : before;
    if (after.refusal !== undefined) return { refusal: after.refusal };
    for (const row of answer.rows) {
      const leak = checkLabels(row.labels, policy);
      if (leak !== undefined) return { refusal: leak };
    }
    return { rows: answer.rows };
  } catch (error) {
    return { refusal: evaluationRefusal(toComityError(error)) };
  }
}

/** The verdict on a fragment, and whether it hangs on what the domain holds. */
interface Verdict {
  readonly refusal: Refusal | undefined;
  readonly hasLooked: boolean;
}

/**
 * The policy's check of a fragment. It comes to its verdict in one go and asks for the series of a selector only where they
 * matter; those are fetched then and the check is made again with them, so nothing is looked at that it did not ask for.
 */
async function checkTree(fragment: Fragment, { border, deadlineMs, signal }: Request): Promise<Verdict> {
  const { policy, data } = border;
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
    held.set(wanted, await data.kinds(wanted.matchers, deadlineMs, signal));
  }
}

/** An error of evaluation leaves as its code: its message may hold label values. Our own faults stay errors. */
function evaluationRefusal(error: ComityError): Refusal {
  switch (error.code) {
    case 'refused':
      return { code: 'class_sealed', name: '' };
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
