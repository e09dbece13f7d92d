import type { Metadata, SeriesExemplars } from '../model/batch.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';

/** Some of a list, and whether there is more. */
export interface Listed<T> {
  readonly found: readonly T[];
  readonly isCut: boolean;
}

/** Series that one of the selectors picks, in a time range in ms, both ends included. */
export interface ListQuestion {
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
  /** Ms since the epoch. */
  readonly deadlineMs: number;
}

/**
 * What there is in a domain, wherever that is. Whoever keeps it has the policy too, and leaves out what may not leave whatever
 * the border does. All fail as `DomainData`, and with `unsupported` where the domain cannot tell.
 */
export interface ListData {
  /** Label sets of series that may leave as they are, in order; some `limit` of them where there are more. */
  series(question: ListQuestion & { readonly limit: number }, signal: AbortSignal): Promise<Listed<Labels>>;
  /** What is known of families that are not sealed, or of the one named: the first `limit` in order. */
  metadata(question: FamiliesQuestion, signal: AbortSignal): Promise<Listed<Metadata>>;
  /** Exemplars that may leave of series that may, in order. */
  exemplars(question: ListQuestion, signal: AbortSignal): Promise<Listed<SeriesExemplars>>;
}

export interface FamiliesQuestion {
  /** Empty for all. */
  readonly metric: string;
  readonly limit: number;
  /** Ms since the epoch. */
  readonly deadlineMs: number;
}
