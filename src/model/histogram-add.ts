import { accumulatorOf, coarsen, histogramOf, joinHint, type Accumulator } from './histogram-accumulator.ts';
import { ADDED_WHOLLY, combine, widenToOneThreshold } from './histogram-combine.ts';
import { COUNT_CELL, CUSTOM_BUCKETS, RESET_UNKNOWN, SCHEMA_MIN, SUM_CELL, type NativeHistogram } from './histogram.ts';

/** Whether two histograms can be added: both have exponential buckets, or both have custom ones. */
export function canAdd(a: Pick<NativeHistogram, 'layout'>, b: Pick<NativeHistogram, 'layout'>): boolean {
  return (a.layout.schema === CUSTOM_BUCKETS) === (b.layout.schema === CUSTOM_BUCKETS);
}

/**
 * The histogram of the observations of both, which `canAdd` must allow, without empty buckets where buckets had to be
 * reconciled. The operands stay as they are.
 *
 * Exponential buckets are merged to the coarser schema; of two zero thresholds the larger one holds, moved up to the end of
 * a bucket that it would split, and what lies below it goes into the zero bucket. Of custom bounds those are kept that both
 * have. Every observation is in one bucket of the sum, also where PromQL's `sumOf` has it twice or not at all (see
 * `combine`).
 */
export function addHistograms(a: NativeHistogram, b: NativeHistogram): NativeHistogram {
  const sum = accumulatorOf(a);
  let term = b;
  if (a.layout.zeroThreshold !== b.layout.zeroThreshold) {
    const other = accumulatorOf(b);
    widenToOneThreshold(sum, other);
    term = histogramOf(other.layout, other.hint, other.cells);
  }
  joinHint(sum, b.hint);
  combine(sum, term, undefined, ADDED_WHOLLY);
  return withPlainTotals(sum);
}

/**
 * The same observations in at most `bucketsMax` buckets, at a coarser schema where that is needed; undefined when even the
 * coarsest one has too many. Custom buckets have no coarser schema.
 */
export function limitBuckets(histogram: NativeHistogram, bucketsMax: number): NativeHistogram | undefined {
  if (histogram.positive.length + histogram.negative.length <= bucketsMax) return histogram;
  if (histogram.layout.schema === CUSTOM_BUCKETS) return undefined;
  const limited = accumulatorOf(histogram);
  while (limited.layout.positive.length + limited.layout.negative.length > bucketsMax) {
    if (limited.layout.schema <= SCHEMA_MIN) return undefined;
    coarsen(limited, limited.layout.schema - 1);
  }
  return histogramOf(limited.layout, limited.hint, limited.cells);
}

/** A histogram of no observations with the same kind of buckets, from which counting starts. */
export function zeroHistogram({ layout }: NativeHistogram): NativeHistogram {
  const { schema, zeroThreshold, bounds } = layout;
  return {
    layout: { schema, zeroThreshold, positive: NO_INDEXES, negative: NO_INDEXES, bounds },
    hint: RESET_UNKNOWN,
    count: 0,
    sum: 0,
    zeroCount: 0,
    positive: NO_COUNTS,
    negative: NO_COUNTS,
  };
}

const NO_INDEXES = new Int32Array(0);
const NO_COUNTS = new Float64Array(0);

/** The payload of a NaN may depend on the order of the operands; the plain NaN has one pattern. */
function withPlainTotals({ layout, hint, cells }: Accumulator): NativeHistogram {
  for (const cell of [COUNT_CELL, SUM_CELL]) if (Number.isNaN(cells[cell])) cells[cell] = Number.NaN;
  return histogramOf(layout, hint, cells);
}
