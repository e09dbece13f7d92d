/**
 * The state of one group at every step, in columns: `present[i]` is 1 where at least one series contributed at step i,
 * and `fields` are the operator's numbers, each of the same length.
 */
export interface PartialColumns {
  readonly present: Uint8Array;
  readonly fields: readonly Float64Array[];
}

/**
 * A commutative monoid over columns: `zeroColumns` is its identity, `merge` its operation, `add` takes in one series and
 * `finish` gives the aggregation's value. The same code runs between series, shards, domains and hubs, so that an
 * answer does not depend on how the data is split.
 */
export interface Partial {
  /** Names of the fields, in the order of `PartialColumns.fields`; part of the wire format. */
  readonly fields: readonly string[];
  /** Takes in one series: `values[i]` counts where `present[i]` is 1. */
  add(into: PartialColumns, values: Float64Array, present: Uint8Array): void;
  /** Merges the state `from` into `into`. */
  merge(into: PartialColumns, from: PartialColumns): void;
  /** Writes the aggregation's value to `out[i]` wherever `columns.present[i]` is 1. */
  finish(columns: PartialColumns, out: Float64Array): void;
}
