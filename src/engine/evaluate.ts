import { ComityError } from '../base/errors.ts';
import { dropMetricName, METRIC_NAME } from '../model/labels.ts';
import { isPartialOp, partialOf } from '../partial/algebra.ts';
import { COMPARISON_OPS, SET_OPS, type Aggregate, type Binary, type Call, type Expr } from '../promql/ast.ts';
import type { EvalContext } from './context.ts';
import { spend } from './usage.ts';
import { VALUE_FUNCTIONS, type ValueFunction } from './functions.ts';
import { groupingOf, startGroups, type Groups } from './groups.ts';
import { histogramQuantileRows } from './histogram.ts';
import { hasHistogram, histogramsIn } from './histogram-rows.ts';
import { matchRows, setRows } from './match.ts';
import { arithmetic, compares } from './operators.ts';
import { ROLLUPS } from './rollup-kernels.ts';
import { rollupRows } from './rollup.ts';
import { anyPresent, collectRows, floatsOnly, mergeEqualRows, type Row, type RowSink } from './rows.ts';
import { evaluateScalar, isScalar } from './scalar.ts';
import { selectInstant } from './select.ts';
import { topkRows } from './topk.ts';

/** What an expression comes to over the steps of a query. */
export type Value =
  | { readonly kind: 'scalar'; readonly values: Float64Array }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'vector'; readonly rows: readonly Row[] };

/**
 * Evaluates a checked expression at every step. Synchronous and free of I/O: the source has its columns at hand.
 * Throws `execution` where PromQL defines an error, `unsupported` for what this engine does not do, `limit` at a bound.
 *
 * A part's rows are floats: the frames that carry them between domains and the hub have no place for native histograms,
 * so a row that has one is `unsupported` there.
 */
export function evaluate(expr: Expr, ctx: EvalContext): Value {
  if (expr.kind === 'string') return { kind: 'string', value: expr.value };
  if (isScalar(expr)) return { kind: 'scalar', values: evaluateScalar(expr, ctx) };
  const rows = collectRows((sink) => forEachRow(expr, ctx, sink));
  if (ctx.scope === 'part' && rows.some((row) => hasHistogram(row.present, row.histograms))) {
    throw histogramsIn('the answer of one domain');
  }
  return { kind: 'vector', rows };
}

/** The groups of an aggregation over its argument, before they are finished: what a domain answers with. */
export function aggregateGroups(node: Aggregate, ctx: EvalContext): Groups {
  if (!isPartialOp(node.op)) throw unsupported(`the aggregation ${node.op}`);
  const groups = startGroups(partialOf(node.op), ctx.grid.steps, groupingOf(node));
  forEachRow(node.expr, ctx, PRESENCE_OPS.has(node.op) ? groups.add : floatsOnly(`${node.op}()`, groups.add));
  return groups;
}

/** Aggregations that look at presence alone and take histograms as well as floats. */
const PRESENCE_OPS: ReadonlySet<string> = new Set(['count', 'group']);

/** Streams the rows of a vector expression into `sink`; see `RowSink` for how long their columns live. */
function forEachRow(expr: Expr, ctx: EvalContext, sink: RowSink): void {
  switch (expr.kind) {
    case 'paren':
      return forEachRow(expr.expr, ctx, sink);
    case 'vector':
      return selectInstant(expr, ctx, sink);
    case 'merged':
      for (const row of ctx.merged[expr.index]!) {
        spend(ctx.usage, row.values.length);
        sink(row.labels, row.values, row.present, row.histograms);
      }
      return;
    case 'call':
      return callRows(expr, ctx, sink);
    case 'unary':
      if (expr.op === '+') return forEachRow(expr.expr, ctx, sink);
      return withoutNames(expr.expr, true, ctx, sink, (named) => forEachRow(expr.expr, ctx, negated(named)));
    case 'binary':
      return binaryRows(expr, ctx, sink);
    case 'aggregate':
      return aggregateRows(expr, ctx, sink);
    case 'subquery':
      throw unsupported('subqueries');
    case 'matrix':
    case 'number':
    case 'string':
      throw new ComityError('internal', `a ${expr.kind} is no vector`);
  }
}

