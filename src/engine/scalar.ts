import { ComityError } from '../base/errors.ts';
import { firstStep, stepTime } from '../model/grid.ts';
import { isHistogramAt } from '../model/histogram.ts';
import { children, COMPARISON_OPS, type Call, type Expr } from '../promql/ast.ts';
import { COVERAGE } from '../promql/functions.ts';
import type { Evaluation } from './evaluation.ts';
import { arithmetic, compares } from './operators/operators.ts';

/** Whether an expression reads any series, or stands for what was read elsewhere. */
export function readsSeries(expr: Expr): boolean {
  if (expr.kind === 'vector' || expr.kind === 'merged') return true;
  // info() reads series that no selector names, and coverage() is known to the places alone.
  return (expr.kind === 'call' && OF_PLACES.has(expr.func)) || children(expr).some(readsSeries);
}

const OF_PLACES: ReadonlySet<string> = new Set(['info', COVERAGE]);

/** The values of a scalar expression, one a step. */
export function scalarValues(expr: Expr, evaluation: Evaluation): Float64Array {
  const { grid } = evaluation;
  switch (expr.kind) {
    case 'number':
      return new Float64Array(grid.steps).fill(expr.value);
    case 'paren':
      return evaluation.scalar(expr.expr);
    case 'once': {
      const [value] = evaluation.onGrid(firstStep(grid)).scalar(expr.expr);
      return new Float64Array(grid.steps).fill(value!);
    }
    case 'unary': {
      const values = evaluation.scalar(expr.expr);
      return expr.op === '-' ? values.map((value) => -value) : values;
    }
    case 'binary': {
      const left = evaluation.scalar(expr.left);
      const right = evaluation.scalar(expr.right);
      if (COMPARISON_OPS.has(expr.op)) return left.map((value, i) => (compares(expr.op, value, right[i]!) ? 1 : 0));
      return left.map((value, i) => arithmetic(expr.op, value, right[i]!));
    }
    case 'call':
      return callValues(expr, evaluation);
    default:
      throw new ComityError('internal', `a ${expr.kind} is no scalar`);
  }
}

/** start(), end(), range() and step() are numbers by now: `normalise` knows the query's times. */
function callValues({ func, args }: Call, evaluation: Evaluation): Float64Array {
  const { grid } = evaluation;
  switch (func) {
    case 'time':
      return new Float64Array(grid.steps).map((_value, step) => stepTime(grid, step) / 1000);
    case 'pi':
      return new Float64Array(grid.steps).fill(Math.PI);
    case 'scalar':
      return onlyValues(args[0]!, evaluation);
    case 'max_of':
    case 'min_of': {
      const others = evaluation.scalar(args[1]!);
      const pick = func === 'max_of' ? larger : smaller;
      return evaluation.scalar(args[0]!).map((value, step) => pick(value, others[step]!));
    }
    default:
      throw new ComityError('internal', `${func}() is no scalar`);
  }
}

/** The value of the only float of the vector at each step; NaN where there is none or more than one. */
function onlyValues(vector: Expr, evaluation: Evaluation): Float64Array {
  const values = new Float64Array(evaluation.grid.steps).fill(NaN);
  const counts = new Uint8Array(evaluation.grid.steps);
  evaluation.rows(vector, (row) => {
    for (let step = 0; step < values.length; step++) {
      if (row.present[step] === 0 || isHistogramAt(row.histograms, step)) continue;
      values[step] = counts[step] === 0 ? row.values[step]! : NaN;
      counts[step] = 1;
    }
  });
  return values;
}

/** Go's math.Max: positive infinity wins even over NaN. */
export function larger(a: number, b: number): number {
  return a === Infinity || b === Infinity ? Infinity : Math.max(a, b);
}

/** Go's math.Min: negative infinity wins even over NaN. */
export function smaller(a: number, b: number): number {
  return a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b);
}
