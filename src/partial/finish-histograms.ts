import { histogramBuilder } from '../model/growing-histograms.ts';
import { histogramOf } from '../model/histogram-accumulator.ts';
import { compacted } from '../model/histogram-arithmetic.ts';
import { finishHistogramMean, mergeHistogramMean } from '../model/histogram-mean.ts';
import { finishHistogramSum, mergeHistogramSum } from '../model/histogram-sum.ts';
import { cellsOf, type HistogramColumns, type HistogramLayout, type NativeHistogram } from '../model/histogram.ts';
import { heldMean, NOTHING, SUM, type HistogramBlock } from './histogram-block.ts';
import {
  FLOAT,
  HISTOGRAM,
  INCOMPATIBLE,
  RECONCILED,
  SAW_NOT_RESET,
  SAW_RESET,
  type HistogramAggregate,
  type PartialHistograms,
} from './partial-histograms.ts';

/** What the histograms of an aggregation come to, and what there is to say about them. */
export interface FinishedHistograms {
  /** The steps at which the aggregation has a value: floats and histograms together have none. */
  readonly present: Uint8Array;
  readonly histograms: HistogramColumns | undefined;
  readonly isMixed: boolean;
  /** Names of metrics whose histograms could not be added. */
  readonly clashing: readonly string[];
  readonly isReconciled: boolean;
  readonly isCollision: boolean;
}

/** `present` has the steps of all that was added, floats or histograms. */
export function finishHistograms(
  { seen, blocks, metric, clashing }: PartialHistograms,
  present: Uint8Array,
  aggregate: HistogramAggregate,
): FinishedHistograms {
  const steps = present.length;
  const out = present.slice();
  const builder = histogramBuilder(steps);
  const ordered = [...blocks].sort(byKind);
  let all = 0;
  let isMixed = false;
  let isCollision = false;
  for (let step = 0; step < steps; step++) {
    if ((seen[step]! & HISTOGRAM) === 0) continue;
    const isMixedHere = (seen[step]! & FLOAT) !== 0;
    const held = isMixedHere ? [] : ordered.filter(({ holds }) => holds[step] !== NOTHING);
    const histogram = finishStep(held, step, aggregate, seen);
    all |= seen[step]!;
    isMixed ||= isMixedHere;
    if (histogram === undefined) {
      out[step] = 0;
      continue;
    }
    isCollision ||= (seen[step]! & SAW_RESET) !== 0 && (seen[step]! & SAW_NOT_RESET) !== 0;
    builder.set(step, compacted(histogram));
  }
  return {
    present: out,
    histograms: builder.build(steps),
    isMixed,
    clashing: clashing.length === 0 && (all & INCOMPATIBLE) !== 0 ? [metric] : clashing,
    isReconciled: (all & RECONCILED) !== 0,
    isCollision,
  };
}

/** What the blocks hold at a step, as one; undefined when that cannot be. */
function finishStep(
  held: readonly HistogramBlock[],
  step: number,
  aggregate: HistogramAggregate,
  seen: Uint8Array,
): NativeHistogram | undefined {
  const [first, ...rest] = held;
  if (first === undefined) return undefined;
  if (rest.length === 0) return finishOne(first, step, aggregate);
  const mean = heldMean(first, step);
  for (const block of rest) {
    const other = heldMean(block, step);
    const added = aggregate === 'sum' ? mergeHistogramSum(mean.sum, other.sum) : mergeHistogramMean(mean, other);
    if (added === undefined) {
      seen[step]! |= INCOMPATIBLE;
      return undefined;
    }
    if (added.boundsReconciled) seen[step]! |= RECONCILED;
  }
  return aggregate === 'sum' ? finishHistogramSum(mean.sum) : finishHistogramMean(mean);
}

function finishOne(block: HistogramBlock, step: number, aggregate: HistogramAggregate): NativeHistogram {
  const { layout, holds, hints, counts, cells, lost } = block;
  const width = cellsOf(layout);
  const at = step * width;
  const divisor = aggregate === 'mean' && holds[step] === SUM ? counts[step]! : 1;
  const whole = new Float64Array(width);
  for (let i = 0; i < width; i++) whole[i] = cells[at + i]! / divisor;
  // One histogram alone has lost nothing, and keeps the sign of its zeros.
  if (counts[step]! > 1) for (let i = 0; i < width; i++) whole[i]! += lost[at + i]! / divisor;
  return histogramOf(layout, hints[step]!, whole);
}

/**
 * One order of the kinds of buckets, whichever came first: the finest first, as a zero bucket that has to be widened swallows
 * whole buckets, and those of coarse schemas are wide.
 */
function byKind({ layout: a }: HistogramBlock, { layout: b }: HistogramBlock): number {
  return b.schema - a.schema || b.zeroThreshold - a.zeroThreshold || byBounds(a, b);
}

function byBounds({ bounds: a }: HistogramLayout, { bounds: b }: HistogramLayout): number {
  const at = a.findIndex((bound, i) => bound !== b[i]);
  if (at < 0 || at >= b.length) return a.length - b.length;
  return a[at]! < b[at]! ? -1 : 1;
}
