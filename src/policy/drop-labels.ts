import type { Admission } from '../model/admission.ts';
import { INPUT_LABEL } from '../model/input-label.ts';
import { labelValue, METRIC_NAME, withDomainLabel, withLabel, type Labels } from '../model/labels.ts';
import type { AdmitCounts } from './admit-counts.ts';
import type { DomainKeys } from './domain-key.ts';
import { globTest } from './glob.ts';
import { rememberByName } from './name-forms.ts';
import { pseudonyms } from './pseudonym.ts';

/** Labels that are taken off the metrics that a glob matches. */
export interface DropRule {
  readonly metrics: string;
  readonly labels: readonly string[];
}

/**
 * The first rule that cannot be followed: `field` such as `/0/labels/1`. A histogram without `le` is none, and without its name,
 * its job or its domain nobody would know what a series is.
 */
export function checkDropRules(
  rules: readonly DropRule[],
  domainLabel: string,
): { readonly field: string; readonly fault: string } | undefined {
  const kept = new Set([...STRUCTURAL, domainLabel, INPUT_LABEL]);
  for (const [i, { labels }] of rules.entries()) {
    const at = labels.findIndex((label) => label.includes('*') || kept.has(label));
    if (at < 0) continue;
    const label = JSON.stringify(labels[at]);
    const fault = labels[at]!.includes('*')
      ? `${label} is no label; name each label that is to be dropped`
      : `${label} says what a series is and cannot be dropped`;
    return { field: `/${i}/labels/${at}`, fault };
  }
  return undefined;
}

const STRUCTURAL: readonly string[] = [METRIC_NAME, 'le', 'quantile', 'job'];

export interface DroppingOptions {
  /** Checked by `checkDropRules`. */
  readonly rules: readonly DropRule[];
  readonly keys: DomainKeys;
  readonly counters: AdmitCounts;
}

/**
 * An admission that takes labels off: what it gives for a series of a metric that a rule matches has instead of them
 * `INPUT_LABEL`, whose value names the labels with pseudonyms of their values, in order of name. It has that label whether it
 * has one of the others or not, so that no sample is set in a series to which others are added. A sender's own label of that
 * name moves aside.
 */
export function droppingAdmission(inner: Admission, { rules, keys, counters }: DroppingOptions): Admission {
  // The key of other labels: a series that is kept apart has the pseudonyms that it would have without a rule.
  const pseudonym = pseudonyms(keys.derive('metric labels', 0));
  const tests = rules.map(({ metrics, labels }) => ({ test: globTest(metrics), labels }));
  const droppedOf = rememberByName((metric): ReadonlySet<string> => {
    return new Set(tests.flatMap(({ test, labels }) => (test(metric) ? labels : [])));
  });

  function series(labels: Labels): Labels {
    const own = labelValue(labels, INPUT_LABEL) === '' ? labels : moveAside(labels);
    if (rules.length === 0) return inner.series(own);
    const dropped = droppedOf(labelValue(own, METRIC_NAME));
    if (dropped.size === 0) return inner.series(own);
    const kept: string[] = [];
    const off: string[] = [];
    for (let i = 0; i < own.length; i += 2) {
      const name = own[i]!;
      const value = own[i + 1]!;
      if (!dropped.has(name)) kept.push(name, value);
      else if (value !== '') {
        counters.of('series', name, 'drop', 'dropped').count++;
        off.push(name, pseudonym(name, value));
      }
    }
    return withLabel(inner.series(kept), INPUT_LABEL, JSON.stringify(off));
  }

  return { ...inner, series };
}

/**
 * The labels of a series that cannot be joined: pseudonyms in the place of what a rule would take off, so that no two series
 * become one. Undefined for a series that no rule is about.
 */
export function labelsApart(labels: Labels): Labels | undefined {
  const off = labelValue(labels, INPUT_LABEL);
  if (off === '') return undefined;
  let apart = withLabel(labels, INPUT_LABEL, '');
  const pairs = JSON.parse(off) as readonly string[];
  for (let i = 0; i < pairs.length; i += 2) apart = withLabel(apart, pairs[i]!, pairs[i + 1]!);
  return apart;
}

function moveAside(labels: Labels): Labels {
  return withLabel(withDomainLabel(labels, INPUT_LABEL, '~'), INPUT_LABEL, '');
}
