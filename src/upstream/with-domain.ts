import type { Call, Expr, StringLiteral } from '../promql/ast.ts';
import { mapChildren } from '../promql/map.ts';
import type { View } from './view.ts';

/**
 * The expression with the domain label written on each vector that stands directly over the data: an instant selector, or a
 * function of a selector, so that everything above sees the series as the federation does.
 */
export function withDomain(expr: Expr, view: View): Expr {
  if (expr.kind === 'vector' || isOfSelector(expr)) return labelled(expr, view);
  return mapChildren(expr, (child) => withDomain(child, view));
}

/** `timestamp` tells of a selector what no vector knows, so that nothing may come between the two. */
function isOfSelector(expr: Expr): expr is Call {
  if (expr.kind !== 'call') return false;
  const below = (arg: Expr): Expr => (arg.kind === 'once' || arg.kind === 'paren' ? below(arg.expr) : arg);
  return expr.args.some((arg) => {
    const { kind } = below(arg);
    return kind === 'matrix' || (expr.func === 'timestamp' && kind === 'vector');
  });
}

function labelled(expr: Expr, { domain, domainLabel }: View): Call {
  const { span } = expr;
  const text = (value: string): StringLiteral => ({ kind: 'string', value, span });
  // The label without a name is empty on every series, which the empty pattern matches.
  const args = [expr, text(domainLabel), text(domain.replaceAll('$', '$$$$')), text(''), text('')];
  return { kind: 'call', func: 'label_replace', args, span };
}
