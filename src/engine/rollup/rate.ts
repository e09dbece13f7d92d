import {
  addToRunning,
  finishRunning,
  startRunning,
  subtractFromRunning,
  withoutObservations,
} from '../../model/histogram-running.ts';
import { compacted, scaled, sumOf } from '../../model/histogram-arithmetic.ts';
import { resetBetween } from '../../model/histogram-compare.ts';
import { COUNT_CELL, CUSTOM_BUCKETS, GAUGE, type NativeHistogram } from '../../model/histogram.ts';
import {
  customBoundsReconciled,
  mixedExponentialCustom,
  nativeNotCounter,
  nativeNotGauge,
  startTimeOverlap,
} from '../annotations.ts';
import { extrapolatedSteps } from './extrapolated.ts';
import type { Note } from '../notes.ts';
import type { RollupCall, SeriesKernel } from './call.ts';
import { extendedRates } from './extended.ts';
import { extendedHistogramRates } from './extended-histograms.ts';
import { eachWindow, WITHIN } from './kernels.ts';
import { metricName, ofEither, type HistogramSamples, type HistogramsKernel } from './mixed.ts';
import { risesOfLayout, scaleInPlace } from './rise.ts';
import { counterStarts, type CounterStarts } from './starts.ts';

/**
 * `rate`, `increase` and `delta`: the difference over a window, extended to its ends (see `extrapolatedSteps`), for floats and
 * for native histograms; under a modifier, between the ends themselves.
 */
export function rates(isCounter: boolean, isRate: boolean): SeriesKernel {
  const plain = ofEither(floatRates(isCounter, isRate), histogramRates(isCounter, isRate));
  const extended = ofEither(extendedRates(isCounter, isRate), extendedHistogramRates(isCounter, isRate));
  return (series, call, out, onStep) => (call.extended === undefined ? plain : extended)(series, call, out, onStep);
}

function floatRates(isCounter: boolean, isRate: boolean): SeriesKernel {
  return (series, call, { values, present }) => {
    const { ends, rangeMs } = call.windows;
    const divisor = isRate ? rangeMs / 1000 : 1;
    const starts = isCounter ? counterStarts(series, call) : undefined;
    if (starts === undefined) {
      return extrapolatedSteps(series.times, series.values, ends, rangeMs, isCounter, divisor, values, present);
    }
    const { times, values: samples } = series;
    const resets: number[] = [];
    const overlaps = new Uint32Array(times.length);
    for (let i = 1; i < times.length; i++) {
      if (samples[i]! < samples[i - 1]! || starts.isReset(i)) resets.push(i);
      overlaps[i] = overlaps[i - 1]! + (starts.overlaps(i) ? 1 : 0);
    }
    let nextReset = 0;
    let any = false;
    eachWindow(times, call.windows, WITHIN, (step, from, to) => {
      values[step] = 0;
      present[step] = 0;
      if (from === to) return;
      const last = to - 1;
      if (overlaps[last] !== overlaps[from] && call.idle?.[step] !== 1) {
        call.notes.add(startTimeOverlap(metricName(series.labels), call.span));
      }
      let difference = samples[last]! - samples[from]!;
      while (nextReset < resets.length && resets[nextReset]! <= from) nextReset++;
      for (let r = nextReset; r < resets.length && resets[r]! < to; r++) difference += samples[resets[r]! - 1]!;
      const span = spanOf(times, from, to, ends[step]!, rangeMs, starts);
      if (span === undefined) return;
      if (span.startsInside) difference += samples[from]!;
      else if (difference > 0 && samples[from]! >= 0) reachZero(span, samples[from]! / difference);
      values[step] = difference * (factorOf(span) / divisor);
      present[step] = 1;
      any = true;
    });
    return any;
  };
}

/** How the samples of a window lie in it, in seconds. */
interface WindowSpan {
  readonly sampled: number;
  toStart: number;
  readonly toEnd: number;
  /** Whether the counter is known to have started, at zero, after the window did and before its first sample. */
  readonly startsInside: boolean;
}

