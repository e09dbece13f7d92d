import { setImmediate } from 'node:timers/promises';
import { toComityError, type ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Note } from '../engine/notes.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';
import type { Fragment } from '../plan/distribute.ts';
import { encodeExemplarsAnswer, type ExemplarsQuery } from '../plan/frames/exemplars-codec.ts';
import { encodeExplainAnswer, type Verdict } from '../plan/frames/explain-codec.ts';
import { encodeQueryAnswer, type FragmentAnswer, type FragmentQuery } from '../plan/frames/query-codec.ts';
import { encodeLabelsAnswer, type LabelsQuery, type LabelsRequest } from '../plan/frames/labels-codec.ts';
import { encodeMetadataAnswer, type MetadataQuery } from '../plan/frames/metadata-codec.ts';
import { preorder } from '../plan/frames/preorder.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { encodeSeriesAnswer, type SeriesQuery } from '../plan/frames/series-codec.ts';
import { encodeErrorAnswer, encodeStatusAnswer, type DomainStatus } from '../plan/frames/status-codec.ts';
import { checkMatchers, checkRows } from '../policy/check.ts';
import type { Policy } from '../policy/document.ts';
import type { Expr } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { ReadSize } from '../store/read-size.ts';
import { costOf, LIGHT_COST, type Admit } from './admission.ts';
import {
  claimedCost,
  fragmentEstimate,
  fragmentReads,
  NOTHING,
  pastLimit,
  together,
  type Estimate,
  type SelectorRead,
} from './estimate.ts';
import { countFragments, releaseRules } from './explain-fragment.ts';
import { checkHeld, type CheckedFragment } from './held-check.ts';
import type { ListData } from './list-data.ts';
import { listExemplars, listMetadata, listSeries } from './release-lists.ts';
import { releasedCoverage, type DomainCoverage } from './release-coverage.ts';
import { releasedNotes } from './release-notes.ts';
import { seal, type Released } from './released.ts';

/** What the border decides by. */
export interface Border extends DomainCoverage {
  readonly policy: Policy;
  readonly data: DomainData;
  status(): DomainStatus;
  /** Where requests wait for their turn; all are answered at once when left out. */
  readonly admit?: Admit | undefined;
}

/**
 * What the domain holds, wherever that is. Whoever keeps the samples has the policy too and reads none of a sealed metric for
 * these questions, whatever the border has checked. All fail with `canceled` when `signal` says so, and with `timeout` past
 * `deadlineMs` (since the epoch).
 */
export interface DomainData extends ListData {
  /**
   * The rows of a fragment, what there is to say beside them, and what the request has used with it. Throws what the engine
   * throws, and `unavailable` while whoever keeps the samples does not answer.
   */
  fragment(question: FragmentQuestion, signal: AbortSignal): Promise<FragmentData>;
  /**
   * How much some reads would find, before any sample is read: by read. Undefined where finding out costs as much as reading.
   * To be asked only of what the policy lets through.
   */
  estimate(question: EstimateQuestion, signal: AbortSignal): Promise<EstimateData | undefined>;
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
  /** Whether the whole request is soon answered, and should not wait behind those that are not. */
  readonly isLight?: boolean | undefined;
}

interface EstimateQuestion {
  readonly reads: readonly SelectorRead[];
  readonly deadlineMs: number;
  /** What the regular expressions of the request's earlier estimates have cost. */
  readonly regexWork: number;
}

interface EstimateData {
  readonly sizes: readonly ReadSize[];
  readonly regexWork: number;
}

interface FragmentData {
  readonly rows: readonly AnswerRow[];
  /** Of the fragment's nodes, by `span.start`. */
  readonly notes: readonly Note[];
  readonly spent: Spent;
}

/**
 * What a hub asks, who waits for the answer and until when; what is estimated and what is `spent` grow from fragment to
 * fragment.
 */
interface Request {
  readonly query: FragmentQuery;
  readonly border: Border;
  readonly signal: AbortSignal;
  readonly deadlineMs: number;
  estimate: Estimate;
  /** What the regular expressions of the estimates have cost. */
  estimateWork: number;
  spent: Spent;
}

