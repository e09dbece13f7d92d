import type { Durability } from '../base/sqlite.ts';
import type { QuarantineKind } from './head-db.ts';

export interface StoreOptions {
  /** The store's folder, made where there is none. `:memory:` keeps nothing. */
  readonly path: string;
  /** Default `process`. */
  readonly durability?: Durability;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly onProblem?: (problem: StoreProblem) => void;
  /** Told at the beginning and the end of an open, and four times a second in between. */
  readonly onProgress?: (progress: StoreProgress) => void;
  /** Bytes of decoded samples kept in memory; 128 MB when left out. */
  readonly cacheBytes?: number;
  /** Bytes of a write-ahead log that make its memtable a closed one; by the number of series when left out. */
  readonly logBytes?: number;
  /** Samples that a part of a flush encodes; some milliseconds' worth when left out. */
  readonly samplesPerStep?: number;
  /** Series that the store takes; `LIMITS.seriesPerDomain` when left out. */
  readonly seriesLimit?: number;
  /** Series of one metric name; `LIMITS.seriesPerMetric` when left out. */
  readonly metricSeriesLimit?: number;
  /** How far behind the latest sample others may come out of order; 30 minutes when left out, 0 for not at all. */
  readonly outOfOrderMs?: number;
  /**
   * Whether native histograms are read with the reset hints that Prometheus's storage would find in them, for PromQL;
   * otherwise as they were sent.
   */
  readonly findsHints?: boolean;
  /** Samples go when they are this much older than now; never when left out. */
  readonly retentionMs?: number;
  /** The oldest days go when all takes more than this; never when left out. */
  readonly retentionBytes?: number;
}

/** Something that the store could not read or write and went on without. */
export interface StoreProblem {
  readonly kind: QuarantineKind | 'freeze' | 'flush' | 'upkeep';
  readonly message: string;
}

/** How far an open is: `done` of `total` bytes of write-ahead logs are read back. */
export interface StoreProgress {
  readonly kind: 'replay';
  readonly done: number;
  readonly total: number;
}
