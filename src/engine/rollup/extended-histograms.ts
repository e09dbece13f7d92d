import { compacted, differenceOf, divided, sumOf } from '../../model/histogram-arithmetic.ts';
import { resetBetween } from '../../model/histogram-compare.ts';
import { interpolateHistogram } from '../../model/histogram-interpolate.ts';
import { CUSTOM_BUCKETS, GAUGE, type NativeHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import type { Span } from '../../promql/ast.ts';
import { customBoundsReconciled, mixedExponentialCustom, nativeNotCounter, nativeNotGauge } from '../annotations.ts';
import type { Notes } from '../notes.ts';
import type { RollupCall } from './call.ts';
import { endsOf, type Ends } from './extended.ts';
import { metricName, type HistogramSamples, type HistogramsKernel } from './mixed.ts';

/** `rate`, `increase` and `delta` of native histograms between the ends of a window. */
export function extendedHistogramRates(isCounter: boolean, isRate: boolean) {
  return (
    histograms: HistogramSamples,
    { labels }: { readonly labels: Labels },
    call: RollupCall,
  ): HistogramsKernel => {
    const { ends, rangeMs } = call.windows;
    const isSmoothed = call.extended === 'smoothed';
    const name = metricName(labels);
    const { notes, span } = call;
    const isReset = resetsBetween(histograms);
    return (from, to, step) => {
      const endMs = ends[step]!;
      const startMs = endMs - rangeMs;
      const found = endsOf(histograms.times, from, to, startMs, endMs, isSmoothed);
      if (found === undefined || !goTogether(histograms, found, isCounter, name, call)) return undefined;
      const { first, last } = found;
      const between = (before: number, timeMs: number): NativeHistogram | undefined =>
        histogramBetween(histograms, before, timeMs, isCounter, name, call);
      const isLeftBetween = isSmoothed && histograms.times[first]! < startMs;
      const left = isLeftBetween ? between(first, startMs) : histograms.at(first);
      if (left === undefined) return undefined;
      const isRightBetween = isSmoothed && last > from && histograms.times[last]! > endMs;
      const right = isRightBetween ? between(last - 1, endMs) : histograms.at(last);
      if (right === undefined) return undefined;
      if (!isCounter && (left.hint !== GAUGE || right.hint !== GAUGE)) notes.add(nativeNotGauge(name, span));

      let difference = combine(differenceOf, right, left, 'subtraction', name, notes, span);
      if (difference !== undefined && isCounter) {
        const before = beforeResets(histograms, found, left, right, isLeftBetween, isReset);
        let lost: NativeHistogram | undefined;
        for (const histogram of before) {
          lost = lost === undefined ? histogram : combine(sumOf, lost, histogram, 'addition', name, notes, span);
          if (lost === undefined) return undefined;
        }
        if (lost !== undefined) difference = combine(sumOf, difference, lost, 'addition', name, notes, span);
      }
      if (difference === undefined) return undefined;
      const result = isRate ? divided(difference, rangeMs / 1000) : difference;
      return { ...compacted(result), hint: GAUGE };
    };
  };
}

/** Whether all samples from one end to the other have buckets of one kind; notes where not, and gauges among counters. */
function goTogether(
  histograms: HistogramSamples,
  { first, last }: Ends,
  isCounter: boolean,
  name: string,
  { notes, span }: RollupCall,
): boolean {
  const isCustom = histograms.at(first).layout.schema === CUSTOM_BUCKETS;
  for (let i = first; i <= last; i++) {
    const { layout, hint } = histograms.at(i);
    if ((layout.schema === CUSTOM_BUCKETS) !== isCustom) {
      notes.add(mixedExponentialCustom(name, span));
      return false;
    }
    if (isCounter && hint === GAUGE) notes.add(nativeNotCounter(name, span));
  }
  return true;
}

/** The histogram at a time between a sample and the next; notes, and undefined, where the two do not go together. */
export function histogramBetween(
  histograms: HistogramSamples,
  before: number,
  timeMs: number,
  isCounter: boolean,
  name: string,
  { notes, span }: { readonly notes: Notes; readonly span: Span },
): NativeHistogram | undefined {
  const timed = (index: number) => ({ timeMs: histograms.times[index]!, histogram: histograms.at(index) });
  const found = interpolateHistogram(timed(before), timed(before + 1), timeMs, isCounter);
  if (found === undefined) {
    notes.add(mixedExponentialCustom(name, span));
    return undefined;
  }
  if (found.subtractionReconciled) notes.add(customBoundsReconciled('subtraction', span));
  if (found.additionReconciled) notes.add(customBoundsReconciled('addition', span));
  return found.histogram;
}

/**
 * What the counters had whenever they were reset between the two ends. A reset that the left end was interpolated over is in
 * it already, and the last sample says nothing beyond the right end, whose hint it shares.
 */
function beforeResets(
  histograms: HistogramSamples,
  { first, last }: Ends,
  left: NativeHistogram,
  right: NativeHistogram,
  isLeftBetween: boolean,
  isReset: IsReset,
): NativeHistogram[] {
  const found: NativeHistogram[] = [];
  let previous = left;
  let next = first + 1;
  if (isLeftBetween && isReset(next)) {
    previous = histograms.at(next);
    next++;
  }
  if (next > last) return found;
  for (; next < last; next++) {
    const current = histograms.at(next);
    const startsOver = previous === histograms.at(next - 1) ? isReset(next) : resetBetween(previous, current);
    if (startsOver) found.push(previous);
    previous = current;
  }
  if (resetBetween(previous, right)) found.push(previous);
  return found;
}

/** Whether a histogram's counters started again after the one before it. */
type IsReset = (index: number) => boolean;

/** Finds out for each pair once, since windows share them. */
function resetsBetween(histograms: HistogramSamples): IsReset {
  const known: (boolean | undefined)[] = [];
  return (index) => (known[index] ??= resetBetween(histograms.at(index - 1), histograms.at(index)));
}

function combine(
  how: typeof sumOf,
  a: NativeHistogram,
  b: NativeHistogram,
  operation: 'addition' | 'subtraction',
  name: string,
  notes: Notes,
  span: Span,
): NativeHistogram | undefined {
  const result = how(a, b);
  if (result === undefined) {
    notes.add(mixedExponentialCustom(name, span));
    return undefined;
  }
  if (result.boundsReconciled) notes.add(customBoundsReconciled(operation, span));
  return result.histogram;
}
