import { anyPresent } from '../engine/rows.ts';
import type { Row } from '../engine/rows.ts';
import { children, type Expr } from '../promql/ast.ts';

/** Whether a fragment lacks the answer of a domain that could hold something of it. */
type IsPartial = (fragment: number) => boolean;

/**
 * Whether the remainder of a query would say of something that it is absent although a domain that could hold it is silent.
 * What is there in one domain is not absent, whatever the others have.
 */
export function saysUnknownAbsence(
  remainder: Expr,
  isPartial: IsPartial,
  merged: readonly (readonly Row[])[],
): boolean {
  if (remainder.kind === 'call' && ABSENCE_CALLS.has(remainder.func)) {
    const asked = remainder.args[0]!;
    if (asked.kind === 'merged') return isPartial(asked.index) && !isAlwaysPresent(merged[asked.index]!);
    return dependsOnPartial(asked, isPartial);
  }
  return children(remainder).some((child) => saysUnknownAbsence(child, isPartial, merged));
}

const ABSENCE_CALLS: ReadonlySet<string> = new Set(['absent', 'absent_over_time']);

function dependsOnPartial(expr: Expr, isPartial: IsPartial): boolean {
  if (expr.kind === 'merged') return isPartial(expr.index);
  return children(expr).some((child) => dependsOnPartial(child, isPartial));
}

/** Whether any of the rows is there at each step. */
function isAlwaysPresent(rows: readonly Row[]): boolean {
  const [first] = rows;
  if (first === undefined || !anyPresent(first.present)) return false;
  return first.present.every((_bit, step) => rows.some(({ present }) => present[step] === 1));
}
