import type { Metadata } from '../../model/batch.ts';
import type { NativeHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';

/** A series as a target exposes it. The object is reused: whoever is given one must not keep it. */
export interface ExposedSeries {
  /**
   * What identifies the series in this target's exposition: the same text each time it comes the same way. Series of
   * different labels never share one while the family keeps its type. A string of its own, not a view of the body.
   */
  readonly key: string;
  /** The same key where it lies, as `bytes[start, end)`, for look-ups that need no string. Valid during the call only. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /**
   * Its labels, the metric name among them; decoded only when asked. Throws `bad_data` where Prometheus refuses the scrape
   * for them: a name twice, an empty name, a name that is no UTF-8.
   */
  labels(): Labels;
  /**
   * The names of its labels with an empty value, which are not among `labels`: so an exporter says that its series has none
   * of that name, and is to be given none where its labels are honoured.
   */
  emptyNames(): readonly string[];
}

/** What a parser finds, in the order of the body. An error that a method throws ends the parsing. */
export interface ExpositionSink {
  /** `timeMs` undefined: the scrape's time. `startMs` 0: unknown. */
  sample(series: ExposedSeries, value: number, timeMs: number | undefined, startMs: number): void;
  /** As `sample`. The numbers of the histogram are only valid during the call. */
  histogram(series: ExposedSeries, histogram: NativeHistogram, timeMs: number | undefined, startMs: number): void;
  /** Of the sample or histogram before it. `timeMs` undefined: the sample's time. */
  exemplar(labels: Labels, value: number, timeMs: number | undefined): void;
  /** May come more than once for a family; what comes later says more. */
  metadata(metadata: Metadata): void;
}

export interface ParseOptions {
  /** Classic buckets also where there is a native form of them (`always_scrape_classic_histograms`). */
  readonly keepClassic: boolean;
  /** Classic histograms become native ones with custom buckets (`convert_classic_histograms_to_nhcb`). */
  readonly toCustomBuckets: boolean;
  /** Native histograms are read as classic ones (`scrape_native_histograms: false`). */
  readonly ignoreNative?: boolean;
  /** The content type where the target sends none, or one that says nothing (`fallback_scrape_protocol`). */
  readonly fallback?: string | undefined;
}
