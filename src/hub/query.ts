import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { coverageWarning, summariseCoverage, type Coverage, type DomainCoverage } from '../coverage/coverage.ts';
import { startUsage } from '../engine/usage.ts';
import { evaluate } from '../engine/evaluate.ts';
import type { Value } from '../engine/evaluation.ts';
import { noteTexts, startNotes } from '../engine/notes.ts';
import type { QueryGrid } from '../model/grid.ts';
import type { ColumnsRow } from '../plan/columns-codec.ts';
import { distribute, type Plan } from '../plan/distribute.ts';
import { mayReadFrom } from '../plan/domain.ts';
import { mergeFragment } from '../plan/merge.ts';
import { decodeQueryAnswer, encodeQueryRequest, type FragmentQuery, type QueryAnswer } from '../plan/frames.ts';
import { children, type Expr } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { askDomain, type Answer } from './dispatch.ts';
import { assertRowsFit } from './own-rows.ts';
import { explainRefusal, type DomainRefusal } from './refusal.ts';
import type { Domain, Registry } from './registry.ts';

/** A question to the federation. */
export interface Query {
  /** As the caller wrote it: errors point into it. */
  readonly text: string;
  readonly expr: Expr;
  readonly grid: QueryGrid;
  readonly lookbackMs: number;
  /** For the hub's own part; what domains are asked is without. */
  readonly features: PromqlFeatures;
  /** When to stop waiting for domains, in ms since the epoch. */
  readonly deadlineMs: number;
  /** False fails instead of answering in part (alerting must not take a hole for a zero). */
  readonly allowPartial: boolean;
}

export interface QueryResult {
  readonly value: Value;
  readonly coverage: Coverage;
  /** What is missing, in words; empty for a complete answer. */
  readonly warnings: readonly string[];
  /** What there is to say of the answer's values. */
  readonly notes: { readonly warnings: readonly string[]; readonly infos: readonly string[] };
}

/** An answer that was to be complete and is not. It carries the coverage that says why. */
export class IncompleteError extends ComityError {
  readonly coverage: Coverage;

  constructor(coverage: Coverage) {
    super('incomplete', coverageWarning(coverage) ?? 'the answer is incomplete');
    this.coverage = coverage;
  }
}

/** What one domain was asked, and what came of it. */
interface Part {
  readonly domain: Domain;
  /** Indices into the plan's fragments; none for a domain that cannot hold anything the query reads. */
  readonly asked: readonly number[];
  readonly answer: Answer<QueryAnswer> | undefined;
}

/**
 * Answers a query over the federation: split it, ask every domain that could hold something, merge what comes back,
 * work out the rest here. A domain that fails leaves the answer partial; the query fails when none answers.
 */
export async function runQuery(query: Query, registry: Registry, domainLabel: string): Promise<QueryResult> {
  const { expr } = query;
  const first = await askDomains(distribute(expr, query.grid, domainLabel), query, registry, domainLabel);
  const undecided = first.refusals.find(({ refusal }) => refusal.code === 'undecided');
  if (undecided === undefined) return finish(first, query);
  // A domain could not tell an error from an empty answer. With the vectors of all domains at hand the hub can.
  const wider = await askDomains(distribute(expr, query.grid, domainLabel, true), query, registry, domainLabel);
  if (wider.refusals.length > 0) throw explainRefusal(query.text, undecided);
  return finish(wider, query);
}

/** A plan with what every domain made of it. */
interface Round {
  readonly plan: Plan;
  readonly parts: readonly Part[];
  /** The first refusal of each domain that refused. */
  readonly refusals: readonly DomainRefusal[];
}

async function askDomains(plan: Plan, query: Query, registry: Registry, domainLabel: string): Promise<Round> {
  if (plan.fragments.length > LIMITS.fragmentsPerQuery) {
    throw new ComityError(
      'limit',
      `the query splits into more than ${LIMITS.fragmentsPerQuery} fragments. Ask for less at once`,
    );
  }
  const parts = await Promise.all(registry.map((domain) => askPart(domain, plan, query, domainLabel)));
  return { plan, parts, refusals: parts.flatMap((part) => firstRefusal(part, plan)) };
}

