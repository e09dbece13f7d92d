import { stepTime } from '../../model/grid.ts';
import type { Call, VectorSelector } from '../../promql/ast.ts';
import type { CallRows, Evaluation } from '../evaluation.ts';
import { withoutNames } from '../names.ts';
import { readTimes } from '../select/read-times.ts';
import type { RowSink } from '../rows.ts';
import { selectSampleTimes, type SampleTimes } from '../select/sample-times.ts';

/** Functions of when samples were taken, in seconds since the epoch. */
export const TIMESTAMP_CALLS: ReadonlyMap<string, CallRows> = new Map<string, CallRows>([
  ['timestamp', timestampRows],
  ['start_timestamp', startTimestampRows],
]);

/** Over a selector, when its samples were taken; what any other expression gives is of the step's own time. */
function timestampRows(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const vector = node.args[0]!;
  if (vector.kind === 'vector') return timesOfSelector(vector, evaluation, ({ times }) => times, sink);
  const { grid } = evaluation;
  const values = new Float64Array(grid.steps).map((_value, step) => stepTime(grid, step) / 1000);
  withoutNames(vector, false, evaluation, sink, (named) =>
    evaluation.rows(vector, (row) => named({ ...row, values, histograms: undefined })),
  );
}

/** Nothing but over a selector, and only where start timestamps are in use. */
function startTimestampRows(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const vector = node.args[0]!;
  if (vector.kind !== 'vector') {
    // What its evaluation has to say counts all the same.
    return evaluation.rows(vector, () => {});
  }
  if (!evaluation.features.startTimestamps) return;
  timesOfSelector(vector, evaluation, ({ startTimes }) => startTimes, sink);
}

function timesOfSelector(
  selector: VectorSelector,
  evaluation: Evaluation,
  columnOf: (row: SampleTimes) => Float64Array,
  sink: RowSink,
): void {
  const read = readTimes(selector, evaluation);
  const range = [read.firstMs - evaluation.lookbackMs + 1, read.lastMs] as const;
  // As in Prometheus, which then takes the last of these samples up to the time of `@` itself, whatever the offset.
  const lookup = selector.at === undefined ? read : readTimes({ ...selector, offsetMs: 0 }, evaluation);
  withoutNames(selector, false, evaluation, sink, (named) =>
    selectSampleTimes(selector, lookup, range, evaluation, (row) => {
      const values = columnOf(row).map((timeMs) => timeMs / 1000);
      named({ labels: row.labels, values, present: row.present });
    }),
  );
}
