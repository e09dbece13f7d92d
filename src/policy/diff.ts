import { checkAdmitWords } from './admit-rules.ts';
import { isPrefix } from './admit-words.ts';
import { ATTRIBUTES } from './attribute-table.ts';
import { combinations, type Combination } from './combine.ts';
import { openPolicy, type Policy, type PolicyLimits } from './document.ts';
import { EGRESS_CLASSES, EVERY_OPERATOR } from './egress-class.ts';
import { LABELS, labelRules } from './label-classes.ts';
import type { LayerText } from './layer.ts';
import { metRule, type MetricRule } from './meet.ts';
import { prefixForm, wordForm } from './name-forms.ts';

/** What two policies say differently of one thing. */
export interface PolicyChange {
  readonly of: 'policy' | 'metric' | 'label' | 'limit' | 'admission';
  /** A metric or a glob, a label, the name of a limit. */
  readonly name: string;
  /** Whether the second lets out what the first does not, the other way round, or both. */
  readonly direction: 'looser' | 'stricter' | 'both';
  readonly before: string;
  readonly after: string;
}

/**
 * Whether `b` allows anything that `a` does not: some metric, operator, label, matcher, amount or admission. True also where
 * there are so many rules that nobody can say.
 */
export function isLooser(a: Policy, b: Policy): boolean {
  return policyDiff(a, b).some(({ direction }) => direction !== 'stricter');
}

/**
 * The same of documents to which others will be added that nobody knows: whether some further document exists with which
 * `after` allows what `before` does not. Silence in a document is filled by others, so that saying something for the first
 * time may loosen, and no longer saying something as well.
 */
export function isLooserBeneath(
  before: readonly LayerText[],
  after: readonly LayerText[],
  place: { readonly domain: string; readonly domainLabel: string },
): boolean {
  const open = (layers: readonly LayerText[], companion: object): Policy => {
    const text = JSON.stringify({ version: 1, domain: place.domain, ...companion });
    return openPolicy({ ...place, layers: [...layers, { layer: 'local', source: 'a further document', text }] });
  };
  const named = namedLabels([open(before, {}), open(after, {})]);
  const ruleOf = labelRules(place.domainLabel);
  const listable = named.filter((name) => ['quasi', 'local'].includes(ruleOf(name, '').class));
  const unknown = named.filter((name) => isLiftable(name, place.domainLabel));
  if (named.length > LABELS_MAX) return true;
  const companions: readonly object[] = [
    {},
    { labels: { permit: ['*'] }, default_class: 'open' },
    { labels: { permit: listable }, metrics: [{ match: '*', class: 'aggregate', operators: EVERY_OPERATOR }] },
    // With the defaults in place of what nobody says.
    { labels: { permit: ['*'], match: listable }, default_class: 'aggregate' },
    { admit: { public: unknown } },
  ];
  return companions.some((companion) => isLooser(open(before, companion), open(after, companion)));
}

/** Documents that name more are not compared label by label. */
const LABELS_MAX = 4_000;

function isLiftable(name: string, domainLabel: string): boolean {
  return checkAdmitWords({ prohibit: [], public: [name], quasi: [] }, domainLabel) === undefined;
}

/** What is different, of all metrics, operators, labels, limits and admission; the looser first. */
export function policyDiff(a: Policy, b: Policy): readonly PolicyChange[] {
  const changes =
    a.deniesAll === undefined && b.deniesAll === undefined
      ? [...metricChanges(a, b), ...labelChanges(a, b), ...limitChanges(a, b), ...admitChanges(a, b)]
      : stateChanges(a, b);
  return [
    ...changes.filter(({ direction }) => direction !== 'stricter'),
    ...changes.filter(({ direction }) => direction === 'stricter'),
  ];
}

/** A change in a line of text. */
export function changeText({ of, name, direction, before, after }: PolicyChange): string {
  return `${direction}: ${of === 'policy' ? '' : `${of} `}${name}: ${before} -> ${after}`;
}

function stateChanges(a: Policy, b: Policy): PolicyChange[] {
  if (a.deniesAll !== undefined && b.deniesAll !== undefined) return [];
  const wordsOf = ({ deniesAll }: Policy): string =>
    deniesAll === undefined ? 'in force' : `denies all (${deniesAll})`;
  const direction = a.deniesAll === undefined ? 'stricter' : 'looser';
  return [{ of: 'policy', name: 'the policy', direction, before: wordsOf(a), after: wordsOf(b) }];
}

