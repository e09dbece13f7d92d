import { describe, expect, it } from 'vitest';
import { instantGrid } from '../../src/model/grid.ts';
import { faultOf, type Judge } from '../../src/plan/nearest/fault.ts';
import { nearestQuery } from '../../src/plan/nearest/nearest.ts';
import { checkFragment } from '../../src/policy/check.ts';
import { parsePolicy } from '../../src/policy/document.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { randomFrom } from '../random.ts';

const POLICY = `
version: 1
domain: eu
labels: {permit: [service, namespace, code, mode, workload], match: [workload], deny: [cpu]}
metrics:
  - {match: up, class: open}
  - {match: 'secret_*', class: sealed}
  - {match: sketched, class: aggregate, operators: [sum, count, quantile]}
  - {match: few, class: aggregate, operators: [sum, count]}
`;

/** What eu's policy says; us lets everything out. */
function judgeBy(policyText: string): Judge {
  const policy = parsePolicy(policyText, 'policy', 'eu', 'domain');
  return {
    grid: instantGrid(1_700_000_000_000),
    domainLabel: 'domain',
    domains: ['eu', 'us'],
    check: (fragment, domain) => (domain === 'eu' ? checkFragment(fragment, policy, () => []) : undefined),
  };
}

const JUDGE = judgeBy(POLICY);

function faultIn(text: string, approx?: number, judge = JUDGE) {
  return faultOf(parseExpr(text, ALL_FEATURES), text, approx, judge);
}

function check(text: string, works: string | undefined, approx?: number): void {
  const fault = faultIn(text);
  expect(fault, 'it is refused').toBeDefined();
  const nearest = nearestQuery({ text }, fault, JUDGE);
  expect([nearest?.text, nearest?.approx]).toEqual([works, approx]);
  if (nearest !== undefined) expect(faultIn(nearest.text, nearest.approx)).toBeUndefined();
}

describe('single series of an aggregate metric', () => {
  it.each([
    ['x', 'sum by (job) (x)'],
    ['rate(x_total[5m])', 'sum by (job) (rate(x_total[5m]))'],
    ['node_cpu_ratio', 'avg by (job) (node_cpu_ratio)'],
    ['latency{quantile="0.9"}', 'max by (job) (latency{quantile="0.9"})'],
    ['time() - node_boot_time_seconds', 'time() - max by (job) (node_boot_time_seconds)'],
    ['min_over_time(x[5m])', 'min by (job) (min_over_time(x[5m]))'],
    ['timestamp(x) - 5', 'max by (job) (timestamp(x)) - 5'],
    ['max_over_time(x[1h:1m])', 'max_over_time(sum by (job) (x)[1h:1m])'],
    ['sort_desc(x)', 'sort_desc(sum by (job) (x))'],
    ['scalar(x)', 'scalar(sum(x))'],
    ['-x', '-sum by (job) (x)'],
  ])('%s', (text, works) => check(text, works));

  it.each([
    ['x > 5', 'max by (job) (x > 5)'],
    ['x * 8 < 100', 'min by (job) (x * 8 < 100)'],
    ['5 > x', 'min by (job) (5 > x)'],
    ['x == 0', 'min by (job) (x == 0)'],
    ['abs(x) > bool 5', 'abs(sum by (job) (x)) > bool 5'],
    ['x > scalar(sum(y))', 'sum by (job) (x) > scalar(sum(y))'],
  ])('a filter stays a question about each: %s', (text, works) => check(text, works));

  it.each([
    ['x / y', 'sum by (job) (x) / sum by (job) (y)'],
    ['x / up', 'sum by (job) (x) / sum by (job) (up)'],
    ['x / sum by (service) (y)', 'sum by (service) (x) / sum by (service) (y)'],
    ['x / on (service) y', 'sum by (service) (x) / on (service) sum by (service) (y)'],
    ['x and on (service) y > 5', 'sum by (service) (x) and on (service) max by (service) (y > 5)'],
    ['x unless y', 'sum by (job) (x) unless sum by (job) (y)'],
    ['x or vector(0)', 'sum by (job) (x) or vector(0)'],
    [
      'x * on (service) group_left (mode) y',
      'sum by (service) (x) * on (service) group_left (mode) sum by (service, mode) (y)',
    ],
    ['sum by (service) (x / on (service) y)', 'sum by (service) (x / on (domain, service) y)'],
    [
      'sum by (workload) (sum by (service) (x) * on (service) group_left (workload) y)',
      'sum by (workload) (sum by (domain, service) (x) * on (domain, service) group_left (workload) y)',
    ],
  ])('keeps what it is matched by: %s', (text, works) => check(text, works));

  it.each([
    ['histogram_quantile(0.9, rate(x_bucket[5m]))', 'histogram_quantile(0.9, sum by (job, le) (rate(x_bucket[5m])))'],
    [
      'label_replace(x, "a", "$1", "service", "(.*)")',
      'label_replace(sum by (service) (x), "a", "$1", "service", "(.*)")',
    ],
    ['topk(5, rate(x_total[5m]))', 'topk(5, sum by (job) (rate(x_total[5m])))'],
    ['topk by (service) (5, x)', 'topk by (service) (5, sum by (service) (x))'],
    ['sum(topk(5, x))', 'sum(topk(5, sum by (job) (x)))'],
    ['count_values("code", x)', 'count_values("code", sum by (job) (x))'],
    ['limit_ratio(0.5, x)', 'limit_ratio(0.5, sum by (job) (x))'],
    ['info(x)', 'sum by (job) (x)'],
  ])('keeps what is read above it: %s', (text, works) => check(text, works));
});

