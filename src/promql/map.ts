import type { Expr } from './ast.ts';

/** The tree with `change` applied to each direct sub-expression. A selector of a matrix stays as it is. */
export function mapChildren(expr: Expr, change: (child: Expr) => Expr): Expr {
  switch (expr.kind) {
    case 'paren':
    case 'unary':
    case 'once':
    case 'subquery':
      return { ...expr, expr: change(expr.expr) };
    case 'call':
      return { ...expr, args: expr.args.map(change) };
    case 'binary':
      return { ...expr, left: change(expr.left), right: change(expr.right) };
    case 'aggregate':
      return {
        ...expr,
        expr: change(expr.expr),
        ...(expr.param === undefined ? {} : { param: change(expr.param) }),
      };
    case 'number':
    case 'string':
    case 'vector':
    case 'matrix':
    case 'merged':
      return expr;
  }
}
