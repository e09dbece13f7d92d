import type { StepGrid } from '../model/grid.ts';
import type { Matcher } from '../model/matcher.ts';
import type { SeriesColumns } from '../model/series.ts';
import type { Source } from '../model/source.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Notes } from './notes.ts';
import type { Row } from './rows.ts';
import { countSeries, look, spend, type Usage } from './usage.ts';

/** What an evaluation runs on. Nothing in it does I/O that waits. */
export interface EvalContext {
  readonly grid: StepGrid;
  /** How far back an instant selector looks for a sample, in ms (Prometheus's default is five minutes). */
  readonly lookbackMs: number;
  readonly source: Source;
  /** The vectors that `merged` leaves stand for, by fragment index. */
  readonly merged: readonly (readonly Row[])[];
  readonly usage: Usage;
  readonly features: PromqlFeatures;
  /** Takes what there is to say beside the answer. */
  readonly notes: Notes;
  /**
   * Whether the source and the merged vectors are all there is, or one domain's part of it, or one shard's part of a domain.
   * Matching vectors is no error while one side is empty everywhere, which a part cannot know: it throws `undecided`
   * instead. Native histograms leave a shard, but not a domain.
   */
  readonly scope: 'whole' | 'part' | 'shard';
}

/**
 * The series of a selector, each counted over the steps of the query. Whoever takes them in is done with the columns of one
 * when it asks for the next: in between a look may change what they are views of. Throws `limit` past a bound, and as
 * `spend`.
 */
export function* readSeries(
  matchers: readonly Matcher[],
  fromMs: number,
  toMs: number,
  { source, usage, grid }: Pick<EvalContext, 'source' | 'usage' | 'grid'>,
): Iterable<SeriesColumns> {
  look(usage);
  for (const series of source.select(matchers, fromMs, toMs)) {
    const samples = series.times.length;
    countSeries(usage, grid.steps, samples);
    yield series;
    spend(usage, SERIES_WORK + grid.steps + samples);
  }
}

/** A series is at least so much work, for what it takes to find and decode it: then eight make a look. */
const SERIES_WORK = 2_048;
