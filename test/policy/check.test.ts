import { describe, expect, it } from 'vitest';
import { labelsOf, labelValue, METRIC_NAME } from '../../src/model/labels.ts';
import type { Fragment } from '../../src/plan/distribute.ts';
import { decodeFragment, encodeFragment } from '../../src/plan/frames/fragment-codec.ts';
import { preorder } from '../../src/plan/frames/preorder.ts';
import { checkFragment, checkRows } from '../../src/policy/check.ts';
import { parsePolicy } from '../../src/policy/document.ts';
import { printExpr } from '../../src/promql/print.ts';
import { anyFragment } from '../border/domain.ts';
import { matches } from '../memory-source.ts';

/** m, n: aggregate as most are. few, top, none: with operators of their own. secret*: sealed. up, queue: open. */
const POLICY = `
version: 1
domain: eu
labels: {permit: [service, v]}
metrics:
  - {match: up, class: open}
  - {match: queue, class: open}
  - {match: open_*, class: open}
  - {match: secret*, class: sealed}
  - {match: few, class: aggregate, operators: [count]}
  - {match: most, class: aggregate, operators: [max]}
  - {match: top, class: aggregate, operators: [topk, bottomk, limitk, limit_ratio, count_values, quantile]}
  - {match: none, class: aggregate, operators: []}
`;
const POLICIES = {
  some: POLICY,
  /** The same with every label permitted. */
  allLabels: POLICY.replace('[service, v]', "['*']"),
  closed: '{version: 1, domain: eu, labels: {permit: []}, default_class: sealed, metrics: [{match: up, class: open}]}',
  allOpen: "{version: 1, domain: eu, labels: {permit: ['*']}, default_class: open}",
};

const HELD = [
  { __name__: 'up', job: 'a', service: 's' },
  { __name__: 'queue', job: 'a', customer: 'c' },
  { __name__: 'm', job: 'a', service: 's', customer: 'c' },
  { __name__: 'n', job: 'a', service: 's' },
  { __name__: 'top', job: 'a', service: 's' },
  { __name__: 'secret', job: 'a' },
  { __name__: 'k', zone: '1' },
  { __name__: 'k', aisle: '2', zone: '2' },
].map(labelsOf);

function fragmentOf(query: string): Fragment {
  const read = decodeFragment(encodeFragment(anyFragment(query)));
  if (read.answer === 'unread') throw new Error(`cannot be sent: ${read.refusal.name}`);
  return read;
}

/** The verdict as `allowed`, or as the refusal's code and name and the node at fault. */
function verdict(policy: keyof typeof POLICIES, query: string): string {
  const fragment = fragmentOf(query);
  const read = parsePolicy(POLICIES[policy], 'test', 'eu', 'domain');
  const refusal = checkFragment(fragment, read, ({ matchers }) => {
    const found = HELD.filter((labels) => matches(labels, matchers));
    for (const labels of found) expect(read.classOf(labelValue(labels, METRIC_NAME))).not.toBe('sealed');
    return found;
  });
  if (refusal === undefined) return 'allowed';
  const node = preorder(fragment.expr)[refusal.node!]!;
  return `${refusal.code} ${refusal.name}: ${printExpr(node)}`;
}

function check(policy: keyof typeof POLICIES, query: string, want: string): void {
  expect(verdict(policy, query)).toBe(want);
}

describe('where a class may stand', () => {
  it.each<[string, string]>([
    ['up', 'allowed'],
    ['timed up', 'allowed'],
    ['topk(3, up)', 'allowed'],
    ['quantile(0.5, up)', 'allowed'],
    ['count_values("v", up)', 'allowed'],
    ['up > on (service, domain) n', 'class_aggregate n: n'],
    ['m', 'class_aggregate m: m'],
    ['timed m', 'class_aggregate m: m'],
    ['rate(m[5m])', 'class_aggregate m: m'],
    ['max_over_time(m[5m:1m])', 'class_aggregate m: m'],
    ['sum(m)', 'allowed'],
    ['partial avg by (service) (rate(m[5m]))', 'allowed'],
    ['partial sum(histogram_quantile(0.9, rate(m[5m])))', 'allowed'],
    ['max by (service) (sum_over_time(sum by (service) (m)[5m:1m]))', 'allowed'],
    ['sum(up) + on () m', 'class_aggregate m: m'],
    ['up or on (service) sum by (service) (m)', 'allowed'],
    ['secret', 'class_sealed secret: secret'],
    ['partial sum(secret)', 'class_sealed secret: secret'],
    ['partial count(m and on (service) secret)', 'class_sealed secret: secret'],
    ['partial count({__name__=~"m|secret"})', 'class_sealed secret: {__name__=~"m|secret"}'],
    ['{__name__=~"up|m"}', 'class_aggregate m: {__name__=~"up|m"}'],
    ['partial sum(last_over_time(m[5m] offset 1m))', 'allowed'],
    ['partial sum(m * on (service) fill (0) n)', 'allowed'],
  ])('%s: %s', (query, want) => check('some', query, want));
});

