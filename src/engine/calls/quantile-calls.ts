import { histogramFraction, histogramQuantile } from '../../model/histogram-quantile.ts';
import { isRange } from '../../model/grid.ts';
import { labelValue, METRIC_NAME, withLabel } from '../../model/labels.ts';
import type { Call, Expr } from '../../promql/ast.ts';
import { formatLabelFloat } from '../../wire/scrape/float.ts';
import {
  forcedMonotonicity,
  fractionHasNaN,
  invalidQuantile,
  quantileIsNaN,
  quantileIsSkewed,
} from '../annotations.ts';
import { bucketFraction, bucketQuantile } from './bucket-quantile.ts';
import { classicColumns, type BucketFunction, type MendedSteps } from './classic-columns.ts';
import type { CallRows, Evaluation } from '../evaluation.ts';
import { mixedHistograms, type NativeFunction } from './mixed-histograms.ts';
import { withoutNames } from '../names.ts';
import type { Note } from '../notes.ts';
import { anyPresent, assertCells, collectRows, mergeEqualRows, type Row, type RowSink } from '../rows.ts';
import { stringArgument } from './string-arguments.ts';
import { spend } from '../usage.ts';

/** Functions of histograms that may be native or classic. */
export const QUANTILE_CALLS: ReadonlyMap<string, CallRows> = new Map<string, CallRows>([
  ['histogram_quantile', quantileRows],
  ['histogram_quantiles', quantilesRows],
  ['histogram_fraction', fractionRows],
]);

function quantileRows(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const [quantile, vector] = node.args as [Expr, Expr];
  const phi = evaluation.scalar(quantile);
  const [rows] = resultRows(vector, [quantileFunction(phi, vector)], evaluation);
  checkQuantile(phi, quantile, evaluation);
  emit(rows!, vector, evaluation, sink);
}

/** As many quantiles as are asked for, each with a label that says which. */
function quantilesRows(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const [vector, name, ...quantiles] = node.args as [Expr, Expr, ...Expr[]];
  const label = stringArgument(name);
  const phis = quantiles.map((quantile) => evaluation.scalar(quantile));
  const functions = phis.map((phi) => quantileFunction(phi, vector));
  const merged = quantilesJoined(evaluation, sink);
  resultRows(vector, functions, evaluation).forEach((rows, index) => {
    checkQuantile(phis[index]!, quantiles[index]!, evaluation);
    const texts = Array.from(phis[index]!, formatLabelFloat);
    emit(rows, vector, evaluation, (row) => {
      for (const { text, present } of byText(texts, row.present)) {
        merged.sink({ ...row, labels: withLabel(row.labels, label, text), present });
      }
    });
  });
  merged.drain(sink);
}

/**
 * What puts rows of one label set together, as a quantile that is asked for twice gives them. With names that go at the end an
 * instant answer is looked through then only.
 */
function quantilesJoined({ features, grid, usage }: Evaluation, sink: RowSink): ReturnType<typeof mergeEqualRows> {
  if (!features.delayedNameRemoval || isRange(grid)) return mergeEqualRows(false, usage);
  return { sink, drain: () => undefined };
}

function fractionRows(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const [lowerArg, upperArg, vector] = node.args as [Expr, Expr, Expr];
  const lower = evaluation.scalar(lowerArg);
  const upper = evaluation.scalar(upperArg);
  const fraction: HistogramFunction = {
    native: (histogram, step, metric) => {
      const { value, nan } = histogramFraction(lower[step]!, upper[step]!, histogram);
      return { value, note: nan === 'none' ? undefined : fractionHasNaN(metric, vector.span) };
    },
    classic: (step, bounds, counts) => bucketFraction(lower[step]!, upper[step]!, bounds, counts),
  };
  emit(resultRows(vector, [fraction], evaluation)[0]!, vector, evaluation, sink);
}

/** Warns of values that are no quantiles; after what the vector has to say, so that of equal notes this one stays. */
function checkQuantile(phi: Float64Array, quantile: Expr, { notes }: Evaluation): void {
  for (const value of new Set(phi)) {
    if (!(value >= 0 && value <= 1)) notes.add(invalidQuantile(value, quantile.span));
  }
}

/** A function of a histogram at one step, of either kind. */
interface HistogramFunction {
  readonly native: NativeFunction;
  readonly classic: BucketFunction;
}

function quantileFunction(phi: Float64Array, vector: Expr): HistogramFunction {
  return {
    native: (histogram, step, metric) => {
      const { value, nan } = histogramQuantile(phi[step]!, histogram);
      if (nan === 'none') return { value };
      const note = nan === 'result' ? quantileIsNaN : quantileIsSkewed;
      return { value, note: note(metric, vector.span) };
    },
    classic: (step, bounds, counts, mending) => bucketQuantile(phi[step]!, bounds, counts, mending),
  };
}

function emit(rows: readonly Row[], vector: Expr, evaluation: Evaluation, sink: RowSink): void {
  withoutNames(vector, false, evaluation, sink, (named) => {
    for (const row of rows) named(row);
  });
}

/** The rows that each of the functions gives, with the metrics' names as they are. */
function resultRows(vector: Expr, functions: readonly HistogramFunction[], evaluation: Evaluation): Row[][] {
  const { grid, usage, notes, features } = evaluation;
  const rows: Row[][] = functions.map(() => []);
  const { native, classic, areShared } = mixedHistograms(
    vector,
    functions.map((one) => one.native),
    evaluation,
  );
  for (const { labels, dropsName, present, columns } of native) {
    if (!anyPresent(present)) continue;
    columns.forEach((values, index) => rows[index]!.push({ labels, dropsName, present, values }));
  }
  assertCells((native.length + classic.length) * functions.length * grid.steps);
  for (const histogram of classic) {
    const { labels, dropsName, present, buckets } = histogram;
    if (!anyPresent(present)) continue;
    spend(usage, buckets.length * grid.steps * functions.length);
    const columns = functions.map(() => new Float64Array(grid.steps));
    const mended = classicColumns(
      histogram,
      functions.map((one) => one.classic),
      columns,
      grid,
    );
    columns.forEach((values, index) => rows[index]!.push({ labels, dropsName, present, values }));
    if (mended === undefined) continue;
    notes.add(mendedNote(features.delayedNameRemoval ? labelValue(labels, METRIC_NAME) : '', vector, mended));
  }
  return areShared ? rows.map((some) => joined(some, evaluation)) : rows;
}

function mendedNote(metric: string, vector: Expr, detail: MendedSteps): Note {
  const { fromMs, leastBound, mostBound, mostDifference } = detail;
  const note = forcedMonotonicity(metric, vector.span, fromMs, leastBound, mostBound, mostDifference);
  return { ...note, detail: { kind: 'monotonicity', ...detail } };
}

/** A metric that is a native histogram at some steps and a classic one at others is one series of results. */
function joined(rows: readonly Row[], { usage }: Evaluation): Row[] {
  const merged = mergeEqualRows(false, usage);
  for (const row of rows) merged.sink(row);
  return collectRows(merged.drain);
}

/** The steps of each quantile, which is the same at all of them but for a few queries. */
function byText(
  texts: readonly string[],
  present: Uint8Array,
): readonly { readonly text: string; readonly present: Uint8Array }[] {
  const distinct = [...new Set(texts)];
  if (distinct.length === 1) return [{ text: distinct[0]!, present }];
  return distinct
    .map((text) => ({ text, present: present.map((bit, step) => (texts[step] === text ? bit : 0)) }))
    .filter((part) => anyPresent(part.present));
}
