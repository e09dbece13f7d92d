import type { HistogramColumns } from './histogram.ts';
import type { Labels } from './labels.ts';

/**
 * A label set that its sender will name again. Decoders keep handles by the bytes that made the label set, and the store
 * leaves in them where the series is, so that a known series costs neither decoding nor a look-up by strings.
 */
export interface SeriesHandle {
  /** `RELEASED` where nobody needs the labels in memory; read them with `handleLabels`. */
  labels: Labels;
  /** The store's reference of the series, used again for another when the series is gone; `NO_REF` until it is stored. */
  ref: number;
  /** The store's number of the series, never used again; `NO_ID` until it is stored. */
  id: number;
  /** The shard whose store wrote the two; `NO_SHARD` until the handle is routed. Only the router reads or writes it. */
  shard: number;
  /** Makes the labels again after they are released; undefined for a handle that keeps them. */
  readonly owner: LabelOwner | undefined;
}

/** A decoder that can read the labels of its handles a second time. */
export interface LabelOwner {
  /** The labels of a released handle; undefined when what they were read from is forgotten. */
  labelsOf(handle: SeriesHandle): Labels | undefined;
}

export const NO_REF = -1;
export const NO_ID = 0;
export const NO_SHARD = -1;

/** Stands for labels that are not in memory. No series has an empty label set. */
export const RELEASED: Labels = Object.freeze([]);

export function seriesHandle(labels: Labels): SeriesHandle {
  return { labels, ref: NO_REF, id: NO_ID, shard: NO_SHARD, owner: undefined };
}

/** The labels of a handle; undefined where they are released and cannot be made again. */
export function handleLabels(handle: SeriesHandle): Labels | undefined {
  return handle.labels === RELEASED ? handle.owner?.labelsOf(handle) : handle.labels;
}

/**
 * What one request brings in, in columns: row i is a sample of the series `series[seriesOf[i]]` at `times[i]` (ms).
 *
 * `modes[i]` says how the sample joins its series:
 * - `SET`: the sample as it is (cumulative counters, gauges);
 * - `ADD`: the value is added to the series' last value (a span metric counted here); a new series starts from zero, and
 *   the time is moved up to the series' last time when it lies before it;
 * - `ADD_ONCE`: as ADD, but a row at the time of the last sample, stored by an earlier append, is a repetition and is left
 *   out, and an older one, or a second one at a time, is rejected (delta sums).
 *
 * A row that is a native histogram is added bucket by bucket. A series whose last sample is of the other type starts anew
 * with the row.
 */
export interface Batch {
  /** Equal label sets may come more than once. */
  readonly series: readonly SeriesHandle[];
  readonly seriesOf: Uint32Array;
  readonly times: Float64Array;
  /** May hold staleness markers; see `isStaleAt`. */
  readonly values: Float64Array;
  readonly modes: Uint8Array;
  /** Which rows are native histograms; undefined when none is. */
  readonly histograms: HistogramColumns | undefined;
  /** When each row's counter started, in ms; 0 where that is unknown. Undefined when no start is known. */
  readonly startTimes: Float64Array | undefined;
  /**
   * `CONTINUES` where a row belongs to the same data point as the row before it: the buckets of one classic histogram. A
   * point is stored as a whole or not at all where a limit meets it, and outcomes count points. `BESIDE` where a row is none
   * that was sent, which no outcome counts: `target_info`. Undefined when each row is a point.
   */
  readonly continues: Uint8Array | undefined;
  readonly exemplars: readonly Exemplar[];
  readonly metadata: readonly Metadata[];
  /**
   * What tells this delivery from all others (a digest of its body), for batches with rows that add: a delivery that was
   * stored before counts as a repetition, whatever became of the answer. Undefined when rows tell by themselves.
   */
  readonly delivery: string | undefined;
}

export const SET = 0;
export const ADD = 1;
export const ADD_ONCE = 2;

/** What `continues` says; 0 where a row begins a point. */
export const CONTINUES = 1;
export const BESIDE = 2;

/** An example of an observation that went into a series. */
export interface SeriesExemplar {
  readonly timeMs: number;
  readonly value: number;
  /** Labels of the exemplar itself, such as trace_id. */
  readonly labels: Labels;
}

export interface Exemplar extends SeriesExemplar {
  /** Index into the batch's series. */
  readonly series: number;
}

/** A series and its exemplars, oldest first. */
export interface SeriesExemplars {
  readonly labels: Labels;
  readonly exemplars: readonly SeriesExemplar[];
}

/** What is known of a metric family. Empty texts say nothing. */
export interface Metadata {
  /** The name of the family: of a histogram, without `_bucket`. */
  readonly metric: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

/** Prometheus's words for the types of metric families. */
export type MetricType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown';

/** Why a point was not stored. */
export type RejectReason =
  | 'out_of_order'
  | 'too_old'
  | 'duplicate_timestamp'
  | 'too_far_in_future'
  | 'series_limit'
  | 'metric_series_limit'
  | 'not_finite'
  | 'bad_histogram';

/** What `append` did, in points. Stored + repeated + rejected points are the points of the batch. */
export interface Appended {
  readonly stored: number;
  /** Points that said again what is stored already: not an error. */
  readonly repeated: number;
  readonly rejected: ReadonlyMap<RejectReason, Rejection>;
  /** Of the points stored or repeated, those that are native histograms. */
  readonly histograms: number;
  /** Exemplars stored or known already. */
  readonly exemplars: number;
  /** The times of the points that were stored behind the watermark; undefined when there is none. */
  readonly late?: LateInterval | undefined;
}

/** Times in ms, both included. */
export interface LateInterval {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Rejection {
  readonly count: number;
  /** The first row of the batch that met this reason, for a message to the sender. */
  readonly firstRow: number;
}

/** The number of points that were rejected, whatever the reason. */
export function rejectedCount({ rejected }: Pick<Appended, 'rejected'>): number {
  let count = 0;
  for (const rejection of rejected.values()) count += rejection.count;
  return count;
}
