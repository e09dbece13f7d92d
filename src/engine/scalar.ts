import { ComityError } from '../base/errors.ts';
import { stepTime } from '../model/grid.ts';
import { COMPARISON_OPS, type Expr } from '../promql/ast.ts';
import type { EvalContext } from './context.ts';
import { arithmetic, compares } from './operators.ts';

/** Functions that are a number at every step without reading any series. */
export const SCALAR_FUNCTIONS: ReadonlySet<string> = new Set(['time', 'pi']);

/** Whether an expression is a number at every step, whatever the data. */
export function isScalar(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
      return true;
    case 'paren':
    case 'unary':
      return isScalar(expr.expr);
    case 'binary':
      return isScalar(expr.left) && isScalar(expr.right);
    case 'call':
      return SCALAR_FUNCTIONS.has(expr.func);
    default:
      return false;
  }
}

/** The values of a scalar expression, one a step. */
export function evaluateScalar(expr: Expr, ctx: EvalContext): Float64Array {
  const { grid } = ctx;
  switch (expr.kind) {
    case 'number':
      return new Float64Array(grid.steps).fill(expr.value);
    case 'paren':
      return evaluateScalar(expr.expr, ctx);
    case 'unary': {
      const values = evaluateScalar(expr.expr, ctx);
      return expr.op === '-' ? values.map((value) => -value) : values;
    }
    case 'binary': {
      const left = evaluateScalar(expr.left, ctx);
      const right = evaluateScalar(expr.right, ctx);
      if (COMPARISON_OPS.has(expr.op)) return left.map((value, i) => (compares(expr.op, value, right[i]!) ? 1 : 0));
      return left.map((value, i) => arithmetic(expr.op, value, right[i]!));
    }
    case 'call':
      if (expr.func === 'time') {
        return new Float64Array(grid.steps).map((_value, step) => stepTime(grid, step) / 1000);
      }
      if (expr.func === 'pi') return new Float64Array(grid.steps).fill(Math.PI);
      throw new ComityError('unsupported', `unsupported: ${expr.func}() as a scalar`);
    default:
      throw new ComityError('internal', `a ${expr.kind} is no scalar`);
  }
}
