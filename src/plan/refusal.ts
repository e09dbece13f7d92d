import { ComityError } from '../base/errors.ts';
import type { Expr } from '../promql/ast.ts';
import { printExpr } from '../promql/print.ts';

/**
 * Why a federation cannot answer an expression whatever its domains let out: `range_vector` is raw samples,
 * `series_parameter` a function of a range vector whose parameter is worked out from series, so that samples of one domain
 * would have to meet a value of all.
 */
export type PlanReason = 'range_vector' | 'series_parameter';

const WORDS: Readonly<Record<PlanReason, string>> = {
  range_vector: 'a range vector is raw samples, and those never leave their domain',
  series_parameter:
    'its parameter is worked out from series of all domains, and the samples that it is for never leave theirs',
};

/** An expression that cannot be split. Whoever has the query's text says where it stands and what works instead. */
export class PlanRefusal extends ComityError {
  readonly node: Expr;
  readonly reason: PlanReason;

  constructor(node: Expr, reason: PlanReason) {
    super('refused', `refused: ${printExpr(node)}: ${WORDS[reason]}`);
    this.node = node;
    this.reason = reason;
  }

  /** The reason in words. */
  get words(): string {
    return WORDS[this.reason];
  }
}
