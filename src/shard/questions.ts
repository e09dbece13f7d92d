import type { QueryGrid } from '../model/grid.ts';
import type { Expr } from '../promql/ast.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { FragmentRows } from './run.ts';
import type { SeriesQuestion, Spent, Stoppable } from './shard.ts';

/** Answers questions about all that an agent holds, wherever its shards are. */
export interface Asker {
  answer(question: LocalQuestion): Promise<Answered>;
  /** What a hub is answered for a fragment. */
  fragment(question: FragmentQuestion): Promise<FragmentRows>;
}

/** The text of the local HTTP API's answer, in UTF-8, and how much was read for it: 0 where that is not counted. */
export interface Answered {
  readonly envelope: Uint8Array;
  readonly series: number;
  readonly samples: number;
}

/** What people of the domain ask over Prometheus's HTTP API. */
export type LocalQuestion = QueryQuestion | NamesQuestion | SetsQuestion | ExemplarsQuestion | MetadataQuestion;

/** A checked expression; `limit` is the most rows to answer with, 0 for all. */
export interface QueryQuestion extends Stoppable {
  readonly kind: 'instant' | 'range';
  readonly expr: Expr;
  /** As the caller wrote it, for what there is to say of places in it. */
  readonly text: string;
  readonly grid: QueryGrid;
  readonly lookbackMs: number;
  readonly features: PromqlFeatures;
  readonly limit: number;
  /** Whether the answer tells what it took, beside the result. */
  readonly stats?: boolean | undefined;
  /** What there is to warn of whatever the answer is. */
  readonly warnings?: readonly string[] | undefined;
}

/** Label names, or the values of the label `name`. */
interface NamesQuestion extends SeriesQuestion {
  readonly kind: 'names';
  readonly name: string;
  readonly limit: number;
}

/** Label sets of series. */
interface SetsQuestion extends SeriesQuestion {
  readonly kind: 'series';
  readonly limit: number;
}

interface ExemplarsQuestion extends SeriesQuestion {
  readonly kind: 'exemplars';
}

/** The families, at most `limit`, or the one named `metric` where that is not empty. */
interface MetadataQuestion extends Stoppable {
  readonly kind: 'metadata';
  readonly metric: string;
  readonly limit: number;
}

/** A fragment that the policy lets out, and what its request has used before. */
export interface FragmentQuestion extends Stoppable {
  readonly fragment: Fragment;
  readonly lookbackMs: number;
  readonly features: PromqlFeatures;
  readonly spent: Spent;
  /** As in `ShardQuery`. */
  readonly isLight?: boolean | undefined;
}
