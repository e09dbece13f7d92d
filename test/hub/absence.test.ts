import { describe, expect, it } from 'vitest';
import type { Row } from '../../src/engine/rows.ts';
import { saysUnknownAbsence } from '../../src/hub/absence.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { distribute } from '../../src/plan/distribute.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';

const STEPS = 3;

/** A row that is present at the steps where `bits` has 1. */
function row(bits: string): Row {
  return { labels: [], values: new Float64Array(STEPS), present: Uint8Array.from(bits, Number) };
}

/**
 * Whether absence is unknown when the fragments that print as the names in `partial` lack a domain at the steps with 1; `rows`
 * are those of all others.
 */
function check(text: string, partial: Readonly<Record<string, string>>, rows: readonly string[], want: boolean): void {
  const { fragments, remainder } = distribute(parseExpr(text), rangeGrid(0, 20_000, 10_000), { domainLabel: 'domain' });
  const lacking = (index: number): Uint8Array | undefined => {
    const steps = partial[printExpr(fragments[index]!.expr)];
    return steps === undefined ? undefined : Uint8Array.from(steps, Number);
  };
  const merged = fragments.map(() => rows.map(row));
  expect(saysUnknownAbsence(remainder, lacking, merged)).toBe(want);
}

describe('what is absent where a domain is silent is unknown', () => {
  it.each<[string, Record<string, string>, string[], boolean]>([
    ['absent(x)', { 'group(x)': '111' }, [], true],
    ['absent(x)', { 'group(x)': '111' }, ['000'], true],
    ['absent(x)', { 'group(x)': '111' }, ['110'], true],
    ['absent_over_time(x[1m])', { 'group(present_over_time(x[1m]))': '111' }, ['101'], true],
    ['sum(y) or absent(x)', { 'group(x)': '111' }, [], true],
    ['absent(sum(x) > 5)', { 'sum(x)': '111' }, ['111'], true],
    ['absent(sum(x))', { 'sum(x)': '111' }, ['011'], true],
    // No step is left for a silent domain to decide.
    ['absent(x)', { 'group(x)': '111' }, ['111'], false],
    ['absent(x)', { 'group(x)': '111' }, ['110', '001'], false],
    ['absent(sum(x))', { 'sum(x)': '111' }, ['111'], false],
    // It lacks an answer only where something is there, or where nothing is.
    ['absent(x)', { 'group(x)': '110' }, ['110'], false],
    ['absent(x)', { 'group(x)': '011' }, ['110'], true],
    ['absent(sum(x) > 5)', { 'sum(x)': '010' }, ['111'], true],
    // Only what is said to be absent matters.
    ['absent(x)', {}, [], false],
    ['sum(y) or absent(x)', { 'sum(y)': '111' }, [], false],
    ['sum(x)', { 'sum(x)': '111' }, [], false],
  ])('%s lacks %j, present at %j: %s', check);
});
