import { formatFloat } from '../base/numbers.ts';
import type { Value } from '../engine/evaluation.ts';
import { stepTime, type QueryGrid } from '../model/grid.ts';
import { histogramAt, isHistogramAt, type HistogramColumns } from '../model/histogram.ts';
import { compareLabels, type Labels } from '../model/labels.ts';
import { isStaleAt } from '../model/series.ts';
import { printDuration } from '../promql/duration.ts';
import type { SequenceValue } from './command.ts';
import { printHistogram } from './histogram-notation.ts';
import { printLabels } from './labels-notation.ts';

/** What a query came to, sample by sample. */
export type Result =
  | { readonly kind: 'scalar'; readonly value: SequenceValue }
  | { readonly kind: 'string'; readonly value: string }
  /** Of an instant query; in the order in which it came. */
  | { readonly kind: 'vector'; readonly series: readonly ResultSeries[] }
  /** Of a range query, or a range vector; ordered by labels. */
  | { readonly kind: 'matrix'; readonly series: readonly ResultSeries[] };

export interface ResultSeries {
  readonly labels: Labels;
  /** In the order of time. */
  readonly points: readonly Point[];
}

export interface Point {
  readonly timeMs: number;
  readonly value: SequenceValue;
}

/** The value of an instant query. */
export function instantResult(value: Value, grid: QueryGrid): Result {
  switch (value.kind) {
    case 'string':
      return value;
    case 'scalar':
      return { kind: 'scalar', value: valueAt(value.values, undefined, 0) };
    case 'vector':
      return { kind: 'vector', series: seriesOf(value, grid) };
    case 'matrix':
      return {
        kind: 'matrix',
        series: value.series
          .filter(({ times }) => times.length > 0)
          .map(({ labels, times, values, histograms }) => ({
            labels,
            points: Array.from(times, (timeMs, i) => ({ timeMs, value: valueAt(values, histograms, i) })),
          }))
          .toSorted(byLabels),
      };
  }
}

/** The value of a range query: a scalar is a series without labels. */
export function rangeResult(value: Value, grid: QueryGrid): Result {
  if (value.kind === 'vector') return { kind: 'matrix', series: seriesOf(value, grid).toSorted(byLabels) };
  if (value.kind !== 'scalar') return instantResult(value, grid);
  const points = Array.from(value.values, (_, step) => pointAt(grid, value.values, undefined, step));
  return { kind: 'matrix', series: [{ labels: [], points }] };
}

/** What a range query says of one time, in the form of an instant query's answer. */
export function resultAt(range: Result, timeMs: number, kind: 'scalar' | 'vector'): Result {
  if (range.kind !== 'matrix') return range;
  const series = range.series.flatMap(({ labels, points }) => {
    const point = points.find((one) => one.timeMs === timeMs);
    return point === undefined ? [] : [{ labels, points: [point] }];
  });
  const [first] = series;
  return kind === 'scalar' && first !== undefined
    ? { kind: 'scalar', value: first.points[0]!.value }
    : { kind: 'vector', series };
}

export function printValue(value: SequenceValue): string {
  switch (value.kind) {
    case 'none':
      return '_';
    case 'stale':
      return 'stale';
    case 'float':
      return formatFloat(value.value);
    case 'histogram':
      return printHistogram(value.histogram);
  }
}

/** A series and values, as a script has them. */
export function printSeries(labels: Labels, values: readonly SequenceValue[]): string {
  const shown = values.slice(0, PRINTED_MAX).map(printValue).join(' ');
  const more = values.length > PRINTED_MAX ? ` … (${values.length} values)` : '';
  return `${printLabels(labels)} ${shown}${more}`;
}

/** A series with the time of each value. */
export function printPoints({ labels, points }: ResultSeries): string {
  const shown = points
    .slice(0, PRINTED_MAX)
    .map(({ timeMs, value }) => `${printValue(value)} @${printDuration(timeMs)}`);
  return `${printLabels(labels)} ${shown.join(' ')}${points.length > PRINTED_MAX ? ` … (${points.length} values)` : ''}`;
}

/** More values of a series, or series, than anyone would read. */
const PRINTED_MAX = 30;

export function printResult(result: Result): string {
  if (result.kind === 'scalar') return printValue(result.value);
  if (result.kind === 'string') return JSON.stringify(result.value);
  if (result.series.length === 0) return 'nothing';
  const shown = result.series.slice(0, PRINTED_MAX).map(printPoints).join('\n');
  return result.series.length > PRINTED_MAX ? `${shown}\n… (${result.series.length} series)` : shown;
}

function seriesOf({ rows }: Extract<Value, { kind: 'vector' }>, grid: QueryGrid): ResultSeries[] {
  return rows.flatMap(({ labels, values, present, histograms }) => {
    const points: Point[] = [];
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 1) points.push(pointAt(grid, values, histograms, step));
    }
    return points.length === 0 ? [] : [{ labels, points }];
  });
}

function pointAt(grid: QueryGrid, values: Float64Array, histograms: HistogramColumns | undefined, step: number): Point {
  return { timeMs: stepTime(grid, step), value: valueAt(values, histograms, step) };
}

function valueAt(values: Float64Array, histograms: HistogramColumns | undefined, at: number): SequenceValue {
  if (isHistogramAt(histograms, at)) {
    return { kind: 'histogram', histogram: histogramAt(histograms, at), hintGiven: true };
  }
  return isStaleAt(values, at) ? { kind: 'stale' } : { kind: 'float', value: values[at]! };
}

function byLabels(a: ResultSeries, b: ResultSeries): number {
  return compareLabels(a.labels, b.labels);
}
