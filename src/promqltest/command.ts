import type { Labels } from '../model/labels.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import type { Expr } from '../promql/ast.ts';
import type { ScriptError, ScriptLine } from './script-line.ts';

/*
 * What a script consists of. The language is Prometheus's promqltest
 * (https://github.com/prometheus/prometheus/blob/main/promql/promqltest/README.md). Times are ms since the epoch.
 */

export type Command = Load | Clear | Evaluate;

/** Adds samples to what was loaded before. */
export interface Load {
  readonly kind: 'load';
  readonly line: ScriptLine;
  readonly series: readonly LoadedSeries[];
  /** Whether the classic histograms among the series are to be loaded as native ones with custom buckets as well. */
  readonly withCustomBuckets: boolean;
}

export interface LoadedSeries {
  readonly line: ScriptLine;
  readonly labels: Labels;
  readonly samples: readonly LoadedSample[];
}

export interface LoadedSample {
  readonly timeMs: number;
  /** When the counter started; 0 for unknown. */
  readonly startMs: number;
  readonly value: Exclude<SequenceValue, { readonly kind: 'none' }>;
}

/** Removes all that was loaded. */
export interface Clear {
  readonly kind: 'clear';
  readonly line: ScriptLine;
}

/** A query and what is expected of it. */
export interface Evaluate {
  readonly kind: 'evaluate';
  readonly line: ScriptLine;
  readonly query: string;
  /** What is wrong with the query where it is not PromQL: one bad query must not hide what becomes of the others. */
  readonly expr: Expr | ScriptError;
  readonly when: Instant | Range;
  readonly expected: Expected;
  readonly warnings: NotesExpected;
  readonly infos: NotesExpected;
}

export interface Instant {
  readonly kind: 'instant';
  readonly timeMs: number;
}

export interface Range {
  readonly kind: 'range';
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

export type Expected =
  | { readonly kind: 'scalar'; readonly value: SequenceValue }
  | { readonly kind: 'string'; readonly value: string }
  /** An error that satisfies all of these. */
  | { readonly kind: 'failure'; readonly texts: readonly TextMatch[] }
  | {
      readonly kind: 'series';
      readonly series: readonly ExpectedSeries[];
      /** Whether they must come in this order. */
      readonly ordered: boolean;
      /** Present for an instant query whose answer is a range vector: the times of its samples. */
      readonly range: Range | undefined;
    };

export interface ExpectedSeries {
  readonly line: ScriptLine;
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
}

/** `any` number of notes; `none`; or at least one, all of them matched by these and each of these by one. */
export type NotesExpected =
  | { readonly kind: 'any' }
  | { readonly kind: 'none' }
  | { readonly kind: 'some'; readonly texts: readonly TextMatch[] };

export interface TextMatch {
  /** As the script has it; empty for any text. */
  readonly text: string;
  readonly kind: 'any' | 'msg' | 'regex';
  matches(text: string): boolean;
}

/** One place in a sequence of values; `none` is a gap. */
export type SequenceValue =
  | { readonly kind: 'none' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'float'; readonly value: number }
  | {
      readonly kind: 'histogram';
      readonly histogram: NativeHistogram;
      /** Whether the script says a counter reset hint; only then is it compared. */
      readonly hintGiven: boolean;
    };
