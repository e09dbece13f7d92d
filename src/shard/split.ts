import { isScalar } from '../engine/scalar.ts';
import { splitExpr, type Fragment, type Plan } from '../plan/distribute.ts';
import type { Aggregate, Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import { shardRule } from './keeps-shard.ts';

/**
 * Splits a normalised expression between `shards` shards and whoever asks them. A single shard has all series, so it is
 * asked the whole.
 */
export function splitOverShards(expr: Expr, shards: number, matchOutside: boolean): Plan {
  if (shards > 1) return splitExpr(expr, shardRule(matchOutside));
  if (isScalar(expr) || typeOf(expr) !== 'vector') return { fragments: [], remainder: expr };
  const whole: Fragment = { answer: 'vector', expr };
  return { fragments: [whole], remainder: { kind: 'merged', index: 0, of: expr, span: expr.span } };
}

/**
 * The same for an aggregation whose groups are to be left unfinished: what is asked for its partial, or what its argument is
 * made of.
 */
export function splitPartial(node: Aggregate, shards: number, matchOutside: boolean): PartialPlan {
  const whole: Fragment = { answer: 'partial', expr: node };
  if (shards === 1) return { fragments: [whole], argument: undefined };
  const { fragments, remainder } = splitExpr(node.expr, shardRule(matchOutside));
  if (remainder.kind === 'merged' && fragments[0]!.answer === 'vector') {
    return { fragments: [whole], argument: undefined };
  }
  return { fragments, argument: remainder };
}

export interface PartialPlan {
  readonly fragments: readonly Fragment[];
  /** What the asker aggregates; undefined where the shards do. */
  readonly argument: Expr | undefined;
}