describe('a metric that is not spelt out must hold for every rule that could decide it, whatever is held', () => {
  it.each<[keyof typeof POLICIES, string, string]>([
    ['some', 'max({job="a"})', 'class_sealed : {job="a"}'],
    ['some', 'max({job="nowhere"})', 'class_sealed : {job="nowhere"}'],
    ['some', 'max({__name__=~"sec.+"})', 'class_sealed : {__name__=~"sec.+"}'],
    ['some', 'max({__name__!="secret", job="a"})', 'class_sealed : {__name__!="secret",job="a"}'],
    ['some', 'max({__name__=~"que.+"})', 'allowed'],
    ['some', 'sum({__name__=~"mos.+"})', 'operator_not_permitted sum: sum({__name__=~"mos.+"})'],
    ['some', 'max({__name__=~"mos.+"})', 'allowed'],
    ['some', 'sum({__name__=~"x.+"})', 'allowed'],
    ['some', '{__name__=~"open_.+"}', 'allowed'],
    ['some', '{__name__=~"ope.+"}', 'class_aggregate : {__name__=~"ope.+"}'],
    ['some', 'max({__name__=~"secre.+", __name__=~".+"})', 'class_sealed : {__name__=~"secre.+",__name__=~".+"}'],
    ['closed', 'max({__name__=~"x.+"})', 'class_sealed : {__name__=~"x.+"}'],
    ['closed', 'sum({__name__="", job="a"})', 'class_sealed : {__name__="",job="a"}'],
    ['closed', 'up', 'allowed'],
    ['allOpen', '{job="a"}', 'allowed'],
  ])('%s, %s: %s', (policy, query, want) => check(policy, query, want));
});

describe('operators', () => {
  it.each<[string, string]>([
    ['partial count(few)', 'allowed'],
    ['partial sum(few)', 'operator_not_permitted sum: sum(few)'],
    ['partial count(none)', 'operator_not_permitted count: count(none)'],
    ['partial sum(top)', 'operator_not_permitted sum: sum(top)'],
    ['topk(3, top)', 'allowed'],
    ['bottomk by (service) (1, top)', 'allowed'],
    ['limitk(1, top)', 'allowed'],
    ['limit_ratio(0.5, top)', 'allowed'],
    ['count_values("v", top)', 'allowed'],
    ['partial sum(topk(3, top))', 'allowed'],
    ['sketch 0.01 quantile(0.5, top)', 'allowed'],
    ['sketch 0.01 quantile by (service) (0.5, m)', 'operator_not_permitted quantile: quantile by (service) (0.5, m)'],
    ['sketch 0.01 quantile(0.5, sum by (service) (m))', 'allowed'],
    ['sketch 0.01 quantile(0.5, up)', 'allowed'],
    ['sketch 0.001 quantile(0.5, top)', 'allowed'],
    ['sketch 0.000999 quantile(0.5, top)', 'limit quantile: quantile(0.5, top)'],
    ['topk(3, m)', 'operator_not_permitted topk: topk(3, m)'],
    ['bottomk(3, rate(m[5m]))', 'operator_not_permitted bottomk: bottomk(3, rate(m[5m]))'],
    ['limitk(3, m)', 'operator_not_permitted limitk: limitk(3, m)'],
    ['limit_ratio(0.5, m)', 'operator_not_permitted limit_ratio: limit_ratio(0.5, m)'],
    ['quantile(0.5, m)', 'operator_not_permitted quantile: quantile(0.5, m)'],
    ['count_values("v", m)', 'operator_not_permitted count_values: count_values("v", m)'],
    ['topk(3, sum by (service) (m))', 'allowed'],
    ['limit_ratio(0.5, max by (service) (m))', 'allowed'],
    ['quantile by (domain) (0.5, sum by (service, domain) (m))', 'allowed'],
    ['count_values("v", sum by (service) (m))', 'allowed'],
    ['partial sum(m + on (service) few)', 'operator_not_permitted sum: sum(m + on (service) few)'],
    ['partial count(m and on (service) few)', 'allowed'],
    ['sum(m) / on () count(few)', 'allowed'],
  ])('%s: %s', (query, want) => check('some', query, want));
});

