import type { MetricRule } from '../plan/frames/explain-codec.ts';
import type { Fragment, Plan } from '../plan/distribute.ts';
import { prunedFrom } from '../plan/prune.ts';
import { estimateAnswer, type AnswerEstimate } from '../plan/explain/estimate.ts';
import type { NearestQuery } from '../plan/nearest/nearest.ts';
import {
  fragmentJson,
  gridJson,
  planNode,
  type FragmentJson,
  type GridJson,
  type PlanNode,
} from '../plan/explain/plan-tree.ts';
import { readRange, type TimeRange } from '../plan/read-range.ts';
import { typeOf } from '../promql/check.ts';
import { analyzed, type Analyzed } from './analyze.ts';
import { planQuery, runQuery, type Query } from './query.ts';
import { explainRefusal, refusalContext, RefusedError, type RefusalContext } from './refusal.ts';
import type { Federation } from './registry.ts';
import { askVerdicts, refusalsIn, verdictOn, type DomainVerdicts } from './verdicts.ts';
import { verifiedNearest } from './verified-nearest.ts';

/** How a query runs: what each domain is asked and would do, and what stays with the hub. Times are in ms since the epoch. */
export interface Explanation {
  readonly query: string;
  readonly type: string;
  readonly steps: GridJson;
  readonly approx?: number;
  /** Why it is not answered, or was not when it ran. */
  readonly refused?: { readonly reason: string; readonly message: string };
  /** The nearest query to a refused one that no domain refuses: all that answer were asked. */
  readonly nearest?: { readonly query: string; readonly approx?: number; readonly widened: readonly string[] };
  /** What the hub makes of the answers; its leaves are merged fragments. Missing where the query cannot be split. */
  readonly remainder?: PlanNode;
  readonly fragments: readonly FragmentExplained[];
  /** What running it came to, where that was asked for. */
  readonly analyzed?: Analyzed;
}

export interface FragmentExplained extends FragmentJson {
  /** The times of the samples that it may look at. */
  readonly reads: TimeRange | null;
  readonly domains: readonly DomainExplained[];
}

/** A domain's part in a fragment. */
export type DomainExplained = { readonly domain: string } & (
  | { readonly verdict: 'pruned'; readonly by: 'domain_label' | 'time' }
  | {
      readonly verdict: 'allowed';
      readonly rules: readonly MetricRule[];
      /** Series that the selectors pick now; 0 also where the policy does not let their number out. */
      readonly series: number;
      readonly atMost: AnswerEstimate;
    }
  | { readonly verdict: 'refused'; readonly code: string; readonly name: string; readonly reason: string }
  | { readonly verdict: 'unknown'; readonly status: string; readonly reason: string }
);

/**
 * Explains a query: asks the domains for their verdicts, for which they read no sample. `analyze` runs the query as well and
 * explains the plan that it came to.
 */
export async function explainQuery(query: Query, federation: Federation, analyze: boolean): Promise<Explanation> {
  const startedMs = performance.now();
  const ran = analyze ? await refusalOr(() => runQuery(query, federation)) : {};
  const tookMs = performance.now() - startedMs;
  const { text, expr, grid, approx } = query;
  const head = {
    query: text,
    type: typeOf(expr),
    steps: gridJson(grid),
    ...(approx === undefined ? {} : { approx }),
  };
  const { value: plan, refused } = await refusalOr(async () => ran.value?.plan ?? planQuery(query, federation));
  if (plan === undefined) {
    return {
      ...head,
      ...refusedJson(refused),
      ...nearestJson(await verifiedNearest(query, federation, [])),
      fragments: [],
    };
  }
  const verdicts = await askVerdicts(plan, query, federation);
  const refusals = refusalsIn(verdicts, plan);
  const context = refusalContext(query, federation, refusals);
  const nearest = refusals.length === 0 ? undefined : await verifiedNearest(query, federation, refusals);
  return {
    ...head,
    ...refusedJson(ran.refused),
    ...nearestJson(nearest),
    remainder: planNode(plan.remainder),
    fragments: fragmentsExplained(plan, verdicts, query, context),
    ...(ran.value === undefined ? {} : { analyzed: analyzed(ran.value, tookMs) }),
  };
}

/** What `make` gives, or the refusal that it throws. */
async function refusalOr<T>(make: () => Promise<T>): Promise<{ readonly value?: T; readonly refused?: RefusedError }> {
  try {
    return { value: await make() };
  } catch (error) {
    if (error instanceof RefusedError) return { refused: error };
    throw error;
  }
}

function refusedJson(refused: RefusedError | undefined): Pick<Explanation, 'refused'> {
  return refused === undefined ? {} : { refused: { reason: refused.reason, message: refused.why } };
}

function nearestJson(nearest: NearestQuery | undefined): Pick<Explanation, 'nearest'> {
  if (nearest === undefined) return {};
  const { text, approx, widened } = nearest;
  return { nearest: { query: text, widened, ...(approx === undefined ? {} : { approx }) } };
}

function fragmentsExplained(
  plan: Plan,
  verdicts: readonly DomainVerdicts[],
  { lookbackMs }: Pick<Query, 'lookbackMs'>,
  context: RefusalContext,
): readonly FragmentExplained[] {
  return plan.fragments.map((fragment, index) => ({
    ...fragmentJson(fragment),
    reads: readRange(fragment.expr, fragment.grid, lookbackMs) ?? null,
    domains: verdicts.map((one) => domainExplained(one, index, fragment, lookbackMs, context)),
  }));
}

function domainExplained(
  verdicts: DomainVerdicts,
  index: number,
  fragment: Fragment,
  lookbackMs: number,
  context: RefusalContext,
): DomainExplained {
  const { domain, asked, answer } = verdicts;
  const { name } = domain.config;
  if (!asked.includes(index)) {
    const holding = { name, heldFromMs: domain.lastStatus?.heldFromMs ?? 0 };
    const by = prunedFrom(fragment, lookbackMs, context.domainLabel, holding) ?? 'time';
    return { domain: name, verdict: 'pruned', by };
  }
  const verdict = verdictOn(verdicts, index);
  if (verdict === undefined) {
    const gone = answer?.ok === false ? answer : { outcome: 'unreachable', reason: 'it gave no verdict' };
    return { domain: name, verdict: 'unknown', status: gone.outcome, reason: gone.reason };
  }
  if ('refusal' in verdict) {
    const { refusal } = verdict;
    const reason = explainRefusal({ domain: name, fragment, refusal }, context).why;
    return { domain: name, verdict: 'refused', code: refusal.code, name: refusal.name, reason };
  }
  const { rules, series } = verdict;
  return { domain: name, verdict: 'allowed', rules, series, atMost: estimateAnswer(fragment, series) };
}
