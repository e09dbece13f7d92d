import { ComityError } from '../base/errors.ts';
import type { StepGrid } from '../model/grid.ts';
import { SET_OPS, type Call, type Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import { aggregateRows, groupsOf } from './aggregate/aggregate.ts';
import { scalarOperandRows } from './operators/binary.ts';
import { CALLS } from './calls/calls.ts';
import type { EvalContext } from './context.ts';
import type { Evaluation, Value } from './evaluation.ts';
import type { Groups, GroupsOf } from './aggregate/groups.ts';
import { matchRows } from './operators/match.ts';
import { dropMarkedNames } from './names.ts';
import { fromFirstStep } from './once.ts';
import { collectRangeVector } from './select/range-vector.ts';
import { collectRows, type RowSink } from './rows.ts';
import { scalarValues } from './scalar.ts';
import { selectInstant } from './select/select.ts';
import { setRows } from './operators/sets.ts';
import { negatedRows } from './operators/unary.ts';
import { spend } from './usage.ts';

/**
 * Evaluates a checked expression at every step, as Prometheus 3.15 would. Synchronous and free of I/O: the source has its
 * columns at hand. The tree is one that `normalise` made: times are absolute and nothing depends on the query's text.
 *
 * Throws `execution` where PromQL defines an error, `limit` at a bound, `undecided` where only the whole can tell (see
 * `EvalContext.scope`).
 */
export function evaluate(expr: Expr, ctx: EvalContext): Value {
  const evaluation = startEvaluation(ctx);
  switch (typeOf(expr)) {
    case 'scalar':
      return { kind: 'scalar', values: evaluation.scalar(expr) };
    case 'string':
      return { kind: 'string', value: stringOf(expr) };
    case 'matrix':
      return { kind: 'matrix', series: collectRangeVector(expr, evaluation) };
    case 'vector': {
      const rows = evaluation.collect(expr);
      return { kind: 'vector', rows: isLast(ctx) ? dropMarkedNames(rows, ctx.usage) : rows };
    }
  }
}

/** Whether nothing comes after this evaluation, so that names which were to go at the end go now. */
function isLast({ features, scope }: EvalContext): boolean {
  return features.delayedNameRemoval && scope === 'whole';
}

/** The groups of an aggregation over its argument, before they are finished: what a domain answers with. */
export function aggregateGroups(of: GroupsOf, ctx: EvalContext): Groups {
  return groupsOf(of, startEvaluation(ctx));
}

function startEvaluation(ctx: EvalContext): Evaluation {
  const evaluation: Evaluation = {
    ...ctx,
    rows: (expr, sink) => vectorRows(expr, evaluation, sink),
    collect: (expr) => collectRows((sink) => vectorRows(expr, evaluation, sink)),
    scalar: (expr) => scalarValues(expr, evaluation),
    onGrid: (grid: StepGrid) => startEvaluation({ ...ctx, grid }),
  };
  return evaluation;
}

function vectorRows(expr: Expr, evaluation: Evaluation, sink: RowSink): void {
  switch (expr.kind) {
    case 'paren':
      return evaluation.rows(expr.expr, sink);
    case 'once':
      return fromFirstStep(expr.expr, evaluation, sink);
    case 'vector':
      return selectInstant(expr, evaluation, sink);
    case 'merged':
      for (const row of evaluation.merged[expr.index]!) {
        spend(evaluation.usage, row.values.length);
        sink(row);
      }
      return;
    case 'call':
      return callRows(expr, evaluation, sink);
    case 'unary':
      return expr.op === '+' ? evaluation.rows(expr.expr, sink) : negatedRows(expr, evaluation, sink);
    case 'binary':
      if (typeOf(expr.left) === 'scalar' || typeOf(expr.right) === 'scalar') {
        return scalarOperandRows(expr, evaluation, sink);
      }
      return SET_OPS.has(expr.op) ? setRows(expr, evaluation, sink) : matchRows(expr, evaluation, sink);
    case 'aggregate':
      return aggregateRows(expr, evaluation, sink);
    case 'matrix':
    case 'subquery':
    case 'number':
    case 'string':
      throw new ComityError('internal', `a ${expr.kind} is no vector`);
  }
}

function callRows(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const call = CALLS.get(node.func);
  if (call === undefined) throw new ComityError('internal', `${node.func}() gives no vector`);
  call(node, evaluation, sink);
}

function stringOf(expr: Expr): string {
  if (expr.kind === 'paren' || expr.kind === 'once') return stringOf(expr.expr);
  if (expr.kind !== 'string') throw new ComityError('internal', `a ${expr.kind} is no string`);
  return expr.value;
}
