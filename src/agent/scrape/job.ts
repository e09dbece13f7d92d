import type { RelabelRule } from '../../model/relabel.ts';
import type { HttpOptions } from './http-config.ts';

/** A job of `scrape_configs` with everything resolved. Times are in milliseconds, limits of 0 are none. */
export interface ScrapeJob {
  readonly name: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** The Accept header. */
  readonly accept: string;
  readonly compression: boolean;
  /** Media type of bodies that come without one. */
  readonly fallback: string | undefined;
  readonly metricsPath: string;
  readonly scheme: string;
  readonly params: Readonly<Record<string, readonly string[]>>;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly trackTimestampsStaleness: boolean;
  readonly histograms: HistogramOptions;
  /** Whether the settings of a scrape are stored as metrics, too. */
  readonly extraMetrics: boolean;
  readonly groups: readonly TargetGroup[];
  readonly files: readonly { readonly patterns: readonly string[]; readonly refreshMs: number }[];
  readonly relabel: readonly RelabelRule[];
  readonly metricRelabel: readonly RelabelRule[];
  readonly targetLimit: number;
  readonly sampleLimit: number;
  readonly labelLimit: number;
  readonly labelNameBytes: number;
  readonly labelValueBytes: number;
  /** Never 0. */
  readonly bodyBytes: number;
  readonly http: HttpOptions;
}

/** Which histograms of a target are taken; relabelling can say it for one target. */
export interface HistogramOptions {
  readonly native: boolean;
  /** Classic ones also where there is a native one. */
  readonly keepClassic: boolean;
  /** Classic ones become native ones with custom buckets. */
  readonly toCustomBuckets: boolean;
}

/** Addresses that share labels, as a static or discovered group gives them. */
export interface TargetGroup {
  /** `host:port` each. */
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}