function metricChanges(a: Policy, b: Policy): PolicyChange[] {
  const all = combinations([...a.layers, ...b.layers], '');
  if (all === undefined) {
    const words = 'rules that meet in too many ways to compare';
    return [{ of: 'metric', name: '*', direction: 'both', before: words, after: words }];
  }
  const changes = new Map<string, PolicyChange>();
  for (const combination of all) {
    const before = metRule(combination.said.slice(0, a.layers.length));
    const after = metRule(combination.said.slice(a.layers.length));
    const direction = directionOf(letsOutMore(before, after), letsOutMore(after, before));
    if (direction === undefined) continue;
    const change = {
      of: 'metric',
      name: metricsOf(combination),
      direction,
      before: ruleText(before, after),
      after: ruleText(after, before),
    } as const;
    changes.set(changeText(change), change);
  }
  return [...changes.values()];
}

function letsOutMore(a: MetricRule, b: MetricRule): boolean {
  const [strictA, strictB] = [EGRESS_CLASSES.indexOf(a.class), EGRESS_CLASSES.indexOf(b.class)];
  if (strictA !== strictB) return strictB < strictA;
  // Operators and groups count where aggregates are what leaves.
  if (a.class !== 'aggregate') return false;
  return b.minSeries < a.minSeries || !b.operators.isSubsetOf(a.operators);
}

/** The most specific globs: whatever includes another one adds nothing. */
function metricsOf({ globs }: Combination): string {
  const own = globs.filter((glob, i) => globs.indexOf(glob) === i && glob !== '*');
  return own.length === 0 ? '*' : own.join(' and ');
}

/** A rule as far as it differs from another. */
function ruleText({ class: egress, operators, minSeries }: MetricRule, other: MetricRule): string {
  const words: string[] = [egress];
  const isOfAggregates = egress === 'aggregate';
  if (isOfAggregates && operators.symmetricDifference(other.operators).size > 0) {
    words.push(`operators ${operators.size === 0 ? 'none' : [...operators].sort().join(' ')}`);
  }
  if (isOfAggregates && minSeries !== other.minSeries) words.push(`min_series ${minSeries}`);
  return words.join(', ');
}

function labelChanges(a: Policy, b: Policy): PolicyChange[] {
  const changes: PolicyChange[] = [];
  const told = new Set<string>();
  const named = new Set(namedIn([a, b]));
  const forms = new Set([...named].map(wordForm));
  for (const label of namedLabels([a, b])) {
    const looser =
      (!a.permitsLabel(label) && b.permitsLabel(label)) || (!a.permitsMatch(label) && b.permitsMatch(label));
    const stricter =
      (a.permitsLabel(label) && !b.permitsLabel(label)) || (a.permitsMatch(label) && !b.permitsMatch(label));
    const direction = directionOf(looser, stricter);
    if (direction === undefined) continue;
    // Those that no document names differ by their class alone.
    const name = named.has(label)
      ? label
      : forms.has(wordForm(label))
        ? 'another spelling of one that is named'
        : `any other ${CLASS_OF(label, '').class} label`;
    if (told.has(name)) continue;
    told.add(name);
    changes.push({ of: 'label', name, direction, before: useText(a, label), after: useText(b, label) });
  }
  return changes;
}

function useText(policy: Policy, label: string): string {
  if (!policy.permitsLabel(label)) return 'stays';
  return policy.permitsMatch(label) ? 'leaves and matches' : 'leaves';
}

function limitChanges({ limits: a }: Policy, { limits: b }: Policy): PolicyChange[] {
  return LIMIT_NAMES.flatMap(([field, name]) => {
    const direction = directionOf(b[field] > a[field], b[field] < a[field]);
    const wordsOf = (limit: number): string => (limit === Infinity ? 'none' : String(limit));
    return direction === undefined
      ? []
      : [{ of: 'limit', name, direction, before: wordsOf(a[field]), after: wordsOf(b[field]) }];
  });
}

