import { ComityError } from '../../base/errors.ts';
import { gridEnd, stepTimes } from '../../model/grid.ts';
import { labelValue, METRIC_TYPE } from '../../model/labels.ts';
import type { Call, Expr, MatrixSelector, Subquery } from '../../promql/ast.ts';
import { absentLabels } from '../calls/absent.ts';
import { possibleNonCounter, possibleNonCounterType } from '../annotations.ts';
import type { CallRows, Evaluation, RangeSeries } from '../evaluation.ts';
import { withoutNames } from '../names.ts';
import { startNotes, type Notes } from '../notes.ts';
import { eachRangeSeries } from '../select/range-series.ts';
import { readTimes, timesOf } from '../select/read-times.ts';
import { reachOf, type RollupCall } from './call.ts';
import { presence } from './kernels.ts';
import { metricName, ofSamples } from './mixed.ts';
import { startOut, type OwnedOut } from './out.ts';
import { ROLLUPS, type Rollup } from './rollups.ts';
import type { RowSink } from '../rows.ts';

/** The functions over range vectors: at each step the samples in (t - range, t], staleness markers left out. */
export const ROLLUP_CALLS: ReadonlyMap<string, CallRows> = new Map<string, CallRows>([
  ...[...ROLLUPS].map(([name, rollup]): [string, CallRows] => [name, callOf(rollup)]),
  ['absent_over_time', absentOverTime],
]);

function callOf(rollup: Rollup): CallRows {
  return (node, evaluation, sink) => {
    const range = rangeOf(node);
    const run = (target: RowSink): void => rollupRows(node, range, rollup, evaluation, target);
    if (rollup.keepsName === true) run(sink);
    else withoutNames(range, true, evaluation, sink, run);
  };
}

/** The argument that is a range vector. */
function rangeOf(node: Call): MatrixSelector | Subquery {
  for (const arg of node.args) {
    const inner = unwrapped(arg);
    if (inner.kind === 'matrix' || inner.kind === 'subquery') return inner;
  }
  throw new ComityError('internal', `${node.func}() has no range vector`);
}

function unwrapped(expr: Expr): Expr {
  if (expr.kind === 'merged') return unwrapped(expr.of);
  return expr.kind === 'paren' || expr.kind === 'once' ? unwrapped(expr.expr) : expr;
}

function rollupRows(
  node: Call,
  range: MatrixSelector | Subquery,
  rollup: Rollup,
  evaluation: Evaluation,
  sink: RowSink,
): void {
  const notes = startNotes();
  const call = startCall(node, range, rollup, notes, evaluation);
  const out = startOut(evaluation.grid.steps);
  const counterNotes = rollup.ofCounters === true ? noteCounters(call) : undefined;
  const workOf = (series: RangeSeries): number => workOn(series, rollup, call, evaluation);
  eachRangeSeries(range, call.reach, evaluation, workOf, (series, onStep) => {
    out.clear();
    if (!rollup.run(series, call, out, onStep)) return;
    counterNotes?.(series, out);
    const { labels, dropsName } = series;
    sink({ labels, values: out.values, present: out.present, histograms: out.columns(), dropsName });
  });
  // After those of a subquery: of equal notes the last one says where.
  for (const note of notes.list()) evaluation.notes.add(note);
}

function startCall(
  node: Call,
  range: MatrixSelector | Subquery,
  rollup: Rollup,
  notes: Notes,
  evaluation: Evaluation,
): RollupCall {
  const { grid, features, lookbackMs } = evaluation;
  const params = node.args.filter((arg) => unwrapped(arg) !== range).map((arg) => evaluation.scalar(arg));
  const extended = range.kind === 'matrix' ? range.selector.extended : undefined;
  if (extended !== undefined && rollup.extensions?.includes(extended) !== true) throw unsafe(extended, node.func);
  const read = readTimes(range.kind === 'matrix' ? range.selector : range, evaluation);
  const first = unwrapped(node.args[0]!);
  return {
    windows: {
      ends: timesOf(read, grid.steps),
      stepTimes: stepTimes(grid),
      rangeMs: range.rangeMs,
      params,
    },
    reach: reachOf(extended, lookbackMs),
    extended,
    notes,
    // Prometheus puts a selector without a place in the text where a subquery was.
    span: first.kind === 'subquery' ? { start: 0, end: 0 } : first.span,
    features,
  };
}

function unsafe(extended: 'anchored' | 'smoothed', func: string): ComityError {
  const safe = [...ROLLUPS].filter(([, { extensions }]) => extensions?.includes(extended) === true);
  const names = safe.map(([name]) => name).toSorted();
  return new ComityError(
    'execution',
    `${extended} modifier can only be used with: ${names.join(', ')} - not with ${func}`,
  );
}

/** About as many cells as are touched for a series: its samples, and those of all windows where they are gone through. */
function workOn(series: RangeSeries, rollup: Rollup, { windows }: RollupCall, { grid }: Evaluation): number {
  const samples = series.times.length;
  const { histograms } = series;
  if (rollup.isFlat === true && histograms === undefined) return 0;
  const spanMs = gridEnd(grid) - grid.startMs + windows.rangeMs;
  const cells = grid.steps * (1 + samples * Math.min(1, windows.rangeMs / spanMs));
  return histograms === undefined ? cells : cells * HISTOGRAM_WORK;
}

/** A histogram is as much work as so many floats, about. */
const HISTOGRAM_WORK = 32;

/** Notes the names of what may be no counters, by what they say of themselves, once each. */
function noteCounters({ notes, span, features }: RollupCall): (series: RangeSeries, out: OwnedOut) => void {
  let noted: string | undefined;
  return ({ labels }, out) => {
    const name = metricName(labels);
    if (name === '' || !hasFloat(out)) return;
    if (features.typeAndUnitLabels) {
      const type = labelValue(labels, METRIC_TYPE);
      if (type !== 'counter' && type !== 'histogram') notes.add(possibleNonCounterType(name, type, span));
    } else if (name !== noted && !COUNTER_SUFFIXES.some((suffix) => name.endsWith(suffix))) {
      notes.add(possibleNonCounter(name, span));
      noted = name;
    }
  };
}

const COUNTER_SUFFIXES: readonly string[] = ['_total', '_sum', '_count', '_bucket'];

/** Whether any present step is a float; there is a present one. */
function hasFloat(out: OwnedOut): boolean {
  const layoutOf = out.columns()?.layoutOf;
  return layoutOf === undefined || out.present.some((bit, step) => bit === 1 && layoutOf[step]! < 0);
}

/** `absent_over_time`: 1 at each step at which no series has a sample, with the labels that the selector asks for. */
function absentOverTime(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const { steps } = evaluation.grid;
  const values = new Float64Array(steps).fill(1);
  const present = new Uint8Array(steps).fill(1);
  const arg = node.args[0]!;
  const leaveOut = ({ present: found }: { readonly present: Uint8Array }): void => {
    for (let step = 0; step < steps; step++) if (found[step] === 1) present[step] = 0;
  };
  if (arg.kind === 'merged') evaluation.rows(arg, leaveOut);
  else rollupRows(node, rangeOf(node), { isFlat: true, run: ofSamples(presence) }, evaluation, leaveOut);
  if (!present.includes(1)) return;
  const dropsName = evaluation.features.delayedNameRemoval ? true : undefined;
  sink({ labels: absentLabels(unwrapped(arg)), values, present, dropsName });
}
