import { isScalar } from '../engine/scalar.ts';
import type { QueryGrid } from '../model/grid.ts';
import { isPartialOp } from '../partial/algebra.ts';
import type { Aggregate, Expr } from '../promql/ast.ts';
import { printExpr } from '../promql/print.ts';
import { domainRule } from './domain.ts';
import { keepsPlace, type PlaceRule } from './keeps.ts';
import { mapChildren, normalise } from './normalise.ts';

/** The piece of a query that every place (a domain, a shard) answers: a whole vector, or an aggregation's partial state. */
export type Fragment =
  | { readonly answer: 'vector'; readonly expr: Expr }
  | { readonly answer: 'partial'; readonly expr: Aggregate };

/** A query split in two: what each place is asked, and what whoever asks makes of the merged answers. */
export interface Plan {
  readonly fragments: readonly Fragment[];
  /** The asker's part; its `merged` leaves are the fragments' answers by index. */
  readonly remainder: Expr;
}

/**
 * Splits a checked expression between the hub and its domains. Raw samples are never asked for: a selector always ends up
 * inside a fragment. For `matchAtHub` see `domainRule`.
 */
export function distribute(expr: Expr, grid: QueryGrid, domainLabel: string, matchAtHub = false): Plan {
  return splitExpr(normalise(expr, grid), domainRule(domainLabel, matchAtHub));
}

/**
 * Splits a normalised expression. Going down from the root, the largest piece that keeps the place runs whole inside each
 * place; an aggregation that drops it over such a piece runs in two levels; the rest stays with the asker.
 */
export function splitExpr(expr: Expr, rule: PlaceRule): Plan {
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
    if (keepsPlace(node, rule)) return fragmentLeaf({ answer: 'vector', expr: node });
    if (node.kind === 'aggregate' && keepsPlace(node.expr, rule)) {
      if (isPartialOp(node.op)) return fragmentLeaf({ answer: 'partial', expr: node });
      if (rule.picksFirst === true && PICKING_OPS.has(node.op)) {
        return { ...node, expr: fragmentLeaf({ answer: 'vector', expr: node }) };
      }
    }
    return mapChildren(node, split);
  }

  return { fragments, remainder: split(expr) };
}

/** The best of all are among the best of each place. */
const PICKING_OPS: ReadonlySet<string> = new Set(['topk', 'bottomk']);