function negated(sink: RowSink): RowSink {
  return floatsOnly('a unary minus', (labels, values, present) =>
    sink(
      labels,
      values.map((value) => -value),
      present,
      undefined,
    ),
  );
}

function aggregateRows(node: Aggregate, ctx: EvalContext, sink: RowSink): void {
  if (node.op === 'topk' || node.op === 'bottomk') {
    const rows = collectFloats(node.expr, `${node.op}()`, ctx);
    return topkRows(node, scalarArgument(node.param!, ctx), rows, ctx.usage, sink);
  }
  aggregateGroups(node, ctx).finish(ctx.usage, sink);
}

function collectFloats(expr: Expr, what: string, ctx: EvalContext): Row[] {
  return collectRows((collect) => forEachRow(expr, ctx, floatsOnly(what, collect)));
}

function callRows(node: Call, ctx: EvalContext, sink: RowSink): void {
  const rollup = ROLLUPS.get(node.func);
  if (rollup !== undefined) {
    const matrix = node.args.at(-1)!;
    if (matrix.kind !== 'matrix') throw unsupported('subqueries');
    const param = node.args.length > 1 ? scalarArgument(node.args[0]!, ctx) : undefined;
    const run = (target: RowSink): void => rollupRows(matrix, node.func, rollup, param, ctx, target);
    return rollup.keepsName === true ? run(sink) : withoutNames(matrix, true, ctx, sink, run);
  }
  const valueFunction = VALUE_FUNCTIONS.get(node.func);
  if (valueFunction !== undefined) return mapRows(node, valueFunction, ctx, sink);
  switch (node.func) {
    case 'histogram_quantile': {
      const rows = collectFloats(node.args[1]!, 'histogram_quantile()', ctx);
      const phi = scalarArgument(node.args[0]!, ctx);
      return withoutNames(node.args[1]!, false, ctx, sink, (named) =>
        histogramQuantileRows(phi, rows, ctx.usage, named),
      );
    }
    case 'vector':
      return sink([], scalarArgument(node.args[0]!, ctx), new Uint8Array(ctx.grid.steps).fill(1), undefined);
    default:
      throw unsupported(`the function ${node.func}()`);
  }
}

function mapRows(node: Call, apply: ValueFunction, ctx: EvalContext, sink: RowSink): void {
  const [vector, ...rest] = node.args;
  const param = rest.length === 0 ? undefined : scalarArgument(rest[0]!, ctx);
  const mapped = new Float64Array(ctx.grid.steps);
  withoutNames(vector!, false, ctx, sink, (named) =>
    forEachRow(
      vector!,
      ctx,
      floatsOnly(`${node.func}()`, (labels, values, present) => {
        for (let i = 0; i < mapped.length; i++) mapped[i] = present[i] === 1 ? apply(values[i]!, param?.[i]) : 0;
        named(labels, mapped, present, undefined);
      }),
    ),
  );
}

function binaryRows(node: Binary, ctx: EvalContext, sink: RowSink): void {
  if (isScalar(node.right)) return vectorScalarRows(node, node.left, evaluateScalar(node.right, ctx), false, ctx, sink);
  if (isScalar(node.left)) return vectorScalarRows(node, node.right, evaluateScalar(node.left, ctx), true, ctx, sink);
  if (!SET_OPS.has(node.op)) {
    const what = `the operator ${node.op}`;
    return matchRows(node, collectFloats(node.left, what, ctx), collectFloats(node.right, what, ctx), ctx, sink);
  }
  const left = collectRows((collect) => forEachRow(node.left, ctx, collect));
  const right = collectRows((collect) => forEachRow(node.right, ctx, collect));
  if (node.op !== 'or') return setRows(node, left, right, ctx, sink);
  // `or` can take a label set from one side at some steps and from the other at others.
  const merged = mergeEqualRows(false, ctx.usage);
  setRows(node, left, right, ctx, merged.sink);
  merged.drain(sink);
}