describe('what a hub could make of them', () => {
  it.each<[string, string, string]>([
    ['the value of one series under a sum', 'partial sum(topk(1, m))', 'operator_not_permitted topk: topk(1, m)'],
    ['any series at all', 'partial sum(limitk(1, m))', 'operator_not_permitted limitk: limitk(1, m)'],
    ['a threshold by count', 'count(topk(1, m) > 5)', 'operator_not_permitted topk: topk(1, m)'],
    ['slices', 'partial sum(limit_ratio(0.01, m))', 'operator_not_permitted limit_ratio: limit_ratio(0.01, m)'],
    [
      'the other slice',
      'partial sum(limit_ratio(-0.99, m))',
      'operator_not_permitted limit_ratio: limit_ratio(-0.99, m)',
    ],
    ['the least', 'partial max(quantile(0, most))', 'operator_not_permitted quantile: quantile(0, most)'],
    ['the least where quantile is listed', 'quantile(0, top)', 'operator_not_permitted quantile: quantile(0, top)'],
    [
      'the least beside the sketch',
      'sketch 0.01 quantile(0.5, quantile by (service) (0, top))',
      'operator_not_permitted quantile: quantile by (service) (0, top)',
    ],
    ['the greatest of one that only counts', 'partial count(max(few) > 5)', 'operator_not_permitted max: max(few)'],
    ['a total of one that has maxima only', 'max(sum(most))', 'operator_not_permitted sum: sum(most)'],
    [
      'values under a count',
      'count by (v) (count_values("v", m))',
      'operator_not_permitted count_values: count_values("v", m)',
    ],
    ['values of a group are ones', 'count_values("v", group by (service) (m))', 'allowed'],
    [
      'a label from values',
      'count_values("customer", sum by (service) (m))',
      'label_not_permitted customer: count_values("customer", sum by (service) (m))',
    ],
    ['a parameter', 'topk(scalar(m), up)', 'class_aggregate m: m'],
    ['a parameter under an aggregation', 'partial count(limitk(scalar(m), up))', 'class_aggregate m: m'],
    ['a quantile of a parameter', 'quantile(scalar(m), up)', 'class_aggregate m: m'],
    ['a parameter that may leave', 'topk(scalar(sum(m)), up)', 'allowed'],
    ['one series as a scalar', 'partial count(up > scalar(few))', 'class_aggregate few: few'],
    ['one series as a vector', 'partial sum(vector(scalar(m)))', 'class_aggregate m: m'],
    ['a scalar that may leave', 'up * scalar(count(few))', 'allowed'],
    ["a function's parameter", 'clamp_max(up, scalar(m))', 'class_aggregate m: m'],
    ["a rollup's parameter", 'partial sum(quantile_over_time(scalar(m), up[5m]))', 'class_aggregate m: m'],
    ['absence', 'absent(m)', 'class_aggregate m: m'],
    ['absence under a count is a count', 'partial count(absent(m))', 'allowed'],
    [
      'absence of what has no count',
      'partial count(absent(none))',
      'operator_not_permitted count: count(absent(none))',
    ],
    [
      'absence by a restricted matcher',
      'partial count(absent(m{customer="c"}))',
      'matcher_not_permitted customer: m{customer="c"}',
    ],
    ['an order', 'partial sum(sort(m))', 'allowed'],
    [
      'an order by a restricted label',
      'sort_by_label(up, "customer")',
      'label_not_permitted customer: sort_by_label(up, "customer")',
    ],
    ['the first by it', 'sum(limitk(1, queue))', 'label_not_permitted customer: limitk(1, queue)'],
    ['ties by it', 'sum(topk(1, queue * 0))', 'label_not_permitted customer: topk(1, queue * 0)'],
    [
      'the hash of it',
      'partial count(limit_ratio(0.5, queue))',
      'label_not_permitted customer: limit_ratio(0.5, queue)',
    ],
    [
      'one of each',
      'partial sum(topk without (job) (1, queue))',
      'label_not_permitted customer: topk without (job) (1, queue)',
    ],
    [
      'one of each by name',
      'partial sum(topk by (customer) (1, up))',
      'label_not_permitted customer: topk by (customer) (1, up)',
    ],
    [
      'a name for quantiles',
      'histogram_quantiles(up, "customer", 0.5)',
      'label_not_permitted customer: histogram_quantiles(up, "customer", 0.5)',
    ],
    ['info', 'partial sum(info(m))', 'unsupported function info: info(m)'],
    [
      'info of sealed ones',
      'partial sum(info(m, {__name__="secret"}))',
      'unsupported function info: info(m, {__name__="secret"})',
    ],
    ['numbers of its own', 'vector(scalar(vector(1)))', 'allowed'],
    ['a comparison below', 'partial count(m > 4711)', 'allowed'],
    ['a match below', 'partial count(m and on (customer) n)', 'label_not_permitted customer: m and on (customer) n'],
    ['a match that compares all', 'partial count(m and n)', 'label_not_permitted customer: m and n'],
    ['a match of what was picked', 'count(topk by (service) (1, top) * up)', 'allowed'],
    [
      'a match of what count_values wrote',
      'partial count(count_values by (service) ("customer", up) * on (service) up)',
      'label_not_permitted customer: count_values by (service) ("customer", up)',
    ],
    [
      'a copied label',
      'partial sum(n * on (job) group_left (customer) queue)',
      'label_not_permitted customer: n * on (job) group_left (customer) queue',
    ],
    [
      'a renamed label',
      'sum by (v) (label_replace(m, "v", "$1", "customer", "(.*)"))',
      'label_not_permitted customer: label_replace(m, "v", "$1", "customer", "(.*)")',
    ],
    [
      'a joined label',
      'sum by (v) (label_join(m, "v", "-", "job", "customer"))',
      'label_not_permitted customer: label_join(m, "v", "-", "job", "customer")',
    ],
    ['a group', 'partial sum by (customer) (m)', 'label_not_permitted customer: sum by (customer) (m)'],
    ['a group below', 'count(sum without (service) (m))', 'label_not_permitted customer: sum without (service) (m)'],
    [
      'a quantile of groups',
      'quantile(0.5, sum by (customer) (m))',
      'label_not_permitted customer: sum by (customer) (m)',
    ],
    ['a restricted matcher', 'partial sum(m{customer=~"c.*"})', 'matcher_not_permitted customer: m{customer=~"c.*"}'],
    ['an empty matcher', 'partial sum(m{customer=""})', 'matcher_not_permitted customer: m{customer=""}'],
    [
      'a matcher in a subquery',
      'sum(max_over_time(m{customer="c"}[5m:1m]))',
      'matcher_not_permitted customer: m{customer="c"}',
    ],
  ])('%s: %s', (_, query, want) => check('some', query, want));

  it.each<[string, string]>([
    ['partial sum by (customer) (m{customer="c"})', 'allowed'],
    ['sum(limitk(1, queue))', 'allowed'],
    ['topk by (customer) (1, m)', 'operator_not_permitted topk: topk by (customer) (1, m)'],
    ['m', 'class_aggregate m: m'],
    ['sum(secret)', 'class_sealed secret: secret'],
  ])('with every label permitted, %s: %s', (query, want) => check('allLabels', query, want));
});

