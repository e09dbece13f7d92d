import type { Call } from '../../promql/ast.ts';
import { ABSENT_CALLS } from './absent.ts';
import { DATE_CALLS } from './date-calls.ts';
import type { CallRows, Evaluation } from '../evaluation.ts';
import { HISTOGRAM_CALLS } from './histogram-calls.ts';
import { infoRows } from './info.ts';
import { LABEL_CALLS } from './label-calls.ts';
import { QUANTILE_CALLS } from './quantile-calls.ts';
import { ROLLUP_CALLS } from '../rollup/rollup.ts';
import type { RowSink } from '../rows.ts';
import { SORT_CALLS } from './sort-calls.ts';
import { TIMESTAMP_CALLS } from './timestamp-calls.ts';
import { VALUE_CALLS } from './value-calls.ts';

/** Every function that gives a vector, by its PromQL name (https://prometheus.io/docs/prometheus/latest/querying/functions/). */
export const CALLS: ReadonlyMap<string, CallRows> = new Map<string, CallRows>([
  ...ROLLUP_CALLS,
  ...VALUE_CALLS,
  ...DATE_CALLS,
  ...TIMESTAMP_CALLS,
  ...HISTOGRAM_CALLS,
  ...QUANTILE_CALLS,
  ...LABEL_CALLS,
  ...SORT_CALLS,
  ...ABSENT_CALLS,
  ['info', infoRows],
  ['vector', vectorOfScalar],
]);

function vectorOfScalar(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const values = evaluation.scalar(node.args[0]!);
  sink({ labels: [], values, present: new Uint8Array(values.length).fill(1) });
}
