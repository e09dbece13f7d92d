import type { MessagePort } from 'node:worker_threads';
import type { Note } from '../engine/notes.ts';
import type { Used } from '../engine/usage.ts';
import type { Appended, Batch, Metadata, SeriesExemplars } from '../model/batch.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Stream } from '../model/stream.ts';
import type { ColumnsRow } from '../plan/frames/columns-codec.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { PolicyTexts } from '../policy/document.ts';
import type { ReadSize } from '../store/read-size.ts';
import type { Compaction, Deletion } from '../store/store.ts';

/** One store of an agent, wherever it runs: in this thread or in a worker of its own. Series are spread over shards by hash. */
export interface Shard extends ShardReader {
  /** As the store's; `settledUntilMs` is the watermark that was told to others, for `Appended.late`. */
  appendAll(batches: readonly Batch[], settledUntilMs: number): Promise<readonly Appended[]>;
  stats(): ShardStats;
  /** Hides the samples in [fromMs, toMs] of the series that satisfy the matchers, at once and durably. */
  delete(matchers: readonly Matcher[], fromMs: number, toMs: number): Promise<Deletion>;
  deletions(): Promise<readonly Deletion[]>;
  /** Flushes what is in memory, merges chunks and removes what was deleted from the files. */
  compact(): Promise<Compaction>;
  /** Copies the store into a folder that does not exist yet, while it serves. */
  backup(folder: string): Promise<{ readonly bytes: number }>;
  /** As `LocalShard.applyPolicies`; resolves when it is so. */
  applyPolicies(policies: readonly PolicyTexts[]): Promise<void>;
  /** One more way to read this shard, for a thread that asks it by itself; undefined where it is in this thread. */
  connect(): MessagePort | undefined;
  close(): Promise<void>;
}

/**
 * The reading half of a shard. Every question can be stopped: anything but 0 in `cancelled`, an Int32 in shared memory, ends
 * it with `canceled`, and the clock past `deadlineMs` (since the epoch) with `timeout`. One is answered after the other.
 */
export interface ShardReader {
  /** Answers fragments of a query over this shard's series, in the order in which they are asked. */
  run(query: ShardQuery): Promise<ShardAnswer>;
  /** Label sets, at most `limit`, in any order; of what may leave as it is where the answer may. */
  series(question: SeriesQuestion & Releasing & { readonly limit: number }): Promise<readonly Labels[]>;
  /** Label names or the values of one label: the first `limit` in order. */
  labels(question: LabelsQuestion): Promise<readonly string[]>;
  /** One label set for each combination of metric name and label names among the series, in any order. */
  kinds(question: SeriesQuestion): Promise<readonly Labels[]>;
  /** How much some reads would find, before any sample is read. Answered between two series of a query under way. */
  estimate(question: EstimateQuestion): Promise<EstimateAnswer>;
  /** The producers whose series these are, each once. */
  producers(question: SeriesQuestion): Promise<readonly Stream[]>;
  /** The exemplars in the time range, those of a series oldest first, in any order of series. */
  exemplars(question: SeriesQuestion & Releasing): Promise<readonly SeriesExemplars[]>;
  metadata(question: Releasing): Promise<readonly Metadata[]>;
}

export interface Stoppable {
  readonly deadlineMs: number;
  readonly cancelled: Int32Array;
}

/**
 * What a shard is asked for: a fragment, or series as they are stored with their samples in [fromMs, toMs], whose rows have
 * times, values and start times (0 where unknown) as fields and every cell present.
 */
export type ShardFragment = Fragment | SeriesRead;

export interface SeriesRead {
  readonly answer: 'series';
  readonly matchers: readonly Matcher[];
  readonly fromMs: number;
  readonly toMs: number;
}

export interface ShardQuery extends Stoppable {
  readonly fragments: readonly ShardFragment[];
  readonly lookbackMs: number;
  readonly features: PromqlFeatures;
  /** What this shard's series are of all that the query means; see `EvalContext.scope`. */
  readonly scope: 'whole' | 'part' | 'shard';
  /** Whether the answer may leave the domain: then no sample of a sealed metric is read, whatever was checked before. */
  readonly releases: boolean;
  /** Whether a hub's request is soon answered, and does not wait behind those that are not; see `Lane`. */
  readonly isLight?: boolean | undefined;
  /** What the request has used already, towards the limits of one request. */
  readonly spent: Spent;
}

/** What the evaluations of a request have touched and their regular expressions have cost. */
export interface Spent extends Used {
  readonly regexWork: number;
}

export interface ShardAnswer {
  /** The rows of each fragment, in any order. */
  readonly fragments: readonly (readonly ShardRow[])[];
  /** What there is to say beside them. */
  readonly notes: readonly Note[];
  /** What the request has used now. */
  readonly spent: Spent;
}

/** A row as it moves inside a domain: there native histograms may come along. */
export interface ShardRow extends ColumnsRow {
  readonly histograms?: HistogramColumns | undefined;
  /** As `Row.dropsName`. */
  readonly dropsName?: boolean | undefined;
}

/** Times are inclusive milliseconds. A series is meant when it satisfies all matchers of one of the selectors. */
export interface SeriesQuestion extends Stoppable {
  /** None means every series. */
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
}

export interface LabelsQuestion extends SeriesQuestion, Releasing {
  /** The label whose values are asked for; empty for label names. */
  readonly name: string;
  readonly limit: number;
}

export interface Releasing {
  /** Whether the answer may leave the domain: then what may not (metrics, labels, exemplars, families) is left out. */
  readonly releases: boolean;
}

export interface EstimateQuestion extends Stoppable {
  readonly reads: readonly Omit<SeriesRead, 'answer'>[];
  /** What the regular expressions of earlier estimates of the request have cost. */
  readonly regexWork: number;
}

export interface EstimateAnswer {
  /** By read. */
  readonly sizes: readonly ReadSize[];
  readonly regexWork: number;
}

export interface ShardStats {
  readonly series: number;
  /** As `StoreStats.inputs`. */
  readonly inputs: number;
  readonly samples: number;
  /** Bytes on disk. */
  readonly bytes: number;
  readonly quarantined: number;
  /** Live memory of the shard's isolate, where it has one of its own. */
  readonly memoryBytes: number;
}
