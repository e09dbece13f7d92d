import { BUCKET_CELLS, CUSTOM_BUCKETS, SUM_CELL, type HistogramLayout } from '../../model/histogram.ts';

/**
 * What new observations are likely to have added to a histogram's sum: each as much as the end of its bucket, times a gain
 * that says where in their buckets the observations of this chunk lie. A sum's bits are mostly noise, and this is what is
 * known of them.
 *
 * Readers must find the same floats as the writer did, so only operations are used that IEEE 754 rounds exactly: no powers.
 */

/** The ends of the buckets by the cells that count them; cells that count none, and the zero bucket, have 0. */
export function bucketEnds(layout: HistogramLayout): Float64Array {
  const { schema, positive, negative, bounds } = layout;
  const ends = new Float64Array(BUCKET_CELLS + positive.length + negative.length);
  let cell = BUCKET_CELLS;
  for (const index of positive) {
    // Observations above the last bound are taken to be there.
    if (schema === CUSTOM_BUCKETS) ends[cell++] = bounds[index] ?? bounds.at(-1) ?? 0;
    else ends[cell++] = exponentialEnd(index, schema);
  }
  for (const index of negative) ends[cell++] = schema === CUSTOM_BUCKETS ? 0 : -exponentialEnd(index, schema);
  return ends;
}

/** 2^(1/2), 2^(1/4), 2^(1/8), …: square roots are exact to the last bit on every machine. */
const ROOTS = new Float64Array(8);
for (let i = 0, root = 2; i < ROOTS.length; i++) {
  root = Math.sqrt(root);
  ROOTS[i] = root;
}

/** Near 2^(index * 2^-schema); 0 where that is no usual float, or the schema is none. */
function exponentialEnd(index: number, schema: number): number {
  if (schema < -4 || schema > ROOTS.length) return 0;
  if (schema <= 0) return powerOfTwo(index * 2 ** -schema);
  let end = powerOfTwo(index >> schema);
  for (let bit = 0; bit < schema; bit++) if (((index >> (schema - 1 - bit)) & 1) === 1) end *= ROOTS[bit]!;
  return end;
}

const power = new Float64Array(1);
const powerWords = new Uint32Array(power.buffer);

function powerOfTwo(exponent: number): number {
  if (exponent < -1022 || exponent > 1022) return 0;
  powerWords[1] = (exponent + 1023) << 20;
  return power[0]!;
}

const GAIN_STEPS = 256;

/** The gain in 1/256 below 1, from 0 to 255, at which `additions` come nearest to the differences of the sums; -1 for none. */
export function gainOf(cells: Float64Array, starts: Int32Array, rows: number, additions: Float64Array): number {
  let added = 0;
  let expected = 0;
  for (let i = 1; i < rows; i++) {
    const difference = cells[starts[i]! + SUM_CELL]! - cells[starts[i - 1]! + SUM_CELL]!;
    // Where a counter began again, or a sum is no number, nothing can be told.
    if (!(difference * additions[i]! > 0) || difference - difference !== 0) continue;
    added += difference;
    expected += additions[i]!;
  }
  const below = Math.round((1 - added / expected) * GAIN_STEPS);
  return below >= -1 && below < GAIN_STEPS ? Math.max(0, below) : -1;
}

/** Makes the additions of `rows` rows the steps that are expected of the sum. */
export function applyGain(additions: Float64Array, rows: number, gain: number): void {
  const factor = 1 - gain / GAIN_STEPS;
  additions[0] = 0;
  for (let i = 1; i < rows; i++) additions[i]! *= factor;
}
