import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { stepTime, type StepGrid } from '../../model/grid.ts';
import { GAUGE, RESET_UNKNOWN, type HistogramColumns } from '../../model/histogram.ts';
import type { Subquery } from '../../promql/ast.ts';
import type { RangeSeries } from '../evaluation.ts';
import { readTimes } from './read-times.ts';
import type { Row } from '../rows.ts';

/**
 * The steps at which a subquery's expression is evaluated for all steps of `grid` together: the multiples of its step in
 * the range before the first one and up to the last. None (`steps` 0) where no multiple lies in there. Throws `limit`.
 */
export function subqueryGrid(node: Subquery, grid: StepGrid): StepGrid {
  if (node.stepMs === undefined) throw new ComityError('internal', 'normalise gives every subquery a step');
  const { stepMs, rangeMs } = node;
  const { firstMs, lastMs } = readTimes(node, { grid });
  const startMs = (Math.floor((firstMs - rangeMs) / stepMs) + 1) * stepMs;
  if (grid.steps === 0 || lastMs < startMs) return { startMs, stepMs, steps: 0 };
  const steps = Math.floor((lastMs - startMs) / stepMs) + 1;
  if (steps > LIMITS.stepsPerFragment) {
    throw new ComityError(
      'limit',
      `the subquery [${rangeMs}ms:${stepMs}ms] has ${steps} steps, and at most ${LIMITS.stepsPerFragment} are evaluated. Raise its step or shorten its range`,
    );
  }
  return { startMs, stepMs, steps, endMs: lastMs };
}

/** The times of a grid, one a step. */
export function gridTimes(grid: StepGrid): Float64Array {
  const times = new Float64Array(grid.steps);
  for (let step = 0; step < times.length; step++) times[step] = stepTime(grid, step);
  return times;
}

/** A row over the steps at `times` as the samples that it has; views of both where it has one at every step. */
export function samplesOfRow(row: Row, times: Float64Array): RangeSeries {
  const { labels, values, present, histograms, dropsName } = row;
  if (!present.includes(0)) return { labels, times, values, histograms, dropsName };
  let count = 0;
  for (let step = 0; step < present.length; step++) count += present[step]!;
  const kept = new Uint32Array(count);
  for (let step = 0, next = 0; next < count; step++) if (present[step] === 1) kept[next++] = step;
  return {
    labels,
    times: Float64Array.from(kept, (step) => times[step]!),
    values: Float64Array.from(kept, (step) => values[step]!),
    histograms: histograms === undefined ? undefined : pickRows(histograms, kept),
    dropsName,
  };
}

/** The rows of columns that are asked for, in that order; they share the numbers. */
export function pickRows(histograms: HistogramColumns, rows: Uint32Array): HistogramColumns {
  const { layouts, layoutOf, hints, starts, cells } = histograms;
  return {
    layouts,
    layoutOf: Int32Array.from(rows, (row) => layoutOf[row]!),
    hints: Uint8Array.from(rows, (row) => hints[row]!),
    starts: Uint32Array.from(rows, (row) => starts[row]!),
    cells,
  };
}

/**
 * The samples without what their histograms say of counter resets. A subquery leaves out samples and repeats others, so that
 * what one says of the sample before it need not hold here.
 */
export function withoutResetHints(series: RangeSeries): RangeSeries {
  const { histograms } = series;
  if (histograms === undefined) return series;
  const hints = histograms.hints.map((hint) => (hint === GAUGE ? GAUGE : RESET_UNKNOWN));
  return { ...series, histograms: { ...histograms, hints } };
}