describe('quantile', () => {
  it.each<[string, string, number?]>([
    ['quantile(0.9, x)', 'quantile(0.9, sum by (job) (x))'],
    ['quantile(0.9, sketched)', 'quantile(0.9, sketched)', 0.01],
    [
      'quantile by (service) (0.9, rate(h_sum[5m]) / rate(h_count[5m]))',
      'histogram_quantile(0.9, sum by (service, le) (rate(h_bucket[5m])))',
    ],
  ])('%s', (text, works, approx) => check(text, works, approx));
});

describe('operators that a policy does not list', () => {
  it.each([
    ['avg by (service) (few)', 'sum by (service) (few) / count by (service) (few)'],
    ['sum(max(few))', 'sum(sum(few))'],
  ])('%s', (text, works) => {
    const fault = faultIn(text);
    const nearest = nearestQuery({ text }, fault, JUDGE);
    expect(fault?.code).toBe('operator_not_permitted');
    // Which of the permitted ones says most is a matter of taste where none is the same.
    if (text.startsWith('avg')) expect(nearest?.text).toBe(works);
    expect(faultIn(nearest!.text)).toBeUndefined();
  });
});

describe('labels that may not leave', () => {
  it.each([
    ['sum by (instance) (x)', 'sum(x)'],
    ['sum by (instance, service) (x)', 'sum by (service) (x)'],
    ['topk(3, sum by (pod) (x))', 'topk(3, sum by (job) (x))'],
    ['count(count by (cpu) (x))', 'count(x)'],
    ['sum(sum by (pod) (x) > 5)', 'sum(sum(x) > 5)'],
    ['sum by (a) (x) / sum by (a) (y)', 'sum(x) / sum(y)'],
    [
      'sum by (a, service) (x) / on (a, service) sum by (a, service) (y)',
      'sum by (service) (x) / on (service) sum by (service) (y)',
    ],
    ['label_replace(sum by (pod) (x), "host", "$1", "pod", "(.*)")', 'sum(x)'],
    ['count_values("v", sum by (pod) (up))', 'count_values("v", sum(up))'],
    [
      'sum by (namespace, workload) (rate(c_total[5m]) * on (namespace, pod) group_left (workload) owner_info)',
      'sum by (namespace) (rate(c_total[5m]))',
    ],
    ['sum by (workload) (sum by (namespace, pod) (x) * on (namespace, pod) group_left (workload) y)', 'sum(x)'],
    ['sum by (service) (x) and on (pod) sum by (pod) (y)', 'sum by (service) (x)'],
    ['sort_by_label(sum by (pod, service) (x), "pod")', 'sum by (service) (x)'],
  ])('%s', (text, works) => check(text, works));
});

describe('matchers', () => {
  it.each([
    ['sum(x{pod="3", service="a"})', 'sum(x{service="a"})'],
    ['rate(up{instance="a"}[5m])', 'rate(up[5m])'],
    ['x{pod="3"}', 'sum by (job) (x)'],
    ['sum(x{pod="3"}) / sum(x)', undefined],
    ['sum({pod="3"})', undefined],
  ])('%s', (text, works) => check(text, works));
});

