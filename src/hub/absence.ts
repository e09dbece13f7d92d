import { anyPresent } from '../engine/rows.ts';
import type { Row } from '../engine/rows.ts';
import type { Fragment } from '../plan/distribute.ts';
import { stepsWithin } from '../plan/read-range.ts';
import { children, type Expr } from '../promql/ast.ts';
import { isWhole, type Part } from './parts.ts';

/** The steps of a fragment, each 1 where the answer of a domain lacks that could hold something of it; undefined for none. */
type LackingSteps = (fragment: number) => Uint8Array | undefined;

/**
 * Whether the remainder of a query would say of something that it is absent although a domain that could hold it is silent,
 * then or at all. What is there in one domain is not absent, whatever the others have.
 */
export function saysUnknownAbsence(
  remainder: Expr,
  lacking: LackingSteps,
  merged: readonly (readonly Row[])[],
): boolean {
  if (remainder.kind === 'call' && ABSENCE_CALLS.has(remainder.func)) {
    const asked = remainder.args[0]!;
    if (asked.kind !== 'merged') return dependsOnLacking(asked, lacking);
    const steps = lacking(asked.index);
    return steps !== undefined && !isPresentAt(steps, merged[asked.index]!);
  }
  return children(remainder).some((child) => saysUnknownAbsence(child, lacking, merged));
}

/** At which of its steps a fragment, the plan's `index`th, lacks the answer of a domain that was asked. */
export function lackingSteps({ grid }: Fragment, index: number, parts: readonly Part[]): Uint8Array | undefined {
  const steps = new Uint8Array(grid.steps);
  for (const part of parts) {
    if (!part.asked.includes(index)) continue;
    if (!isWhole(part)) return steps.fill(1);
    if (part.answer?.ok !== true) continue;
    for (const { range } of part.answer.value.missing) {
      const { first, end } = stepsWithin(grid, range);
      if (first < end) steps.fill(1, first, end);
    }
  }
  return anyPresent(steps) ? steps : undefined;
}

const ABSENCE_CALLS: ReadonlySet<string> = new Set(['absent', 'absent_over_time']);

function dependsOnLacking(expr: Expr, lacking: LackingSteps): boolean {
  if (expr.kind === 'merged') return lacking(expr.index) !== undefined;
  return children(expr).some((child) => dependsOnLacking(child, lacking));
}

/** Whether any of the rows is there at each of the steps. */
function isPresentAt(steps: Uint8Array, rows: readonly Row[]): boolean {
  return steps.every((bit, step) => bit === 0 || rows.some(({ present }) => present[step] === 1));
}
