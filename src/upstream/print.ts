import { METRIC_NAME } from '../model/labels.ts';
import type { Expr, VectorSelector } from '../promql/ast.ts';
import { printExpr, printInBraces } from '../promql/print.ts';
import { plainSelector, type View } from './view.ts';

/** The expression as text for the server, over its series that have no domain label of their own. */
export function printForServer(expr: Expr, view: View): string {
  return printExpr(expr, (selector) => printPlain(selector, view));
}

/** In braces whatever the name is, since further matchers on it may follow. */
export function printPlain({ matchers }: Pick<VectorSelector, 'matchers'>, view: View): string {
  const plain = plainSelector(matchers, view);
  return printInBraces({ matchers: plain.isElsewhere ? [...plain.matchers, ...NOTHING] : plain.matchers });
}

/** No series has a name and none. */
const NOTHING = [
  { name: METRIC_NAME, op: '!=', value: '' },
  { name: METRIC_NAME, op: '=', value: '' },
] as const;
