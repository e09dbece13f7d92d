import { LIMITS } from '../../base/limits.ts';
import type { QueryGrid } from '../../model/grid.ts';
import type { Expr, Span } from '../../promql/ast.ts';
import { mapChildren } from '../../promql/map.ts';
import { distribute, type Fragment, type Plan } from '../distribute.ts';
import { mayReadFrom } from '../domain.ts';
import { spanOfNode } from '../frames/preorder.ts';
import { PlanRefusal, type PlanReason } from '../refusal.ts';
import type { Refusal, RefusalCode } from '../frames/refusal-codec.ts';

/** Why a query is not answered, and where in its text that lies. */
export interface Fault {
  readonly code: RefusalCode | PlanReason;
  /** The metric, label or operator at fault; empty where there is none. */
  readonly name: string;
  readonly span: Span;
  /** The domain that refuses; undefined where the planner does. */
  readonly domain: string | undefined;
}

/** What decides over a query short of asking anybody. */
export interface Judge {
  readonly grid: QueryGrid;
  readonly domainLabel: string;
  readonly domains: readonly string[];
  /** The verdict of a domain's policy on a fragment whose nodes have their preorder index as their span. */
  check(fragment: Fragment, domain: string): Refusal | undefined;
}

/** The first thing that keeps a parsed query from being answered, as far as the planner and the judge know. */
export function faultOf(expr: Expr, text: string, approx: number | undefined, judge: Judge): Fault | undefined {
  let plan: Plan;
  try {
    plan = distribute(expr, judge.grid, { domainLabel: judge.domainLabel, approx, text });
  } catch (error) {
    if (!(error instanceof PlanRefusal)) throw error;
    return { code: error.reason, name: '', span: error.node.span, domain: undefined };
  }
  if (plan.fragments.length > LIMITS.fragmentsPerQuery) {
    return { code: 'limit', name: '', span: expr.span, domain: undefined };
  }
  for (const fragment of plan.fragments) {
    const asked = numbered(fragment);
    for (const domain of judge.domains) {
      if (!mayReadFrom(fragment.expr, judge.domainLabel, domain)) continue;
      const refusal = judge.check(asked, domain);
      if (refusal === undefined) continue;
      const { code, name, node } = refusal;
      const span = node === undefined ? fragment.expr.span : spanOfNode(fragment.expr, node);
      return { code, name, span, domain };
    }
  }
  return undefined;
}

/** The fragment as an agent reads it: every node has its preorder index as its span. */
function numbered<Asked extends Fragment>(fragment: Asked): Asked {
  let next = 0;
  const number = (expr: Expr): Expr => {
    const index = next++;
    const span = { start: index, end: index };
    if (expr.kind === 'matrix') {
      const selector = { ...expr.selector, span: { start: next, end: next } };
      next++;
      return { ...expr, selector, span };
    }
    if (expr.kind !== 'aggregate') return { ...mapChildren(expr, number), span };
    // The parameter comes first, as in the text.
    const param = expr.param === undefined ? {} : { param: number(expr.param) };
    return { ...expr, ...param, expr: number(expr.expr), span };
  };
  return { ...fragment, expr: number(fragment.expr) };
}
