import type { Expr, VectorSelector } from './ast.ts';
import type { PromqlFeatures } from './features.ts';
import { parseExpr } from './parse.ts';
import {
  printAggregateHead,
  printExpr,
  printInBraces,
  printMatcher,
  printOperator,
  printSubqueryTime,
  takesOperator,
  type PrintSelector,
} from './print.ts';

/** What does not fit into so many bytes is written on several lines. */
const LINE_BYTES = 100;

/**
 * An expression on as many lines as it takes, as Prometheus's `/api/v1/format_query` writes it: two spaces for each level,
 * matchers in the order of their text, without comments. Means the same as what was written, also in the few cases where
 * Prometheus's own text would not. Throws as `parseExpr`.
 */
export function formatExpr(text: string, features?: PromqlFeatures): string {
  return format(parseExpr(text, features), 0, (selector) => printSorted(selector, text));
}

/** The lines of an expression, each behind the indent of its level. */
function format(expr: Expr, level: number, selector: PrintSelector): string {
  const indent = '  '.repeat(level);
  const line = printExpr(expr, selector);
  const fits = Buffer.byteLength(line) <= LINE_BYTES;
  const below = (inner: Expr): string => format(inner, level + 1, selector);
  if (expr.kind === 'once') return format(expr.expr, level, selector);
  // A sign goes before the first line of what it stands before, however long that is.
  if (expr.kind === 'unary') return indent + expr.op + format(expr.expr, level, selector).trim();
  if (fits) return (expr.kind === 'subquery' ? '' : indent) + line;
  switch (expr.kind) {
    case 'aggregate': {
      const args = expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
      return `${indent}${printAggregateHead(expr)}(\n${args.map(below).join(',\n')}\n${indent})`;
    }
    case 'binary':
      if (takesOperator(expr)) return format({ ...expr, left: inParens(expr.left) }, level, selector);
      return `${below(expr.left)}\n${indent}${printOperator(expr)}\n${below(expr.right)}`;
    case 'call':
      return `${indent}${expr.func}(\n${expr.args.map(below).join(',\n')}\n${indent})`;
    case 'paren':
      return `${indent}(\n${below(expr.expr)}\n${indent})`;
    case 'subquery':
      return format(expr.expr, level, selector) + printSubqueryTime(expr);
    default:
      return indent + line;
  }
}

function inParens(expr: Expr): Expr {
  return { kind: 'paren', expr, span: expr.span };
}

/** The name before the braces where it was written there; the other matchers in the order of their text. */
function printSorted({ matchers, span }: VectorSelector, text: string): string {
  const [first, ...others] = matchers;
  const isNamed = first !== undefined && text[span.start] !== '{';
  const inside = isNamed ? others : matchers;
  const sorted = inside.toSorted((left, right) => byBytes(printMatcher(left), printMatcher(right)));
  const name = isNamed ? first.value : '';
  return isNamed && sorted.length === 0 ? name : name + printInBraces({ matchers: sorted });
}

function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
