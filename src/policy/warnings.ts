import type { Policy } from './document.ts';
import { isWithheld } from './egress-class.ts';
import { globTest } from './glob.ts';
import { labelRules } from './label-classes.ts';
import type { Layer } from './layer.ts';

/** What a valid policy may not mean as its writer means it. */
export interface PolicyWarning {
  readonly code: 'permits_all' | 'open_series' | 'not_built' | 'small_groups' | 'never_decides' | 'no_effect';
  /** The document at fault; empty where it is all of them together. */
  readonly source: string;
  readonly message: string;
}

/**
 * What whoever writes a policy may want to know: what leaves series by series, where groups of one show, and words that do
 * nothing. `metrics`: the names that the domain has, where they are known.
 */
export function policyWarnings(
  policy: Policy,
  domainLabel: string,
  metrics?: readonly string[],
): readonly PolicyWarning[] {
  return [
    ...policy.layers.flatMap((layer) => [...classWarnings(layer), ...ruleWarnings(layer)]),
    ...policy.layers.flatMap((layer) => labelWarnings(layer, policy, domainLabel)),
    ...(policy.deniesAll === undefined ? [smallGroups(policy, metrics)].flat() : []),
  ];
}

function classWarnings({ document, source }: Layer): PolicyWarning[] {
  const { labels, metrics = [], default_class: fallback } = document;
  const classed = [...metrics.map((rule) => [rule.match, rule.class] as const), ['*', fallback] as const];
  const of = (wanted: string): string =>
    classed.flatMap(([match, egress]) => (egress === wanted ? [match] : [])).join(', ');
  const warnings: PolicyWarning[] = [];
  if (labels?.permit?.includes('*') === true) {
    const message =
      'labels.permit "*" lets every label leave and match, pseudonyms of persons and of prohibited values too';
    warnings.push({ code: 'permits_all', source, message });
  }
  if (of('open') !== '') {
    warnings.push({
      code: 'open_series',
      source,
      message: `open: series leave one by one, with their labels: ${of('open')}`,
    });
  }
  if (of('protected') !== '') {
    const message = `protected behaves as sealed until its own rules are built: nothing leaves of ${of('protected')}`;
    warnings.push({ code: 'not_built', source, message });
  }
  return warnings;
}

/** Rules all of whose metrics another rule of the same document decides. */
function ruleWarnings({ rules, source }: Layer): PolicyWarning[] {
  return rules.flatMap(({ rule }, i) => {
    if (rule === undefined) return [];
    const before = rules.slice(0, i).find(({ glob }) => globTest(glob)(rule));
    if (before === undefined) return [];
    const message = `the rule ${rule} never decides: ${before.glob} decides all that it matches`;
    return [{ code: 'never_decides', source, message } as const];
  });
}

function labelWarnings({ document, source }: Layer, policy: Policy, domainLabel: string): PolicyWarning[] {
  const { permit = [], match = [] } = document.labels ?? {};
  const ruleOf = labelRules(domainLabel);
  const warnings: PolicyWarning[] = [];
  const warn = (message: string): void => void warnings.push({ code: 'no_effect', source, message });
  for (const label of permit) {
    if (label === '*') continue;
    if (!policy.permitsLabel(label)) warn(`labels.permit lists ${label}, which another list or a denial keeps in`);
    else if (isFree(ruleOf(label, '').class)) warn(`labels.permit lists ${label}, which leaves without being listed`);
  }
  for (const label of match) {
    const { class: kind } = ruleOf(label, '');
    if (!policy.permitsMatch(label))
      warn(`labels.match lists ${label}, which may not leave, or another list leaves out`);
    else if (isFree(kind) || kind === 'local') warn(`labels.match lists ${label}, which matches without being listed`);
  }
  return warnings;
}

function isFree(kind: string): boolean {
  return kind === 'public' || kind === 'structural';
}

/** A group of one series shows the values of that series. */
function smallGroups(policy: Policy, metrics: readonly string[] | undefined): PolicyWarning[] {
  const shows = (metric: string): boolean => {
    const { class: egress, operators, minSeries } = policy.ruleOf(metric);
    return egress === 'aggregate' && minSeries === 1 && operators.size > 0;
  };
  if (metrics !== undefined) {
    const found = metrics.filter(shows).length;
    const message = `min_series 1: groups of one series show for ${found} of ${metrics.length} metrics`;
    return found === 0 ? [] : [{ code: 'small_groups', source: '', message }];
  }
  const rules = policy.rulesBelow('').filter((rule) => !isWithheld(rule.class) && rule.class !== 'open');
  const names = rules
    .filter(({ minSeries, operators }) => minSeries === 1 && operators.size > 0)
    .map(({ rule }) => rule);
  const message = `min_series 1: groups of one series show for metrics of: ${[...new Set(names)].join(', ')}`;
  return names.length === 0 ? [] : [{ code: 'small_groups', source: '', message }];
}
