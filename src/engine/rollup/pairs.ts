import { differenceOf, compacted, divided } from '../../model/histogram-arithmetic.ts';
import { equalHistograms, resetBetween } from '../../model/histogram-compare.ts';
import {
  GAUGE,
  histogramAt,
  isHistogramAt,
  type HistogramColumns,
  type NativeHistogram,
} from '../../model/histogram.ts';
import {
  customBoundsReconciled,
  mixedExponentialCustom,
  mixedFloatsHistograms,
  nativeNotCounter,
  nativeNotGauge,
} from '../annotations.ts';
import type { RangeSeries } from '../evaluation.ts';
import type { RollupCall, SeriesKernel } from './call.ts';
import { eachWindow, lastDifference, WITHIN } from './kernels.ts';
import { metricName } from './mixed.ts';
import { counterStarts, type CounterStarts } from './starts.ts';

/** Whether something came to be between a sample and the one before it. */
type Happens = (series: RangeSeries, index: number) => boolean;

/** A change from float to histogram or back is one of each. */
export const changes: SeriesKernel = countedPairs(() => ({ values, histograms }, index) => {
  if (!isHistogramAt(histograms, index) && !isHistogramAt(histograms, index - 1)) {
    const [before, value] = [values[index - 1]!, values[index]!];
    return value !== before && !(value !== value && before !== before);
  }
  return (
    isChangeOfType(histograms, index) || !equalHistograms(previousOf(histograms, index), histogramAt(histograms, index))
  );
});

export const resets: SeriesKernel = countedPairs((starts) => ({ values, histograms }, index) => {
  if (!isHistogramAt(histograms, index) && !isHistogramAt(histograms, index - 1)) {
    return values[index]! < values[index - 1]! || starts?.isReset(index) === true;
  }
  if (isChangeOfType(histograms, index) || starts?.isReset(index) === true) return true;
  return resetBetween(previousOf(histograms, index), histogramAt(histograms, index));
});

function isChangeOfType(histograms: HistogramColumns, index: number): boolean {
  return isHistogramAt(histograms, index) !== isHistogramAt(histograms, index - 1);
}

function previousOf(histograms: HistogramColumns, index: number): NativeHistogram {
  return histogramAt(histograms, index - 1);
}

/**
 * How often it happens in each window, by a running count. Anchored windows begin with the last sample up to their start,
 * and have a result only where there is one after it.
 */
function countedPairs(prepare: (starts: CounterStarts | undefined) => Happens): SeriesKernel {
  return (series, call, { values, present }) => {
    const { times } = series;
    const { ends, rangeMs } = call.windows;
    const happens = prepare(counterStarts(series, call));
    const before = new Uint32Array(times.length);
    for (let i = 1; i < times.length; i++) before[i] = before[i - 1]! + (happens(series, i) ? 1 : 0);
    let any = false;
    let inside = 0;
    eachWindow(times, call.windows, call.reach, (step, from, to) => {
      let first = from;
      if (call.extended === 'anchored') {
        inside = Math.max(inside, from);
        while (inside < to && times[inside]! <= ends[step]! - rangeMs) inside++;
        first = inside === to ? to : Math.max(from, inside - 1);
      }
      const enough = first < to;
      present[step] = enough ? 1 : 0;
      values[step] = enough ? before[to - 1]! - before[first]! : 0;
      any ||= enough;
    });
    return any;
  };
}

/** `irate` and `idelta`: what the last two samples of a window make. */
export function lastChanges(isRate: boolean): SeriesKernel {
  const plain = lastDifference(isRate);
  return (series, call, out, onStep) => {
    const { times, values: samples, histograms } = series;
    const starts = isRate ? counterStarts(series, call) : undefined;
    if (histograms === undefined && starts === undefined) {
      return plain(times, samples, call.windows, out.values, out.present, onStep);
    }
    const { values, present } = out;
    let any = false;
    eachWindow(times, call.windows, WITHIN, (step, from, to) => {
      values[step] = 0;
      present[step] = 0;
      if (to - from < 2) return;
      const last = to - 1;
      const seconds = (times[last]! - times[last - 1]!) / 1000;
      if (histograms !== undefined && (isHistogramAt(histograms, last) || isHistogramAt(histograms, last - 1))) {
        if (isChangeOfType(histograms, last)) {
          call.notes.add(mixedFloatsHistograms(metricName(series.labels), call.span));
          return;
        }
        const change = histogramChange(histograms, last, isRate, starts, metricName(series.labels), call);
        if (change === undefined) return;
        out.set(step, isRate ? divided(change, seconds) : change);
      } else {
        const startsOver = isRate && (samples[last]! < samples[last - 1]! || starts?.isReset(last) === true);
        const difference = startsOver ? samples[last]! : samples[last]! - samples[last - 1]!;
        values[step] = isRate ? difference / seconds : difference;
        present[step] = 1;
      }
      any = true;
    });
    return any;
  };
}

function histogramChange(
  columns: HistogramColumns,
  index: number,
  isRate: boolean,
  starts: CounterStarts | undefined,
  name: string,
  { notes, span }: RollupCall,
): NativeHistogram | undefined {
  const before = previousOf(columns, index);
  const last = histogramAt(columns, index);
  const gauges = (before.hint === GAUGE ? 1 : 0) + (last.hint === GAUGE ? 1 : 0);
  if (isRate && gauges > 0) notes.add(nativeNotCounter(name, span));
  if (!isRate && gauges < 2) notes.add(nativeNotGauge(name, span));
  if (isRate && (starts?.isReset(index) === true || resetBetween(before, last))) {
    return { ...compacted(last), hint: GAUGE };
  }
  const difference = differenceOf(last, before);
  if (difference === undefined) {
    notes.add(mixedExponentialCustom(name, span));
    return undefined;
  }
  if (difference.boundsReconciled) notes.add(customBoundsReconciled('subtraction', span));
  return { ...compacted(difference.histogram), hint: GAUGE };
}
