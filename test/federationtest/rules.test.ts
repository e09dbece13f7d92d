import { expect, test } from 'vitest';
import { isAnswerable } from '../../src/federationtest/answerable.ts';
import { isLabelBlind } from '../../src/federationtest/label-blind.ts';
import { mayReadDomain, withMatcher, wrapSelectors } from '../../src/federationtest/rewrite.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';

const parse = (text: string) => parseExpr(text, ALL_FEATURES);

test.each<[string, { open: boolean; aggregate: boolean }]>([
  ['x', { open: true, aggregate: false }],
  ['x[5m]', { open: false, aggregate: false }],
  ['1 + time()', { open: true, aggregate: true }],
  ['rate(x[5m])', { open: true, aggregate: false }],
  ['sum(x)', { open: true, aggregate: true }],
  ['sum by (domain) (rate(x[5m]))', { open: true, aggregate: true }],
  ['stdvar without (a) (x)', { open: true, aggregate: true }],
  ['topk(2, x)', { open: true, aggregate: false }],
  ['topk(2, sum by (a) (x))', { open: true, aggregate: true }],
  ['topk(scalar(sum(y)), sum by (a) (x))', { open: true, aggregate: true }],
  ['topk(scalar(y), sum by (a) (x))', { open: true, aggregate: false }],
  ['quantile(0.5, x)', { open: true, aggregate: false }],
  ['count_values("v", max by (a) (x))', { open: true, aggregate: true }],
  ['sum(topk(1, x))', { open: true, aggregate: false }],
  ['sum(x) / on () group_left () sum by (a) (y)', { open: true, aggregate: true }],
  // Matched by all labels, the domain label among them.
  ['sum(x / y)', { open: true, aggregate: true }],
  ['sum(x / on (domain, a) y)', { open: true, aggregate: true }],
  ['sum(x / ignoring (b) y)', { open: true, aggregate: true }],
  ['sum(x / ignoring (domain) y)', { open: true, aggregate: false }],
  ['sum(x * scalar(sum(y)))', { open: true, aggregate: false }],
  ['sum(x > 3)', { open: true, aggregate: true }],
  ['sum(x) > 3', { open: true, aggregate: true }],
  ['absent(x)', { open: true, aggregate: true }],
  ['absent(sum(x))', { open: true, aggregate: true }],
  ['absent_over_time(x[5m])', { open: true, aggregate: true }],
  ['absent_over_time(sum(x)[5m:1m])', { open: true, aggregate: true }],
  ['max_over_time(sum(x)[5m:1m])', { open: true, aggregate: true }],
  ['max_over_time(rate(x[1m])[5m:1m])', { open: true, aggregate: false }],
  ['quantile_over_time(scalar(sum(y)), x[5m])', { open: false, aggregate: false }],
  ['histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))', { open: true, aggregate: true }],
  ['info(x)', { open: true, aggregate: false }],
  ['info(sum by (job, instance) (x))', { open: true, aggregate: false }],
  ['label_replace(sum(x), "domain", "$1", "a", "(.*)")', { open: true, aggregate: true }],
  ['sum(label_replace(x, "domain", "$1", "a", "(.*)"))', { open: true, aggregate: false }],
  ['sort(sum by (a) (x))', { open: true, aggregate: true }],
])('what a federation must answer: %s', (text, want) => {
  const answerable = (egressClass: 'open' | 'aggregate') =>
    isAnswerable(parse(text), { domainLabel: 'domain', egressClass });
  expect({ open: answerable('open'), aggregate: answerable('aggregate') }).toEqual(want);
});

test.each<[string, boolean]>([
  ['sum(x)', true],
  ['sum by (a) (rate(x[5m])) > 3', true],
  ['sum by (domain) (x)', false],
  ['sum without (a) (x)', false],
  ['x', false],
  ['sum({domain="a"})', false],
  ['sum(x + y)', false],
  ['sum(x) + on () sum(y)', true],
  ['count(count by (a) (x))', true],
  ['topk(1, sum by (a) (x))', true],
  ['sum(topk(1, x))', false],
  ['sum(histogram_quantile(0.5, x_bucket))', false],
  ['histogram_quantile(0.5, sum by (le) (x_bucket))', true],
  ['absent(x)', true],
  ['time()', true],
  ['max_over_time(sum(x)[5m:1m])', true],
  ['sum(label_replace(x, "a", "$1", "b", "(.*)"))', false],
])('what a label more changes nothing of: %s', (text, want) => {
  expect(isLabelBlind(parse(text), 'domain')).toBe(want);
});

test.each([
  ['a + rate(b[5m])', 'avg by (n0) (a) + avg by (n1) (rate(b[5m]))'],
  ['sum(a)', 'sum(avg by (n0) (a))'],
  ['max_over_time(a[5m:1m])', 'max_over_time(avg by (n0) (a)[5m:1m])'],
  ['quantile_over_time(0.5, a[5m])', 'avg by (n0) (quantile_over_time(0.5, a[5m]))'],
  ['info(a, {b="c"})', 'info(avg by (n0) (a), {b="c"})'],
  ['a[5m]', 'a[5m]'],
  ['1', '1'],
])('selectors are wrapped: %s', (text, want) => {
  const wrapped = wrapSelectors(parse(text), (n) => ({ op: 'avg', grouping: [`n${n}`] }));
  expect(printExpr(wrapped)).toBe(printExpr(parse(want)));
});

test.each([
  ['a + rate(b[5m])', 'a{domain="d1"} + rate(b{domain="d1"}[5m])'],
  ['info(a, {b="c"})', 'info(a{domain="d1"}, {b="c"})'],
  ['time()', 'time()'],
])('selectors are pinned: %s', (text, want) => {
  expect(printExpr(withMatcher(parse(text), { name: 'domain', op: '=', value: 'd1' }))).toBe(printExpr(parse(want)));
});

test.each<[string, boolean]>([
  ['a', true],
  ['a{domain="d1"}', true],
  ['a{domain="d2"}', false],
  ['a{domain!~"d1|d3"}', false],
  ['sum(rate(a{domain="d2"}[5m])) + sum(b)', true],
  ['info(a{domain="d2"})', true],
  ['vector(1)', false],
])('whether a domain is read: %s', (text, want) => {
  expect(mayReadDomain(parse(text), 'domain', 'd1')).toBe(want);
});
