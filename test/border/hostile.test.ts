import { expect, it } from 'vitest';
import { labelsRecord } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { FragmentAnswer } from '../../src/plan/frames/query-codec.ts';
import { children, type Expr } from '../../src/promql/ast.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { series } from '../memory-source.ts';
import { randomFrom, type Random } from '../random.ts';
import { anyFragment, testDomain } from './domain.ts';
import { hostileFragment, LABELS, METRICS, randomPolicy, type PolicyDocument } from './hostile.ts';

/*
 * Random policies against random fragments. What is let out holds no label that the policy does not permit, does not depend on
 * the values of such labels nor on any sealed metric, and no aggregate metric comes to the root but through an aggregation
 * that the policy lists, as a second, smaller implementation of the rule says.
 */

const SEED = Number(process.env['COMITY_SEED'] ?? 2_718);
const POLICIES = 40;
const FRAGMENTS = 40;

/** Metrics that a selector could pick, whether they are there or not. */
const NAMES = [...METRICS, 'm_x', 'n_x', 'x_b', 'm_x_b', 'n_x_b', 'secret_x', 'x', ''];
const ALWAYS = new Set(['__name__', 'le', 'quantile', 'job', 'domain']);

type Rule = PolicyDocument['metrics'][number];

/** The rule for a metric: its name, or else the longest pattern that fits. */
function ruleOf({ metrics, default_class: fallback }: PolicyDocument, name: string): Rule {
  const fits = metrics.filter(({ match }) => new RegExp(`^${match.replaceAll('*', '.*')}$`).test(name));
  const weight = ({ match }: Rule): number => match.length + (match.includes('*') ? 0 : 1_000);
  return fits.sort((a, b) => weight(b) - weight(a))[0] ?? { match: 'default', class: fallback };
}

const USUAL = ['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'stdvar'];

/** Whether each selector's first aggregation, going up, is one that lets out all that the selector can pick. */
function everySelectorIsCovered(root: Expr, isSketch: boolean, policy: PolicyDocument): boolean {
  const isCovered = (node: Expr, over: string): boolean => {
    if (node.kind === 'vector') {
      const picked = NAMES.filter((name) =>
        node.matchers.every(({ name: label, op, value }) => {
          if (label !== '__name__') return true;
          const same = op.endsWith('~') ? new RegExp(`^(?:${value})$`).test(name) : name === value;
          return same === op.startsWith('=');
        }),
      );
      return picked
        .map((name) => ruleOf(policy, name))
        .every(({ class: egress, operators = USUAL }) => {
          return egress === 'open' || (egress === 'aggregate' && operators.includes(over));
        });
    }
    return children(node).every((child) => {
      if (node.kind === 'call' && node.func === 'scalar') return isCovered(child, 'nothing');
      if (node.kind !== 'aggregate') return isCovered(child, over);
      if (child === node.param) return isCovered(child, 'nothing');
      return isCovered(child, node.op === 'quantile' && !(isSketch && node === root) ? 'nothing' : node.op);
    });
  };
  return isCovered(root, 'nothing');
}

/** What is held: `renamed` says of which labels the values have other names in another order, `secret` what is sealed. */
function held(random: Random, renamed: readonly string[], secret: number): SeriesColumns[] {
  const value = (label: string, at: number): [string, string][] => {
    if (at === 0) return [];
    return [[label, renamed.includes(label) ? `y${9 - at}` : `x${at}`]];
  };
  return METRICS.flatMap((name) =>
    Array.from({ length: 5 }, () => {
      const labels = LABELS.flatMap((label) => value(label, random.int(0, 3)));
      const samples = [0, 20_000, 40_000].map((time): [number, number] => [time, random.int(0, 5)]);
      const isSecret = name.startsWith('secret');
      const shown = isSecret ? samples.map(([time]): [number, number] => [time, secret]) : samples;
      const job = random.pick(['a', 'b']);
      return {
        id: labels.flat().join(),
        made: series({ __name__: name, job, domain: 'eu', ...Object.fromEntries(labels) }, shown),
      };
    })
      // No two of a metric may have the same labels.
      .filter(({ id }, i, all) => all.findIndex((other) => other.id === id) === i)
      .map(({ made }) => made),
  );
}

/** An answer in a form that two can be compared in, whatever order sums were made in. */
function comparable(answer: FragmentAnswer): unknown {
  if ('refusal' in answer) return answer.refusal;
  const notes = answer.notes.map(({ code, args, detail }) => JSON.stringify([code, args, detail])).sort();
  const rows = answer.rows
    .map(({ labels, columns: { present, fields, sketches } }) =>
      JSON.stringify([
        labels,
        [...present],
        fields.map((field) => [...field].map((value) => Math.round(value * 1e9))),
        sketches && [[...sketches.keys], [...sketches.counts]],
      ]),
    )
    .sort();
  return { rows, notes };
}

it(`what leaves, seed ${SEED}`, { timeout: 60_000 }, async () => {
  const random = randomFrom(SEED);
  const counts = { allowed: 0, rows: 0, byOperator: 0, byLabel: 0, sealed: 0 };
  for (let i = 0; i < POLICIES; i++) {
    const policy = randomPolicy(random);
    const permitted = new Set([...ALWAYS, ...policy.labels.permit]);
    const restricted = LABELS.filter((label) => !permitted.has(label));
    const text = JSON.stringify(policy);
    const data = random.fork(i);
    const domain = testDomain(text, held(data.fork(0), [], 1));
    const other = testDomain(text, held(data.fork(0), restricted, 2));
    for (let j = 0; j < FRAGMENTS; j++) {
      const asked = hostileFragment(random);
      const said = `seed ${SEED}, ${text}: ${asked}`;
      let fragment;
      try {
        fragment = anyFragment(asked);
      } catch {
        // The generator does not know every rule of the language.
        continue;
      }
      const [answer] = (await domain.ask([fragment], ALL_FEATURES)).fragments;
      const [elsewhere] = (await other.ask([fragment], ALL_FEATURES)).fragments;
      expect(comparable(elsewhere!), said).toEqual(comparable(answer!));

      const root = parseExpr(asked.replace(/^(partial|timed|sketch [0-9.]+) /, ''), ALL_FEATURES);
      const covered = everySelectorIsCovered(root, asked.startsWith('sketch'), policy);
      if ('rows' in answer!) {
        expect(covered, said).toBe(true);
        for (const { labels } of answer.rows) {
          for (const label of Object.keys(labelsRecord(labels))) expect(permitted, said).toContain(label);
        }
        counts.allowed++;
        counts.rows += answer.rows.length;
        continue;
      }
      const { code } = answer!.refusal;
      if (code === 'class_aggregate' || code === 'operator_not_permitted') {
        expect(covered, said).toBe(false);
        counts.byOperator++;
      } else if (code === 'class_sealed') counts.sealed++;
      else if (code === 'label_not_permitted' || code === 'matcher_not_permitted') counts.byLabel++;
    }
    await domain.close();
    await other.close();
  }
  // Nobody would learn anything from a border that refuses all, or a generator that finds nothing.
  expect(counts.allowed).toBeGreaterThan(150);
  expect(counts.rows).toBeGreaterThan(200);
  expect(counts.byOperator).toBeGreaterThan(200);
  expect(counts.byLabel).toBeGreaterThan(100);
  expect(counts.sealed).toBeGreaterThan(20);
});
