import { histogramOf } from '../model/histogram-accumulator.ts';
import { bucketBound } from '../model/histogram-bounds.ts';
import type { HistogramMean } from '../model/histogram-mean.ts';
import { histogramSumOf } from '../model/histogram-sum.ts';
import {
  BUCKET_CELLS,
  cellsOf,
  CUSTOM_BUCKETS,
  GAUGE,
  RESET_UNKNOWN,
  type HistogramLayout,
} from '../model/histogram.ts';
import { addCompensated } from '../base/compensated.ts';

/**
 * Sums of histograms of one kind of buckets (schema, zero threshold, custom bounds) at every step: typed arrays only, so
 * that adding a histogram makes nothing and a block moves between threads as it is.
 *
 * Step i has its numbers in `cells` from `i * cellsOf(layout)` on, in the order of a histogram column's, and the rounding
 * errors of each at the same place in `lost`.
 */
export interface HistogramBlock {
  /** All buckets seen so far, at any step. */
  layout: HistogramLayout;
  /** Step -> what the cells hold: `NOTHING`, `SUM` or `MEAN`. */
  readonly holds: Uint8Array;
  /** Step -> the reset hint of the sum. */
  readonly hints: Uint8Array;
  /** Step -> how many histograms are in it. */
  readonly counts: Float64Array;
  cells: Float64Array;
  lost: Float64Array;
}

export const NOTHING = 0;
export const SUM = 1;
/** A mean stands in the place of a sum that would overflow. */
export const MEAN = 2;

/** Where the cells of a layout's histograms go in a block. */
export interface Placement {
  readonly block: HistogramBlock;
  /** The block's layout when this was worked out; for a block that has grown since it no longer holds. */
  readonly of: HistogramLayout;
  /** Cells of a step in the block. */
  readonly width: number;
  /** Cell -> cell of the block. */
  readonly places: Int32Array;
  /** Cell -> 1 for a bucket inside the zero bucket; undefined where there is none. */
  readonly hidden: Uint8Array | undefined;
}

/** The block for histograms of this layout, with room for their buckets; a new one holds nothing. */
export function blockFor(blocks: HistogramBlock[], layout: HistogramLayout, steps: number): HistogramBlock {
  let block = blocks.find((other) => sameBuckets(other.layout, layout));
  if (block === undefined) {
    const numbers = steps * cellsOf(layout);
    block = {
      layout,
      holds: new Uint8Array(steps),
      hints: new Uint8Array(steps),
      counts: new Float64Array(steps),
      cells: new Float64Array(numbers),
      lost: new Float64Array(numbers),
    };
    blocks.push(block);
  } else if (!isWithin(layout, block.layout)) {
    widen(block, unionOf(block.layout, layout));
  }
  return block;
}

/** The block must have room for the layout; see `blockFor`. */
export function placementIn(block: HistogramBlock, layout: HistogramLayout): Placement {
  return {
    block,
    of: block.layout,
    width: cellsOf(block.layout),
    places: placesIn(layout, block.layout),
    hidden: hiddenBuckets(layout),
  };
}

/** Makes the histogram whose cells begin at `terms[start]` all that the block holds at the step. */
export function startTerms(placement: Placement, step: number, terms: Float64Array, start: number, hint: number): void {
  const { block, width, places } = placement;
  const at = step * width;
  block.cells.fill(0, at, at + width);
  block.lost.fill(0, at, at + width);
  for (let i = 0; i < places.length; i++) block.cells[at + places[i]!] = terms[start + i]!;
  block.holds[step] = SUM;
  block.hints[step] = hint;
  block.counts[step] = 1;
}

/**
 * Adds such a histogram to the sum that the block holds. As in Prometheus, buckets inside the zero bucket are left out
 * where `leavesHidden` says so.
 */
export function addTerms(
  { block, width, places, hidden }: Placement,
  step: number,
  terms: Float64Array,
  start: number,
  hint: number,
  leavesHidden: boolean,
): void {
  const { cells, lost } = block;
  const at = step * width;
  for (let i = 0; i < places.length; i++) {
    if (hidden !== undefined && leavesHidden && hidden[i] === 1) continue;
    addCompensated(cells, lost, at + places[i]!, terms[start + i]!);
  }
  block.hints[step] = joinedHint(block.hints[step]!, hint);
  block.counts[step]! += 1;
}

/** Adds the sum that another block, for whose layout the placement is, holds at the step. */
export function addHeld({ block, width, places }: Placement, step: number, other: HistogramBlock): void {
  const { cells, lost } = block;
  const at = step * width;
  const from = step * places.length;
  for (let i = 0; i < places.length; i++) {
    const to = at + places[i]!;
    addCompensated(cells, lost, to, other.cells[from + i]!);
    lost[to]! += other.lost[from + i]!;
  }
  block.hints[step] = joinedHint(block.hints[step]!, other.hints[step]!);
  block.counts[step]! += other.counts[step]!;
}

/** Whether a sum with such a histogram has, or comes to have, an infinite number. */
export function wouldOverflow(
  { block, width, places }: Placement,
  step: number,
  terms: Float64Array,
  start: number,
): boolean {
  const { cells } = block;
  const at = step * width;
  for (let i = 0; i < places.length; i++) {
    if (isInfinite(cells[at + places[i]!]! + terms[start + i]!)) return true;
  }
  for (let i = at; i < at + width; i++) if (isInfinite(cells[i]!)) return true;
  return false;
}

