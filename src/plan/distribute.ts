import { isScalar } from '../engine/scalar.ts';
import type { QueryGrid } from '../model/grid.ts';
import { isPartialOp } from '../partial/algebra.ts';
import type { Aggregate, Expr } from '../promql/ast.ts';
import { printExpr } from '../promql/print.ts';
import { keepsDomain } from './domain.ts';
import { mapChildren, normalise } from './normalise.ts';

/** The piece of a query that the domains answer: a whole vector, or the partial state of an aggregation. */
export type Fragment =
  | { readonly answer: 'vector'; readonly expr: Expr }
  | { readonly answer: 'partial'; readonly expr: Aggregate };

/** A query split in two: what each domain is asked, and what the hub makes of the merged answers. */
export interface Plan {
  readonly fragments: readonly Fragment[];
  /** The hub's part; its `merged` leaves are the fragments' answers by index. */
  readonly remainder: Expr;
}

/**
 * Splits a checked expression. Going down from the root, the largest piece that keeps the domain runs whole inside each
 * domain; an aggregation that drops the domain over such a piece runs in two levels; the rest stays with the hub. Raw
 * samples are never asked for: a selector always ends up inside a fragment. For `matchAtHub` see `keepsDomain`.
 */
export function distribute(expr: Expr, grid: QueryGrid, domainLabel: string, matchAtHub = false): Plan {
  const fragments: Fragment[] = [];
  const indexOf = new Map<string, number>();

  function fragmentLeaf(fragment: Fragment): Expr {
    const key = `${fragment.answer} ${printExpr(fragment.expr)}`;
    let index = indexOf.get(key);
    if (index === undefined) {
      index = fragments.length;
      indexOf.set(key, index);
      fragments.push(fragment);
    }
    return { kind: 'merged', index, of: fragment.expr, span: fragment.expr.span };
  }

  function split(node: Expr): Expr {
    if (isScalar(node)) return node;
    if (keepsDomain(node, domainLabel, matchAtHub)) return fragmentLeaf({ answer: 'vector', expr: node });
    if (node.kind === 'aggregate' && isPartialOp(node.op) && keepsDomain(node.expr, domainLabel, matchAtHub)) {
      return fragmentLeaf({ answer: 'partial', expr: node });
    }
    return mapChildren(node, split);
  }

  const remainder = split(normalise(expr, grid));
  return { fragments, remainder };
}
