import { describe, expect, it } from 'vitest';
import { instantGrid } from '../../src/model/grid.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';
import { splitOverShards, splitGroups } from '../../src/shard/split.ts';

const GRID = instantGrid(0);

function fragments(text: string, shards = 2, matchOutside = false): string[] {
  const plan = splitOverShards(normalise(parseExpr(text), GRID), GRID, shards, matchOutside);
  return plan.fragments.map(({ answer, expr }) => `${answer} ${printExpr(expr)}`);
}

describe('what several shards are asked', () => {
  it.each<[string, string[]]>([
    ['x', ['vector x']],
    ['rate(x[5m])', ['vector rate(x[5m])']],
    ['abs(-x) > 3', ['vector abs(-x) > 3']],
    ['1', []],
    ['vector(1)', []],
    ['sum by (a) (x)', ['partial sum by (a) (x)']],
    ['max(sum by (a) (x))', ['partial sum by (a) (x)']],
    ['sum without (le) (x)', ['vector sum without (le) (x)']],
    ['sum without () (x)', ['vector sum without () (x)']],
    ['sum without (a) (x)', ['partial sum without (a) (x)']],
    ['x + y', ['vector x + y']],
    ['x and y', ['vector x and y']],
    ['x or rate(y[5m])', ['vector x or rate(y[5m])']],
    ['x / ignoring (le) group_left () y', ['vector x / ignoring (le) group_left () y']],
    ['x + ignoring (a) y', ['vector x', 'vector y']],
    ['x + on (a, b) y', ['vector x', 'vector y']],
    ['x and on () y', ['vector x', 'vector y']],
    ['x + sum by (a) (y)', ['vector x', 'partial sum by (a) (y)']],
    ['sum(x + on (a) y)', ['vector x', 'vector y']],
    ['histogram_quantile(0.9, x)', ['vector histogram_quantile(0.9, x)']],
    ['histogram_quantile(0.9, sum by (le) (x))', ['partial sum by (le) (x)']],
    ['topk(2, x)', ['vector topk(2, x)']],
    ['topk(2, sum by (a) (x))', ['partial sum by (a) (x)']],
    ['x + (x + on (a) x)', ['vector x']],
  ])('%s', (text, want) => {
    expect(fragments(text)).toEqual(want);
  });

  it('less where an error hangs on what other shards hold', () => {
    expect(fragments('sum(x + y)', 2, true)).toEqual(['vector x', 'vector y']);
    expect(fragments('x + 1', 2, true)).toEqual(['vector x + 1']);
  });

  it('a single one is asked the whole', () => {
    expect(fragments('sum(x) / on () topk(2, y)', 1)).toEqual(['vector sum(x) / on () topk(2, y)']);
    expect(fragments('1 + 1', 1)).toEqual([]);
  });
});

describe('what several shards are asked for the partial of an aggregation', () => {
  it.each<[string, string[], string | undefined]>([
    ['sum by (a) (x + y)', ['partial sum by (a) (x + y)'], undefined],
    ['sum by (a) (x + on (b) y)', ['vector x', 'vector y'], 'x + on (b) y'],
    ['sum(max by (a) (x))', ['partial max by (a) (x)'], 'max by (a) (x)'],
    ['count(topk(2, x))', ['vector topk(2, x)'], 'topk(2, topk(2, x))'],
  ])('%s', (text, want, argument) => {
    const node = normalise(parseExpr(text), GRID);
    if (node.kind !== 'aggregate') throw new Error('not an aggregation');
    const { fragment, plan } = splitGroups({ answer: 'partial', expr: node, grid: GRID }, 2, false);
    const asked = fragment === undefined ? plan.fragments : [fragment];
    expect(asked.map(({ answer, expr }) => `${answer} ${printExpr(expr)}`)).toEqual(want);
    expect(plan && printExpr(plan.remainder)).toBe(argument);
  });
});
