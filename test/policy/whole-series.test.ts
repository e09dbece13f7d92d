import { describe, expect, it } from 'vitest';
import type { MetricType } from '../../src/model/batch.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { parsePolicy } from '../../src/policy/document.ts';
import { checkSpeltOut, familyTest, keepsBack, wholeSeriesTest } from '../../src/policy/whole-series.ts';
import { parseExpr } from '../../src/promql/parse.ts';

const policy = parsePolicy(
  `
version: 1
domain: eu
labels: {permit: [service]}
metrics:
  - {match: up, class: open}
  - {match: open_*, class: open}
  - {match: open_inner, class: aggregate}
  - {match: pay_*, class: sealed}
  - {match: h_sum, class: sealed}
`,
  'the policy',
  'eu',
  'domain',
);
const everything = parsePolicy(
  "version: 1\ndomain: eu\nlabels: {permit: ['*']}\ndefault_class: open\n",
  'p',
  'eu',
  'domain',
);

const matchersOf = (text: string) => {
  const expr = parseExpr(text);
  if (expr.kind !== 'vector') throw new Error(`${text} is no selector`);
  return expr.matchers;
};

describe('a series may leave as it is', () => {
  it.each<[Record<string, string>, boolean]>([
    [{ __name__: 'up' }, true],
    [{ __name__: 'up', service: 's', job: 'a', le: '1', domain: 'eu' }, true],
    [{ __name__: 'up', instance: 'i' }, false],
    [{ __name__: 'open_queue', service: 's' }, true],
    [{ __name__: 'open_inner', service: 's' }, false],
    [{ __name__: 'other' }, false],
    [{ __name__: 'pay_total' }, false],
    [{ service: 's' }, false],
  ])('%j: %s', (labels, may) => {
    expect(wholeSeriesTest(policy)(labelsOf(labels))).toBe(may);
    expect(wholeSeriesTest(everything)(labelsOf(labels))).toBe(true);
  });
});

describe('a selector that spells out', () => {
  it.each<[string, string | undefined, string]>([
    ['up', undefined, ''],
    ['open_inner', 'class_aggregate', 'open_inner'],
    ['{__name__=~"up|other"}', 'class_aggregate', 'other'],
    ['{__name__=~"pay_a|up"}', 'class_sealed', 'pay_a'],
    // It spells out none: what is open of them may be told.
    ['{__name__=~"pay_.*"}', undefined, ''],
    ['{service="s"}', undefined, ''],
  ])('%s: %s', (text, code, name) => {
    expect(checkSpeltOut(matchersOf(text), policy)).toEqual(code === undefined ? undefined : { code, name });
  });
});

it('what may be kept back hangs on names alone', () => {
  const mixed = parsePolicy(
    "version: 1\ndomain: eu\nlabels: {permit: ['*']}\nmetrics: [{match: pay_*, class: sealed}]\ndefault_class: open\n",
    'p',
    'eu',
    'domain',
  );
  const table: [string, boolean][] = [
    ['up', false],
    ['pay_a', true],
    ['{__name__=~"u.*"}', false],
    ['{__name__=~"pay.*"}', true],
    ['{service="s"}', true],
  ];
  for (const [text, want] of table) {
    expect(keepsBack([matchersOf(text)], mixed), text).toBe(want);
    expect(keepsBack([matchersOf('up'), matchersOf(text)], mixed), text).toBe(want);
    expect(keepsBack([matchersOf(text)], everything), text).toBe(false);
    // Where labels are listed, any series may carry another one.
    expect(keepsBack([matchersOf(text)], policy), text).toBe(true);
  }
});

describe('metadata may leave of a family', () => {
  it.each<[string, MetricType, boolean]>([
    ['up', 'gauge', true],
    ['other', 'histogram', true],
    ['pay_a', 'gauge', false],
    ['pay', 'counter', false],
    ['pay', 'gauge', true],
    ['pay', 'unknown', false],
    ['h', 'histogram', false],
    ['h', 'gaugehistogram', false],
    ['h', 'summary', false],
    ['h', 'counter', true],
    ['pay', 'info', false],
  ])('%s, a %s: %s', (metric, type, may) => {
    expect(familyTest(policy)({ metric, type, unit: '', help: '' })).toBe(may);
  });
});
