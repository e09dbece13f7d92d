import { describe, expect, test } from 'vitest';
import { printForServer } from '../../src/upstream/print.ts';
import { serverQueries } from '../../src/upstream/queries.ts';
import { matchesSurely } from '../../src/upstream/unique.ts';
import { fragmentOf } from './fragments.ts';

const VIEW = { domain: 'eu', domainLabel: 'domain' };
const OWN = 'domain=""';

/** What the server is asked, `+domain` where the label is added to the rows. */
function asked(text: string, answer: 'vector' | 'partial'): string[] {
  const queries = serverQueries(fragmentOf(text, answer), VIEW)!;
  const texts = [...queries.exprs.values()].map((expr) => printForServer(expr, VIEW));
  return queries.addsDomain ? [...texts, '+domain'] : texts;
}

describe('a vector', () => {
  test.for([
    ['up', [`{__name__="up",${OWN}}`, '+domain']],
    ['up{job="a"} offset 5m', [`{__name__="up",job="a",${OWN}} offset 5m`, '+domain']],
    ['rate(x[5m] @ 100)', [`rate({__name__="x",${OWN}}[5m] @ 100.000)`, '+domain']],
    // Matchers on the domain label are decided here.
    ['up{domain="eu"}', [`{__name__="up",${OWN}}`, '+domain']],
    ['up{domain=~"e.|us"}', [`{__name__="up",${OWN}}`, '+domain']],
    ['up{domain="us"}', [`{__name__="up",${OWN},__name__!="",__name__=""}`, '+domain']],
    ['{domain="eu"}', [`{__name__!="",${OWN}}`, '+domain']],
    // What a receiver moves there is a label of its own on all series that have no domain label.
    ['up{exported_domain="x"}', [`{__name__="up",exported_domain="x",${OWN}}`, '+domain']],
    // The domain label goes where it is named alone.
    ['sum by (domain, job) (x)', [`sum by (job) ({__name__="x",${OWN}})`, '+domain']],
    ['sum without (job) (x)', [`sum without (job) ({__name__="x",${OWN}})`, '+domain']],
    ['sum by (job) (x)', [`sum by (job) ({__name__="x",${OWN}})`]],
    ['sum without (domain) (x)', [`sum without () ({__name__="x",${OWN}})`]],
    ['a * on (domain, job) b', [`{__name__="a",${OWN}} * on (job) {__name__="b",${OWN}}`, '+domain']],
    ['a * on (job) b', [`{__name__="a",${OWN}} * on (job) {__name__="b",${OWN}}`]],
    [
      'a * on (job) group_left () b',
      [`{__name__="a",${OWN}} * on (job) group_left () {__name__="b",${OWN}}`, '+domain'],
    ],
    ['a / b', [`{__name__="a",${OWN}} / {__name__="b",${OWN}}`, '+domain']],
    ['a / ignoring (domain) b', [`{__name__="a",${OWN}} / {__name__="b",${OWN}}`]],
    ['a and b', [`{__name__="a",${OWN}} and {__name__="b",${OWN}}`, '+domain']],
    ['count_values by (domain) ("v", x)', [`count_values("v", {__name__="x",${OWN}})`, '+domain']],
    ['topk by (domain) (3, x)', [`topk(3, {__name__="x",${OWN}})`, '+domain']],
    // Where it is looked at, or on some rows only, it is written on the series.
    [
      'label_replace(x, "a", "$1", "domain", "(.*)")',
      [`label_replace(label_replace({__name__="x",${OWN}}, "domain", "eu", "", ""), "a", "$1", "domain", "(.*)")`],
    ],
    [
      'sum by (domain) (x) or sum by (job) (y)',
      [
        `sum by (domain) (label_replace({__name__="x",${OWN}}, "domain", "eu", "", "")) or ` +
          `sum by (job) (label_replace({__name__="y",${OWN}}, "domain", "eu", "", ""))`,
      ],
    ],
    [
      'limit_ratio(0.5, rate(x[1m]))',
      [`limit_ratio(0.5, label_replace(rate({__name__="x",${OWN}}[1m]), "domain", "eu", "", ""))`],
    ],
    [
      'timestamp(x) * on (job) group_left (domain) y',
      [
        `label_replace(timestamp({__name__="x",${OWN}}), "domain", "eu", "", "") * on (job) group_left (domain) ` +
          `label_replace({__name__="y",${OWN}}, "domain", "eu", "", "")`,
      ],
    ],
    [
      'max_over_time(count_values("domain", x)[5m:1m])',
      [`max_over_time(count_values("domain", label_replace({__name__="x",${OWN}}, "domain", "eu", "", ""))[5m:1m])`],
    ],
  ] as const)('%s', ([text, want]) => {
    expect(asked(text, 'vector')).toEqual(want);
  });
});

describe('a partial', () => {
  const x = `{__name__="x",${OWN}}`;
  test.for([
    ['sum by (job) (x)', [`sum by (job) (${x})`]],
    ['count(x)', [`count(${x})`]],
    ['min(x)', [`min(${x})`]],
    ['max without (domain) (x)', [`max without () (${x})`]],
    ['group(x)', [`group(${x})`]],
    ['avg by (job) (x)', [`sum by (job) (${x})`, `count by (job) (${x})`]],
    ['stddev(x)', [`count(${x})`, `avg(${x})`, `stdvar(${x})`]],
    ['stdvar(x)', [`count(${x})`, `avg(${x})`, `stdvar(${x})`]],
    [
      'sum(label_replace(x, "a", "b", "domain", "eu"))',
      [`sum(label_replace(label_replace(${x}, "domain", "eu", "", ""), "a", "b", "domain", "eu"))`],
    ],
  ] as const)('%s', ([text, want]) => {
    expect(asked(text, 'partial')).toEqual(want);
  });
});

test('sketches and times of samples are read', () => {
  const vector = fragmentOf('x');
  const aggregate = fragmentOf('quantile(0.9, x)', 'partial');
  if (vector.expr.kind !== 'vector' || aggregate.expr.kind !== 'aggregate') throw new Error('not what was written');
  expect(serverQueries({ answer: 'timed', expr: vector.expr, grid: vector.grid }, VIEW)).toBeUndefined();
  const sketch = { answer: 'sketch', expr: aggregate.expr, grid: vector.grid, relativeError: 0.01 } as const;
  expect(serverQueries(sketch, VIEW)).toBeUndefined();
});

describe('errors of matching hang on no other domain', () => {
  test.for([
    ['a / b', true],
    ['rate(a[5m]) / rate(b[5m])', true],
    ['a * on (domain, job) b', false],
    ['a * ignoring (job) b', false],
    ['a * on (domain, job) group_left () sum by (domain, job) (b)', true],
    ['a * on (domain) group_left () sum by (domain, job) (b)', false],
    ['sum by (domain) (a) * on (domain) group_right () b', true],
    ['b * on (domain) group_right () sum by (domain) (a)', false],
    ['a / ignoring (mode) sum without (mode) (b)', true],
    ['a / ignoring (mode, cpu) sum without (mode) (b)', false],
    ['{__name__=~"a|b"} + c', true],
    ['c + {__name__=~"a|b"}', false],
    ['c + label_replace(a, "x", "y", "", "")', false],
    ['a and on (job) b', true],
    ['a + fill (0) b', false],
    ['a + (b + c)', false],
    ['sum by (domain) (a + on (job, domain) b)', false],
    ['a + on (domain) topk by (domain) (1, b)', false],
  ] as const)('%s: %s', ([text, want]) => {
    expect(matchesSurely(fragmentOf(text).expr)).toBe(want);
  });
});
