import type { CoverageQuestion } from '../../plan/frames/coverage-codec.ts';
import type { PromqlFeatures } from '../../promql/features.ts';

/** What every domain of a query is told beside its fragments. */
export interface Asking {
  readonly lookbackMs: number;
  readonly features: PromqlFeatures;
  /** When to stop waiting, in ms since the epoch. */
  readonly deadlineMs: number;
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal;
  /** W3C traceparent. */
  readonly trace: string;
  /** The first is about the whole query at its own steps. */
  readonly coverage: readonly CoverageQuestion[];
  /** False neither takes anything from the hub's cache nor puts anything there; true when left out. */
  readonly useCache?: boolean | undefined;
}
