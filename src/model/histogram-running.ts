import { canAdd } from './histogram-add.ts';
import { accumulatorOf, coarsen, histogramOf, joinHint, type Accumulator } from './histogram-accumulator.ts';
import { ADDED, combine, SUBTRACTED, type Combining } from './histogram-combine.ts';
import type { Combined } from './histogram-arithmetic.ts';
import { BUCKET_CELLS, RESET_UNKNOWN, type NativeHistogram } from './histogram.ts';

/** A histogram that others are added to and subtracted from in place: what rates are computed in. */
export interface RunningHistogram {
  readonly accumulator: Accumulator;
}

/** What an addition has to say. */
export type Joined = Omit<Combined, 'histogram'>;

/** Starts with a copy of the histogram, at the given exponential schema if that is coarser than its own. */
export function startRunning(histogram: NativeHistogram, schema: number = histogram.layout.schema): RunningHistogram {
  const accumulator = accumulatorOf(histogram);
  coarsen(accumulator, schema);
  return { accumulator };
}

/** Undefined, and nothing added, when one has exponential buckets and the other custom ones. */
export function addToRunning(running: RunningHistogram, term: NativeHistogram): Joined | undefined {
  return join(running, term, ADDED);
}

/** As `addToRunning`. */
export function subtractFromRunning(running: RunningHistogram, term: NativeHistogram): Joined | undefined {
  return join(running, term, SUBTRACTED);
}

/** The histogram with the given hint. It shares its numbers with the state, which must not be added to any more. */
export function finishRunning({ accumulator: { layout, cells } }: RunningHistogram, hint: number): NativeHistogram {
  return histogramOf(layout, hint, cells);
}

/**
 * A histogram of the same schema and bounds that counts nothing, not even in a zero bucket: what a rate starts from when
 * the counters were reset right after its first sample.
 */
export function withoutObservations({ layout: { schema, bounds } }: NativeHistogram): NativeHistogram {
  const layout = { schema, zeroThreshold: 0, positive: NO_INDEXES, negative: NO_INDEXES, bounds };
  return histogramOf(layout, RESET_UNKNOWN, new Float64Array(BUCKET_CELLS));
}

const NO_INDEXES = new Int32Array(0);

function join({ accumulator }: RunningHistogram, term: NativeHistogram, how: Combining): Joined | undefined {
  if (!canAdd(accumulator, term)) return undefined;
  const resetCollision = joinHint(accumulator, term.hint);
  const boundsReconciled = combine(accumulator, term, undefined, how);
  return { resetCollision, boundsReconciled };
}
