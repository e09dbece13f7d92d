import type { StepGrid } from '../model/grid.ts';
import { splitExpr, type Fragment, type Plan } from '../plan/distribute.ts';
import type { PlaceRule } from '../plan/keeps.ts';
import type { Expr } from '../promql/ast.ts';
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

/** A fragment whose answer is groups that are left unfinished. */
export type GroupsFragment = Extract<Fragment, { readonly answer: 'partial' | 'sketch' }>;

/** The same for such a fragment: what is asked for its groups, or what its argument is made of. */
export function splitGroups(fragment: GroupsFragment, shards: number, matchOutside: boolean): GroupsPlan {
  const plan = splitOverShards(fragment.expr.expr, fragment.grid, shards, matchOutside);
  const { remainder } = plan;
  if (remainder.kind === 'merged' && plan.fragments[remainder.index]!.answer === 'vector') return { fragment };
  return { plan };
}

/** Either groups that the shards answer, or a plan for the argument, which whoever asks aggregates. */
type GroupsPlan =
  | { readonly fragment: GroupsFragment; readonly plan?: undefined }
  | { readonly plan: Plan; readonly fragment?: undefined };
