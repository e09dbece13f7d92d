import { describe, expect, it } from 'vitest';
import { checkFragment } from '../../src/policy/check.ts';
import { NO_ADMIT_RULES, NO_LIMITS, openPolicy, type Policy } from '../../src/policy/document.ts';
import { EGRESS_CLASSES, EVERY_OPERATOR, type EgressClass } from '../../src/policy/egress-class.ts';
import { labelRules } from '../../src/policy/label-classes.ts';
import type { MetricRule } from '../../src/policy/meet.ts';
import { LAYER_NAMES } from '../../src/policy/said.ts';
import type { AggregateOp } from '../../src/promql/ast.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { anyFragment } from '../border/domain.ts';
import { hostileFragment } from '../border/hostile.ts';
import { randomFrom, type Random } from '../random.ts';
import { LABELS, METRICS, randomDocument, type RandomDocument } from './random-documents.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 20_261);
const CASES = Number(process.env['COMITY_CASES'] ?? 60);

const SILENT: RandomDocument = { version: 1, domain: 'eu' };

function open(documents: readonly RandomDocument[]): Policy {
  return openPolicy({
    domain: 'eu',
    domainLabel: 'domain',
    layers: documents.map((document, i) => ({
      layer: LAYER_NAMES[Math.min(i, 2)]!,
      source: `document ${i}`,
      text: JSON.stringify(document),
    })),
  });
}

/** All that a policy says of the names at hand, the names of its rules aside: they tell of layers. */
function saidBy(policy: Policy): object {
  const ruleOf = ({ class: egress, operators, minSeries }: MetricRule): object => [
    egress,
    [...operators].sort(),
    minSeries,
  ];
  return {
    metrics: METRICS.map((metric) => ruleOf(policy.ruleOf(metric))),
    leave: LABELS.filter((label) => policy.permitsLabel(label)),
    match: LABELS.filter((label) => policy.permitsMatch(label)),
    all: policy.permitsAllLabels,
    limits: policy.limits,
    admit: policy.admit,
  };
}

function forCases(stream: number, check: (random: Random) => void): void {
  for (let i = 0; i < CASES; i++) {
    try {
      check(randomFrom(SEED).fork(stream * 1_000_000 + i));
    } catch (error) {
      throw new Error(`seed ${SEED}, case ${i}: ${(error as Error).message}`, { cause: error });
    }
  }
}

