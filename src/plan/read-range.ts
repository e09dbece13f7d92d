import type { StepGrid } from '../model/grid.ts';
import { subqueryGrid } from '../engine/select/subquery.ts';
import { readTimes } from '../engine/select/read-times.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';

/** Times in ms, both included. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The steps of a grid whose times lie in a range: from `first` to before `end`, none where that is not behind `first`. */
export function stepsWithin(
  { startMs, stepMs, steps }: StepGrid,
  { fromMs, toMs }: TimeRange,
): { readonly first: number; readonly end: number } {
  const first = Math.max(0, Math.ceil((fromMs - startMs) / stepMs));
  return { first, end: Math.min(steps, Math.floor((toMs - startMs) / stepMs) + 1) };
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
  const { fromMs, toMs } = selectorWindow(selector, windowMs, lookbackMs);
  return { fromMs: firstMs + fromMs, toMs: lastMs + toMs };
}

/** What a selector looks at around the time that it is read at. `windowMs`: its range, or for an instant the lookback. */
export function selectorWindow({ extended }: VectorSelector, windowMs: number, lookbackMs: number): TimeRange {
  // What is extended takes in the sample before its window, and a smoothed one also that behind it.
  const before = extended === undefined ? 0 : lookbackMs;
  const behind = extended === 'smoothed' ? lookbackMs : 0;
  return { fromMs: -windowMs - before, toMs: behind };
}

function joined(one: TimeRange | undefined, other: TimeRange | undefined): TimeRange | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return { fromMs: Math.min(one.fromMs, other.fromMs), toMs: Math.max(one.toMs, other.toMs) };
}
