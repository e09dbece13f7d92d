import { ComityError, toComityError } from '../base/errors.ts';
import type { EvalContext } from '../engine/context.ts';
import { assertWithinLimits, startUsage, type Usage } from '../engine/usage.ts';
import { aggregateGroups, evaluate, type Value } from '../engine/evaluate.ts';
import type { QueryGrid } from '../model/grid.ts';
import type { Fragment } from '../plan/distribute.ts';
import { mergeFragment, mergeGroups } from '../plan/merge.ts';
import type { Aggregate, Expr } from '../promql/ast.ts';
import type { ShardAnswer, ShardFragment, ShardQuery, ShardReader, ShardRow, Spent, Stoppable } from './shard.ts';
import { splitOverShards, splitPartial } from './split.ts';

/** How an expression is to be evaluated over the shards of an agent. */
export interface RunSettings extends Stoppable {
  readonly grid: QueryGrid;
  readonly lookbackMs: number;
  /** Whether what the agent holds is all that the query means, or one domain's part of it. */
  readonly scope: 'whole' | 'part';
  readonly releases: boolean;
  readonly spent: Spent;
}

export const NOTHING_SPENT: Spent = { series: 0, cells: 0, regexWork: 0 };

/**
 * The value of a checked and normalised expression over all shards: each is asked its fragments, in parallel, and the rest is
 * worked out here. Rows come in no order. Throws what the engine throws.
 */
export async function evaluateOver(shards: readonly ShardReader[], expr: Expr, settings: RunSettings): Promise<Value> {
  return decided(shards, async (matchOutside) => {
    const { fragments, remainder } = splitOverShards(expr, shards.length, matchOutside);
    const { rows } = await askAll(shards, fragments, settings);
    const ctx = remainderContext(fragments, rows, settings);
    if (remainder.kind !== 'merged') return evaluate(remainder, ctx);
    return { kind: 'vector', rows: ctx.merged[remainder.index]! };
  });
}

/** The answer to a hub's fragment, and what the request has used with it. Throws as `evaluateOver`. */
export async function fragmentOver(
  shards: readonly ShardReader[],
  fragment: Fragment,
  settings: RunSettings,
): Promise<{ readonly rows: readonly ShardRow[]; readonly spent: Spent }> {
  return decided(shards, async (matchOutside) => {
    if (fragment.answer === 'partial') return partialOver(shards, fragment.expr, settings, matchOutside);
    const { fragments, remainder } = splitOverShards(fragment.expr, shards.length, matchOutside);
    const { rows, spent } = await askAll(shards, fragments, settings);
    if (shards.length === 1 && fragments.length === 1) return { rows: rows[0]!, spent };
    const value = evaluate(remainder, remainderContext(fragments, rows, settings));
    if (value.kind !== 'vector') throw new ComityError('unsupported', 'unsupported: a fragment must be a vector');
    return {
      rows: value.rows.map(({ labels, values, present }) => ({ labels, columns: { present, fields: [values] } })),
      spent,
    };
  });
}

/** The samples of a range vector at the first step, in no order of series. Throws as `evaluateOver`. */
export async function samplesOver(
  shards: readonly ShardReader[],
  expr: Extract<ShardFragment, { readonly answer: 'samples' }>['expr'],
  settings: RunSettings,
): Promise<readonly ShardRow[]> {
  return (await askAll(shards, [{ answer: 'samples', expr }], settings)).rows[0]!;
}

async function partialOver(
  shards: readonly ShardReader[],
  node: Aggregate,
  settings: RunSettings,
  matchOutside: boolean,
): Promise<{ readonly rows: readonly ShardRow[]; readonly spent: Spent }> {
  const { fragments, argument } = splitPartial(node, shards.length, matchOutside);
  const { rows, spent } = await askAll(shards, fragments, settings);
  if (shards.length === 1) return { rows: rows[0]!, spent };
  const ctx = remainderContext(argument === undefined ? [] : fragments, rows, settings);
  if (argument !== undefined) return { rows: aggregateGroups({ ...node, expr: argument }, ctx).list(), spent };
  return { rows: mergeGroups(node, rows[0]!, settings.grid.steps, ctx.usage).list(), spent };
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

interface Gathered {
  /** By fragment, the rows of all shards. */
  readonly rows: readonly (readonly ShardRow[])[];
  readonly spent: Spent;
}

async function askAll(
  shards: readonly ShardReader[],
  fragments: readonly ShardFragment[],
  settings: RunSettings,
): Promise<Gathered> {
  const { spent } = settings;
  if (fragments.length === 0) return { rows: [], spent };
  const query: ShardQuery = { ...settings, fragments, scope: shards.length === 1 ? settings.scope : 'shard' };
  const outcomes = await Promise.allSettled(shards.map((shard) => shard.run(query)));
  const answers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [toComityError(outcome.reason)] : []));
  // What one shard is sure of holds for all, whatever another could not decide.
  const error = errors.find(({ code }) => code !== 'undecided') ?? errors[0];
  if (error !== undefined) throw error;
  const total = addUp(spent, answers);
  assertWithinLimits(total);
  if (answers.length === 1) return { rows: answers[0]!.fragments, spent: total };
  return { rows: fragments.map((_none, i) => answers.flatMap((answer) => answer.fragments[i]!)), spent: total };
}

/** Each shard went on from what was spent before, so that counts once. */
function addUp(before: Spent, answers: readonly ShardAnswer[]): Spent {
  const added = (field: keyof Spent): number =>
    answers.reduce((sum, { spent }) => sum + spent[field] - before[field], before[field]);
  return { series: added('series'), cells: added('cells'), regexWork: added('regexWork') };
}

function remainderContext(
  fragments: readonly Fragment[],
  rows: readonly (readonly ShardRow[])[],
  settings: RunSettings,
): EvalContext {
  const { grid, lookbackMs, scope } = settings;
  const usage = remainderUsage(settings);
  const merged = fragments.map((fragment, i) => mergeFragment(fragment, rows[i]!, grid.steps, usage));
  return { grid, lookbackMs, source: NO_SOURCE, merged, usage, scope };
}

/** For work on what the shards answered, which was counted there. */
export function remainderUsage({ deadlineMs, cancelled }: Stoppable): Usage {
  return startUsage(deadlineMs, { cancelled });
}

const NO_SOURCE = {
  select: (): never => {
    throw new ComityError('internal', 'a selector was left outside the shards');
  },
  series: () => [],
};