describe('the meet of generated documents', () => {
  it('is commutative, idempotent and has silence as its identity', () => {
    forCases(1, (random) => {
      const [a, b, c] = [randomDocument(random), randomDocument(random), randomDocument(random)];
      const met = saidBy(open([a, b, c]));
      expect(saidBy(open([c, a, b]))).toEqual(met);
      expect(saidBy(open([b, a, c]))).toEqual(met);
      expect(saidBy(open([a, a, b, c, b]))).toEqual(met);
      expect(saidBy(open([SILENT, a, b, SILENT, c]))).toEqual(met);
      expect(saidBy(open([a, a]))).toEqual(saidBy(open([a])));
    });
  });

  it('is what a plain reading of the documents comes to, so that it is associative too', () => {
    forCases(2, (random) => {
      const documents = Array.from({ length: random.int(1, 4) }, () => randomDocument(random));
      const policy = open(documents);
      for (const metric of METRICS) {
        const { class: egress, operators, minSeries } = policy.ruleOf(metric);
        const said = documents.map((document) => plainRule(document, metric));
        expect(egress).toBe(strictest(said.flatMap((one) => one.class ?? [])) ?? 'aggregate');
        const lists = said.flatMap((one) => (one.operators === undefined ? [] : [one.operators]));
        const usual = EVERY_OPERATOR.slice(0, 8);
        expect([...operators].sort()).toEqual(
          (lists.length === 0
            ? usual
            : EVERY_OPERATOR.filter((op) => lists.every((list) => list.includes(op)))
          ).toSorted(),
        );
        expect(minSeries).toBe(Math.max(1, ...said.map((one) => one.minSeries)));
      }
    });
  });

  it('takes the least of limits and what all lists of admission have', () => {
    forCases(6, (random) => {
      const documents = Array.from({ length: random.int(1, 4) }, () => randomDocument(random));
      const { limits, admit } = open(documents);
      const rows = documents.flatMap((document) => document.limits?.answer_rows ?? []);
      const bytes = documents.flatMap((document) => document.limits?.bytes_per_day ?? []);
      expect([limits.answerRows, limits.bytesPerDay]).toEqual([
        Math.min(Infinity, ...rows),
        Math.min(Infinity, ...bytes),
      ]);
      const prohibited = new Set(documents.flatMap((document) => document.admit?.prohibit ?? []));
      const lists = documents.flatMap((document) =>
        document.admit?.public === undefined ? [] : [document.admit.public],
      );
      const shared = (lists[0] ?? []).filter(
        (name) => lists.every((list) => list.includes(name)) && !prohibited.has(name),
      );
      expect(admit.public).toEqual(shared.toSorted());
      expect(admit.prohibit).toEqual([...prohibited].sort());
    });
  });

  it('lets out no fragment that one of them, with the most in place of its silence, does not', () => {
    let allowed = 0;
    forCases(3, (random) => {
      const documents = [randomDocument(random), randomDocument(random)];
      const policy = open(documents);
      const alone = documents.map(withoutDefaults);
      for (let i = 0; i < 8; i++) {
        const asked = hostileFragment(random);
        const fragment = parsed(asked);
        if (fragment === undefined || checkFragment(fragment, policy, () => HELD) !== undefined) continue;
        allowed++;
        for (const one of alone) expect([asked, checkFragment(fragment, one, () => HELD)]).toEqual([asked, undefined]);
      }
    });
    expect(allowed).toBeGreaterThan(CASES / 10);
  });

  it('where a selector spells out no metric, asks for the rules of all names that there are', () => {
    forCases(4, (random) => {
      const documents = Array.from({ length: random.int(1, 3) }, () => randomDocument(random));
      const policy = open(documents);
      for (const prefix of ['', 'm', 'm_', 'n_', 'n_a', 'secret', 'zz']) {
        const below = new Set(policy.rulesBelow(prefix).map(ruleKey));
        expect([prefix, namesBelow(prefix).filter((name) => !below.has(ruleKey(policy.ruleOf(name))))]).toEqual([
          prefix,
          [],
        ]);
      }
    });
  });

  it('and of one document for no others', () => {
    forCases(5, (random) => {
      const policy = open([randomDocument(random)]);
      const known = new Set(namesBelow('').map((name) => ruleKey(policy.ruleOf(name))));
      expect(
        policy
          .rulesBelow('')
          .map(ruleKey)
          .filter((key) => !known.has(key)),
      ).toEqual([]);
    });
  });
});

it('denies all whatever else is said', () => {
  const texts = [{ layer: 'local', source: 'x', text: JSON.stringify(SILENT) }] as const;
  const policy = openPolicy({ layers: texts, domain: 'eu', domainLabel: 'domain', deniesAll: 'expired' });
  expect(policy.digest).not.toBe(openPolicy({ layers: texts, domain: 'eu', domainLabel: 'domain' }).digest);
  expect(LABELS.filter((label) => policy.permitsLabel(label) || policy.permitsMatch(label))).toEqual([]);
  for (const asked of ['vector(1)', 'up', 'partial sum(up)']) {
    expect(checkFragment(anyFragment(asked), policy, () => [])).toMatchObject({
      code: 'policy_denied',
      name: 'expired',
    });
  }
});

it('so many rules that nobody can combine them are as strict as all of them', () => {
  const many = Array.from({ length: 300 }, (_, i) => ({ match: `*${i}*`, class: 'open' as const }));
  const documents: RandomDocument[] = [
    { ...SILENT, metrics: many },
    {
      ...SILENT,
      metrics: [
        ...many.map((rule, i) => ({ ...rule, match: `*x${i}*` })),
        { match: '*x*', operators: ['sum', 'topk'], min_series: 7 },
      ],
    },
  ];
  const [only, ...others] = open(documents).rulesBelow('');
  expect(others).toEqual([]);
  expect(only).toMatchObject({ class: 'aggregate', minSeries: 7, operators: new Set(['sum']) });
});

const HELD = [
  labelsOf({ __name__: 'm_a', service: 's', v: '1' }),
  labelsOf({ __name__: 'n_a', customer: 'c', job: 'j' }),
];

