import { ComityError, toComityError } from '../base/errors.ts';
import type { EvalContext } from '../engine/context.ts';
import { aggregateGroups, evaluate } from '../engine/evaluate.ts';
import type { Value } from '../engine/evaluation.ts';
import { startNotes, type Note, type Notes } from '../engine/notes.ts';
import { assertWithinLimits, startUsage, type Usage } from '../engine/usage.ts';
import type { QueryGrid } from '../model/grid.ts';
import type { Source } from '../model/source.ts';
import type { Fragment, Plan } from '../plan/distribute.ts';
import { mergeFragment, mergeGroups } from '../plan/merge.ts';
import type { Expr } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { rawSource, seriesReads } from './raw-source.ts';
import type { ShardAnswer, ShardFragment, ShardQuery, ShardReader, ShardRow, Spent, Stoppable } from './shard.ts';
import { shardRow } from './shard-row.ts';
import { splitGroups, splitOverShards, type GroupsFragment } from './split.ts';

/** How an expression is to be evaluated over the shards of an agent. */
export interface RunSettings extends Stoppable {
  readonly lookbackMs: number;
  readonly features: PromqlFeatures;
  /** Whether what the agent holds is all that the query means, or one domain's part of it. */
  readonly scope: 'whole' | 'part';
  readonly releases: boolean;
  /** As in `ShardQuery`. */
  readonly isLight?: boolean | undefined;
  readonly spent: Spent;
  /** Lets others in while this thread evaluates what the shards leave to it; see `UsageOptions`. */
  readonly turn?: (() => void) | undefined;
}

export const NOTHING_SPENT: Spent = { series: 0, cells: 0, samples: 0, regexWork: 0 };

/** A value, what there is to say beside it, and what it took. */
export interface Evaluated {
  readonly value: Value;
  readonly notes: readonly Note[];
  readonly spent: Spent;
}

/**
 * The value of a checked and normalised expression over all shards: each is asked its fragments, in parallel, and the rest is
 * worked out here. Rows come in no order unless the expression gives one. Throws what the engine throws.
 */
export async function evaluateOver(
  shards: readonly ShardReader[],
  expr: Expr,
  grid: QueryGrid,
  settings: RunSettings,
): Promise<Evaluated> {
  return decided(shards, async (matchOutside) => {
    const plan = splitOverShards(expr, grid, shards.length, matchOutside);
    const { ctx, spent } = await askPlan(shards, plan, settings);
    const value = evaluate(plan.remainder, { ...ctx, grid });
    return { value, notes: ctx.notes.list(), spent };
  });
}

/** What a domain says to a fragment, and what the request has used with it. */
export interface FragmentRows {
  readonly rows: readonly ShardRow[];
  readonly notes: readonly Note[];
  readonly spent: Spent;
}

/** The answer to a hub's fragment. Throws as `evaluateOver`. */
export async function fragmentOver(
  shards: readonly ShardReader[],
  fragment: Fragment,
  settings: Omit<RunSettings, 'scope'>,
): Promise<FragmentRows> {
  const part = { ...settings, scope: 'part' } as const;
  return decided(shards, async (matchOutside) => {
    switch (fragment.answer) {
      case 'vector':
        return vectorOver(shards, fragment, part, matchOutside);
      case 'timed':
        return timedOver(shards, fragment, part);
      case 'partial':
      case 'sketch':
        return groupsOver(shards, fragment, part, matchOutside);
    }
  });
}

async function vectorOver(
  shards: readonly ShardReader[],
  { expr, grid }: Fragment,
  settings: RunSettings,
  matchOutside: boolean,
): Promise<FragmentRows> {
  const plan = splitOverShards(expr, grid, shards.length, matchOutside);
  const { ctx, spent } = await askPlan(shards, plan, settings);
  const value = evaluate(plan.remainder, { ...ctx, grid });
  if (value.kind !== 'vector') throw new ComityError('unsupported', 'unsupported: a fragment must be a vector');
  return { rows: value.rows.map(shardRow), notes: ctx.notes.list(), spent };
}

/** Samples of a series are in one shard. */
async function timedOver(
  shards: readonly ShardReader[],
  fragment: Fragment,
  settings: RunSettings,
): Promise<FragmentRows> {
  const { rows, notes, spent } = await askAll(shards, [fragment], settings);
  return { rows: rows[0]!, notes: notes.list(), spent };
}

