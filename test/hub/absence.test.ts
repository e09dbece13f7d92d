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

/** Whether absence is unknown when the fragments that print as `partial` lack a domain; `rows` are those of all others. */
function check(text: string, partial: readonly string[], rows: readonly string[], want: boolean): void {
  const { fragments, remainder } = distribute(parseExpr(text), rangeGrid(0, 20_000, 10_000), { domainLabel: 'domain' });
  const isPartial = (index: number): boolean => partial.includes(printExpr(fragments[index]!.expr));
  const merged = fragments.map(() => rows.map(row));
  expect(saysUnknownAbsence(remainder, isPartial, merged)).toBe(want);
}

describe('what is absent where a domain is silent is unknown', () => {
  it.each<[string, string[], string[], boolean]>([
    ['absent(x)', ['group(x)'], [], true],
    ['absent(x)', ['group(x)'], ['000'], true],
    ['absent(x)', ['group(x)'], ['110'], true],
    ['absent_over_time(x[1m])', ['group(present_over_time(x[1m]))'], ['101'], true],
    ['sum(y) or absent(x)', ['group(x)'], [], true],
    ['absent(sum(x) > 5)', ['sum(x)'], ['111'], true],
    ['absent(sum(x))', ['sum(x)'], ['011'], true],
    // No step is left for a silent domain to decide.
    ['absent(x)', ['group(x)'], ['111'], false],
    ['absent(x)', ['group(x)'], ['110', '001'], false],
    ['absent(sum(x))', ['sum(x)'], ['111'], false],
    // Only what is said to be absent matters.
    ['absent(x)', [], [], false],
    ['sum(y) or absent(x)', ['sum(y)'], [], false],
    ['sum(x)', ['sum(x)'], [], false],
  ])('%s lacks %j, present at %j: %s', check);
});
