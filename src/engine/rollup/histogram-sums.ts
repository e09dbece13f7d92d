import { addToHistogramMean, finishHistogramMean, startHistogramMean } from '../../model/histogram-mean.ts';
import { addToHistogramSum, finishHistogramSum, startHistogramSum, type Added } from '../../model/histogram-sum.ts';
import { NOT_RESET, RESET, type NativeHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { counterResetCollision, customBoundsReconciled, mixedExponentialCustom } from '../annotations.ts';
import type { RollupCall } from './call.ts';
import { metricName, type HistogramSamples, type HistogramsKernel } from './mixed.ts';

/** `sum_over_time` of native histograms. */
export const histogramSums = joined(startHistogramSum, addToHistogramSum, finishHistogramSum);

/** `avg_over_time` of native histograms. */
export const histogramMeans = joined(startHistogramMean, addToHistogramMean, finishHistogramMean);

function joined<State>(
  start: (histogram: NativeHistogram) => State,
  add: (state: State, histogram: NativeHistogram) => Added | undefined,
  finish: (state: State) => NativeHistogram,
) {
  return (
    histograms: HistogramSamples,
    { labels }: { readonly labels: Labels },
    call: RollupCall,
  ): HistogramsKernel => {
    const { notes, span } = call;
    return (from, to) => {
      const state = start(histograms.at(from));
      const hints = new Set([histograms.at(from).hint]);
      let isReconciled = false;
      for (let i = from + 1; i < to; i++) {
        const added = add(state, histograms.at(i));
        if (added === undefined) {
          notes.add(mixedExponentialCustom(metricName(labels), span));
          return undefined;
        }
        isReconciled ||= added.boundsReconciled;
        hints.add(histograms.at(i).hint);
      }
      if (hints.has(RESET) && hints.has(NOT_RESET)) notes.add(counterResetCollision('aggregation', span));
      if (isReconciled) notes.add(customBoundsReconciled('aggregation', span));
      return finish(state);
    };
  };
}
