import type { HistogramColumns, NativeHistogram } from '../../model/histogram.ts';
import type { PromqlFeatures } from '../../promql/features.ts';
import type { Span } from '../../promql/ast.ts';
import type { RangeSeries } from '../evaluation.ts';
import type { Notes } from '../notes.ts';
import { WITHIN, type OnStep, type Reach, type Windows } from './kernels.ts';

/** One call of a function of range vectors: what it does for every series. */
export interface RollupCall {
  readonly windows: Windows;
  /** How far beyond its window each step looks, which is more than nothing under a modifier. */
  readonly reach: Reach;
  readonly extended: 'anchored' | 'smoothed' | undefined;
  readonly notes: Notes;
  /** Where its notes point: at its first argument. */
  readonly span: Span;
  readonly features: PromqlFeatures;
  /** Marks steps whose result nobody takes, so that there is nothing to note of them. */
  readonly idle?: Uint8Array;
}

/** Where a series' results go: one place a step, present or not. */
export interface RollupOut {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** Makes the result of a step a histogram, and present. Throws `limit` for too many buckets over all steps. */
  set(step: number, histogram: NativeHistogram): void;
  /** Takes the histograms among these, one row a step, as results of the present steps. */
  setAll(columns: HistogramColumns): void;
}

/**
 * Works out a series, free of staleness markers, at all steps, and returns whether any is present. Whatever the series
 * gives no result at is to be marked absent.
 */
export type SeriesKernel = (
  series: RangeSeries,
  call: RollupCall,
  out: RollupOut,
  onStep: OnStep | undefined,
) => boolean;

/** How far beyond its window a selector with a modifier looks. */
export function reachOf(extended: 'anchored' | 'smoothed' | undefined, lookbackMs: number): Reach {
  if (extended === undefined) return WITHIN;
  return { beforeMs: lookbackMs, afterMs: extended === 'smoothed' ? lookbackMs : 0 };
}