/** Undefined where there are not enough samples for a rate: two, or one of a counter that started inside. */
function spanOf(
  times: Float64Array,
  from: number,
  to: number,
  endMs: number,
  rangeMs: number,
  starts: CounterStarts | undefined,
): WindowSpan | undefined {
  const gaps = to - from - 1;
  const firstMs = times[from]!;
  const lastMs = times[to - 1]!;
  const startMs = endMs - rangeMs;
  const sampled = (lastMs - firstMs) / 1000;
  const spacing = gaps > 0 ? sampled / gaps : 0;
  const isFarFrom = spacing * 1.1;
  let toEnd = (endMs - lastMs) / 1000;
  if (toEnd >= isFarFrom) toEnd = spacing / 2;
  const startedMs = starts?.at(from) ?? 0;
  if (startedMs !== 0 && startedMs > startMs && startedMs < firstMs) {
    return { sampled: (lastMs - startedMs) / 1000, toStart: 0, toEnd, startsInside: true };
  }
  if (gaps === 0) return undefined;
  let toStart = (firstMs - startMs) / 1000;
  if (toStart >= isFarFrom) toStart = spacing / 2;
  return { sampled, toStart, toEnd, startsInside: false };
}

/** A counter cannot have begun before it was zero: `ratio` is what it had at first to what it rose by. */
function reachZero(span: WindowSpan, ratio: number): void {
  const toZero = span.sampled * ratio;
  if (toZero < span.toStart) span.toStart = toZero;
}

function factorOf({ sampled, toStart, toEnd }: WindowSpan): number {
  return sampled === 0 ? 1 : (sampled + toStart + toEnd) / sampled;
}

function histogramRates(isCounter: boolean, isRate: boolean) {
  return (
    histograms: HistogramSamples,
    { labels }: { readonly labels: readonly string[] },
    call: RollupCall,
  ): HistogramsKernel => {
    const { ends, rangeMs } = call.windows;
    const divisor = isRate ? rangeMs / 1000 : 1;
    const starts = isCounter ? counterStarts(histograms, call) : undefined;
    const name = metricName(labels);
    const isReset = resetFlags(histograms, isCounter, starts);
    const difference = differences(histograms, isCounter, isReset, starts, name, call);
    const rise = isPlain(histograms, isCounter, starts) ? risesOfLayout(histograms, indicesOf(isReset)) : undefined;
    return (from, to, step) => {
      if (to - from > 1) {
        const quick = rise?.(from, to);
        if (quick !== undefined) {
          const span = spanOf(histograms.times, from, to, ends[step]!, rangeMs, undefined)!;
          const first = countAt(histograms, from);
          if (isCounter && quick.count > 0 && first >= 0) reachZero(span, first / quick.count);
          scaleInPlace(quick, factorOf(span) / divisor);
          return quick;
        }
      }
      return slowRate(from, to, step);
    };

    function slowRate(from: number, to: number, step: number): NativeHistogram | undefined {
      const notes: Note[] = [];
      const found = to - from > 1 ? difference(from, to, notes) : undefined;
      for (const note of notes) call.notes.add(note);
      if (to - from > 1 && found === undefined) return undefined;
      const span = spanOf(histograms.times, from, to, ends[step]!, rangeMs, starts);
      if (span === undefined) return undefined;
      const first = histograms.at(from);
      let result = found ?? first;
      if (span.startsInside && found !== undefined) {
        const sum = sumOf(found, first);
        if (sum === undefined) {
          call.notes.add(mixedExponentialCustom(name, call.span));
          return undefined;
        }
        if (sum.boundsReconciled) call.notes.add(customBoundsReconciled('addition', call.span));
        result = sum.histogram;
      } else if (isCounter && !span.startsInside && result.count > 0 && first.count >= 0) {
        reachZero(span, first.count / result.count);
      }
      return scaled(result, factorOf(span) / divisor);
    }
  };
}

