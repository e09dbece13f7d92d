import { histogramVariance } from '../../model/histogram-variance.ts';
import { COUNT_CELL, histogramAt, isHistogramAt, SUM_CELL, type HistogramColumns } from '../../model/histogram.ts';
import { METRIC_NAME, withLabel, type Labels } from '../../model/labels.ts';
import type { CallRows } from '../evaluation.ts';
import { withoutNames } from '../names.ts';
import { anyPresent, type RowSink } from '../rows.ts';

/** Functions of native histograms, each on its own; floats are left out. */
export const HISTOGRAM_CALLS: ReadonlyMap<string, CallRows> = new Map<string, CallRows>([
  ['histogram_count', histogramCall((columns, step) => cellAt(columns, step, COUNT_CELL))],
  ['histogram_sum', histogramCall((columns, step) => cellAt(columns, step, SUM_CELL))],
  [
    'histogram_avg',
    histogramCall((columns, step) => cellAt(columns, step, SUM_CELL) / cellAt(columns, step, COUNT_CELL)),
  ],
  ['histogram_stdvar', histogramCall((columns, step) => histogramVariance(histogramAt(columns, step)))],
  ['histogram_stddev', histogramCall((columns, step) => Math.sqrt(histogramVariance(histogramAt(columns, step))))],
]);

function cellAt({ cells, starts }: HistogramColumns, step: number, cell: number): number {
  return cells[starts[step]! + cell]!;
}

function histogramCall(read: (columns: HistogramColumns, step: number) => number): CallRows {
  return (node, evaluation, sink) => {
    const { steps } = evaluation.grid;
    const values = new Float64Array(steps);
    const present = new Uint8Array(steps);
    const [input] = node.args;
    const run = (named: RowSink): void =>
      evaluation.rows(input!, (row) => {
        const { histograms } = row;
        if (histograms === undefined) return;
        for (let step = 0; step < steps; step++) {
          present[step] = row.present[step] === 1 && isHistogramAt(histograms, step) ? 1 : 0;
          if (present[step] === 1) values[step] = read(histograms, step);
        }
        if (anyPresent(present)) named({ ...row, values, present, histograms: undefined });
      });
    withoutNames(input!, false, evaluation, sink, run, withoutMetricName);
  };
}

/** These functions leave the labels of type and unit, unlike all others. */
function withoutMetricName(labels: Labels): Labels {
  return withLabel(labels, METRIC_NAME, '');
}
