import type { Expr, Span } from '../../promql/ast.ts';

/** Where an expression stands without the parentheses around it, which is what Prometheus points at. */
export function innerSpan(expr: Expr): Span {
  return expr.kind === 'paren' || expr.kind === 'once' ? innerSpan(expr.expr) : expr.span;
}
