import { ComityError, toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { coverageWarning, summariseCoverage, type Coverage } from '../coverage/coverage.ts';
import { startUsage } from '../engine/usage.ts';
import { evaluate } from '../engine/evaluate.ts';
import type { Value } from '../engine/evaluation.ts';
import { startNotes, type Note } from '../engine/notes.ts';
import type { QueryGrid } from '../model/grid.ts';
import type { Source } from '../model/source.ts';
import { distribute, type Fragment, type Plan } from '../plan/distribute.ts';
import type { DomainRuleOptions } from '../plan/domain.ts';
import { mergeFragment } from '../plan/merge.ts';
import { PlanRefusal } from '../plan/refusal.ts';
import type { Expr } from '../promql/ast.ts';
import { lackingSteps, saysUnknownAbsence } from './absence.ts';
import { coverageAsks, coverageRows, partCoverage, rememberOwed, type CoveredPart } from './coverage.ts';
import { askPart, isWhole, rowsOf, type Asking, type Part } from './parts.ts';
import {
  explainPlanRefusal,
  explainRefusal,
  refusalContext,
  type DomainRefusal,
  type RefusalContext,
} from './refusal.ts';
import type { Federation } from './registry.ts';

/** A question to the federation. */
export interface Query extends Omit<Asking, 'coverage'> {
  /** As the caller wrote it: errors point into it. */
  readonly text: string;
  readonly expr: Expr;
  readonly grid: QueryGrid;
  /** False fails instead of answering in part (alerting must not take a hole for a zero). */
  readonly allowPartial: boolean;
  /** The relative error that the caller allows `quantile`; exact when left out. */
  readonly approx?: number | undefined;
}

export interface QueryResult {
  readonly value: Value;
  readonly coverage: Coverage;
  /** What is missing, in words; empty for a complete answer. */
  readonly warnings: readonly string[];
  /** What there is to say of the answer's values. */
  readonly notes: readonly Note[];
  /** The relative error of its quantiles; undefined for an exact answer. */
  readonly approximate: number | undefined;
  readonly plan: Plan;
  /** What each domain was asked and what came of it. */
  readonly parts: readonly Part[];
}

/** An answer that was to be complete and is not. It carries the coverage that says why. */
export class IncompleteError extends ComityError {
  readonly coverage: Coverage;

  constructor(coverage: Coverage) {
    super('incomplete', coverageWarning(coverage) ?? 'the answer is incomplete');
    this.coverage = coverage;
  }
}

/**
 * Answers a query over the federation: split it, ask every domain that could hold something, merge what comes back,
 * work out the rest here. A domain that fails leaves the answer partial; the query fails when none answers. Throws `canceled`
 * when its caller is gone.
 */
export async function runQuery(query: Query, federation: Federation): Promise<QueryResult> {
  const first = await askDomains(planQuery(query, federation), query, federation);
  const undecided = first.refusals.find(({ refusal }) => refusal.code === 'undecided');
  if (undecided === undefined) return finish(first, query, federation);
  // A domain could not tell an error from an empty answer. With the vectors of all domains at hand the hub can.
  const wider = await askDomains(planQuery(query, federation, { matchAtHub: true }), query, federation);
  if (wider.refusals.length > 0) throw explainRefusal(undecided, refusalContext(query, federation, first.refusals));
  return finish(wider, query, federation);
}

/** How a query splits over the domains. Throws what cannot be split in words that point into the query's text. */
export function planQuery(
  query: RefusalContext['query'],
  federation: Federation,
  options: Pick<DomainRuleOptions, 'matchAtHub'> = {},
): Plan {
  const { text, expr, grid, approx } = query;
  const { domainLabel } = federation;
  try {
    const plan = distribute(expr, grid, { ...options, domainLabel, approx, text });
    assertFits(plan);
    return plan;
  } catch (error) {
    throw error instanceof PlanRefusal ? explainPlanRefusal(error, refusalContext(query, federation, [])) : error;
  }
}

function assertFits({ fragments, coverages }: Plan): void {
  // One question is of the whole query.
  const coveragesMax = LIMITS.coverageQuestions - 1;
  const most =
    fragments.length > LIMITS.fragmentsPerQuery
      ? `splits into more than ${LIMITS.fragmentsPerQuery} fragments`
      : coverages.length > coveragesMax
        ? `asks for more than ${coveragesMax} different coverages`
        : undefined;
  if (most !== undefined) throw new ComityError('limit', `the query ${most}. Ask for less at once`);
}

/** A plan with what every domain made of it. */
interface Round {
  readonly plan: Plan;
  readonly covered: readonly CoveredPart[];
  readonly parts: readonly Part[];
  /** The first refusal of each domain that refused. */
  readonly refusals: readonly DomainRefusal[];
}

async function askDomains(plan: Plan, query: Query, federation: Federation): Promise<Round> {
  const { lookbackMs, features, deadlineMs, signal, trace, useCache } = query;
  const askOf = coverageAsks(plan, query, federation.domainLabel);
  const covered = await Promise.all(
    federation.registry.map(async (domain) => {
      const ask = askOf(domain.config.name);
      const asking = { lookbackMs, features, deadlineMs, signal, trace, useCache, coverage: ask.questions };
      return { part: await askPart(domain, plan, asking, federation), ask };
    }),
  );
  if (signal.aborted) throw new ComityError('canceled', 'query was canceled: its caller is gone');
  for (const one of covered) rememberOwed(one);
  const parts = covered.map(({ part }) => part);
  return { plan, covered, parts, refusals: parts.flatMap(({ refused }) => refused ?? []) };
}

function finish({ plan, covered, parts, refusals }: Round, query: Query, federation: Federation): QueryResult {
  // Every series of a domain is in the federated view, so what is an error in one domain is an error of the whole.
  const failed = refusals.find(({ refusal }) => refusal.code === 'execution');
  const context = refusalContext(query, federation, refusals);
  if (failed !== undefined) throw errorOverNothing(failed.fragment, query) ?? explainRefusal(failed, context);

  const coverage = summariseCoverage(
    covered.map((one) => partCoverage(one, query.grid, (refusal) => explainRefusal(refusal, context).message)),
  );
  const whole = parts.filter(isWhole);
  if (whole.length === 0 && parts.some(({ asked }) => asked.length > 0)) {
    // The refusal speaks first: it holds however many domains come back.
    if (refusals.length > 0) throw explainRefusal(refusals[0]!, context);
    throw new IncompleteError(coverage);
  }
  if (!coverage.complete && !query.allowPartial) throw new IncompleteError(coverage);

  const usage = startUsage(query.deadlineMs);
  const notes = startNotes();
  const merged = plan.fragments.map((fragment, index) => {
    const found = rowsOf(index, whole);
    for (const note of found.notes) notes.add(note);
    return mergeFragment(fragment, found.rows, notes, usage);
  });
  const lacking = (index: number): Uint8Array | undefined => {
    const fragment = plan.fragments[index];
    return fragment === undefined ? undefined : lackingSteps(fragment, index, parts);
  };
  if (saysUnknownAbsence(plan.remainder, lacking, merged)) throw new IncompleteError(coverage);

  const { grid, lookbackMs, features } = query;
  const settings = { grid, lookbackMs, features, scope: 'whole' } as const;
  const leaves = plan.coverages.map((leaf, index) => coverageRows(index, covered, leaf.grid, federation.domainLabel));
  const known = { source: NO_SOURCE, merged: [...merged, ...leaves], usage, notes };
  const value = evaluate(plan.remainder, { ...settings, ...known });
  const warning = coverageWarning(coverage);
  return {
    value,
    coverage,
    warnings: warning === undefined ? [] : [warning],
    notes: notes.list(),
    approximate: plan.fragments.some(({ answer }) => answer === 'sketch') ? query.approx : undefined,
    plan,
    parts,
  };
}

/** The error of a fragment that does not hang on data, in the engine's own words, which a domain must not send. */
function errorOverNothing(
  { expr, grid }: Fragment,
  { lookbackMs, features, deadlineMs }: Query,
): ComityError | undefined {
  const settings = { grid, lookbackMs, features, scope: 'part' } as const;
  try {
    evaluate(expr, { ...settings, source: NOTHING, merged: [], usage: startUsage(deadlineMs), notes: startNotes() });
  } catch (error) {
    const known = toComityError(error);
    if (known.code === 'execution') return known;
  }
  return undefined;
}

const NOTHING: Source = { select: () => [], series: () => [] };

/** The hub holds no series of its own, so a selector never gets as far as here. */
const NO_SOURCE = {
  select: (): never => {
    throw new ComityError('internal', 'a selector was left to the hub');
  },
  series: () => [],
};
