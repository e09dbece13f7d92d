import { ComityError } from '../../base/errors.ts';
import type { Expr } from '../../promql/ast.ts';

/** The value of an argument that the checker has found to be a string. */
export function stringArgument(arg: Expr): string {
  if (arg.kind === 'paren' || arg.kind === 'once') return stringArgument(arg.expr);
  if (arg.kind !== 'string') throw new ComityError('internal', `a ${arg.kind} is no string`);
  return arg.value;
}
