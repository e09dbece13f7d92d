import { setImmediate } from 'node:timers/promises';
import { toComityError, type ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Note } from '../engine/notes.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';
import type { Fragment } from '../plan/distribute.ts';
import { encodeExplainAnswer, type Verdict } from '../plan/frames/explain-codec.ts';
import type { AskedFragment } from '../plan/frames/fragment-codec.ts';
import { encodeQueryAnswer, type FragmentAnswer, type FragmentQuery } from '../plan/frames/query-codec.ts';
import { encodeLabelsAnswer, type LabelsQuery } from '../plan/frames/labels-codec.ts';
import { preorder } from '../plan/frames/preorder.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { encodeErrorAnswer, encodeStatusAnswer, type DomainStatus } from '../plan/frames/status-codec.ts';
import { checkMatchers, checkRows } from '../policy/check.ts';
import type { Policy } from '../policy/document.ts';
import type { Expr } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { countFragments, releaseRules } from './explain-fragment.ts';
import { checkHeld, type CheckedFragment } from './held-check.ts';
import { releasedNotes } from './release-notes.ts';
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
  /**
   * The rows of a fragment, what there is to say beside them, and what the request has used with it. Throws what the engine
   * throws, and `unavailable` while whoever keeps the samples does not answer.
   */
  fragment(question: FragmentQuestion, signal: AbortSignal): Promise<FragmentData>;
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
  readonly features: PromqlFeatures;
  readonly deadlineMs: number;
  readonly spent: Spent;
}

interface FragmentData {
  readonly rows: readonly AnswerRow[];
  /** Of the fragment's nodes, by `span.start`. */
  readonly notes: readonly Note[];
  readonly spent: Spent;
}

/** What a hub asks, who waits for the answer and until when; `spent` grows from fragment to fragment. */
interface Request {
  readonly query: FragmentQuery;
  readonly border: Border;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  spent: Spent;
}

/**
 * Answers a hub's fragments: for each, the policy's check of the tree, the evaluation, then the policy's check of every
 * label set and note that would leave. A fragment that fails or cannot be read is answered with a refusal; the others are
 * answered all the same. Between fragments others of the process get their turn. `signal` says that nobody waits for the
 * answer any more.
 */
export async function releaseQuery(query: FragmentQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const request = startRequest(query, border, signal);
  // What is stored from here on is late to the watermark in it, so that it is known not to be in this answer.
  const status = border.status();
  const fragments: FragmentAnswer[] = [];
  for (const fragment of query.fragments) {
    fragments.push(await readable(fragment, (read) => answerFragment(read, request)));
    await setImmediate();
  }
  return seal('query', encodeQueryAnswer({ status, fragments }, query.fragments));
}

/** What a hub's fragments would come to: for each the refusal, or the rules that let it out and the series it draws on. */
export async function releaseExplain(query: FragmentQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const request = startRequest(query, border, signal);
  const status = border.status();
  const verdicts: Verdict[] = [];
  for (const fragment of query.fragments) {
    verdicts.push(await readable(fragment, (read) => explainFragment(read, request)));
    await setImmediate();
  }
  return seal('explain', encodeExplainAnswer({ status, verdicts }));
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

function startRequest(query: FragmentQuery, border: Border, signal: AbortSignal): Request {
  const deadlineMs = Date.now() + Math.min(query.timeLeftMs, LIMITS.answerMs);
  return { query, border, signal, deadlineMs, spent: { series: 0, cells: 0, samples: 0, regexWork: 0 } };
}

interface Refused {
  readonly refusal: Refusal;
}

/** What `run` makes of a fragment, or why there is nothing. */
async function readable<T>(
  fragment: AskedFragment,
  run: (fragment: Fragment) => Promise<T | Refused>,
): Promise<T | Refused> {
  if (fragment.answer === 'unread') return { refusal: fragment.refusal };
  try {
    return await run(fragment);
  } catch (error) {
    return { refusal: evaluationRefusal(toComityError(error)) };
  }
}

async function answerFragment(fragment: Fragment, request: Request): Promise<FragmentAnswer> {
  const { policy } = request.border;
  const before = await checkTree(fragment, request);
  if (before.refusal !== undefined) return { refusal: before.refusal };
  const { rows, notes } = await fragmentData(fragment, request);
  // Series that were stored since then may have been read as well.
  const after = before.hasLooked ? await checkTree(fragment, request) : before;
  if (after.refusal !== undefined) return { refusal: after.refusal };
  const leak = checkRows(rows, policy);
  if (leak !== undefined) return { refusal: leak };
  const mayLeave = async (expr: Expr): Promise<boolean> => {
    const { refusal } = await checkTree({ answer: 'vector', expr, grid: fragment.grid }, request);
    return refusal === undefined;
  };
  return { rows, notes: await releasedNotes(notes, preorder(fragment.expr), policy, mayLeave) };
}

async function explainFragment(fragment: Fragment, request: Request): Promise<Verdict> {
  const checked = await checkTree(fragment, request);
  if (checked.refusal !== undefined) return { refusal: checked.refusal };
  const nodes = preorder(fragment.expr);
  let series = 0;
  for (const count of countFragments(fragment, nodes)) {
    // Where the policy does not let their number out, nothing is said of it.
    const counted = await checkTree(count, request);
    if (counted.refusal !== undefined) continue;
    const { rows } = await fragmentData(count, request);
    for (const { columns } of rows) series += columns.fields[0]![0]!;
  }
  return { rules: releaseRules(nodes, request.border.policy), series };
}

async function fragmentData(fragment: Fragment, request: Request): Promise<FragmentData> {
  const { query, border, signal, deadlineMs, spent } = request;
  const { lookbackMs, features } = query;
  const found = await border.data.fragment({ fragment, lookbackMs, features, deadlineMs, spent }, signal);
  request.spent = found.spent;
  return found;
}

function checkTree(fragment: Fragment, { border, deadlineMs, signal }: Request): Promise<CheckedFragment> {
  return checkHeld(fragment, border.policy, (matchers) => border.data.kinds(matchers, deadlineMs, signal));
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
