import type { StepGrid } from '../model/grid.ts';
import { subqueryGrid } from '../engine/select/subquery.ts';
import { readTimes } from '../engine/select/read-times.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';

/** Times in ms, both included. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The times of the samples that a normalised expression may look at over these steps; undefined where it reads none. */
export function readRange(expr: Expr, grid: StepGrid, lookbackMs: number): TimeRange | undefined {
  switch (expr.kind) {
    case 'vector':
      return selectorRange(expr, lookbackMs, grid, lookbackMs);
    case 'matrix':
      return selectorRange(expr.selector, expr.rangeMs, grid, lookbackMs);
    case 'subquery':
      return readRange(expr.expr, subqueryGrid(expr, grid), lookbackMs);
    default:
      return children(expr)
        .map((child) => readRange(child, grid, lookbackMs))
        .reduce(joined, undefined);
  }
}

function selectorRange(selector: VectorSelector, windowMs: number, grid: StepGrid, lookbackMs: number): TimeRange {
  const { firstMs, lastMs } = readTimes(selector, { grid });
  // What is extended takes in the sample before its window, and a smoothed one also that behind it.
  const before = selector.extended === undefined ? 0 : lookbackMs;
  const behind = selector.extended === 'smoothed' ? lookbackMs : 0;
  return { fromMs: firstMs - windowMs - before, toMs: lastMs + behind };
}

function joined(one: TimeRange | undefined, other: TimeRange | undefined): TimeRange | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return { fromMs: Math.min(one.fromMs, other.fromMs), toMs: Math.max(one.toMs, other.toMs) };
}
