import { describe, expect, it } from 'vitest';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import { distribute } from '../../src/plan/distribute.ts';
import { mayReadFrom } from '../../src/plan/domain.ts';
import { children, type Expr } from '../../src/promql/ast.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';

/** What the domains are asked: `vector …` for whole answers, `partial …` for aggregations that merge at the hub. */
function fragmentsOf(text: string): string[] {
  return distribute(parseExpr(text), instantGrid(1_000_000), 'domain').fragments.map(
    ({ answer, expr }) => `${answer} ${printExpr(expr)}`,
  );
}

describe('a query splits into', () => {
  const check = (text: string, want: string[]): void => expect(fragmentsOf(text)).toEqual(want);

  it.each<[string, string[]]>([
    // What keeps the domain runs whole inside it.
    ['up', ['vector up']],
    ['rate(x[5m])', ['vector rate(x[5m])']],
    ['-abs(x) * 2', ['vector -abs(x) * 2']],
    ['sum by (domain, job) (x)', ['vector sum by (domain, job) (x)']],
    ['sum without (job) (x)', ['vector sum without (job) (x)']],
    ['sum by (domain) (a) / sum by (domain) (b)', ['vector sum by (domain) (a) / sum by (domain) (b)']],
    ['a and on (domain, job) b', ['vector a and on (domain, job) b']],
    ['histogram_quantile(0.9, sum by (le, domain) (x))', ['vector histogram_quantile(0.9, sum by (le, domain) (x))']],
    // An aggregation that drops the domain works in two levels.
    ['sum(x)', ['partial sum(x)']],
    ['avg by (job) (rate(x[5m]))', ['partial avg by (job) (rate(x[5m]))']],
    ['sum without (domain) (x)', ['partial sum without (domain) (x)']],
    ['max(sum by (domain) (x))', ['partial max(sum by (domain) (x))']],
    ['count(a > 1)', ['partial count(a > 1)']],
    // Everything above is the hub's: a filter on a merged value must never run before the merge.
    ['sum(x) > 5', ['partial sum(x)']],
    ['sum(a) / sum(b)', ['partial sum(a)', 'partial sum(b)']],
    ['max(sum by (job) (x))', ['partial sum by (job) (x)']],
    ['histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))', ['partial sum by (le) (rate(x_bucket[5m]))']],
    ['topk(3, x)', ['vector x']],
    ['topk(3, sum by (job) (x))', ['partial sum by (job) (x)']],
    ['topk by (domain) (3, x)', ['vector x']],
    ['a / on (job) b', ['vector a', 'vector b']],
    ['a + ignoring (domain) b', ['vector a', 'vector b']],
    ['a or sum(b)', ['vector a', 'partial sum(b)']],
    // The same piece is asked for once.
    ['sum(x) / (sum(x) + sum(y))', ['partial sum(x)', 'partial sum(y)']],
    ['1 + time()', []],
    // The query's own bounds become times, so that a fragment means the same everywhere.
    ['sum(x @ end() - x @ start())', ['partial sum(x @ 1000.000 - x @ 1000.000)']],
    ['sum((x))', ['partial sum(x)']],
  ])('%s', check);
});

it('leaves no selector to the hub', () => {
  const leaves = (expr: Expr): string[] => [expr.kind, ...children(expr).flatMap(leaves)];
  for (const text of ['a / on (job) b', 'topk(2, a) or sum(b)', 'max(sum by (job) (a) > 3)']) {
    const { remainder } = distribute(parseExpr(text), instantGrid(0), 'domain');
    expect(leaves(remainder)).not.toContain('vector');
  }
});

it('takes @ end() for the end that was asked for, not for the last step', () => {
  const { fragments } = distribute(parseExpr('x @ end()'), rangeGrid(0, 50_000, 20_000), 'domain');
  expect(printExpr(fragments[0]!.expr)).toBe('x @ 50.000');
});

it('refuses a range vector, which would need raw samples at the hub', () => {
  expect(() => distribute(parseExpr('x[5m]'), instantGrid(0), 'domain')).toThrow(
    /^refused: a range vector is raw samples/,
  );
});

describe('a domain is asked only when it could hold something', () => {
  it.each<[string, boolean]>([
    ['x', true],
    ['x{domain="eu"}', true],
    ['x{domain="us"}', false],
    ['x{domain=~"e.*|us"}', true],
    ['x{domain!="eu"}', false],
    ['x{domain="us"} or x{domain="eu"}', true],
    ['rate(x{domain!~"e.*"}[5m])', false],
  ])('%s: %s', (text, want) => expect(mayReadFrom(parseExpr(text), 'domain', 'eu')).toBe(want));
});