it('of several labels the first in order is named, whichever series come first', () => {
  check('some', 'partial count(k and k)', 'label_not_permitted aisle: k and k');
  const rows = [{ zone: '1' }, { aisle: '1' }].map((labels) => ({ labels: labelsOf(labels) }));
  const policy = parsePolicy(POLICY, 'test', 'eu', 'domain');
  expect(checkRows(rows, policy)).toEqual({ code: 'label_not_permitted', name: 'aisle' });
  expect(checkRows([], policy)).toBeUndefined();
});

it('labels that the root groups away are left to the check on the way out', () => {
  check('some', 'sum without (customer) (m)', 'allowed');
  check('some', 'sum without (service) (m)', 'allowed');
});

it('a string wrapped by hand is read as the engine reads it', () => {
  const fragment = fragmentOf('sum by (v) (label_replace(m, "v", "$1", "job", "(.*)"))');
  const wrap = (expr: unknown): unknown => {
    if (typeof expr !== 'object' || expr === null) return expr;
    if (Array.isArray(expr)) return expr.map(wrap);
    const node = Object.fromEntries(Object.entries(expr).map(([key, value]) => [key, wrap(value)]));
    if (node['kind'] !== 'string') return node;
    const text = node['value'] === 'job' ? { ...node, value: 'customer' } : node;
    return { kind: 'once', expr: text, span: node['span'] };
  };
  const hostile = { ...fragment, expr: wrap(fragment.expr) } as Fragment;
  const policy = parsePolicy(POLICY, 'test', 'eu', 'domain');
  expect(checkFragment(hostile, policy, () => [])).toMatchObject({ code: 'label_not_permitted', name: 'customer' });
});
