import type { PartialHistograms } from './partial-histograms.ts';
import type { Sketches } from './sketch.ts';

/**
 * The state of one group at every step, in columns: `present[i]` is 1 where at least one series contributed at step i,
 * and `fields` are the operator's numbers, each of the same length.
 */
export interface PartialColumns {
  readonly present: Uint8Array;
  readonly fields: readonly Float64Array[];
  /** What a sum or a mean has of native histograms; undefined where it saw none. */
  histograms?: PartialHistograms | undefined;
  /** What an approximate quantile knows of its values, instead of fields; undefined where there were none. */
  sketches?: Sketches | undefined;
}

/**
 * A commutative monoid over columns: `zeroColumns` is its identity, `merge` its operation, `add` takes in one series and
 * `finish` gives the aggregation's value. The same code runs between series, shards, domains and hubs, so that an
 * answer does not depend on how the data is split.
 *
 * These functions see floats only; what a sum or a mean does with native histograms is in partial-histograms.ts.
 */
export interface Partial {
  /** Names of the fields, in the order of `PartialColumns.fields`; part of the wire format. */
  readonly fields: readonly string[];
  /** What becomes of native histograms: added up, averaged, taken for a sample like any other, or left out. */
  readonly histograms: 'sum' | 'mean' | 'count' | 'ignore';
  /** Takes in one series: `values[i]` counts where `present[i]` is 1. */
  add(into: PartialColumns, values: Float64Array, present: Uint8Array): void;
  /** Merges the state `from` into `into`. */
  merge(into: PartialColumns, from: PartialColumns): void;
  /** Brings a state that was added to into the one form in which it goes elsewhere; undefined where it always has it. */
  settle?(columns: PartialColumns): void;
  /** Writes the aggregation's value to `out[i]` wherever `columns.present[i]` is 1. */
  finish(columns: PartialColumns, out: Float64Array): void;
}