function parsed(asked: string): ReturnType<typeof anyFragment> | undefined {
  try {
    return anyFragment(asked);
  } catch {
    return undefined;
  }
}

function ruleKey({ rule, class: egress, operators, minSeries }: MetricRule): string {
  return `${rule} ${egress} ${minSeries} ${[...operators].sort().join()}`;
}

/** Names in which every glob of the generated documents has its say: all short ones of their pieces. */
function namesBelow(prefix: string): readonly string[] {
  return NAMES.filter((name) => name.startsWith(prefix));
}

const PIECES = ['m', '_', 'a', 'b', 'n', 'secret_', 'zz', 'm_', 'n_', '_a', '_b'];
const NAMES: readonly string[] = [
  ...new Set(
    ['', ...PIECES].flatMap((a) => ['', ...PIECES].flatMap((b) => ['', ...PIECES].map((c) => `${a}${b}${c}`))),
  ),
].filter((name) => name !== '');

interface PlainRule {
  readonly class: EgressClass | undefined;
  readonly operators: readonly AggregateOp[] | undefined;
  readonly minSeries: number;
}

/** The rule of one document for a metric, found by regular expressions. */
function plainRule({ metrics = [], default_class: fallback }: RandomDocument, metric: string): PlainRule {
  const matching = metrics.filter(({ match }) => new RegExp(`^${match.replaceAll('*', '.*')}$`, 's').test(metric));
  const best = matching.reduce<(typeof matching)[number] | undefined>((found, rule) => {
    if (found === undefined) return rule;
    const [exactFound, exactRule] = [!found.match.includes('*'), !rule.match.includes('*')];
    if (exactFound !== exactRule) return exactRule ? rule : found;
    return rule.match.length > found.match.length ? rule : found;
  }, undefined);
  if (best === undefined) return { class: fallback, operators: undefined, minSeries: 1 };
  const silent = fallback === undefined || fallback === 'open' ? 'aggregate' : fallback;
  return { class: best.class ?? silent, operators: best.operators, minSeries: best.min_series ?? 1 };
}

function strictest(classes: readonly EgressClass[]): EgressClass | undefined {
  return EGRESS_CLASSES.findLast((one) => classes.includes(one));
}

/** A document by itself, with the most that there is wherever it is silent. */
function withoutDefaults(document: RandomDocument): Policy {
  const { labels = {}, admit = {} } = document;
  const ruleOf = (metric: string): MetricRule => {
    const { class: egress = 'open', operators = EVERY_OPERATOR, minSeries } = plainRule(document, metric);
    return { rule: '', class: egress, operators: new Set(operators), minSeries };
  };
  const classOf = labelRules('domain');
  const leaves = (name: string): boolean => {
    const kind = classOf(name, '').class;
    if (kind === 'structural') return true;
    if ((labels.deny ?? []).some((denied) => same(denied, name))) return false;
    if ((admit.prohibit ?? []).some((prohibited) => same(prohibited, name))) return permitsAll(labels);
    return (
      kind === 'public' || permitsAll(labels) || labels.permit!.includes(name) || (admit.public ?? []).includes(name)
    );
  };
  const isFree = (name: string): boolean => ['structural', 'public', 'local'].includes(classOf(name, '').class);
  return {
    domain: 'eu',
    digest: '',
    deniesAll: undefined,
    permitsAllLabels: false,
    permitsLabel: leaves,
    listsLabel: leaves,
    permitsMatch: (name) => leaves(name) && (isFree(name) || labels.match === undefined || labels.match.includes(name)),
    ruleOf,
    classOf: (metric) => ruleOf(metric).class,
    operatorsOf: (metric) => ruleOf(metric).operators,
    rulesBelow: (prefix) => namesBelow(prefix).map(ruleOf),
    limits: NO_LIMITS,
    admit: NO_ADMIT_RULES,
    layers: [],
  };
}

function permitsAll({ permit }: { readonly permit?: readonly string[] }): boolean {
  return permit === undefined || permit.includes('*');
}

/** Whether two spellings mean the same label. */
function same(a: string, b: string): boolean {
  const form = (name: string): string =>
    name
      .replace(/^(exported_)+/, '')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '');
  return form(a) === form(b);
}