async function groupsOver(
  shards: readonly ShardReader[],
  node: GroupsFragment,
  settings: RunSettings,
  matchOutside: boolean,
): Promise<FragmentRows> {
  const { grid } = node;
  const { fragment, plan } = splitGroups(node, shards.length, matchOutside);
  if (fragment === undefined) {
    const { ctx, spent } = await askPlan(shards, plan, settings);
    const groups = aggregateGroups({ ...node, expr: { ...node.expr, expr: plan.remainder } }, { ...ctx, grid });
    return { rows: groups.list(), notes: ctx.notes.list(), spent };
  }
  const { rows, notes, spent, usage } = await askAll(shards, [fragment], settings);
  const merged = shards.length === 1 ? rows[0]! : mergeGroups(fragment, rows[0]!, grid.steps, usage).list();
  return { rows: merged, notes: notes.list(), spent };
}

/**
 * A shard cannot always tell an error of matching from an empty answer, since it sees a part. Then all is asked again with
 * the matching left for here, where both sides are whole.
 */
async function decided<T>(shards: readonly ShardReader[], ask: (matchOutside: boolean) => Promise<T>): Promise<T> {
  try {
    return await ask(false);
  } catch (error) {
    if (shards.length === 1 || toComityError(error).code !== 'undecided') throw error;
    return ask(true);
  }
}

/** Asks the shards for all that a plan's remainder needs, and gives what to evaluate it with. */
async function askPlan(
  shards: readonly ShardReader[],
  plan: Plan,
  settings: RunSettings,
): Promise<{ readonly ctx: Omit<EvalContext, 'grid'>; readonly spent: Spent }> {
  const { fragments, rawReads } = plan;
  const { lookbackMs, features, scope } = settings;
  const dry = { lookbackMs, features, scope, usage: ownUsage(settings), notes: startNotes() };
  const reads = seriesReads(rawReads, dry, fragments.length);
  const { rows, notes, spent, usage } = await askAll(shards, [...fragments, ...reads], settings);
  const merged = fragments.map((fragment, i) => mergeFragment(fragment, rows[i]!, notes, usage));
  const source = reads.length === 0 ? NO_SOURCE : rawSource(reads, rows.slice(fragments.length));
  return { ctx: { lookbackMs, features, scope, usage, notes, merged, source }, spent };
}

interface Gathered {
  /** By fragment, the rows of all shards. */
  readonly rows: readonly (readonly ShardRow[])[];
  readonly notes: Notes;
  readonly spent: Spent;
  /** For work on the answers, which was counted where they were made. */
  readonly usage: Usage;
}

async function askAll(
  shards: readonly ShardReader[],
  fragments: readonly ShardFragment[],
  settings: RunSettings,
): Promise<Gathered> {
  const { lookbackMs, features, releases, isLight, deadlineMs, cancelled, spent } = settings;
  const notes = startNotes();
  const usage = ownUsage(settings);
  if (fragments.length === 0) return { rows: [], notes, spent, usage };
  const scope = shards.length === 1 ? settings.scope : 'shard';
  const query: ShardQuery = { fragments, lookbackMs, features, scope, releases, isLight, deadlineMs, cancelled, spent };
  const outcomes = await Promise.allSettled(shards.map((shard) => shard.run(query)));
  const answers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [toComityError(outcome.reason)] : []));
  // What one shard is sure of holds for all, whatever another could not decide.
  const error = errors.find(({ code }) => code !== 'undecided') ?? errors[0];
  if (error !== undefined) throw error;
  const total = addUp(spent, answers);
  assertWithinLimits(total);
  for (const note of answers.flatMap((answer) => answer.notes)) notes.add(note);
  const rows = fragments.map((_none, i) => answers.flatMap((answer) => answer.fragments[i]!));
  return { rows, notes, spent: total, usage };
}

/** Each shard went on from what was spent before, so that counts once. */
function addUp(before: Spent, answers: readonly ShardAnswer[]): Spent {
  const added = (field: keyof Spent): number =>
    answers.reduce((sum, { spent }) => sum + spent[field] - before[field], before[field]);
  return {
    series: added('series'),
    cells: added('cells'),
    samples: added('samples'),
    regexWork: added('regexWork'),
  };
}

/** For work in this thread. */
export function ownUsage({ deadlineMs, cancelled, turn }: Stoppable & Pick<RunSettings, 'turn'>): Usage {
  return startUsage(deadlineMs, { cancelled, turn });
}

const NO_SOURCE: Source = {
  select: (): never => {
    throw new ComityError('internal', 'a selector was left outside the shards');
  },
  series: () => [],
};
