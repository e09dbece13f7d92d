import { ComityError } from '../base/errors.ts';
import { isPartialOp } from '../partial/algebra.ts';
import { children, type Expr } from '../promql/ast.ts';
import { positionOf } from '../promql/parse-error.ts';
import { VALUE_FUNCTIONS } from './functions.ts';
import { ROLLUPS } from './rollup-kernels.ts';
import { SCALAR_FUNCTIONS } from './scalar.ts';

/** Throws `unsupported` for an expression that this engine cannot evaluate yet, with the place in the caller's text. */
export function assertSupported(expr: Expr, text: string): void {
  const unsupported = findUnsupported(expr);
  if (unsupported === undefined) return;
  const { line, column } = positionOf(text, unsupported.node.span.start);
  throw new ComityError('unsupported', `unsupported: ${unsupported.what} (${line}:${column}) cannot be evaluated yet`);
}

/** The first node that this engine cannot evaluate yet, with words for it; undefined when it can do all. */
function findUnsupported(expr: Expr): { readonly node: Expr; readonly what: string } | undefined {
  const what = unsupportedNode(expr);
  if (what !== undefined) return { node: expr, what };
  for (const child of children(expr)) {
    const found = findUnsupported(child);
    if (found !== undefined) return found;
  }
  return undefined;
}

function unsupportedNode(expr: Expr): string | undefined {
  switch (expr.kind) {
    case 'subquery':
      return 'a subquery';
    case 'call':
      return isKnownFunction(expr.func) ? undefined : `the function ${expr.func}()`;
    case 'aggregate':
      return isPartialOp(expr.op) || expr.op === 'topk' || expr.op === 'bottomk'
        ? undefined
        : `the aggregation ${expr.op}`;
    default:
      return undefined;
  }
}

function isKnownFunction(func: string): boolean {
  if (ROLLUPS.has(func) || VALUE_FUNCTIONS.has(func) || SCALAR_FUNCTIONS.has(func)) return true;
  return func === 'histogram_quantile' || func === 'vector';
}
