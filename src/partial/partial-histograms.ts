import { addToHistogramMean, mergeHistogramMean } from '../model/histogram-mean.ts';
import { addToHistogramSum } from '../model/histogram-sum.ts';
import {
  FLOAT_ROW,
  histogramAt,
  NOT_RESET,
  RESET,
  type HistogramColumns,
  type NativeHistogram,
} from '../model/histogram.ts';
import {
  addHeld,
  addTerms,
  blockFor,
  heldMean,
  NOTHING,
  placementIn,
  putMean,
  startTerms,
  SUM,
  wouldOverflow,
  type HistogramBlock,
  type Placement,
} from './histogram-block.ts';

/**
 * What the partial of a `sum` or an `avg` has of native histograms: a sum for each kind of buckets, so that the answer does
 * not depend on how the series are split; the kinds are reconciled at the end. Typed arrays and plain objects only.
 */
export interface PartialHistograms {
  /** Step -> the bits below. */
  readonly seen: Uint8Array;
  readonly blocks: HistogramBlock[];
  /** The first in order of the metrics' names on series with histograms. */
  metric: string;
  /** The metrics' names on series that could not be added. */
  readonly clashing: string[];
}

export const FLOAT = 1;
export const HISTOGRAM = 2;
/** Exponential and custom buckets, which nothing can add. */
export const INCOMPATIBLE = 4;
export const SAW_RESET = 8;
export const SAW_NOT_RESET = 16;
/** Custom bounds differed, and only those were kept that all have. */
export const RECONCILED = 32;

/** What an aggregation makes of histograms. */
export type HistogramAggregate = 'sum' | 'mean';

/**
 * How histograms of several kinds of buckets come together at a step: `inOrder` one after the other, as in Prometheus, for a
 * state that is never merged; or in `anyOrder`, so that it makes no difference where each one was added.
 */
export type HistogramOrder = 'inOrder' | 'anyOrder';

/** No histograms yet, beside floats at the steps where `present` is 1. */
export function zeroHistograms(present: Uint8Array): PartialHistograms {
  const state: PartialHistograms = { seen: new Uint8Array(present.length), blocks: [], metric: '', clashing: [] };
  seeFloats(state, present);
  return state;
}

/** Says that there are floats at the steps where `present` is 1. */
export function seeFloats({ seen }: PartialHistograms, present: Uint8Array): void {
  for (let step = 0; step < present.length; step++) {
    // A step that was given up says nothing of what comes after.
    if (present[step] === 1 && (seen[step]! & INCOMPATIBLE) === 0) seen[step]! |= FLOAT;
  }
}

/** Adds the histograms of a series at the steps where `present` is 1. `metric` is its metric's name. */
export function addHistograms(
  state: PartialHistograms,
  row: HistogramColumns,
  present: Uint8Array,
  metric: string,
  aggregate: HistogramAggregate,
  order: HistogramOrder,
): void {
  const { seen, blocks } = state;
  state.metric = firstName(state.metric, metric);
  makeRoom(blocks, row, present);
  // By layout; a row goes to and fro between a few.
  const placements: (Placement | undefined)[] = [];
  for (let step = 0; step < present.length; step++) {
    const layout = row.layoutOf[step]!;
    if (present[step] === 0 || layout === FLOAT_ROW || (seen[step]! & INCOMPATIBLE) !== 0) continue;
    let placement = placements[layout];
    if (placement === undefined || placement.of !== placement.block.layout) {
      placement = placementIn(blockFor(blocks, row.layouts[layout]!, present.length), row.layouts[layout]!);
      placements[layout] = placement;
    }
    const held = holderOf(placement.block, blocks, step, order);
    const hadFloat = (seen[step]! & FLOAT) !== 0;
    seen[step]! |= HISTOGRAM;
    // Beside a float that came first there is no sum of histograms.
    if (held === undefined && hadFloat && order === 'inOrder') continue;
    const hint = row.hints[step]!;
    if (hint === RESET) seen[step]! |= SAW_RESET;
    else if (hint === NOT_RESET) seen[step]! |= SAW_NOT_RESET;
    const start = row.starts[step]!;
    if (held === undefined) startTerms(placement, step, row.cells, start, hint);
    else if (isPlainSum(held, placement, step, row.cells, start, aggregate)) {
      addTerms(placement, step, row.cells, start, hint, order === 'inOrder');
    } else addAcross(state, held, step, histogramAt(row, step), metric, aggregate);
  }
}