function finish({ plan, parts, refusals }: Round, query: Query): QueryResult {
  // Every series of a domain is in the federated view, so what is an error in one domain is an error of the whole.
  const failed = refusals.find(({ refusal }) => refusal.code === 'execution');
  if (failed !== undefined) throw explainRefusal(query.text, failed);

  const whole = parts.filter((part) => part.asked.length > 0 && part.answer?.ok === true && !isRefused(part, refusals));
  const coverage = summariseCoverage(parts.map((part) => coverageOf(part, refusals, query.text)));
  if (whole.length === 0 && parts.some((part) => part.asked.length > 0)) {
    // The refusal speaks first: it holds however many domains come back.
    if (refusals.length > 0) throw explainRefusal(query.text, refusals[0]!);
    throw new IncompleteError(coverage);
  }
  // What a silent domain holds may be what is said to be absent.
  if (!coverage.complete && (!query.allowPartial || saysAbsence(query.expr))) throw new IncompleteError(coverage);

  const usage = startUsage(query.deadlineMs);
  const notes = startNotes();
  const merged = plan.fragments.map((fragment, index) => mergeFragment(fragment, rowsOf(index, whole), notes, usage));
  const { grid, lookbackMs } = query;
  const settings = { grid, lookbackMs, features: query.features, scope: 'whole' } as const;
  const value = evaluate(plan.remainder, { ...settings, source: NO_SOURCE, merged, usage, notes });
  const warning = coverageWarning(coverage);
  const warnings = warning === undefined ? [] : [warning];
  return { value, coverage, warnings, notes: noteTexts(notes.list(), query.text) };
}

function saysAbsence(expr: Expr): boolean {
  return (expr.kind === 'call' && ABSENCE_CALLS.has(expr.func)) || children(expr).some(saysAbsence);
}

const ABSENCE_CALLS: ReadonlySet<string> = new Set(['absent', 'absent_over_time']);

/** The hub holds no series of its own, so a selector never gets as far as here. */
const NO_SOURCE = {
  select: (): never => {
    throw new ComityError('internal', 'a selector was left to the hub');
  },
  series: () => [],
};

async function askPart(domain: Domain, plan: Plan, query: Query, domainLabel: string): Promise<Part> {
  const { name } = domain.config;
  const asked = plan.fragments.flatMap(({ expr }, index) => (mayReadFrom(expr, domainLabel, name) ? [index] : []));
  if (asked.length === 0) return { domain, asked, answer: undefined };
  const fragments = asked.map((index) => plan.fragments[index]!);
  const timeLeftMs = Math.max(1, query.deadlineMs - Date.now());
  const request: FragmentQuery = { lookbackMs: query.lookbackMs, timeLeftMs, fragments };
  const answer = await askDomain(domain, 'query', encodeQueryRequest(request), query.deadlineMs, (bytes) => {
    const read = decodeQueryAnswer(bytes, request);
    assertRowsFit(read, fragments, domainLabel, name);
    return read;
  });
  return { domain, asked, answer: outOfTime(answer) ?? answer };
}

/** A domain that stopped at the deadline has timed out, whichever of its fragments it was at. */
function outOfTime(answer: Answer<QueryAnswer>): Answer<never> | undefined {
  if (!answer.ok) return undefined;
  const stopped = answer.value.fragments.some((part) => 'refusal' in part && part.refusal.code === 'timeout');
  return stopped
    ? { ok: false, outcome: 'timeout', reason: 'it stopped at the deadline', retryable: false }
    : undefined;
}

/** The rows of all answers to a fragment. */
function rowsOf(index: number, parts: readonly Part[]): readonly ColumnsRow[] {
  return parts.flatMap(({ asked, answer }) => {
    const at = asked.indexOf(index);
    const fragment = at < 0 || answer?.ok !== true ? undefined : answer.value.fragments[at]!;
    return fragment !== undefined && 'rows' in fragment ? fragment.rows : [];
  });
}

function firstRefusal({ domain, asked, answer }: Part, plan: Plan): DomainRefusal[] {
  if (answer?.ok !== true) return [];
  const at = answer.value.fragments.findIndex((fragment) => 'refusal' in fragment);
  const fragment = answer.value.fragments[at];
  if (fragment === undefined || !('refusal' in fragment)) return [];
  return [{ domain: domain.config.name, fragment: plan.fragments[asked[at]!]!, refusal: fragment.refusal }];
}

function isRefused(part: Part, refusals: readonly DomainRefusal[]): boolean {
  return refusals.some(({ domain }) => domain === part.domain.config.name);
}

function coverageOf({ domain, answer }: Part, refusals: readonly DomainRefusal[], text: string): DomainCoverage {
  const { name } = domain.config;
  const status = answer?.ok === true ? answer.value.status : domain.lastStatus;
  const base = {
    domain: name,
    expected: status?.expectedStreams ?? 0,
    settledUntil: status === undefined || status.settledUntilMs === 0 ? null : status.settledUntilMs / 1000,
  };
  if (answer === undefined) return { ...base, status: 'pruned', observed: status?.observedStreams ?? 0 };
  if (!answer.ok) return { ...base, status: answer.outcome, observed: 0, reason: answer.reason };
  const refused = refusals.find((refusal) => refusal.domain === name);
  if (refused === undefined) return { ...base, status: 'ok', observed: answer.value.status.observedStreams };
  return { ...base, status: 'refused', observed: 0, reason: explainRefusal(text, refused).message };
}
