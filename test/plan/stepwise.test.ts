import { expect, it } from 'vitest';
import { rangeGrid } from '../../src/model/grid.ts';
import { distribute } from '../../src/plan/distribute.ts';
import { isStepwise } from '../../src/plan/stepwise.ts';
import { ALL_FEATURES, NO_FEATURES, type PromqlFeatures } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';

const NAMES_LATE: PromqlFeatures = { ...NO_FEATURES, delayedNameRemoval: true };
const TYPED: PromqlFeatures = { ...NO_FEATURES, typeAndUnitLabels: true };

it.each<[string, boolean, PromqlFeatures?]>([
  ['x', true],
  ['x', false, NAMES_LATE],
  ['{job="a"}', true],
  ['-{job="a"}', true],
  ['sum(rate(x[5m]))', true],
  ['rate(x[5m])', false, TYPED],
  ['sum(x)', true, TYPED],
  // Two names may become one label set at different steps, which is an error of all steps together.
  ['sum(rate({job="a"}[5m]))', false],
  ['last_over_time({job="a"}[5m])', true],
  ['max_over_time((x or y)[5m:1m])', false],
  ['max_over_time(rate(x[1m])[5m:1m])', true],
  // What is at one time alone is worked out at the first step.
  ['sum(x @ 7)', true],
  ['x * on (domain) topk by (domain) (2, y @ 7)', true],
  ['x * on (domain) topk by (domain) (time(), y @ 7)', false],
  ['topk(time(), x)', true],
  // Counts and sums alone: the first sample that is read has no hint.
  ['histogram_count(x)', false],
  ['histogram_sum(rate(x[5m]))', true],
  ['histogram_avg(last_over_time(x[5m]))', false],
  ['histogram_quantile(0.9, x)', true],
])('%s: %s', (text, want, features = NO_FEATURES) => {
  const { fragments } = distribute(parseExpr(text, ALL_FEATURES), rangeGrid(0, 600_000, 15_000), {
    domainLabel: 'domain',
  });
  expect(fragments).not.toEqual([]);
  expect(fragments.every((fragment) => isStepwise(fragment, features))).toBe(want);
});
