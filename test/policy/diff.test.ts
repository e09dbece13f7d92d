import { describe, expect, it } from 'vitest';
import { checkFragment } from '../../src/policy/check.ts';
import { changeText, isLooser, isLooserBeneath, policyDiff } from '../../src/policy/diff.ts';
import { EVERY_OPERATOR } from '../../src/policy/egress-class.ts';
import { denyAll, openPolicy, type Policy } from '../../src/policy/document.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { anyFragment } from '../border/domain.ts';
import { hostileFragment } from '../border/hostile.ts';
import { randomFrom, type Random } from '../random.ts';
import { LABELS, METRICS, randomDocument, type RandomDocument } from './random-documents.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 7_411);
const CASES = Number(process.env['COMITY_CASES'] ?? 60);
const PLACE = { domain: 'eu', domainLabel: 'domain' };

type Text = RandomDocument | string;

function layersOf(documents: readonly Text[]) {
  return documents.map((document, i) => ({
    layer: 'local' as const,
    source: `document ${i}`,
    text: typeof document === 'string' ? `{version: 1, domain: eu${document}}` : JSON.stringify(document),
  }));
}

const open = (...documents: readonly Text[]): Policy => openPolicy({ ...PLACE, layers: layersOf(documents) });

describe('what is different', () => {
  it.each<[string, string, string[]]>([
    ['', '', []],
    ['', ', default_class: aggregate', []],
    [', labels: {permit: []}', '', []],
    ['', ', labels: {permit: [pod]}', ['looser: label pod: stays -> leaves']],
    [
      ', labels: {permit: [pod]}',
      ', labels: {permit: [pod], match: [pod]}',
      ['looser: label pod: leaves -> leaves and matches'],
    ],
    ['', ', labels: {permit: [shop]}', ['looser: label shop: stays -> leaves and matches']],
    [
      '',
      ', labels: {deny: [http_route]}',
      [
        'stricter: label http_route: leaves and matches -> stays',
        'stricter: label another spelling of one that is named: leaves and matches -> stays',
      ],
    ],
    ['', ', default_class: open', ['looser: metric *: aggregate -> open']],
    [', metrics: [{match: up, class: open}]', '', ['stricter: metric up: open -> aggregate']],
    [
      ', metrics: [{match: "a*", class: aggregate, operators: [sum, max]}]',
      ', metrics: [{match: "a*", class: aggregate, operators: [sum, topk], min_series: 5}]',
      ['both: metric a*: aggregate, operators max sum, min_series 1 -> aggregate, operators sum topk, min_series 5'],
    ],
    [
      ', metrics: [{match: "a*", class: sealed}]',
      ', metrics: [{match: "*b", class: sealed}]',
      ['looser: metric a*: sealed -> aggregate', 'stricter: metric *b: aggregate -> sealed'],
    ],
    [', limits: {answer_rows: 10}', '', ['looser: limit answer_rows: 10 -> none']],
    [', limits: {bytes_per_day: 10}', ', limits: {bytes_per_day: 9}', ['stricter: limit bytes_per_day: 10 -> 9']],
    [', admit: {prohibit: [shop]}', '', ['looser: admission prohibit shop: said -> not said']],
    ['', ', admit: {drop: [{metrics: "a*", labels: [pod]}]}', ['stricter: admission drop pod of a*: not said -> said']],
  ])('%s -> %s', (before, after, want) => {
    const [a, b] = [open(before), open(after)];
    const made = policyDiff(a, b).map(changeText);
    expect(made).toEqual(want);
    expect(isLooser(a, b)).toBe(want.some((line) => !line.startsWith('stricter')));
    const back = policyDiff(b, a).map(({ direction }) => direction);
    expect(back).toHaveLength(want.length);
    expect(isLooser(b, a)).toBe(want.some((line) => !line.startsWith('looser')));
  });

  it('denying all is stricter than anything, and the end of that is looser', () => {
    const denied = denyAll('eu', 'expired');
    expect(policyDiff(denied, open('')).map(changeText)).toEqual([
      'looser: the policy: denies all (expired) -> in force',
    ]);
    expect([isLooser(open(''), denied), isLooser(denied, open('')), isLooser(denied, denied)]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

function forCases(stream: number, check: (random: Random) => void): void {
  for (let i = 0; i < CASES; i++) {
    try {
      check(randomFrom(SEED).fork(stream * 1_000_000 + i));
    } catch (error) {
      throw new Error(`seed ${SEED}, case ${i}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** Two policies near each other: the second has one document more or less, or a field changed. */
function neighbours(random: Random): [RandomDocument[], RandomDocument[]] {
  const first = Array.from({ length: random.int(1, 2) }, () => randomDocument(random));
  const other = randomDocument(random);
  const field = random.pick(['labels', 'metrics', 'default_class', 'limits', 'admit'] as const);
  const changed = { ...first[0]!, [field]: other[field] };
  if (changed.admit?.prohibit !== undefined || first[0]!.admit?.prohibit !== undefined)
    return [first, [other, ...first]];
  return [first, random.pick([[...first, other], [changed, ...first.slice(1)], [other], first.slice(0, 1)])];
}

it('what is not looser lets no generated fragment out that was refused, and the same label, metric and limit', () => {
  const counts = { looser: 0, not: 0, newlyAllowed: 0 };
  forCases(1, (random) => {
    const [before, after] = neighbours(random);
    const [a, b] = [open(...before), open(...after)];
    const looser = isLooser(a, b);
    counts[looser ? 'looser' : 'not']++;
    for (let i = 0; i < 6; i++) {
      const asked = hostileFragment(random);
      const newly = isAllowed(asked, b) && !isAllowed(asked, a);
      if (newly) counts.newlyAllowed++;
      if (newly && !looser) throw new Error(`${asked}\n${JSON.stringify(before)}\n${JSON.stringify(after)}`);
    }
    if (looser) return;
    for (const label of LABELS) {
      expect([label, b.permitsLabel(label) && !a.permitsLabel(label)]).toEqual([label, false]);
      expect([label, b.permitsMatch(label) && !a.permitsMatch(label)]).toEqual([label, false]);
    }
    for (const metric of METRICS) {
      const [was, is] = [a.ruleOf(metric), b.ruleOf(metric)];
      if (is.class === 'aggregate' && was.class === 'aggregate')
        expect(is.minSeries).toBeGreaterThanOrEqual(was.minSeries);
    }
    expect(b.limits.answerRows).toBeLessThanOrEqual(a.limits.answerRows);
  });
  expect(counts.not).toBeGreaterThan(CASES / 10);
  expect(counts.newlyAllowed).toBeGreaterThan(CASES / 30);
});

it('a further document never loosens, and nothing is looser than itself', () => {
  forCases(2, (random) => {
    const documents = Array.from({ length: random.int(1, 3) }, () => randomDocument(random));
    const all = layersOf(documents);
    const a = openPolicy({ ...PLACE, layers: all });
    expect(policyDiff(a, openPolicy({ ...PLACE, layers: all.toReversed() }))).toEqual([]);
    // All that the further one could fill is filled already.
    const filled = openPolicy({ ...PLACE, layers: [...all, ...layersOf([FILLING])] });
    const further = openPolicy({ ...PLACE, layers: [...all, ...layersOf([FILLING, randomDocument(random)])] });
    expect(
      policyDiff(filled, further).filter(({ direction, of }) => direction !== 'stricter' && of !== 'admission'),
    ).toEqual([]);
  });
});

/** It says something of everything, and takes nothing away. */
const FILLING = `, labels: {permit: ["*"], match: [${LABELS.filter((label) => !['user_id', 'email'].includes(label)).join()}]},
  metrics: [{match: '*', class: aggregate, operators: [${EVERY_OPERATOR.join()}]}], admit: {public: [v, customer, other]}`;

describe('documents to which others are added', () => {
  it.each<[string, string, boolean]>([
    ['', '', false],
    // Said for the first time, it fills what others left open.
    ['', ', labels: {permit: [pod]}', true],
    ['', ', default_class: open', true],
    ['', ', default_class: aggregate', false],
    ['', ', default_class: sealed', false],
    // No longer said, it leaves the word to others.
    [', labels: {permit: [pod]}', '', true],
    [', default_class: aggregate', '', true],
    [', metrics: [{match: x, operators: [sum]}]', '', true],
    ['', ', metrics: [{match: x, operators: [sum]}]', false],
    [', labels: {permit: [pod]}', ', labels: {permit: [pod], match: [pod]}', true],
    [', labels: {match: [pod]}', '', true],
    [', labels: {deny: [service]}', '', true],
    ['', ', labels: {deny: [service]}', false],
    [', admit: {public: []}', '', true],
    [', labels: {permit: [pod, shop]}', ', labels: {permit: [pod]}', false],
  ])('%s -> %s: %s', (before, after, want) => {
    expect(isLooserBeneath(layersOf([before]), layersOf([after]), PLACE)).toBe(want);
  });

  it('what is not looser beneath any is not looser beneath a generated one', () => {
    let not = 0;
    forCases(3, (random) => {
      const [before, after] = neighbours(random);
      if (isLooserBeneath(layersOf(before), layersOf(after), PLACE)) return;
      not++;
      for (let i = 0; i < 3; i++) {
        const local = randomDocument(random);
        const changes = policyDiff(open(...before, local), open(...after, local));
        expect([local, changes.filter(({ direction }) => direction !== 'stricter')]).toEqual([local, []]);
      }
    });
    expect(not).toBeGreaterThan(CASES / 30);
  });
});

const HELD = [
  labelsOf({ __name__: 'm_a', service: 's', v: '1' }),
  labelsOf({ __name__: 'n_a', customer: 'c', job: 'j' }),
];

function isAllowed(asked: string, policy: Policy): boolean {
  try {
    return checkFragment(anyFragment(asked), policy, () => HELD) === undefined;
  } catch {
    return false;
  }
}
