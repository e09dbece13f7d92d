import { describe, expect, it } from 'vitest';
import { openPolicy, parsePolicy } from '../../src/policy/document.ts';

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
    ['{version: 1, domain: eu, labels: {permit: []}, typo: 1}', /typo/],
    ['{version: 1, domain: eu, labels: {permit: [1]}}', /\/labels\/permit\/0/],
    ['{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: x, class: public}]}', /\/metrics\/0\/class/],
    [
      '{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: x, class: aggregate, operators: [summ]}]}',
      /\/metrics\/0\/operators\/0 must be equal to one of the allowed values/,
    ],
    [
      '{version: 1, domain: eu, labels: {permit: []}, metrics: [{match: x, class: open, operators: [sum]}]}',
      /\/metrics\/0\/operators: a rule of class open has none, only of class aggregate/,
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

describe('labels', () => {
  const use = (labels: string, name: string): string => {
    const policy = parse(`{version: 1, domain: eu, ${labels}}`);
    return policy.permitsMatch(name) ? 'matches' : policy.permitsLabel(name) ? 'leaves' : 'stays';
  };

  it.each<[string, string, string]>([
    // Public ones need no list, and only a denial takes them away, in whatever spelling.
    ['', 'http_route', 'matches'],
    ['labels: {permit: []}', 'http_route', 'matches'],
    ['labels: {deny: [http_route]}', 'http_route', 'stays'],
    ['labels: {deny: [http_route]}', 'exported_http_route', 'stays'],
    ['labels: {deny: [http.route]}', 'httpRoute', 'stays'],
    ["labels: {permit: ['*'], deny: [http_route]}", 'http_route', 'stays'],
    // Quasi-identifying ones leave where they are permitted, and match where they are listed for that too.
    ['', 'pod', 'stays'],
    ['labels: {permit: [pod]}', 'pod', 'leaves'],
    ['labels: {permit: [pod], match: [pod]}', 'pod', 'matches'],
    ['labels: {match: [pod]}', 'pod', 'stays'],
    ["labels: {permit: ['*']}", 'pod', 'matches'],
    ["labels: {permit: ['*'], match: []}", 'pod', 'leaves'],
    // Those that nobody knows do both.
    ['', 'shop', 'stays'],
    ['labels: {permit: [shop]}', 'shop', 'matches'],
    ['labels: {permit: [shop]}', 'exported_shop', 'stays'],
    // Pseudonyms leave under the one word that means everything.
    ["labels: {permit: ['*']}", 'user_id', 'matches'],
    ["labels: {permit: ['*']}", 'email', 'matches'],
    // What the policy makes public or prohibits.
    ['admit: {public: [demo.tier]}', 'demo_tier', 'matches'],
    ['labels: {permit: [pod]}, admit: {public: [demo.tier]}', 'demo_tier', 'matches'],
    ['admit: {prohibit: [service]}', 'service', 'stays'],
    ['', 'job', 'matches'],
  ])('{%s} %s: %s', (labels, name, want) => expect(use(labels, name)).toBe(want));

  it('made public by one document stays where another has a list without it', () => {
    const open = (labels: string) =>
      openPolicy({
        domain: 'eu',
        domainLabel: 'domain',
        layers: [
          { layer: 'global', source: 'g', text: `{version: 1, domain: '*', ${labels}}` },
          { layer: 'local', source: 'l', text: '{version: 1, domain: eu, admit: {public: [demo.tier]}}' },
        ],
      });
    expect(open('').permitsLabel('demo_tier')).toBe(true);
    expect(open('labels: {permit: [pod]}').permitsLabel('demo_tier')).toBe(false);
    expect(open('labels: {permit: [demo_tier]}').permitsLabel('demo_tier')).toBe(true);
    expect(open('admit: {public: []}').permitsLabel('demo_tier')).toBe(false);
  });
});

describe('a field that nobody knows', () => {
  it.each<[string, RegExp]>([
    ['lables: {}', /\/lables is not a known field \(did you mean labels\?\)/],
    ['labels: {prmit: []}', /\/labels\/prmit is not a known field \(did you mean permit\?\)/],
    ['metrics: [{match: x, clas: open}]', /\/metrics\/0\/clas is not a known field \(did you mean class\?\)/],
    ['limits: {answer_row: 1}', /\/limits\/answer_row is not a known field \(did you mean answer_rows\?\)/],
    ['strange: 1', /\/strange is not a known field$/],
  ])('{%s}', (field, want) => expect(() => parse(`{version: 1, domain: eu, ${field}}`)).toThrow(want));
});

describe('what cannot be meant', () => {
  it.each<[string, RegExp]>([
    ['labels: {permit: [customer_id]}', /\/labels\/permit\/0: "customer_id" names a person/],
    ['labels: {match: [email]}', /\/labels\/match\/0: "email" is prohibited/],
    ['labels: {deny: [job]}', /\/labels\/deny\/0: "job" is part of what every series is/],
    ['labels: {deny: [domain]}', /\/labels\/deny\/0/],
    ["labels: {deny: ['*']}", /\/labels\/deny\/0: "\*" is no label/],
    ["labels: {match: ['*']}", /\/labels\/match\/0: "\*" is no label/],
    ['labels: {permit: [card_tail]}, admit: {prohibit: [card_tail]}', /\/labels\/permit\/0: "card_tail" is prohibited/],
    ['metrics: [{match: x}]', /\/metrics\/0: the rule says nothing/],
    ['metrics: [{match: x, class: open, min_series: 5}]', /\/metrics\/0\/min_series: a rule of class open has none/],
    ['metrics: [{match: x, min_series: 0}]', /\/metrics\/0\/min_series/],
    ['limits: {answer_rows: 0.5}', /\/limits\/answer_rows/],
    ['admit: {public: [email]}', /\/admit\/public\/0/],
    ['admit: {drop: [{metrics: x, labels: [le]}]}', /\/admit\/drop\/0\/labels\/0/],
  ])('{%s}', (field, want) => expect(() => parse(`{version: 1, domain: eu, ${field}}`)).toThrow(want));

  it('a document for any domain is global alone, and names its layer in errors', () => {
    const open = (layer: 'global' | 'domain', text: string) =>
      openPolicy({ domain: 'eu', domainLabel: 'domain', layers: [{ layer, source: 'f.yaml', text }] });
    expect(open('global', "{version: 1, domain: '*'}").classOf('x')).toBe('aggregate');
    expect(() => open('domain', "{version: 1, domain: '*'}")).toThrow(
      /f\.yaml \(domain\): \/domain: only a global document/,
    );
    expect(() => openPolicy({ domain: 'eu', domainLabel: 'domain', layers: [] })).toThrow(/at least one document/);
    expect(() => parse(`{version: 1, domain: eu} #${'x'.repeat(1024 * 1024)}`)).toThrow(/at most 1048576 characters/);
  });
});

it('a rule that narrows speaks of aggregates, even where another document opens the metric', () => {
  const rule = parse('{version: 1, domain: eu, default_class: open, metrics: [{match: x, min_series: 5}]}').ruleOf('x');
  expect(rule).toMatchObject({ rule: 'x', class: 'aggregate', minSeries: 5 });
});

it('the digest is of the documents, in whatever order', () => {
  const texts = ['{version: 1, domain: eu}', '{version: 1, domain: eu, default_class: sealed}'];
  const open = (...all: string[]) =>
    openPolicy({ domain: 'eu', domainLabel: 'd', layers: all.map((text) => ({ layer: 'local', source: 'x', text })) });
  expect(open(...texts).digest).toBe(open(...texts.toReversed()).digest);
  expect(open(...texts).digest).not.toBe(open(texts[0]!).digest);
  expect(open(texts[0]!).digest).toMatch(/^[0-9a-f]{64}$/);
});
