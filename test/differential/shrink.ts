import { children, type Expr, type VectorSelector } from '../../src/promql/ast.ts';
import { shrink } from '../shrink.ts';
import type { Case, When } from './generator.ts';

/** Enough for trees of the generator's size; each attempt asks both sides once. */
const ATTEMPTS_MAX = 150;

/**
 * The smallest case found that still fails: sub-expressions take their parents' places, modifiers and matchers go, and
 * a range query becomes an instant one. An ill-typed attempt is an error on both sides and so does not fail.
 */
export function shrinkCase(failing: Case, fails: (attempt: Case) => Promise<boolean>): Promise<Case> {
  return shrink(failing, smallerCases, fails, ATTEMPTS_MAX);
}

function* smallerCases({ expr, when }: Case): Iterable<Case> {
  for (const smaller of smallerTrees(expr)) yield { expr: smaller, when };
  for (const sooner of smallerTimes(when)) yield { expr, when: sooner };
}

function* smallerTimes(when: When): Iterable<When> {
  if (when.kind === 'instant') return;
  for (let timeMs = when.startMs; timeMs <= when.endMs; timeMs += when.stepMs) yield { kind: 'instant', timeMs };
}

/** Every tree that is one simplification away. */
function* smallerTrees(expr: Expr): Iterable<Expr> {
  yield* children(expr);
  switch (expr.kind) {
    case 'paren':
    case 'unary':
    case 'once':
      for (const inner of smallerTrees(expr.expr)) yield { ...expr, expr: inner };
      return;
    case 'vector':
      yield* smallerSelectors(expr);
      return;
    case 'matrix':
      for (const inner of smallerSelectors(expr.selector)) yield { ...expr, selector: inner };
      return;
    case 'aggregate':
      for (let i = 0; i < expr.grouping.length; i++) yield { ...expr, grouping: expr.grouping.toSpliced(i, 1) };
      for (const inner of smallerTrees(expr.expr)) yield { ...expr, expr: inner };
      return;
    case 'call':
      for (const [i, argument] of expr.args.entries()) {
        for (const inner of smallerTrees(argument)) yield { ...expr, args: expr.args.with(i, inner) };
      }
      return;
    case 'binary':
      for (const left of smallerTrees(expr.left)) yield { ...expr, left };
      for (const right of smallerTrees(expr.right)) yield { ...expr, right };
      return;
    case 'subquery': {
      const { at, ...rest } = expr;
      if (at !== undefined) yield rest;
      if (expr.offsetMs !== 0) yield { ...expr, offsetMs: 0 };
      for (const inner of smallerTrees(expr.expr)) yield { ...expr, expr: inner };
      return;
    }
    case 'number':
    case 'string':
    case 'merged':
  }
}

function* smallerSelectors(selector: VectorSelector): Iterable<VectorSelector> {
  const { at, ...rest } = selector;
  if (at !== undefined) yield rest;
  if (selector.offsetMs !== 0) yield { ...selector, offsetMs: 0 };
  // The first matcher is the metric's name.
  for (let i = 1; i < selector.matchers.length; i++) yield { ...selector, matchers: selector.matchers.toSpliced(i, 1) };
}
