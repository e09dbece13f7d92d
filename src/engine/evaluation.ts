import type { StepGrid } from '../model/grid.ts';
import type { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/series.ts';
import type { Call, Expr } from '../promql/ast.ts';
import type { EvalContext } from './context.ts';
import type { Row, RowSink } from './rows.ts';

/**
 * An evaluation under way: the context with ways to evaluate the parts of an expression. Whatever works on an expression
 * takes one, so that no operator needs to know the others.
 */
export interface Evaluation extends EvalContext {
  /** Streams the rows of a vector expression; see `RowSink` for how long their columns live. */
  rows(expr: Expr, sink: RowSink): void;
  /** The rows of a vector expression, to keep. Throws `limit`. */
  collect(expr: Expr): Row[];
  /** The values of a scalar expression, one a step. */
  scalar(expr: Expr): Float64Array;
  /** The same evaluation at other steps: a subquery's. */
  onGrid(grid: StepGrid): Evaluation;
}

/** A function of PromQL over the steps of the query: streams its rows. */
export type CallRows = (node: Call, evaluation: Evaluation, sink: RowSink) => void;

/** What an expression comes to over the steps of a query. */
export type Value =
  | { readonly kind: 'scalar'; readonly values: Float64Array }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'vector'; readonly rows: readonly Row[] }
  /** A range vector at the first step; for a domain's own people only where it is raw samples. */
  | { readonly kind: 'matrix'; readonly series: readonly RangeSeries[] };

/** A series of a range vector; from a subquery its name may have to go yet, as a row's. */
export interface RangeSeries extends SeriesColumns {
  readonly labels: Labels;
  readonly dropsName?: boolean | undefined;
}