/**
 * Answers a hub's fragments: for each, the policy's check of the tree and an estimate of its cost; when there is room for all
 * of that, for each the evaluation, then the policy's check of every label set and note that would leave. A fragment that fails or cannot be read is answered with a refusal; the others are
 * answered all the same. Between fragments others of the process get their turn. `signal` says that nobody waits for the
 * answer any more.
 */
export async function releaseQuery(query: FragmentQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const request = startRequest(query, border, signal);
  const prepared = await prepareAll(request);
  return admitted(prepared, request, async () => {
    // What is stored from here on is late to the watermark in it, so that it is known not to be in this answer. A gap that is
    // filled from here on counts as one: so the answer may say that it lacks what it has, and never the other way round.
    const status = border.status();
    const late = border.late(query.since);
    const coverage = await releasedCoverage(query.coverage, border.policy, border, request);
    const fragments: FragmentAnswer[] = [];
    for (const one of prepared) {
      fragments.push('refusal' in one ? one : await attempt(() => answerFragment(one, request)));
      await setImmediate();
    }
    const { id } = query;
    return seal('query', encodeQueryAnswer({ id, status, fragments, coverage, late }, query.fragments));
  });
}

/** What a hub's fragments would come to: for each the refusal, or the rules that let it out and the series it draws on. */
export async function releaseExplain(query: FragmentQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const request = startRequest(query, border, signal);
  const prepared = await prepareAll(request);
  return admitted(prepared, request, async () => {
    const status = border.status();
    const verdicts: Verdict[] = [];
    for (const one of prepared) {
      verdicts.push('refusal' in one ? one : await attempt(() => explainFragment(one, request)));
      await setImmediate();
    }
    return seal('explain', encodeExplainAnswer({ id: query.id, status, verdicts }));
  });
}

/** Label names or the values of one label, as far as the policy permits them, of metrics that are not sealed. */
export async function releaseLabels(query: LabelsRequest, border: Border, signal: AbortSignal): Promise<Released> {
  const { policy, data } = border;
  const { id } = query;
  const status = border.status();
  const forbidden =
    query.name !== '' && !policy.permitsLabel(query.name)
      ? ({ code: 'label_not_permitted', name: query.name } as const)
      : query.selectors.map((matchers) => checkMatchers(matchers, policy)).find((refusal) => refusal !== undefined);
  if (forbidden !== undefined) return seal('labels', encodeLabelsAnswer({ id, status, refusal: forbidden }));

  const limit = Math.min(query.limit || LIMITS.labelValues, LIMITS.labelValues);
  const found = await data.labels({ ...query, limit, deadlineMs: Date.now() + LIMITS.answerMs }, signal);
  const values = query.name === '' ? found.filter((name) => policy.permitsLabel(name)) : found;
  return seal('labels', encodeLabelsAnswer({ id, status, values }));
}

/** The series that a hub may be told of. */
export async function releaseSeries(query: SeriesQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const about = { id: query.id, status: border.status() };
  const listed = await listSeries(query, border, signal);
  if ('refusal' in listed) return seal('series', encodeSeriesAnswer({ ...about, ...listed }));
  const { found: series, ...rest } = listed;
  return seal('series', encodeSeriesAnswer({ ...about, series, ...rest }));
}

/** What is known of metric families that are not sealed. */
export async function releaseMetadata(query: MetadataQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const about = { id: query.id, status: border.status() };
  const listed = await listMetadata(query, border, signal);
  if ('refusal' in listed) return seal('metadata', encodeMetadataAnswer({ ...about, ...listed }));
  return seal('metadata', encodeMetadataAnswer({ ...about, families: listed.found, isCut: listed.isCut }));
}

