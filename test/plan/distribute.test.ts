import { describe, expect, it } from 'vitest';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import { distribute } from '../../src/plan/distribute.ts';
import { mayReadFrom } from '../../src/plan/domain.ts';
import { prunedFrom } from '../../src/plan/prune.ts';
import type { PlanReason } from '../../src/plan/refusal.ts';
import { children, type Expr } from '../../src/promql/ast.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';

const DOMAIN = { domainLabel: 'domain' };

/** What the domains are asked: `vector …` for whole answers, `partial …` for aggregations that merge at the hub. */
function fragmentsOf(text: string, approx?: number): string[] {
  return distribute(parseExpr(text, ALL_FEATURES), instantGrid(1_000_000), {
    domainLabel: 'domain',
    approx,
  }).fragments.map(({ answer, expr }) => `${answer} ${printExpr(expr)}`);
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
    // A domain picks its own first before the hub picks among all, and all of what the domain label keeps apart.
    ['topk(3, x)', ['vector topk(3, x)']],
    ['bottomk by (job) (3, rate(x[5m]))', ['vector bottomk by (job) (3, rate(x[5m]))']],
    ['limitk(3, x)', ['vector limitk(3, x)']],
    ['topk(3, sum by (job) (x))', ['partial sum by (job) (x)']],
    ['topk by (domain) (3, x)', ['vector topk by (domain) (3, x)']],
    ['topk(scalar(y), x)', ['vector x', 'vector y']],
    ['limit_ratio(0.5, x)', ['vector limit_ratio(0.5, x)']],
    ['quantile by (domain) (0.5, x)', ['vector quantile by (domain) (0.5, x)']],
    ['quantile(0.5, x)', ['vector x']],
    // No policy permits a label that the query makes up, so the hub writes it.
    ['count_values by (domain) ("v", x)', ['vector x']],
    ['label_replace(x, "y", "$1", "domain", "(.*)")', ['vector x']],
    ['histogram_quantiles(x_bucket, "domain", 0.5, 0.9)', ['vector x_bucket']],
    ['abs(histogram_quantiles(x_bucket, "domain", 0.5))', ['vector x_bucket']],
    ['abs(label_join(rate(x[5m]), "y", "-", "a", "b"))', ['vector abs(label_join(rate(x[5m]), "y", "-", "a", "b"))']],
    [
      'sum by (y) (label_replace(x, "y", "$1", "job", "(.*)"))',
      ['partial sum by (y) (label_replace(x, "y", "$1", "job", "(.*)"))'],
    ],
    ['stddev(x)', ['partial stddev(x)']],
    // What an aggregation has in one domain is one of the things that make it up elsewhere.
    ['absent(x)', ['partial group(x)']],
    ['absent_over_time(x[5m])', ['partial group(present_over_time(x[5m]))']],
    ['absent(sum(x))', ['partial sum(x)']],
    ['scalar(x) + vector(1)', ['vector x']],
    ['label_replace(x, "domain", "y", "", "")', ['vector x']],
    ['a + on (domain) group_left () b', ['vector a + on (domain) group_left () b']],
    ['a + fill(0) b', ['vector a + fill (0) b']],
    ['a + on (job) fill(0) b', ['vector a', 'vector b']],
    ['sum(increase(x[5m] anchored))', ['partial sum(increase(x[5m] anchored))']],
    // info() joins by labels that do not tell the domain.
    ['info(x)', ['timed target_info', 'vector x']],
    [
      'info(rate(x[5m] offset 1m), {__name__="build_info"})',
      ['timed build_info offset 1m', 'vector rate(x[5m] offset 1m)'],
    ],
    // A subquery is split on its own steps.
    ['max_over_time(sum(x)[10m:1m])', ['partial sum(x)']],
    ['max_over_time(rate(x[1m])[10m:1m])', ['vector max_over_time(rate(x[1m])[10m:1m])']],
    ['a / on (job) b', ['vector a', 'vector b']],
    ['a + ignoring (domain) b', ['vector a', 'vector b']],
    ['a or sum(b)', ['vector a', 'partial sum(b)']],
    // The same piece is asked for once.
    ['sum(x) / (sum(x) + sum(y))', ['partial sum(x)', 'partial sum(y)']],
    // One reads counts alone, the other buckets as well.
    ['histogram_fraction(1, 2, sum(x)) * histogram_count(sum(x))', ['partial sum(x)', 'partial sum(x)']],
    ['1 + time()', []],
    // The query's own bounds become times, so that a fragment means the same everywhere.
    ['sum(x @ end() - x @ start())', ['partial sum(x @ 1000.000 - x @ 1000.000)']],
    ['sum((x))', ['partial sum(x)']],
  ])('%s', check);
});