/** Whether there is nothing to note of the histograms but where their layouts differ, and no start that adds to them. */
function isPlain({ columns, rows }: HistogramSamples, isCounter: boolean, starts: CounterStarts | undefined): boolean {
  if (starts !== undefined) return false;
  return rows.every((row) => (columns.hints[row] === GAUGE) !== isCounter);
}

function countAt({ columns, rows }: HistogramSamples, index: number): number {
  return columns.cells[columns.starts[rows[index]!]! + COUNT_CELL]!;
}

/** For each histogram whether its counters started again after the one before it. */
function resetFlags(histograms: HistogramSamples, isCounter: boolean, starts: CounterStarts | undefined): Uint8Array {
  const { length } = histograms.times;
  const flags = new Uint8Array(length);
  for (let i = 1; isCounter && i < length; i++) {
    if (starts?.isReset(i) === true || resetBetween(histograms.at(i - 1), histograms.at(i))) flags[i] = 1;
  }
  return flags;
}

function indicesOf(flags: Uint8Array): number[] {
  const indices: number[] = [];
  for (let i = 0; i < flags.length; i++) if (flags[i] === 1) indices.push(i);
  return indices;
}

/**
 * The rise over the histograms [from, to), of which there are two or more. Undefined where they do not go together; then the
 * notes say that alone.
 */
function differences(
  histograms: HistogramSamples,
  isCounter: boolean,
  isReset: Uint8Array,
  starts: CounterStarts | undefined,
  name: string,
  { span }: RollupCall,
): (from: number, to: number, notes: Note[]) => NativeHistogram | undefined {
  const incompatible = (notes: Note[]): undefined => {
    notes.splice(0, Infinity, mixedExponentialCustom(name, span));
  };

  return (from, to, notes) => {
    const last = histograms.at(to - 1);
    const second = histograms.at(from + 1);
    const startsOver = isCounter && isReset[from + 1] === 1;
    // What came before a reset right after the first sample plays no part, not even by its buckets.
    const first = startsOver ? withoutObservations(second) : histograms.at(from);
    const isCustom = isCustomSchema(first);
    if (isCounter && (histograms.at(from).hint === GAUGE || last.hint === GAUGE))
      notes.push(nativeNotCounter(name, span));
    if (isCustomSchema(last) !== isCustom) {
      notes.push(mixedExponentialCustom(name, span));
      return undefined;
    }
    let schema = Math.min(first.layout.schema, last.layout.schema);
    for (let i = from + 1; isCounter && i < to - 1; i++) {
      const { layout, hint } = histograms.at(i);
      if (hint === GAUGE) notes.push(nativeNotCounter(name, span));
      if ((layout.schema === CUSTOM_BUCKETS) !== isCustom) return incompatible(notes);
      if (layout.schema < schema) schema = layout.schema;
    }
    const running = startRunning(last, schema);
    const subtracted = subtractFromRunning(running, first);
    if (subtracted === undefined) return incompatible(notes);
    if (subtracted.boundsReconciled) notes.push(customBoundsReconciled('subtraction', span));
    if (!isCounter) {
      if (histograms.at(from).hint !== GAUGE || last.hint !== GAUGE) notes.push(nativeNotGauge(name, span));
      return compacted(finishRunning(running, GAUGE));
    }
    let overlaps = false;
    for (let i = from + 1; i < to; i++) {
      overlaps ||= starts?.overlaps(i) === true;
      if (isReset[i] === 0) continue;
      const previous = i === from + 1 ? first : histograms.at(i - 1);
      if (i === from + 1 && starts?.isReset(i) !== true && !resetBetween(previous, second)) continue;
      const added = addToRunning(running, previous);
      if (added === undefined) return incompatible(notes);
      if (added.boundsReconciled) notes.push(customBoundsReconciled('addition', span));
    }
    if (overlaps) notes.push(startTimeOverlap(name, span));
    return compacted(finishRunning(running, GAUGE));
  };
}

function isCustomSchema({ layout }: NativeHistogram): boolean {
  return layout.schema === CUSTOM_BUCKETS;
}