/** The exemplars of series that a hub may be told of. */
export async function releaseExemplars(query: ExemplarsQuery, border: Border, signal: AbortSignal): Promise<Released> {
  const about = { id: query.id, status: border.status() };
  const listed = await listExemplars(query, border, signal);
  if ('refusal' in listed) return seal('exemplars', encodeExemplarsAnswer({ ...about, ...listed }));
  const { found: series, ...rest } = listed;
  return seal('exemplars', encodeExemplarsAnswer({ ...about, series, ...rest }));
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
  const spent = { series: 0, cells: 0, samples: 0, regexWork: 0 };
  return { query, border, signal, deadlineMs, estimate: NOTHING, estimateWork: 0, spent };
}

interface Refused {
  readonly refusal: Refusal;
}

/** A fragment that the policy lets through, as far as it can tell before the answer is there. */
interface Prepared {
  readonly fragment: Fragment;
  /** As `CheckedFragment`. */
  readonly hasLooked: boolean;
}

/** The fragments that are to be evaluated, and why the others are not. */
async function prepareAll(request: Request): Promise<readonly (Prepared | Refused)[]> {
  const prepared: (Prepared | Refused)[] = [];
  for (const fragment of request.query.fragments) {
    prepared.push(
      fragment.answer === 'unread' ? { refusal: fragment.refusal } : await attempt(() => prepare(fragment, request)),
    );
  }
  return prepared;
}

/** Nothing is looked up of what the policy refuses: an estimate would tell of it. */
async function prepare(fragment: Fragment, request: Request): Promise<Prepared | Refused> {
  const { refusal, hasLooked } = await checkTree(fragment, request);
  if (refusal !== undefined) return { refusal };
  const estimate = together(request.estimate, await estimated(fragment, request));
  const past = pastLimit(estimate);
  if (past !== undefined) return { refusal: past };
  request.estimate = estimate;
  return { fragment, hasLooked };
}

async function estimated(fragment: Fragment, request: Request): Promise<Estimate> {
  const { query, border, signal, deadlineMs, estimateWork: regexWork } = request;
  const reads = fragmentReads(fragment, query.lookbackMs);
  const found = await border.data.estimate({ reads, deadlineMs, regexWork }, signal);
  request.estimateWork = found?.regexWork ?? regexWork;
  return fragmentEstimate(fragment, reads, found?.sizes);
}

/** Runs the work on a request when there is room for it. What needs no evaluation does not wait. */
async function admitted(
  prepared: readonly (Prepared | Refused)[],
  request: Request,
  work: () => Promise<Released>,
): Promise<Released> {
  const { border, deadlineMs, estimate, signal } = request;
  if (border.admit === undefined || !prepared.some((one) => 'fragment' in one)) return work();
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

/** What `run` makes of a fragment, or why there is nothing. */
async function attempt<T>(run: () => Promise<T | Refused>): Promise<T | Refused> {
  try {
    return await run();
  } catch (error) {
    return { refusal: evaluationRefusal(toComityError(error)) };
  }
}

async function answerFragment({ fragment, hasLooked }: Prepared, request: Request): Promise<FragmentAnswer> {
  const { policy } = request.border;
  const { rows, notes } = await fragmentData(fragment, request);
  // Series that were stored since it was checked may have been read as well.
  const after = hasLooked ? await checkTree(fragment, request) : undefined;
  if (after?.refusal !== undefined) return { refusal: after.refusal };
  const leak = checkRows(rows, policy);
  if (leak !== undefined) return { refusal: leak };
  const mayLeave = async (expr: Expr): Promise<boolean> => {
    const { refusal } = await checkTree({ answer: 'vector', expr, grid: fragment.grid }, request);
    return refusal === undefined;
  };
  return { rows, notes: await releasedNotes(notes, preorder(fragment.expr), policy, mayLeave) };
}

async function explainFragment({ fragment }: Prepared, request: Request): Promise<Verdict> {
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
  const { query, border, signal, deadlineMs, estimate, spent } = request;
  const { lookbackMs, features } = query;
  const isLight = costOf(estimate) <= LIGHT_COST;
  const found = await border.data.fragment({ fragment, lookbackMs, features, deadlineMs, spent, isLight }, signal);
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
