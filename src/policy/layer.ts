import { createHash } from 'node:crypto';
import { parseConfig } from '../base/config.ts';
import { ComityError } from '../base/errors.ts';
import { stricterClass } from './egress-class.ts';
import { globTest } from './glob.ts';
import { checkAdmitWords } from './admit-rules.ts';
import { checkDropRules } from './drop-labels.ts';
import { admitWords, labelsSaid, type LabelsSaid } from './label-policy.ts';
import { POLICY_SCHEMA, type PolicyDocument } from './policy-schema.ts';
import type { LayerName, Said, Speaker } from './said.ts';

/** A document as it comes. `source` names it in errors. */
export interface LayerText {
  readonly layer: LayerName;
  readonly source: string;
  readonly text: string;
}

/** One document of a policy, ready to be asked what it says; it says nothing of what it leaves out. */
export interface Layer extends LayerText, Speaker {
  /** SHA-256 of the text, in hexadecimal. */
  readonly digest: string;
  readonly document: PolicyDocument;
  readonly labels: LabelsSaid;
}

/** Where a document is used. */
export interface LayerPlace {
  readonly domain: string;
  readonly domainLabel: string;
}

/** Texts beyond this are no policies: some 20,000 rules. */
const POLICY_CHARS_MAX = 1024 * 1024;

/** In the `domain` of a global document: any. */
export const ANY_DOMAIN = '*';

/** Reads a document. Throws `bad_config` naming the layer, the file and the field at fault. */
export function readLayer(given: LayerText, place: LayerPlace): Layer {
  const { layer, text } = given;
  const source = layer === 'local' ? given.source : `${given.source} (${layer})`;
  if (text.length > POLICY_CHARS_MAX) {
    throw new ComityError('bad_config', `${source}: a policy has at most ${POLICY_CHARS_MAX} characters`);
  }
  const document = parseConfig(text, POLICY_SCHEMA, source);
  assertDomain(document.domain, layer, place.domain, source);
  assertAdmit(document, place.domainLabel, source);
  const rules = (document.metrics ?? [])
    .map((rule, i) => readRule(rule, document, layer, `${source}: /metrics/${i}`))
    .sort((a, b) => Number(b.isExact) - Number(a.isExact) || b.said.glob.length - a.said.glob.length);
  const fallback: Said = { layer, glob: '*', rule: undefined, class: document.default_class };
  return {
    ...given,
    digest: createHash('sha256').update(text).digest('hex'),
    document,
    labels: labelsSaid(document, place.domainLabel, source),
    saysOf: (metric) => rules.find(({ test }) => test(metric))?.said ?? fallback,
    rules: [...rules.map(({ said }) => said), fallback],
  };
}

function assertDomain(named: string, layer: LayerName, domain: string, source: string): void {
  if (named === domain || (named === ANY_DOMAIN && layer === 'global')) return;
  throw new ComityError(
    'bad_config',
    named === ANY_DOMAIN
      ? `${source}: /domain: only a global document is for any domain; this one must name ${domain}`
      : `${source}: /domain: the policy is for domain ${named}, not for ${domain}`,
  );
}

function assertAdmit({ admit }: PolicyDocument, domainLabel: string, source: string): void {
  const drop = checkDropRules(admit?.drop ?? [], domainLabel);
  const found = checkAdmitWords(admitWords(admit), domainLabel) ?? (drop && { ...drop, field: `/drop${drop.field}` });
  if (found !== undefined) throw new ComityError('bad_config', `${source}: /admit${found.field}: ${found.fault}`);
}

interface OrderedRule {
  readonly said: Said;
  readonly isExact: boolean;
  test(metric: string): boolean;
}

type RuleDocument = NonNullable<PolicyDocument['metrics']>[number];

function readRule(rule: RuleDocument, { default_class }: PolicyDocument, layer: LayerName, field: string): OrderedRule {
  const { match, class: own, operators, min_series: minSeries } = rule;
  const narrows = operators !== undefined ? 'operators' : minSeries !== undefined ? 'min_series' : undefined;
  if (narrows !== undefined && own !== undefined && own !== 'aggregate' && own !== 'protected') {
    // Whoever wrote it believes that it narrows the class, or widens it.
    throw new ComityError(
      'bad_config',
      `${field}/${narrows}: a rule of class ${own} has none, only of class aggregate`,
    );
  }
  if (narrows === undefined && own === undefined) {
    // It would take the word from a less specific rule and say nothing in its place.
    throw new ComityError('bad_config', `${field}: the rule says nothing: give it a class, operators or min_series`);
  }
  return {
    said: {
      layer,
      glob: match,
      rule: match,
      // What lists operators speaks of aggregates, even where another document would open the metric.
      class: own ?? stricterClass(default_class ?? 'aggregate', 'aggregate'),
      operators: operators === undefined ? undefined : new Set(operators),
      minSeries,
    },
    isExact: !match.includes('*'),
    test: globTest(match),
  };
}
