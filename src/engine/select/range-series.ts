import type { MatrixSelector, Subquery } from '../../promql/ast.ts';
import { readSeries } from '../context.ts';
import type { Evaluation, RangeSeries } from '../evaluation.ts';
import { copyHistograms } from './histogram-rows.ts';
import { readTimes } from './read-times.ts';
import type { OnStep, Reach } from '../rollup/kernels.ts';
import { assertCells } from '../rows.ts';
import { withoutStale } from './samples.ts';
import { statsOf } from './stats-only.ts';
import { gridTimes, samplesOfRow, subqueryGrid, withoutResetHints } from './subquery.ts';
import { spend } from '../usage.ts';

/**
 * Takes one series after the other of a range vector, over all windows of the steps: without staleness markers, sorted by
 * time. The columns are only valid until it returns. It may look round only by `onStep`, which is told of the samples that a
 * step has looked at; it is given where the work on a series is so long that it has to be.
 */
export type TakeSeries = (series: RangeSeries, onStep: OnStep | undefined) => void;

/** Work on one series past which it is looked round in between; its columns are copied for that. */
const LONG_WORK = 65_536;

/**
 * Streams the series of a range vector: of a selector, or of a subquery at its own steps.
 *
 * @param reach how far beyond its windows a selector is read.
 * @param workOf the work on a series, in cells.
 *
 * Throws `limit`.
 */
export function eachRangeSeries(
  range: MatrixSelector | Subquery,
  reach: Reach,
  evaluation: Evaluation,
  workOf: (series: RangeSeries) => number,
  take: TakeSeries,
): void {
  const onStep = (samples: number): void => spend(evaluation.usage, samples);
  if (range.kind === 'subquery') return eachSubqueryRow(range, evaluation, workOf, take, onStep);
  const { firstMs, lastMs } = readTimes(range.selector, evaluation);
  const fromMs = firstMs - range.rangeMs - reach.beforeMs + 1;
  for (const stored of readSeries(range.selector.matchers, fromMs, lastMs + reach.afterMs, evaluation)) {
    const read = range.selector.statsOnly === true ? statsOf(stored) : stored;
    const isLong = workOf(read) > LONG_WORK;
    take(withoutStale(isLong ? ownCopy(read) : read), isLong ? onStep : undefined);
  }
}

/**
 * No row may be held on to while it is looked round, so those that are much work wait until all rows have come, and the others
 * never wait.
 */
function eachSubqueryRow(
  node: Subquery,
  evaluation: Evaluation,
  workOf: (series: RangeSeries) => number,
  take: TakeSeries,
  onStep: OnStep,
): void {
  const grid = subqueryGrid(node, evaluation.grid);
  if (grid.steps === 0) return;
  const times = gridTimes(grid);
  const waiting: RangeSeries[] = [];
  let cells = 0;
  evaluation.onGrid(grid).rows(node.expr, (row) => {
    const series = withoutResetHints(samplesOfRow(row, times));
    const work = workOf(series);
    if (work <= LONG_WORK) {
      take(series, undefined);
      evaluation.usage.work += work;
      return;
    }
    const kept = ownCopy(series);
    cells += 2 * kept.times.length + (kept.histograms?.cells.length ?? 0);
    assertCells(cells);
    waiting.push(kept);
  });
  for (const series of waiting) take(series, onStep);
}

/** A copy of the columns that may be kept. */
export function ownCopy({ labels, times, values, histograms, startTimes, dropsName }: RangeSeries): RangeSeries {
  return {
    labels,
    times: times.slice(),
    values: values.slice(),
    histograms: copyHistograms(new Uint8Array(times.length).fill(1), histograms),
    startTimes: typeof startTimes === 'object' ? startTimes.slice() : startTimes,
    dropsName,
  };
}