/** Merges the histograms of another state, which stays as it is. */
export function mergeHistograms(into: PartialHistograms, from: PartialHistograms, aggregate: HistogramAggregate): void {
  const { seen, blocks } = into;
  const steps = seen.length;
  for (const other of from.blocks) {
    let placement = placementIn(blockFor(blocks, other.layout, steps), other.layout);
    for (let step = 0; step < steps; step++) {
      if (other.holds[step] === NOTHING) continue;
      const { block } = placement;
      if (placement.of !== block.layout) placement = placementIn(block, other.layout);
      const at = step * placement.places.length;
      if (block.holds[step] === NOTHING) putMean(blocks, step, heldMean(other, step));
      else if (other.holds[step] === SUM && isPlainSum(block, placement, step, other.cells, at, aggregate)) {
        addHeld(placement, step, other);
      } else {
        const mean = heldMean(block, step);
        mergeHistogramMean(mean, heldMean(other, step));
        block.holds[step] = NOTHING;
        putMean(blocks, step, mean);
      }
    }
  }
  for (let step = 0; step < steps; step++) seen[step]! |= from.seen[step]!;
  into.metric = firstName(into.metric, from.metric);
  for (const metric of from.clashing) if (!into.clashing.includes(metric)) into.clashing.push(metric);
}

function firstName(a: string, b: string): string {
  return a === '' || (b !== '' && b < a) ? b : a;
}

/** How many numbers the state keeps. */
export function numbersIn({ seen, blocks }: PartialHistograms): number {
  return blocks.reduce((total, { cells }) => total + 2 * (cells.length + seen.length), seen.length);
}

/** Makes the blocks wide enough for all histograms of a row, each once. */
function makeRoom(blocks: HistogramBlock[], { layouts, layoutOf }: HistogramColumns, present: Uint8Array): void {
  const seen = new Set<number>();
  let last = FLOAT_ROW;
  for (let step = 0; step < present.length; step++) {
    const layout = layoutOf[step]!;
    if (present[step] === 0 || layout === last || layout === FLOAT_ROW || seen.has(layout)) continue;
    last = layout;
    seen.add(layout);
    blockFor(blocks, layouts[layout]!, present.length);
  }
}

/** The block to whose histogram at the step another one is added; undefined when there is none yet. */
function holderOf(
  block: HistogramBlock,
  blocks: readonly HistogramBlock[],
  step: number,
  order: HistogramOrder,
): HistogramBlock | undefined {
  if (block.holds[step] !== NOTHING) return block;
  return order === 'anyOrder' ? undefined : blocks.find(({ holds }) => holds[step] !== NOTHING);
}

/** Whether the cells can be added number by number. */
function isPlainSum(
  held: HistogramBlock,
  placement: Placement,
  step: number,
  terms: Float64Array,
  start: number,
  aggregate: HistogramAggregate,
): boolean {
  if (held !== placement.block || held.holds[step] !== SUM) return false;
  return aggregate === 'sum' || !wouldOverflow(placement, step, terms, start);
}

/** Adds a histogram where that takes more, or comes to other buckets than those of `held`. */
function addAcross(
  state: PartialHistograms,
  held: HistogramBlock,
  step: number,
  histogram: NativeHistogram,
  metric: string,
  aggregate: HistogramAggregate,
): void {
  const mean = heldMean(held, step);
  const added = aggregate === 'sum' ? addToHistogramSum(mean.sum, histogram) : addToHistogramMean(mean, histogram);
  if (aggregate === 'sum') mean.count += 1;
  held.holds[step] = NOTHING;
  if (added === undefined) {
    state.seen[step]! |= INCOMPATIBLE;
    if (!state.clashing.includes(metric)) state.clashing.push(metric);
    return;
  }
  if (added.boundsReconciled) state.seen[step]! |= RECONCILED;
  putMean(state.blocks, step, mean);
}