/** A vector and a number; a comparison that holds keeps the vector's value, on whichever side it stands. */
function vectorScalarRows(
  node: Binary,
  vector: Expr,
  scalar: Float64Array,
  scalarFirst: boolean,
  ctx: EvalContext,
  sink: RowSink,
): void {
  const isComparison = COMPARISON_OPS.has(node.op);
  const apply =
    (target: RowSink): RowSink =>
    (labels, values, present) => {
      const out = values.slice();
      const kept = present.slice();
      for (let i = 0; i < out.length; i++) {
        if (present[i] === 0) continue;
        const [left, right] = scalarFirst ? [scalar[i]!, values[i]!] : [values[i]!, scalar[i]!];
        if (!isComparison) out[i] = arithmetic(node.op, left, right);
        else if (node.returnBool) out[i] = compares(node.op, left, right) ? 1 : 0;
        else kept[i] = compares(node.op, left, right) ? 1 : 0;
      }
      if (anyPresent(kept)) target(labels, out, kept, undefined);
    };
  const run = (target: RowSink): void => forEachRow(vector, ctx, floatsOnly(`the operator ${node.op}`, apply(target)));
  if (isComparison && !node.returnBool) run(sink);
  else withoutNames(vector, false, ctx, sink, run);
}

/** Drops metric names from what `run` produces, and puts rows together that this makes equal. */
function withoutNames(
  input: Expr,
  strict: boolean,
  ctx: EvalContext,
  sink: RowSink,
  run: (named: RowSink) => void,
): void {
  if (sharesOneName(input)) {
    run((labels, values, present, histograms) => sink(dropMetricName(labels), values, present, histograms));
    return;
  }
  const merged = mergeEqualRows(strict, ctx.usage);
  run((labels, values, present, histograms) => merged.sink(dropMetricName(labels), values, present, histograms));
  merged.drain(sink);
}

/** Whether all rows of an expression surely have the same metric name or none, so that dropping it joins nothing. */
function sharesOneName(expr: Expr): boolean {
  switch (expr.kind) {
    case 'vector':
      return expr.matchers.some(({ name, op, value }) => name === METRIC_NAME && op === '=' && value !== '');
    case 'matrix':
      return sharesOneName(expr.selector);
    case 'subquery':
    case 'unary':
      // A minus makes names go, and rows that this makes equal are put together there.
      return (expr.kind === 'unary' && expr.op === '-') || sharesOneName(expr.expr);
    case 'merged':
      return sharesOneName(expr.of);
    case 'paren':
      return sharesOneName(expr.expr);
    case 'aggregate':
      if (expr.op === 'topk' || expr.op === 'bottomk') return sharesOneName(expr.expr);
      return expr.without || !expr.grouping.includes(METRIC_NAME);
    case 'call':
      return ROLLUPS.get(expr.func)?.keepsName !== true || sharesOneName(expr.args.at(-1)!);
    case 'binary':
      if (expr.matching?.include.includes(METRIC_NAME) === true) return false;
      return !SET_OPS.has(expr.op) && (!COMPARISON_OPS.has(expr.op) || expr.returnBool);
    case 'number':
    case 'string':
      return true;
  }
}

function scalarArgument(expr: Expr, ctx: EvalContext): Float64Array {
  if (!isScalar(expr)) throw unsupported('a scalar computed from series');
  return evaluateScalar(expr, ctx);
}

/** The message starts with the word so that callers can tell it from an error of the data. */
function unsupported(what: string): ComityError {
  return new ComityError('unsupported', `unsupported: ${what} cannot be evaluated yet`);
}
