import { ROLLUPS } from '../engine/rollup/rollups.ts';
import { sharesOneName } from '../engine/names.ts';
import { readsSeries } from '../engine/scalar.ts';
import { children, type Call, type Expr } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Fragment } from './distribute.ts';

/**
 * Whether each step of a fragment comes to the same whatever other steps are asked with it, so that its steps may be asked and
 * kept apart. Most do. Not so:
 * - where names go at the end of the evaluation: rows may come with the same labels, and the last step decides for a group;
 * - where a function of ranges drops metric names that differ: as in Prometheus, series that then have the same labels are an
 *   error even if they are never there at the same step;
 * - what is evaluated once with a parameter that differs from step to step, which the first step decides;
 * - native histograms of which counts and sums alone are read: the first one that is read has no reset hint.
 */
export function isStepwise({ expr }: Fragment, features: PromqlFeatures): boolean {
  return !features.delayedNameRemoval && !hangsOnSteps(expr, features);
}

function hangsOnSteps(expr: Expr, features: PromqlFeatures): boolean {
  switch (expr.kind) {
    case 'vector':
      return expr.statsOnly === true;
    case 'once':
      if (hasOwnParameter(expr.expr)) return true;
      break;
    case 'call':
      if (joinsNames(expr, features)) return true;
      // They compare neighbours within their range and take no hint from the first.
      if (OF_DIFFERENCES.has(expr.func) && expr.args[0]?.kind === 'matrix') return false;
      break;
    case 'matrix':
      return expr.selector.statsOnly === true;
    default:
  }
  return children(expr).some((child) => hangsOnSteps(child, features));
}

const OF_DIFFERENCES: ReadonlySet<string> = new Set(['rate', 'increase']);

/** Whether an aggregation in there has a parameter that may differ from step to step. */
function hasOwnParameter(expr: Expr): boolean {
  if (expr.kind === 'aggregate' && expr.param !== undefined && !isConstant(expr.param)) return true;
  return children(expr).some(hasOwnParameter);
}

function isConstant(expr: Expr): boolean {
  if (expr.kind === 'call' || readsSeries(expr)) return false;
  return children(expr).every(isConstant);
}

/** Whether a function of ranges could make series equal by dropping their names. */
function joinsNames({ func, args }: Call, { typeAndUnitLabels }: PromqlFeatures): boolean {
  const range = args.map(unwrapped).find(({ kind }) => kind === 'matrix' || kind === 'subquery');
  if (range === undefined || ROLLUPS.get(func)?.keepsName === true) return false;
  return typeAndUnitLabels || !sharesOneName(range);
}

function unwrapped(expr: Expr): Expr {
  return expr.kind === 'once' || expr.kind === 'paren' ? unwrapped(expr.expr) : expr;
}
