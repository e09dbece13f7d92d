import type { AtModifier, Expr, VectorSelector } from '../promql/ast.ts';
import { children } from '../promql/ast.ts';
import { mapChildren } from '../promql/map.ts';

/** A query at a time that must answer what another one does at its own. */
export interface Variant {
  readonly expr: Expr;
  readonly timeMs: number;
}

/**
 * The expression with every selector fixed to `timeMs`, at several times: since what it reads is the same, so is its value.
 * None for an expression whose value depends on the time by itself.
 */
export function atVariants(expr: Expr, timeMs: number): readonly Variant[] {
  if (callsUnsafe(expr)) return [];
  const fixed = fixedAt(expr, { kind: 'time', ms: timeMs });
  const times = timeMs === 0 ? [-1000, 0, 1000] : [-10 * timeMs, 0, Math.trunc(timeMs / 5), timeMs, 10 * timeMs];
  return times.map((time) => ({ expr: fixed, timeMs: time }));
}

/** Functions that look at the time of the evaluation, or at the times of samples, which `@` makes that time. */
const UNSAFE: ReadonlySet<string> = new Set(
  (
    'days_in_month day_of_month day_of_week day_of_year hour minute month year ' +
    'time timestamp predict_linear start end step range'
  ).split(' '),
);

function callsUnsafe(expr: Expr): boolean {
  return (expr.kind === 'call' && UNSAFE.has(expr.func)) || children(expr).some(callsUnsafe);
}

/** A subquery that is fixed fixes what it evaluates: its own steps count there. */
function fixedAt(expr: Expr, at: AtModifier): Expr {
  switch (expr.kind) {
    case 'vector':
      return fixedSelector(expr, at);
    case 'matrix':
      return { ...expr, selector: fixedSelector(expr.selector, at) };
    case 'subquery':
      return expr.at?.kind === 'time' ? expr : { ...expr, at };
    default:
      return mapChildren(expr, (child) => fixedAt(child, at));
  }
}

function fixedSelector(selector: VectorSelector, at: AtModifier): VectorSelector {
  return selector.at?.kind === 'time' ? selector : { ...selector, at };
}
