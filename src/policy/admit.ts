import { LIMITS } from '../base/limits.ts';
import type { Admission } from '../model/admission.ts';
import type { Batch, Metadata } from '../model/batch.ts';
import { labelsFrom, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import { admitCounts, type AdmitCount, type AdmitCounts, type AdmitPlace } from './admit-counts.ts';
import { nameAdmission } from './admit-names.ts';
import {
  detectorsOf,
  KEY_CHARS_MAX,
  OTHER,
  rememberedTextCheck,
  valueChecks,
  type ValueCheck,
  type ValueFault,
} from './admit-values.ts';
import { isPrefix, NO_WORDS, wordRules, type AdmitWords } from './admit-words.ts';
import { attributeRule, attributeRuleOfLabel, UNKNOWN_ATTRIBUTE, type AttributeRule } from './attribute-classes.ts';
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
  /** What the domain's policy adds to the tables; checked before by `checkAdmitWords`. */
  readonly words?: AdmitWords | undefined;
  /** Told of the labels of exemplars as they were sent. */
  readonly seen?: ((place: 'exemplar', label: string, value: string) => void) | undefined;
}

export interface CountedAdmission extends Admission {
  /** What was decided how often since the start; labels of series once for each time that a decoder asked. */
  counts(): readonly Readonly<AdmitCount>[];
  /** For what else is decided under the same rules. */
  readonly counters: AdmitCounts;
  /** What the tables and the policy say of an attribute's key, and of a label on series of no metric in particular. */
  attributeRule(key: string): AttributeRule;
  labelRule(label: string): LabelRule;
  /** What is stored of a metric family; undefined where its name is stored as a pseudonym. */
  metadata(family: Metadata): Metadata | undefined;
  /** What a request became, with what it says of metric families as that is stored: the last thing before the store. */
  batch(batch: Batch): Batch;
}

/**
 * Admits by the tables of attributes and labels: prohibited words are never stored, those that name a person only as
 * pseudonyms, and in the identity of a series both become pseudonyms, so that no two series become one. Equal questions
 * have equal answers across restarts under the same keys, but for public values past a key's 200th and the subjects of
 * spans, whose key is of the day.
 */
export function admission(options: AdmissionOptions): CountedAdmission {
  const counts = admitCounts();
  const { words = NO_WORDS, detectors = DETECTORS } = options;
  const added = wordRules(words);
  const ruleOf = labelRules(options.domainLabel, words);
  // Metrics keep their key for good: their series go on for years.
  const labelPseudonym = pseudonyms(options.keys.derive('metric labels', 0));
  const subject = subjectPseudonyms(options.keys, options.now ?? Date.now);
  const checkOf = valueChecks(detectors);
  const keyCheckOf = valueChecks(detectors, KEY_CHARS_MAX);
  const names = nameAdmission(detectors, labelPseudonym, counts);
  // New series mostly bear values that others have.
  const labelFault = rememberedTextCheck(detectors);
  const versionFault = rememberedTextCheck(detectorsOf('version', detectors));

  const labelCounts = new Map<LabelRule, AdmitCount>();
  function countLabel(rule: LabelRule): void {
    let count = labelCounts.get(rule);
    if (count === undefined) {
      const action = isReplaced(rule.class) ? 'pseudonym' : 'kept';
      labelCounts.set(rule, (count = counts.of('series', rule.entry, rule.class, action)));
    }
    count.count++;
  }

  /** The value of a label as it is stored. What a public one holds may leave without a policy that lists it. */
  function labelText(rule: LabelRule, name: string, value: string): string {
    if (isReplaced(rule.class)) {
      countLabel(rule);
      return labelPseudonym(name, value);
    }
    const check = rule.entry.endsWith('version') ? versionFault : labelFault;
    const fault = rule.class === 'public' ? check(value) : undefined;
    if (fault === undefined) {
      countLabel(rule);
      return value;
    }
    counts.of('series', rule.entry, fault, 'pseudonym').count++;
    return labelPseudonym(name, value);
  }

  function series(labels: Labels): Labels {
    const metric = labelValue(labels, METRIC_NAME);
    let out: string[] | undefined;
    let isRenamed = false;
    for (let i = 0; i < labels.length; i += 2) {
      const name = labels[i]!;
      const value = labels[i + 1]!;
      // Prometheus takes an empty value for an absent label, and a pseudonym would make it a label.
      if (value === '') continue;
      const rule = ruleOf(name, metric);
      const text = labelText(rule, name, value);
      const stored = name === METRIC_NAME ? names.metric(text) : text;
      const label = rule.class === 'structural' ? name : names.label(name);
      if (stored === value && label === name) continue;
      out ??= labels.slice();
      out[i] = label;
      out[i + 1] = stored;
      isRenamed ||= label !== name;
    }
    const admitted = withoutEmpty(out ?? labels);
    return isRenamed ? inOrder(admitted) : admitted;
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

  function ruleOfKey(key: string): AttributeRule {
    const known = added.prohibits(key) ?? attributeRule(key);
    return known === UNKNOWN_ATTRIBUTE ? (added.liftsKey(key) ?? known) : known;
  }

  function ruleOfExemplar(label: string): AttributeRule {
    const known = added.prohibits(label) ?? attributeRuleOfLabel(label) ?? attributeRule(label);
    return known === UNKNOWN_ATTRIBUTE ? (added.liftsLabel(label) ?? known) : known;
  }

  /** Under a prefix the rest of a key is a sender's own word, and may be data as a value may. */
  function keyRule(place: AdmitPlace, key: string, rule: AttributeRule): ValueRule {
    const fault = rule.class !== 'prohibited' && isPrefix(rule.entry) ? keyCheckOf(rule.entry)(key) : undefined;
    if (fault === undefined) return valueRule(place, rule);
    return counted(counts.of(place, rule.entry, `key ${fault}`, 'dropped'), () => undefined);
  }

  const attributeValue = rememberByName((key) => keyRule('attribute', key, ruleOfKey(key)));
  const exemplarValue = rememberByName((label) => {
    if (TRACE_FORMS.has(wordForm(label))) return traceIdRule;
    return keyRule('exemplar', label, ruleOfExemplar(label));
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
      options.seen?.('exemplar', name, labels[i + 1]!);
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

  function batch(request: Batch): Batch {
    if (request.metadata.length === 0) return request;
    const metadata = request.metadata.map(names.metadata);
    if (metadata.every((family, i) => family === request.metadata[i])) return request;
    return { ...request, metadata: metadata.filter((family) => family !== undefined) };
  }

  return {
    series,
    exemplar,
    attribute: (key, value) => attributeValue(key)(value),
    metadata: names.metadata,
    batch,
    counts: counts.all,
    counters: counts,
    attributeRule: ruleOfKey,
    labelRule: (label) => ruleOf(label, ''),
  };
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

function inOrder(labels: Labels): Labels {
  const pairs: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
  return labelsFrom(pairs);
}

function bytesOf(texts: readonly string[]): number {
  let bytes = 0;
  for (const text of texts) bytes += Buffer.byteLength(text);
  return bytes;
}
