import type { Labels } from './labels.ts';
import type { Matcher } from './matcher.ts';
import type { SeriesColumns } from './series.ts';

/** What evaluation reads from. Times are inclusive milliseconds. */
export interface Source {
  /**
   * The series that satisfy all matchers, each with its samples in [fromMs, toMs] (possibly none), in the order of
   * `compareLabels`. Columns may be views into shared memory: read, never write.
   */
  select(matchers: readonly Matcher[], fromMs: number, toMs: number): Iterable<SeriesColumns>;
  /** The label sets of the series that satisfy all matchers and may have a sample in [fromMs, toMs]. */
  series(matchers: readonly Matcher[], fromMs: number, toMs: number): Iterable<Labels>;
}