const LIMIT_NAMES: readonly (readonly [keyof PolicyLimits, string])[] = [
  ['answerRows', 'answer_rows'],
  ['answerBytes', 'answer_bytes'],
  ['bytesPerDay', 'bytes_per_day'],
];

/** What is no longer prohibited or dropped, and what is lifted, is stored as it comes. */
function admitChanges({ admit: a }: Policy, { admit: b }: Policy): PolicyChange[] {
  const listed = (name: string, before: readonly string[], after: readonly string[], adding: 'looser' | 'stricter') => [
    ...after.filter((one) => !before.includes(one)).map((one) => changeOf(`${name} ${one}`, adding, true)),
    ...before
      .filter((one) => !after.includes(one))
      .map((one) => changeOf(`${name} ${one}`, adding === 'looser' ? 'stricter' : 'looser', false)),
  ];
  const drops = ({ drop }: Policy['admit']): string[] =>
    drop.flatMap(({ metrics, labels }) => labels.map((label) => `${label} of ${metrics}`));
  return [
    ...listed('prohibit', a.prohibit, b.prohibit, 'stricter'),
    ...listed('public', a.public, b.public, 'looser'),
    ...listed('quasi', a.quasi, b.quasi, 'looser'),
    ...listed('drop', drops(a), drops(b), 'stricter'),
  ];
}

function changeOf(name: string, direction: PolicyChange['direction'], isAdded: boolean): PolicyChange {
  const words = ['not said', 'said'] as const;
  return { of: 'admission', name, direction, before: words[isAdded ? 0 : 1], after: words[isAdded ? 1 : 0] };
}

function directionOf(looser: boolean, stricter: boolean): PolicyChange['direction'] | undefined {
  if (looser) return stricter ? 'both' : 'looser';
  return stricter ? 'stricter' : undefined;
}

/** Labels that the documents name. */
function namedIn(policies: readonly Policy[]): readonly string[] {
  const documents = policies.flatMap(({ layers }) => layers.map(({ document }) => document));
  return documents.flatMap(({ labels, admit }) => [
    ...(labels?.permit ?? []).filter((name) => name !== '*'),
    ...(labels?.match ?? []),
    ...(labels?.deny ?? []),
    ...[...(admit?.prohibit ?? []), ...(admit?.public ?? []), ...(admit?.quasi ?? [])].flatMap(labelsOfKey),
  ]);
}

/**
 * Labels that stand for all that policies can tell apart: those named, others of the same meaning, and of those whose form
 * nobody names one of each class, under each prefix that is named and under none.
 */
function namedLabels(policies: readonly Policy[]): readonly string[] {
  const named = namedIn(policies);
  const forms = new Set(named.map(wordForm));
  const prefixes = policies.flatMap(({ admit }) =>
    [...admit.prohibit, ...admit.quasi].filter(isPrefix).map((word) => prefixForm(word.slice(0, -1))),
  );
  const others = new Map<string, string>();
  for (const { label, class: kind, prefix } of ANY_LABELS) {
    if (forms.has(wordForm(label))) continue;
    const key = [kind, ...prefixes.filter((one) => prefix.startsWith(one))].join(' ');
    if (!others.has(key)) others.set(key, label);
  }
  const variants = named.flatMap((name) => [`exported_${name}`, `otel_scope_${name}`]);
  return [...new Set([...named, ...variants, ...others.values()])];
}

function labelsOfKey(key: string): readonly string[] {
  const whole = isPrefix(key) ? `${key.slice(0, -1)}${FRESH}` : key;
  return [whole, labelOf(whole)];
}

/** As OTLP's receivers write a key. */
function labelOf(key: string): string {
  return key.replaceAll(/[^A-Za-z0-9_]/g, '_');
}

/** By the tables alone. */
const CLASS_OF = labelRules('domain');

/** A name that nobody else writes. */
const FRESH = 'x7unnamed7x';

/** All of the tables, and names that nobody has written down. */
const ANY_LABELS = [
  ...Object.values(ATTRIBUTES).flat().flatMap(labelsOfKey),
  ...Object.values(LABELS).flat(),
  'instance',
  FRESH,
  `otel_scope_${FRESH}`,
  `annotation_${FRESH}`,
].map((label) => ({ label, class: CLASS_OF(label, '').class, prefix: prefixForm(label) }));
