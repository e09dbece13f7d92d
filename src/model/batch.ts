import type { Labels } from './labels.ts';

/**
 * What one request brings in, in columns: row i is a sample of the series `series[seriesOf[i]]` at `times[i]` (ms).
 *
 * `modes[i]` says how the value joins its series:
 * - `SET`: the sample's value as it is (cumulative counters, gauges);
 * - `ADD`: the value is added to the series' last value (a span metric counted here); a new series starts from zero, and
 *   the time is moved up to the series' last time when it lies before it;
 * - `ADD_ONCE`: as ADD, but a row at the time of the last sample, stored by an earlier append, is a repetition and is left
 *   out, and an older one, or a second one at a time, is rejected (delta sums).
 */
export interface Batch {
  readonly series: readonly Labels[];
  readonly seriesOf: Uint32Array;
  readonly times: Float64Array;
  /** May hold staleness markers; see `isStaleAt`. */
  readonly values: Float64Array;
  readonly modes: Uint8Array;
}

export const SET = 0;
export const ADD = 1;
export const ADD_ONCE = 2;

/** Why a row was not stored. */
export type RejectReason = 'out_of_order' | 'duplicate_timestamp' | 'too_far_in_future' | 'series_limit';

/** What `append` did. Stored + repeated + rejected rows are the rows of the batch. */
export interface Appended {
  readonly stored: number;
  /** Rows that said again what is stored already: not an error. */
  readonly repeated: number;
  readonly rejected: ReadonlyMap<RejectReason, number>;
}