describe('what is sealed', () => {
  it.each([
    ['secret_x', 'secret_x{domain!="eu"}'],
    ['sum(secret_x) / sum(x)', 'sum(secret_x{domain!="eu"}) / sum(x{domain!="eu"})'],
    ['{__name__=~"secret.*"}', '{__name__=~"secret.*",domain!="eu"}'],
    ['sum(secret_x{domain="eu"})', undefined],
    ['sum(up) or sum(secret_x{domain="eu"})', 'sum(up)'],
  ])('%s', (text, works) => check(text, works));
});

describe('raw samples', () => {
  it.each([
    ['x_total[5m]', 'sum by (job) (rate(x_total[5m]))'],
    ['up[5m]', 'last_over_time(up[5m])'],
    ['(up[5m])', '(last_over_time(up[5m]))'],
    ['predict_linear(up[1h] offset 5m, scalar(up))', 'predict_linear(up[1h:1m] offset 5m, scalar(up))'],
    ['quantile_over_time(scalar(y), x[1h])', 'quantile_over_time(scalar(sum(y)), sum by (job) (x)[1h:1m])'],
  ])('%s', (text, works) => check(text, works));
});

it('nothing is found for what no rewriting mends, or for what is not PromQL', () => {
  const limit = { code: 'limit', name: '', span: { start: 0, end: 1 }, domain: 'eu' } as const;
  expect(nearestQuery({ text: 'up' }, limit, JUDGE)).toBeUndefined();
  expect(nearestQuery({ text: 'up' }, undefined, JUDGE)).toBeUndefined();
  expect(nearestQuery({ text: 'sum(' }, limit, JUDGE)).toBeUndefined();
});

it('a long query costs no more than its bound', () => {
  const text = Array.from({ length: 1_500 }, (_, i) => `x${i}{pod="${i}"}`).join(' or ');
  const startedMs = performance.now();
  nearestQuery({ text }, undefined, JUDGE);
  expect(performance.now() - startedMs).toBeLessThan(10_000);
});

it('whatever is found is not refused, and is found for nearly all', () => {
  const seed = 20_261_122;
  const { pick } = randomFrom(seed);
  const metric = () => pick(['x', 'y', 'up', 'few', 'sketched', 'secret_x', 'h_bucket']);
  const label = () => pick(['service', 'namespace', 'pod', 'instance', 'job', 'domain']);
  const selector = () => metric() + pick(['', '', `{${label()}="a"}`, `{${label()}=~"a|b",code!=""}`]);
  const grouping = () => pick(['', ` by (${label()})`, ` by (${label()}, ${label()})`, ` without (${label()})`]);
  const vector = (depth: number): string => {
    if (depth === 0) return pick([selector, () => `rate(${selector()}[5m])`, () => `${selector()} offset 1m`])();
    const inner = (): string => vector(depth - 1);
    return pick([
      () => `${pick(['sum', 'avg', 'max', 'count', 'stddev'])}${grouping()} (${inner()})`,
      () => `${pick(['topk', 'limitk', 'quantile'])}${grouping()} (0.5, ${inner()})`,
      () => `(${inner()} ${pick(['+', '/', '>', 'and', 'or', 'unless'])}${pick(['', ` on (${label()})`])} ${inner()})`,
      () => `(${inner()} ${pick(['*', '>', '=='])} 2)`,
      () => `${inner()}`,
      () => `max_over_time((${inner()})[1h:5m])`,
      () => `label_replace(${inner()}, "new", "$1", "${label()}", "(.*)")`,
      () => `histogram_quantile(0.9, ${inner()})`,
    ])();
  };
  let refused = 0;
  let found = 0;
  for (let i = 0; i < 600; i++) {
    const text = vector(1 + (i % 3));
    const fault = faultIn(text);
    if (fault === undefined) continue;
    refused++;
    const nearest = nearestQuery({ text }, fault, JUDGE);
    if (nearest === undefined) continue;
    found++;
    expect(faultIn(nearest.text, nearest.approx), `seed ${seed}: ${text} -> ${nearest.text}`).toBeUndefined();
  }
  expect(refused).toBeGreaterThan(300);
  expect(found / refused).toBeGreaterThan(0.95);
});