/** A copy of what the block holds at a step, which must be something. */
export function heldMean({ layout, holds, hints, counts, cells, lost }: HistogramBlock, step: number): HistogramMean {
  const width = cellsOf(layout);
  const at = step * width;
  const sum = histogramSumOf({
    histogram: histogramOf(layout, hints[step]!, cells.subarray(at, at + width)),
    compensation: histogramOf(layout, hints[step]!, lost.subarray(at, at + width)),
  });
  return { sum, count: counts[step]!, isIncremental: holds[step] === MEAN };
}

/** Makes a mean what the blocks hold at a step, where the one of its kind must hold nothing. */
export function putMean(blocks: HistogramBlock[], step: number, { sum, count, isIncremental }: HistogramMean): void {
  const { layout, hint, cells, lost } = sum;
  const block = blockFor(blocks, layout, blocks[0]!.holds.length);
  const placement = placementIn(block, layout);
  startTerms(placement, step, cells, 0, hint);
  const at = step * placement.width;
  if (lost !== undefined) placement.places.forEach((place, i) => (block.lost[at + place] = lost[i]!));
  block.counts[step] = count;
  block.holds[step] = isIncremental ? MEAN : SUM;
}

/** Whether histograms of the layouts have the same buckets, though not all need be populated in both. */
function sameBuckets(a: HistogramLayout, b: HistogramLayout): boolean {
  if (a === b) return true;
  if (a.schema !== b.schema || a.zeroThreshold !== b.zeroThreshold || a.bounds.length !== b.bounds.length) return false;
  return a.bounds === b.bounds || a.bounds.every((bound, i) => bound === b.bounds[i]);
}

/** Whether all buckets of a layout are in the other one. */
function isWithin(layout: HistogramLayout, other: HistogramLayout): boolean {
  return isSideWithin(layout.positive, other.positive) && isSideWithin(layout.negative, other.negative);
}

function isSideWithin(indexes: Int32Array, others: Int32Array): boolean {
  let j = 0;
  for (let i = 0; i < indexes.length; i++) {
    while (j < others.length && others[j]! < indexes[i]!) j++;
    if (others[j] !== indexes[i]) return false;
  }
  return true;
}

/** Where the cells of a layout are in another one that it `isWithin`. */
function placesIn(layout: HistogramLayout, into: HistogramLayout): Int32Array {
  const places = new Int32Array(cellsOf(layout));
  for (let i = 0; i < BUCKET_CELLS; i++) places[i] = i;
  const { positive, negative } = layout;
  placeSide(positive, into.positive, places, BUCKET_CELLS, BUCKET_CELLS);
  placeSide(negative, into.negative, places, BUCKET_CELLS + positive.length, BUCKET_CELLS + into.positive.length);
  return places;
}

function placeSide(indexes: Int32Array, into: Int32Array, places: Int32Array, at: number, intoAt: number): void {
  let j = 0;
  for (let i = 0; i < indexes.length; i++) {
    while (into[j]! < indexes[i]!) j++;
    places[at + i] = intoAt + j++;
  }
}

function widen(block: HistogramBlock, layout: HistogramLayout): void {
  const places = placesIn(block.layout, layout);
  const { holds } = block;
  const width = cellsOf(layout);
  const cells = new Float64Array(holds.length * width);
  const lost = new Float64Array(cells.length);
  for (let step = 0; step < holds.length; step++) {
    if (holds[step] === NOTHING) continue;
    const from = step * places.length;
    const to = step * width;
    for (let i = 0; i < places.length; i++) {
      cells[to + places[i]!] = block.cells[from + i]!;
      lost[to + places[i]!] = block.lost[from + i]!;
    }
  }
  Object.assign(block, { layout, cells, lost });
}

function unionOf(a: HistogramLayout, b: HistogramLayout): HistogramLayout {
  return { ...a, positive: unionOfIndexes(a.positive, b.positive), negative: unionOfIndexes(a.negative, b.negative) };
}

function unionOfIndexes(a: Int32Array, b: Int32Array): Int32Array {
  const union = new Int32Array(a.length + b.length);
  let used = 0;
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const left = i < a.length ? a[i]! : Infinity;
    const right = j < b.length ? b[j]! : Infinity;
    union[used++] = Math.min(left, right);
    if (left <= right) i++;
    if (right <= left) j++;
  }
  return union.slice(0, used);
}

/** Buckets inside the zero bucket, at the beginning of either side: none should be, but samples may come with them. */
function hiddenBuckets(layout: HistogramLayout): Uint8Array | undefined {
  const { schema, zeroThreshold, positive, negative } = layout;
  if (schema === CUSTOM_BUCKETS || zeroThreshold === 0) return undefined;
  const inZero = (index: number): boolean => bucketBound(layout, index) <= zeroThreshold;
  const isHidden = (indexes: Int32Array): boolean => indexes.length > 0 && inZero(indexes[0]!);
  if (!isHidden(positive) && !isHidden(negative)) return undefined;
  const hidden = new Uint8Array(cellsOf(layout));
  for (const [i, index] of [...positive, ...negative].entries()) hidden[BUCKET_CELLS + i] = inZero(index) ? 1 : 0;
  return hidden;
}

/** A gauge makes the sum one; hints that say different things say nothing together. */
function joinedHint(a: number, b: number): number {
  if (a === b) return a;
  return a === GAUGE || b === GAUGE ? GAUGE : RESET_UNKNOWN;
}

function isInfinite(value: number): boolean {
  return value === Infinity || value === -Infinity;
}
