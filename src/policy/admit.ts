import { LIMITS } from '../base/limits.ts';
import type { Admission } from '../model/admission.ts';
import { labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import { admitCounts, type AdmitCount, type AdmitPlace } from './admit-counts.ts';
import { OTHER, valueChecks, type ValueCheck, type ValueFault } from './admit-values.ts';
import { attributeRule, attributeRuleOfLabel, type AttributeRule } from './attribute-classes.ts';
import { DETECTORS, type Detector } from './detectors.ts';
import type { DomainKeys } from './domain-key.ts';
import { isReplaced, labelRules, type LabelRule } from './label-classes.ts';
import { rememberByName, wordForm } from './name-forms.ts';
import { pseudonyms } from './pseudonym.ts';
import { subjectPseudonyms } from './subject-pseudonym.ts';

export interface AdmissionOptions {
  readonly keys: DomainKeys;
  /** The name of the label that names the domain. */
  readonly domainLabel: string;
  /** Milliseconds since the epoch; decides on the day of the key for subjects. */
  readonly now?: () => number;
  readonly detectors?: readonly Detector[];
}

export interface CountedAdmission extends Admission {
  /** What was decided how often since the start; labels of series once for each time that a decoder asked. */
  counts(): readonly Readonly<AdmitCount>[];
}

/**
 * Admits by the tables of attributes and labels: prohibited words are never stored, those that name a person only as
 * pseudonyms, and in the identity of a series both become pseudonyms, so that no two series become one. Equal questions
 * have equal answers across restarts under the same keys, but for public values past a key's 200th and the subjects of
 * spans, whose key is of the day.
 */
export function admission(options: AdmissionOptions): CountedAdmission {
  const counts = admitCounts();
  const ruleOf = labelRules(options.domainLabel);
  // Metrics keep their key for good: their series go on for years.
  const labelPseudonym = pseudonyms(options.keys.derive('metric labels', 0));
  const subject = subjectPseudonyms(options.keys, options.now ?? Date.now);
  const checkOf = valueChecks(options.detectors ?? DETECTORS);

  const labelCounts = new Map<LabelRule, AdmitCount>();
  function countLabel(rule: LabelRule): void {
    let count = labelCounts.get(rule);
    if (count === undefined) {
      const action = isReplaced(rule.class) ? 'pseudonym' : 'kept';
      labelCounts.set(rule, (count = counts.of('series', rule.entry, rule.class, action)));
    }
    count.count++;
  }

  function series(labels: Labels): Labels {
    const metric = labelValue(labels, METRIC_NAME);
    let out: string[] | undefined;
    for (let i = 0; i < labels.length; i += 2) {
      const value = labels[i + 1]!;
      // Prometheus takes an empty value for an absent label, and a pseudonym would make it a label.
      if (value === '') continue;
      const rule = ruleOf(labels[i]!, metric);
      countLabel(rule);
      if (!isReplaced(rule.class)) continue;
      out ??= labels.slice();
      out[i + 1] = labelPseudonym(labels[i]!, value);
    }
    return withoutEmpty(out ?? labels);
  }

  /** How values of a rule are stored; the value's checks belong to the entry, which is a key where values are public. */
  function valueRule(place: AdmitPlace, rule: AttributeRule): ValueRule {
    const { class: kind, entry } = rule;
    switch (kind) {
      case 'public':
        return publicRule(checkOf(entry), CUT_KEYS.has(entry), (fault) => {
          const action = fault === undefined ? 'kept' : fault === 'detector failed' ? 'dropped' : 'other';
          return counts.of(place, entry, fault ?? kind, action);
        });
      case 'quasi':
        return counted(counts.of(place, entry, kind, 'kept'), (value) => value);
      case 'subject':
        return counted(counts.of(place, entry, kind, 'pseudonym'), (value) => subject(entry, value));
      case 'prohibited':
        return counted(counts.of(place, entry, kind, 'dropped'), () => undefined);
    }
  }

  const attributeValue = rememberByName((key) => valueRule('attribute', attributeRule(key)));
  const exemplarValue = rememberByName((label) => {
    if (TRACE_FORMS.has(wordForm(label))) return traceIdRule;
    return valueRule('exemplar', attributeRuleOfLabel(label) ?? attributeRule(label));
  });
  const idKept = counts.of('exemplar', 'trace context', 'public', 'kept');
  const idDropped = counts.of('exemplar', 'trace context', 'pattern', 'dropped');
  const tooLong = counts.of('exemplar', 'size', 'length', 'dropped');

  function traceIdRule(value: string): string | undefined {
    const kept = TRACE_ID.test(value);
    (kept ? idKept : idDropped).count++;
    return kept ? value : undefined;
  }

  function exemplar(labels: Labels): Labels {
    const out: string[] = [];
    const ids: string[] = [];
    for (let i = 0; i < labels.length; i += 2) {
      const name = labels[i]!;
      const rule = exemplarValue(name);
      const value = rule(labels[i + 1]!);
      if (value === undefined || value === '') continue;
      out.push(name, value);
      if (rule === traceIdRule) ids.push(name, value);
    }
    if (bytesOf(out) <= LIMITS.exemplarLabelBytes) return out;
    tooLong.count++;
    return bytesOf(ids) <= LIMITS.exemplarLabelBytes ? ids : [];
  }

  return { series, exemplar, attribute: (key, value) => attributeValue(key)(value), counts: counts.all };
}

/** The value as it is stored, or undefined when it is not. */
type ValueRule = (value: string) => string | undefined;

/** Templates of paths: a `?` or `#` ends the path, and what follows is a request's own. */
const CUT_KEYS: ReadonlySet<string> = new Set(['http.route', 'url.template']);

/** Labels of exemplars that lead to a trace, as OpenMetrics and as older clients write them. */
const TRACE_FORMS: ReadonlySet<string> = new Set(['traceid', 'spanid']);

/** Some tracers leave leading zeros out, or have ids of 64 bits. */
const TRACE_ID = /^[0-9a-fA-F]{1,32}$/;

function counted(count: AdmitCount, rule: ValueRule): ValueRule {
  return (value) => {
    count.count++;
    return rule(value);
  };
}

function publicRule(check: ValueCheck, cut: boolean, countOf: (fault?: ValueFault) => AdmitCount): ValueRule {
  const kept = countOf();
  const faults = new Map<ValueFault, AdmitCount>();
  return (value) => {
    const text = cut ? withoutQuery(value) : value;
    const fault = check(text);
    if (fault === undefined) {
      kept.count++;
      return text;
    }
    let count = faults.get(fault);
    if (count === undefined) faults.set(fault, (count = countOf(fault)));
    count.count++;
    return fault === 'detector failed' ? undefined : OTHER;
  };
}

function withoutQuery(value: string): string {
  const at = value.search(/[?#]/);
  return at < 0 ? value : value.slice(0, at);
}

function withoutEmpty(labels: Labels): Labels {
  for (let i = 1; i < labels.length; i += 2) {
    if (labels[i] === '') return labels.filter((_, at) => labels[at | 1] !== '');
  }
  return labels;
}

function bytesOf(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += Buffer.byteLength(text);
  return bytes;
}
