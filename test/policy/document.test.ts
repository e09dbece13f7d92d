import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/policy/document.ts';

const parse = (text: string) => parsePolicy(text, 'eu.policy.yaml', 'eu', 'domain');

const POLICY = `
version: 1
domain: eu
labels: {permit: [service]}
metrics:
  - {match: 'http_*', class: open}
  - {match: 'http_*_secret', class: sealed}
  - {match: http_server_secret, class: aggregate}
  - {match: '*_x_*_y', class: sealed}
default_class: aggregate
`;

describe('the class of a metric is that of its most specific rule', () => {
  it.each([
    ['http_requests_total', 'open'],
    ['http_client_secret', 'sealed'],
    ['http_server_secret', 'aggregate'],
    ['http_', 'open'],
    ['a_x_b_y', 'sealed'],
    ['a_x_y', 'aggregate'],
    ['a_x_x_b_y', 'sealed'],
    ['other', 'aggregate'],
  ])('%s: %s', (metric, want) => expect(parse(POLICY).classOf(metric)).toBe(want));
});

it('permits structural labels, the domain label and those it lists', () => {
  const policy = parse(POLICY);
  const labels = ['__name__', 'le', 'quantile', 'job', 'domain', 'service', 'instance', 'customer'];
  expect(labels.filter((label) => policy.permitsLabel(label))).toEqual(labels.slice(0, 6));
});

it('without a default every metric is aggregate', () => {
  expect(parse('{version: 1, domain: eu, labels: {permit: []}}').classOf('x')).toBe('aggregate');
});

it('permits every label where it says so', () => {
  const policy = parse("{version: 1, domain: eu, labels: {permit: ['*']}}");
  expect([policy.permitsAllLabels, policy.permitsLabel('customer')]).toEqual([true, true]);
  expect(parse(POLICY).permitsAllLabels).toBe(false);
});

const OPERATORS = `
version: 1
domain: eu
labels: {permit: []}
metrics:
  - {match: a, class: open}
  - {match: b, class: aggregate, operators: [sum, topk]}
  - {match: 'c*', class: aggregate, operators: []}
  - {match: 'cd*', class: sealed}
  - {match: 'x*y', class: open}
`;

it('a rule lists the operators of its metrics, or has the usual ones', () => {
  const policy = parse(OPERATORS);
  expect([...policy.operatorsOf('b')]).toEqual(['sum', 'topk']);
  expect([...policy.operatorsOf('c')]).toEqual([]);
  const usual = ['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'stdvar'];
  expect([...policy.operatorsOf('other')]).toEqual(usual);
  expect(policy.ruleOf('cde')).toMatchObject({ rule: 'cd*', class: 'sealed' });
  expect(policy.ruleOf('zzz')).toMatchObject({ rule: 'default', class: 'aggregate' });
});

describe('the rules that could decide a metric whose name begins with', () => {
  it.each<[string, string[]]>([
    ['', ['a', 'b', 'cd*', 'x*y', 'c*', 'default']],
    ['a', ['a', 'default']],
    ['b', ['b', 'default']],
    ['c', ['cd*', 'c*']],
    ['cd', ['cd*']],
    ['ce', ['c*']],
    ['x_', ['x*y', 'default']],
    ['z', ['default']],
  ])('%s', (prefix, want) => {
    const rules = parse(OPERATORS).rulesBelow(prefix);
    expect(rules.map(({ rule }) => rule).sort()).toEqual(want.sort());
  });

  it('nothing: a pattern for all leaves no room for the default', () => {
    const text = OPERATORS.replace('x*y', '*');
    expect(
      parse(text)
        .rulesBelow('z')
        .map(({ rule }) => rule),
    ).toEqual(['*']);
  });
});

describe('a document that is not understood is refused, naming the field', () => {
  it.each([
    ['{version: 1, domain: us, labels: {permit: []}}', /the policy is for domain us, not for eu/],
    ['{version: 2, domain: eu, labels: {permit: []}}', /\/version/],
    ['{version: 1, domain: eu}', /labels/],
    ['{version: 1, domain: eu, labels: {permit: []}, typo: 1}', /typo/],
    ['{version: 1, domain: eu, labels: {permit: [1]}}', /\/labels\/permit\/0/],
    ['{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: x, class: public}]}', /\/metrics\/0\/class/],
    [
      '{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: x, class: aggregate, operators: [summ]}]}',
      /\/metrics\/0\/operators\/0 must be equal to one of the allowed values/,
    ],
    [
      '{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: x, class: open, operators: [sum]}]}',
      /\/metrics\/0\/operators: only a rule of class aggregate lists operators/,
    ],
    ["{version: 1, domain: eu, labels: {permit: ['http_*']}}", /\/labels\/permit\/0: "http_\*" is no label/],
    ['version: [1', /eu\.policy\.yaml/],
    ['', /eu\.policy\.yaml/],
  ])('%s', (text, want) => expect(() => parse(text)).toThrow(want));
});

it('matches globs in linear time', () => {
  const policy = parse(
    `{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: '${'*a'.repeat(40)}b', class: sealed}]}`,
  );
  expect(policy.classOf('a'.repeat(20_000))).toBe('aggregate');
});