it('leaves no selector to the hub', () => {
  const leaves = (expr: Expr): string[] => [expr.kind, ...children(expr).flatMap(leaves)];
  for (const text of ['a / on (job) b', 'topk(2, a) or sum(b)', 'max(sum by (job) (a) > 3)']) {
    const { remainder } = distribute(parseExpr(text), instantGrid(0), DOMAIN);
    expect(leaves(remainder)).not.toContain('vector');
  }
});

it('takes @ end() for the end that was asked for, not for the last step', () => {
  const { fragments } = distribute(parseExpr('x @ end()'), rangeGrid(0, 50_000, 20_000), DOMAIN);
  expect(printExpr(fragments[0]!.expr)).toBe('x @ 50.000');
});

describe('what would need raw samples at the hub is refused:', () => {
  it.each<[string, PlanReason, string]>([
    ['x[5m]', 'range_vector', 'x[5m]'],
    ['(x[5m] offset 1m)', 'range_vector', 'x[5m] offset 1m'],
    ['1 + quantile_over_time(scalar(y), x[5m])', 'series_parameter', 'quantile_over_time(scalar(y), x[5m])'],
    ['max_over_time(predict_linear(x[5m], scalar(sum(y)))[10m:1m])', 'series_parameter', 'predict_linear'],
  ])('%s', (text, reason, node) => {
    const split = (): unknown => distribute(parseExpr(text, ALL_FEATURES), instantGrid(0), DOMAIN);
    expect(split).toThrow(expect.objectContaining({ code: 'refused', reason }));
    expect(split).toThrow(`refused: ${node}`);
  });
});

describe('a quantile that may be approximate is a sketch', () => {
  it.each<[string, string[]]>([
    ['quantile(0.9, x)', ['sketch quantile(0.9, x)']],
    ['quantile by (domain) (0.9, rate(x[5m]))', ['sketch quantile by (domain) (0.9, rate(x[5m]))']],
    ['abs(quantile by (domain) (0.9, x))', ['sketch quantile by (domain) (0.9, x)']],
    // What is merged already costs nothing to be exact about.
    ['quantile(0.9, sum by (job) (x))', ['partial sum by (job) (x)']],
    ['quantile(scalar(y), x)', ['vector x', 'vector y']],
    ['sum(x)', ['partial sum(x)']],
  ])('%s', (text, want) => expect(fragmentsOf(text, 0.01)).toEqual(want));
});

describe('a domain is asked only when it could hold something', () => {
  it.each<[string, number, string | undefined]>([
    ['x', 0, undefined],
    ['x', 100_001, 'time'],
    // Nothing is known of what is held.
    ['x @ -1', 0, undefined],
    // The lookback is 60 s.
    ['x offset 1m', 40_000, undefined],
    ['x offset 1m', 40_001, 'time'],
    ['x @ 10', 10_001, 'time'],
    ['x + y offset 1m', 90_000, undefined],
    ['rate(x[5m]) + y{domain="us"}', 100_001, 'time'],
    ['x{domain="us"}', 0, 'domain_label'],
    ['max_over_time(x[10m:1m] offset 30s)', 60_000, undefined],
    ['max_over_time(x[10m:1m] offset 30s)', 70_001, 'time'],
    // There is no whole 2 minutes in the window of the only step.
    ['last_over_time(sum(x)[10s:2m] @ 30)', 0, 'time'],
    ['rate(x[5m] smoothed)', 160_000, undefined],
    ['rate(x[5m] smoothed)', 160_001, 'time'],
  ])('%s, held from %d: %s', (text, heldFromMs, want) => {
    const { fragments } = distribute(parseExpr(text, ALL_FEATURES), rangeGrid(0, 100_000, 20_000), DOMAIN);
    const pruned = fragments.map((fragment) => prunedFrom(fragment, 60_000, 'domain', { name: 'eu', heldFromMs }));
    expect(pruned).toEqual(fragments.map(() => want));
  });

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
