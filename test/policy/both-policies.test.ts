import { expect, test } from 'vitest';
import { bothPolicies } from '../../src/policy/both-policies.ts';
import { openPolicy, type DenyReason, type Policy } from '../../src/policy/document.ts';
import { EGRESS_CLASSES, EVERY_OPERATOR } from '../../src/policy/egress-class.ts';
import type { MetricRule } from '../../src/policy/meet.ts';
import { randomFrom, type Random } from '../random.ts';

const METRICS = ['up', 'requests_total', 'requests_failed', 'secret'];
const GLOBS = ['*', 'requests_*', 'up', 'secret', 'requests_total'];
const LABELS = ['job', 'service', 'pod', 'tenant', 'shelf'];

function randomPolicy(random: Random): Policy {
  const rule = (match: string): object =>
    random.chance(0.5)
      ? { match, class: random.pick(EGRESS_CLASSES) }
      : { match, operators: random.subset(EVERY_OPERATOR, 0.4), min_series: random.int(1, 5) };
  const text = JSON.stringify({
    version: 1,
    domain: 'eu',
    labels: { permit: random.subset(['pod', 'tenant', 'shelf'], 0.5), deny: random.subset(['service'], 0.3) },
    metrics: random.subset(GLOBS, 0.5).map(rule),
    default_class: random.pick(EGRESS_CLASSES),
    limits: random.chance(0.5) ? { answer_rows: random.int(1, 100) } : {},
  });
  const deniesAll: DenyReason | undefined = random.chance(0.1) ? 'expired' : undefined;
  const layers = [{ layer: 'local' as const, source: 'test', text }];
  return openPolicy({ layers, domain: 'eu', domainLabel: 'domain', deniesAll });
}

/** Where what both let out is not what each lets out. */
function faults(a: Policy, b: Policy): string[] {
  const both = bothPolicies(a, b);
  const found: string[] = [];
  const same = (what: string, got: unknown, want: unknown): void => {
    if (got !== want) found.push(`${what}: ${String(got)}, not ${String(want)}`);
  };
  same('deniesAll', both.deniesAll, a.deniesAll ?? b.deniesAll);
  for (const name of LABELS) {
    same(`${name} leaves`, both.permitsLabel(name), a.permitsLabel(name) && b.permitsLabel(name));
    same(`${name} matches`, both.permitsMatch(name), a.permitsMatch(name) && b.permitsMatch(name));
    same(`${name} is listed`, both.listsLabel(name), a.listsLabel(name) && b.listsLabel(name));
  }
  same('all labels', both.permitsAllLabels && !(a.permitsAllLabels && b.permitsAllLabels), false);
  const rank = (rule: Pick<MetricRule, 'class'>): number => EGRESS_CLASSES.indexOf(rule.class);
  for (const metric of METRICS) {
    const [of, ofA, ofB] = [both.ruleOf(metric), a.ruleOf(metric), b.ruleOf(metric)];
    same(`class of ${metric}`, rank(of), Math.max(rank(ofA), rank(ofB)));
    // Whoever may pick any metric below a prefix has to satisfy all of these, which is no less than each metric's own.
    const below = both.rulesBelow(metric.slice(0, 3));
    same(`classes below ${metric}`, Math.max(...below.map(rank)) >= rank(of), true);
    same(`groups below ${metric}`, Math.max(...below.map(({ minSeries }) => minSeries)) >= of.minSeries, true);
    for (const operator of EVERY_OPERATOR) {
      same(
        `${operator} below ${metric}`,
        below.every((rule) => rule.operators.has(operator)) && !of.operators.has(operator),
        false,
      );
      if (both.deniesAll !== undefined) continue;
      same(
        `${operator} of ${metric}`,
        of.operators.has(operator),
        ofA.operators.has(operator) && ofB.operators.has(operator),
      );
    }
    if (both.deniesAll === undefined) same(`groups of ${metric}`, of.minSeries, Math.max(ofA.minSeries, ofB.minSeries));
  }
  if (both.deniesAll !== undefined) return found;
  same('rows', both.limits.answerRows, Math.min(a.limits.answerRows, b.limits.answerRows));
  same('digest', both.digest, a.digest);
  return found;
}

test('both let out what each lets out, and nothing else', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const random = randomFrom(seed);
  for (let i = 0; i < 150; i++) {
    expect(faults(randomPolicy(random), randomPolicy(random)), `seed ${seed}, case ${i}`).toEqual([]);
  }
});
