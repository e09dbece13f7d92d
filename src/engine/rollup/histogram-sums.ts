import { addToHistogramMean, finishHistogramMean, startHistogramMean } from '../../model/histogram-mean.ts';
import { addToHistogramSum, finishHistogramSum, startHistogramSum, type Added } from '../../model/histogram-sum.ts';
import { NOT_RESET, RESET, type NativeHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { counterResetCollision, customBoundsReconciled, mixedExponentialCustom } from '../annotations.ts';
import type { RollupCall } from './call.ts';
import { sumsOfLayout } from './layout-sums.ts';
import { metricName, type HistogramSamples, type HistogramsKernel } from './mixed.ts';

/** `sum_over_time` of native histograms. */
export const histogramSums = joined(startHistogramSum, addToHistogramSum, finishHistogramSum, sumsOfLayout);

/** `avg_over_time` of native histograms. */
export const histogramMeans = joined(startHistogramMean, addToHistogramMean, finishHistogramMean);

function joined<State>(
  start: (histogram: NativeHistogram) => State,
  add: (state: State, histogram: NativeHistogram) => Added | undefined,
  finish: (state: State) => NativeHistogram,
  ofLayout?: (histograms: HistogramSamples) => (from: number, to: number) => NativeHistogram | undefined,
) {
  return (
    histograms: HistogramSamples,
    { labels }: { readonly labels: Labels },
    call: RollupCall,
  ): HistogramsKernel => {
    const { notes, span } = call;
    const quick = ofLayout?.(histograms);

    function addedUp(from: number, to: number): NativeHistogram | undefined {
      const state = start(histograms.at(from));
      let isReconciled = false;
      for (let i = from + 1; i < to; i++) {
        const added = add(state, histograms.at(i));
        if (added === undefined) {
          notes.add(mixedExponentialCustom(metricName(labels), span));
          return undefined;
        }
        isReconciled ||= added.boundsReconciled;
      }
      if (isReconciled) notes.add(customBoundsReconciled('aggregation', span));
      return finish(state);
    }

    return (from, to) => {
      const result = quick?.(from, to) ?? addedUp(from, to);
      if (result !== undefined && contradicts(histograms, from, to)) {
        notes.add(counterResetCollision('aggregation', span));
      }
      return result;
    };
  };
}

/** Whether one of the histograms says that there was a reset, and another that there was none. */
function contradicts({ columns, rows }: HistogramSamples, from: number, to: number): boolean {
  let hasReset = false;
  let hasNone = false;
  for (let i = from; i < to; i++) {
    const hint = columns.hints[rows[i]!];
    hasReset ||= hint === RESET;
    hasNone ||= hint === NOT_RESET;
  }
  return hasReset && hasNone;
}
