import { histogramAt, isHistogramAt, type HistogramColumns, type NativeHistogram } from '../../model/histogram.ts';
import { labelValue, METRIC_NAME, type Labels } from '../../model/labels.ts';
import { ignoredInMixedRange, mixedFloatsHistograms } from '../annotations.ts';
import type { RangeSeries } from '../evaluation.ts';
import type { RollupCall, SeriesKernel } from './call.ts';
import { eachWindow, WITHIN, type Reach, type StepsKernel } from './kernels.ts';
import { pickRows } from '../select/subquery.ts';
import type { SeriesColumns } from '../../model/series.ts';

/** The samples of a series that are native histograms. */
export interface HistogramSamples {
  readonly times: Float64Array;
  readonly startTimes: SeriesColumns['startTimes'];
  /** The samples of the series, and which of them these are. */
  readonly columns: HistogramColumns;
  readonly rows: Uint32Array;
  at(index: number): NativeHistogram;
}

interface SplitSamples {
  readonly floats: RangeSeries;
  readonly histograms: HistogramSamples;
}

/** The floats and the histograms of a series. */
function splitSamples({ labels, times, values, startTimes }: RangeSeries, columns: HistogramColumns): SplitSamples {
  let count = 0;
  for (let i = 0; i < times.length; i++) if (isHistogramAt(columns, i)) count++;
  const rows = new Uint32Array(count);
  const floatRows = new Uint32Array(times.length - count);
  for (let i = 0, float = 0, histogram = 0; i < times.length; i++) {
    if (isHistogramAt(columns, i)) rows[histogram++] = i;
    else floatRows[float++] = i;
  }
  const known: (NativeHistogram | undefined)[] = [];
  return {
    floats: {
      labels,
      times: pickNumbers(times, floatRows),
      values: pickNumbers(values, floatRows),
      startTimes: typeof startTimes === 'object' ? pickNumbers(startTimes, floatRows) : startTimes,
    },
    histograms: {
      times: pickNumbers(times, rows),
      startTimes: typeof startTimes === 'object' ? pickNumbers(startTimes, rows) : startTimes,
      columns,
      rows,
      at: (index) => (known[index] ??= histogramAt(columns, rows[index]!)),
    },
  };
}

function pickNumbers(values: Float64Array, rows: Uint32Array): Float64Array {
  return Float64Array.from(rows, (row) => values[row]!);
}

export function metricName(labels: Labels): string {
  return labelValue(labels, METRIC_NAME);
}

/** How many floats and histograms each step's window holds. */
interface WindowCounts {
  readonly floats: Uint32Array;
  readonly histograms: Uint32Array;
}

function countSamples({ floats, histograms }: SplitSamples, { windows, reach }: RollupCall): WindowCounts {
  return { floats: countsOf(floats.times, reach), histograms: countsOf(histograms.times, reach) };

  function countsOf(times: Float64Array, beyond: Reach): Uint32Array {
    const counts = new Uint32Array(windows.ends.length);
    eachWindow(times, windows, beyond, (step, from, to) => (counts[step] = to - from));
    return counts;
  }
}

/** A function to which all samples are alike, whatever they are. */
export function ofSamples(kernel: StepsKernel): SeriesKernel {
  return ({ times, values }, { windows }, out, onStep) =>
    kernel(times, values, windows, out.values, out.present, onStep);
}

/** A function whose result is a sample of the window itself: the one at the index that `pick` gives. */
export function ofPicked(kernel: StepsKernel, pick: (from: number, to: number) => number): SeriesKernel {
  return (series, call, out, onStep) => {
    const { times, values, histograms } = series;
    const any = kernel(times, values, call.windows, out.values, out.present, onStep);
    if (histograms !== undefined && any) {
      const picked = new Uint32Array(out.present.length);
      eachWindow(times, call.windows, WITHIN, (step, from, to) => (picked[step] = to > from ? pick(from, to) : 0));
      out.setAll(pickRows(histograms, picked));
    }
    return any;
  };
}

/** A function of floats that leaves histograms out, and notes that where a window has a float as well. */
export function ofFloats(kernel: StepsKernel): SeriesKernel {
  return (series, call, out, onStep) => {
    if (series.histograms === undefined) {
      return kernel(series.times, series.values, call.windows, out.values, out.present, onStep);
    }
    const split = splitSamples(series, series.histograms);
    const counts = countSamples(split, call);
    if (counts.floats.some((floats, step) => floats > 0 && counts.histograms[step]! > 0)) {
      call.notes.add(ignoredInMixedRange(metricName(series.labels), call.span));
    }
    const { times, values } = split.floats;
    return kernel(times, values, call.windows, out.values, out.present, onStep);
  };
}

/**
 * Works out windows of nothing but histograms: [from, to) of them at a step; undefined for no result. What it gives is valid
 * until the next call.
 */
export type HistogramsKernel = (from: number, to: number, step: number) => NativeHistogram | undefined;

/** A function of floats or of histograms that has no result, and says so, for a window of both. */
export function ofEither(
  floats: SeriesKernel,
  prepare: (histograms: HistogramSamples, series: RangeSeries, call: RollupCall) => HistogramsKernel,
): SeriesKernel {
  return (series, call, out, onStep) => {
    if (series.histograms === undefined) return floats(series, call, out, onStep);
    const split = splitSamples(series, series.histograms);
    const counts = countSamples(split, call);
    const idle = Uint8Array.from(counts.histograms, (count) => (count > 0 ? 1 : 0));
    floats(split.floats, { ...call, idle }, out, onStep);
    const kernel = prepare(split.histograms, series, call);
    let isMixed = false;
    eachWindow(split.histograms.times, call.windows, call.reach, (step, from, to) => {
      if (from === to) return;
      onStep?.(to - from);
      out.present[step] = 0;
      if (counts.floats[step]! > 0) {
        isMixed = true;
        return;
      }
      const result = kernel(from, to, step);
      if (result !== undefined) out.set(step, result);
    });
    if (isMixed) call.notes.add(mixedFloatsHistograms(metricName(series.labels), call.span));
    return out.present.includes(1);
  };
}
