import type { StepGrid } from '../model/grid.ts';
import { splitExpr, type Fragment, type Plan } from '../plan/distribute.ts';
import type { PlaceRule } from '../plan/keeps.ts';
import type { Aggregate, Expr } from '../promql/ast.ts';
import { shardRule } from './keeps-shard.ts';

/** A single shard has all series, so it is asked whole vectors. */
const ONE_SHARD: PlaceRule = {
  isWhole: true,
  matching: () => true,
  grouping: () => true,
  relabelling: () => true,
};

/** Splits a normalised expression between `shards` shards and whoever asks them. */
export function splitOverShards(expr: Expr, grid: StepGrid, shards: number, matchOutside: boolean): Plan {
  return splitExpr(expr, grid, shards === 1 ? ONE_SHARD : shardRule(matchOutside));
}

/**
 * The same for an aggregation whose groups are to be left unfinished: what is asked for its partial, or what its argument is
 * made of.
 */
export function splitPartial(node: Aggregate, grid: StepGrid, shards: number, matchOutside: boolean): PartialPlan {
  const plan = splitOverShards(node.expr, grid, shards, matchOutside);
  const { remainder } = plan;
  if (remainder.kind === 'merged' && plan.fragments[remainder.index]!.answer === 'vector') {
    return { fragment: { answer: 'partial', expr: node, grid } };
  }
  return { plan };
}

/** Either a partial that the shards answer, or a plan for the argument, which whoever asks aggregates. */
export type PartialPlan =
  | { readonly fragment: Extract<Fragment, { readonly answer: 'partial' }>; readonly plan?: undefined }
  | { readonly plan: Plan; readonly fragment?: undefined };
