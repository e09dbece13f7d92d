import type { Labels } from './labels.ts';
import type { Matcher } from './matcher.ts';
import type { SeriesColumns } from './series.ts';

/** What evaluation reads from. Times are inclusive milliseconds. */
export interface Source {
  /**
   * The series that satisfy all matchers, each with its samples in [fromMs, toMs] (possibly none), in any order. Columns may
   * be views into memory that others write to: read, never write, and be done with them before the next series is asked for
   * or anything else is let in. Samples may be appended between two series.
   */
  select(matchers: readonly Matcher[], fromMs: number, toMs: number): Iterable<SeriesColumns>;
  /** The label sets of the series that satisfy all matchers and may have a sample in [fromMs, toMs]. */
  series(matchers: readonly Matcher[], fromMs: number, toMs: number): Iterable<Labels>;
}
