import { costOf } from './admission.ts';
import { reachOf } from '../engine/rollup/call.ts';
import { readTimes } from '../engine/select/read-times.ts';
import { subqueryGrid } from '../engine/select/subquery.ts';
import { LIMITS } from '../base/limits.ts';
import { firstStep, type StepGrid } from '../model/grid.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Fragment } from '../plan/distribute.ts';
import { estimateAnswer } from '../plan/explain/estimate.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import type { ReadSize } from '../store/read-size.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';

/** Series that an evaluation will read: those that satisfy all matchers, their samples in [fromMs, toMs], over `steps`. */
export interface SelectorRead {
  readonly matchers: readonly Matcher[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Of the place where the selector stands: in a subquery those of the subquery. */
  readonly steps: number;
}

/**
 * How far the samples that are really read may be off an estimate, either way; farther only where very few of very many
 * series have most of them.
 */
export const ESTIMATE_FACTOR = 2;

/** What an evaluation is going to take. */
export interface Estimate {
  readonly series: number;
  /** Series x steps. */
  readonly cells: number;
  readonly samples: number;
  /** The most that the answer holds. */
  readonly bytes: number;
  /** Whether the numbers were looked up; what nobody knows passes no limit. */
  readonly isKnown: boolean;
}

export const NOTHING: Estimate = { series: 0, cells: 0, samples: 0, bytes: 0, isKnown: true };

/** What reading a fragment comes to, selector by selector, as the engine reads. Throws `limit` for a subquery's steps. */
export function fragmentReads({ expr, grid }: Pick<Fragment, 'expr' | 'grid'>, lookbackMs: number): SelectorRead[] {
  const reads: SelectorRead[] = [];
  collectReads(expr, grid, lookbackMs, reads);
  return reads;
}

/** What a fragment takes, from the sizes of its reads; `sizes` undefined where nobody could say. */
export function fragmentEstimate(
  fragment: Fragment,
  reads: readonly SelectorRead[],
  sizes: readonly ReadSize[] | undefined,
): Estimate {
  let [series, cells, samples] = [0, 0, 0];
  for (const [i, { steps }] of reads.entries()) {
    const size = sizes === undefined ? UNKNOWN : sizes[i]!;
    series += size.series;
    cells += size.series * steps;
    samples += size.samples;
  }
  const bytes = Math.min(estimateAnswer(fragment, series).bytes, LIMITS.answerBytes);
  return { series, cells, samples, bytes, isKnown: sizes !== undefined };
}

/** What two fragments of a request take together. */
export function together(one: Estimate, other: Estimate): Estimate {
  return {
    series: one.series + other.series,
    cells: one.cells + other.cells,
    samples: one.samples + other.samples,
    bytes: Math.min(one.bytes + other.bytes, LIMITS.answerBytes),
    isKnown: one.isKnown && other.isKnown,
  };
}

/**
 * The limit of one request that an evaluation is bound to pass, as a refusal; undefined where it may stay within. Series and
 * cells are counted as the engine counts them, samples are not, so that only twice the limit is sure to be past it.
 */
export function pastLimit({ series, cells, samples, isKnown }: Estimate): Refusal | undefined {
  if (!isKnown) return undefined;
  if (series > LIMITS.seriesPerQuery) return { code: 'limit', name: 'seriesPerQuery' };
  if (cells > LIMITS.cellsPerQuery) return { code: 'limit', name: 'cellsPerQuery' };
  if (samples > LIMITS.samplesPerQuery * ESTIMATE_FACTOR) return { code: 'limit', name: 'samplesPerQuery' };
  return undefined;
}

/** What a request claims: no more than the limits let it use, nor than is sensible where nobody knows. */
export function claimedCost(estimate: Estimate): number {
  const most = estimate.isKnown ? LIMITS.samplesPerQuery + LIMITS.cellsPerQuery : UNKNOWN_COST_MAX;
  return Math.min(costOf(estimate), most);
}

/** Of a request to another server, which has limits of its own. */
const UNKNOWN_COST_MAX = 50_000_000;

/** What a selector is taken for where finding out costs as much as the query: a service or two, an hour at 15 s. */
const UNKNOWN: ReadSize = { series: 1_000, samples: 240_000 };

function collectReads(expr: Expr, grid: StepGrid, lookbackMs: number, reads: SelectorRead[]): void {
  switch (expr.kind) {
    case 'vector':
      reads.push(selectorRead(expr, lookbackMs - 1, grid, lookbackMs));
      return;
    case 'matrix':
      reads.push(selectorRead(expr.selector, expr.rangeMs - 1, grid, lookbackMs));
      return;
    case 'subquery': {
      const inner = subqueryGrid(expr, grid);
      if (inner.steps > 0) collectReads(expr.expr, inner, lookbackMs, reads);
      return;
    }
    case 'once':
      collectReads(expr.expr, firstStep(grid), lookbackMs, reads);
      return;
    case 'merged':
      return;
    default:
      for (const child of children(expr)) collectReads(child, grid, lookbackMs, reads);
  }
}

/** `beforeMs`: how long before the first time that it is read at its samples begin. */
function selectorRead(selector: VectorSelector, beforeMs: number, grid: StepGrid, lookbackMs: number): SelectorRead {
  const { firstMs, lastMs } = readTimes(selector, { grid });
  const reach = reachOf(selector.extended, lookbackMs);
  return {
    matchers: selector.matchers,
    fromMs: firstMs - beforeMs - reach.beforeMs,
    toMs: lastMs + reach.afterMs,
    steps: grid.steps,
  };
}
