import type { Note } from '../engine/notes.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';
import type { LabelsQuery } from '../plan/frames/labels-codec.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { ReadSize } from '../store/read-size.ts';
import type { SelectorRead } from './estimate.ts';
import type { ListData } from './list-data.ts';

/**
 * What the domain holds, wherever that is. Whoever keeps the samples has the policy too and reads none of a sealed metric for
 * these questions, whatever the border has checked. All fail with `canceled` when `signal` says so, and with `timeout` past
 * `deadlineMs` (since the epoch).
 */
export interface DomainData extends ListData {
  /**
   * The rows of a fragment, what there is to say beside them, and what the request has used with it. Throws what the engine
   * throws, and `unavailable` while whoever keeps the samples does not answer.
   */
  fragment(question: FragmentQuestion, signal: AbortSignal): Promise<FragmentData>;
  /**
   * How much some reads would find, before any sample is read: by read. Undefined where finding out costs as much as reading.
   * To be asked only of what the policy lets through.
   */
  estimate(question: EstimateQuestion, signal: AbortSignal): Promise<EstimateData | undefined>;
  /** One label set for each combination of metric name and label names among the series that satisfy all matchers. */
  kinds(matchers: readonly Matcher[], deadlineMs: number, signal: AbortSignal): Promise<readonly Labels[]>;
  /** Label names, or the values of a label, of metrics that may be listed: the first `limit` in order. */
  labels(question: LabelsQuery & { readonly deadlineMs: number }, signal: AbortSignal): Promise<readonly string[]>;
}

/** What the fragments of one request have touched and their regular expressions have cost, towards its limits. */
export interface Spent {
  readonly series: number;
  readonly cells: number;
  readonly samples: number;
  readonly regexWork: number;
}

interface FragmentQuestion {
  readonly fragment: Fragment;
  readonly lookbackMs: number;
  readonly features: PromqlFeatures;
  readonly deadlineMs: number;
  readonly spent: Spent;
  /** Whether the whole request is soon answered, and should not wait behind those that are not. */
  readonly isLight?: boolean | undefined;
}

interface EstimateQuestion {
  readonly reads: readonly SelectorRead[];
  readonly deadlineMs: number;
  /** What the regular expressions of the request's earlier estimates have cost. */
  readonly regexWork: number;
}

interface EstimateData {
  readonly sizes: readonly ReadSize[];
  readonly regexWork: number;
}

export interface FragmentData {
  readonly rows: readonly AnswerRow[];
  /** Of the fragment's nodes, by `span.start`. */
  readonly notes: readonly Note[];
  readonly spent: Spent;
}
