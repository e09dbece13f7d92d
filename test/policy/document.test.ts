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

describe('a document that is not understood is refused, naming the field', () => {
  it.each([
    ['{version: 1, domain: us, labels: {permit: []}}', /the policy is for domain us, not for eu/],
    ['{version: 2, domain: eu, labels: {permit: []}}', /\/version/],
    ['{version: 1, domain: eu}', /labels/],
    ['{version: 1, domain: eu, labels: {permit: []}, typo: 1}', /typo/],
    ['{version: 1, domain: eu, labels: {permit: [1]}}', /\/labels\/permit\/0/],
    ['{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: x, class: public}]}', /\/metrics\/0\/class/],
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
