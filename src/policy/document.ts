import { createHash } from 'node:crypto';
import { ComityError } from '../base/errors.ts';
import type { AggregateOp } from '../promql/ast.ts';
import type { EgressClass } from './egress-class.ts';
import { labelUse, metLabels, type AdmitRules } from './label-policy.ts';
import { readLayer, type Layer, type LayerText } from './layer.ts';
import { metBelow, metRule, type MetricRule } from './meet.ts';
import { rememberByName } from './name-forms.ts';
import { LAYER_NAMES } from './said.ts';

/** How much may leave. Infinity where no document says; of several the smallest. */
export interface PolicyLimits {
  readonly answerRows: number;
  readonly answerBytes: number;
  /** Of all consumers together, a UTC day. */
  readonly bytesPerDay: number;
}

/** Why nothing may leave at all. */
export type DenyReason = 'unreadable' | 'expired' | 'rolled back';

/** A domain's release policy in force: its documents together, ready to be asked. */
export interface Policy {
  readonly domain: string;
  /** SHA-256 over the canonical JSON of the digests of its documents, in hexadecimal. */
  readonly digest: string;
  /** Undefined where the policy is in force. */
  readonly deniesAll: DenyReason | undefined;
  /** Whether every label may leave, so that nobody needs to look which labels there are. */
  readonly permitsAllLabels: boolean;
  /** Whether a label may group and leave. */
  permitsLabel(name: string): boolean;
  /** Whether the documents name it among what may leave, or permit every label: it does not leave by the tables alone. */
  listsLabel(name: string): boolean;
  /** Whether it may stand in a matcher. */
  permitsMatch(name: string): boolean;
  /** What the most specific rules of all documents come to together. */
  ruleOf(metric: string): MetricRule;
  classOf(metric: string): EgressClass;
  operatorsOf(metric: string): ReadonlySet<AggregateOp>;
  /** The rules that could decide metrics whose names begin with `prefix`, whatever the domain holds. */
  rulesBelow(prefix: string): readonly MetricRule[];
  readonly limits: PolicyLimits;
  readonly admit: AdmitRules;
  /** The documents that it is made of. */
  readonly layers: readonly Layer[];
}

/** What a policy is made from; plain data, so that it can be posted to another thread. */
export interface PolicyTexts {
  readonly layers: readonly LayerText[];
  readonly domain: string;
  readonly domainLabel: string;
  readonly deniesAll?: DenyReason | undefined;
}

/**
 * The policy that documents make together: each is resolved for the metric or label at hand by itself, then the strictest of
 * what they say holds, field by field; defaults stand where all are silent. Throws `bad_config` naming layer, file and field
 * of what cannot be read; an unreadable policy never means "allow".
 */
export function openPolicy({ layers: texts, domain, domainLabel, deniesAll }: PolicyTexts): Policy {
  if (deniesAll !== undefined) return denyAll(domain, deniesAll, texts);
  if (texts.length === 0) throw new ComityError('bad_config', `domain ${domain}: a policy has at least one document`);
  return policyOf(
    inOrder(texts).map((text) => readLayer(text, { domain, domainLabel })),
    { domain, domainLabel },
  );
}

/** The policy of one local document. Throws `bad_config` naming the field at fault. */
export function parsePolicy(text: string, source: string, domain: string, domainLabel: string): Policy {
  return openPolicy({ layers: [{ layer: 'local', source, text }], domain, domainLabel });
}

/** The policy by which nothing leaves. `texts`: the documents that are not in force. */
export function denyAll(domain: string, why: DenyReason, texts: readonly LayerText[] = []): Policy {
  const sealed: MetricRule = { rule: 'default', class: 'sealed', operators: new Set(), minSeries: 1 };
  return {
    domain,
    // Another one than that of the same documents in force: whoever keeps answers by digest must not go on using them.
    digest: sha256(JSON.stringify({ denies_all: why, layers: digests(texts.map(withDigest)) })),
    deniesAll: why,
    permitsAllLabels: false,
    permitsLabel: () => false,
    listsLabel: () => false,
    permitsMatch: () => false,
    ruleOf: () => sealed,
    classOf: () => sealed.class,
    operatorsOf: () => sealed.operators,
    rulesBelow: () => [sealed],
    limits: NO_LIMITS,
    admit: NO_ADMIT_RULES,
    layers: [],
  };
}

/** No limits beyond those of the program. */
export const NO_LIMITS: PolicyLimits = { answerRows: Infinity, answerBytes: Infinity, bytesPerDay: Infinity };

/** Nothing beyond the tables. */
export const NO_ADMIT_RULES: AdmitRules = { prohibit: [], public: [], quasi: [], drop: [] };

/** The policy of documents that are read, at least one. */
function policyOf(
  layers: readonly Layer[],
  { domain, domainLabel }: { readonly domain: string; readonly domainLabel: string },
): Policy {
  const labels = metLabels(layers.map((layer) => layer.labels));
  const admit = metAdmit(layers);
  const useOf = labelUse(labels, domainLabel, { admit });
  const ruleOf = rememberByName((metric) => metRule(layers.map((layer) => layer.saysOf(metric))));
  return {
    domain,
    digest: sha256(JSON.stringify(digests(layers))),
    deniesAll: undefined,
    permitsAllLabels: labels.permit === 'all' && labels.deny.size === 0,
    permitsLabel: (name) => useOf(name).leaves,
    listsLabel: (name) => labels.permit === 'all' || labels.permit?.has(name) === true,
    permitsMatch: (name) => useOf(name).matches,
    ruleOf,
    classOf: (metric) => ruleOf(metric).class,
    operatorsOf: (metric) => ruleOf(metric).operators,
    // Selectors that spell out no metric ask this with few prefixes; a combination of documents takes time to work out.
    rulesBelow: rememberByName((prefix) => metBelow(layers, prefix)),
    limits: metLimits(layers),
    admit,
    layers,
  };
}

function metLimits(layers: readonly Layer[]): PolicyLimits {
  const least = (values: readonly (number | undefined)[]): number =>
    Math.min(Infinity, ...values.filter((value) => value !== undefined));
  const said = layers.map(({ document }) => document.limits ?? {});
  return {
    answerRows: least(said.map((limits) => limits.answer_rows)),
    answerBytes: least(said.map((limits) => limits.answer_bytes)),
    bytesPerDay: least(said.map((limits) => limits.bytes_per_day)),
  };
}

function metAdmit(layers: readonly Layer[]): AdmitRules {
  const said = layers.map(({ document }) => document.admit ?? {});
  const prohibit = new Set(said.flatMap((admit) => admit.prohibit ?? []));
  const lifted = (field: 'public' | 'quasi'): readonly string[] => {
    const lists = said.flatMap((admit) => (admit[field] === undefined ? [] : [new Set(admit[field])]));
    const all = lists.reduce((a, b) => a.intersection(b), lists[0] ?? new Set<string>());
    return [...all].filter((name) => !prohibit.has(name)).sort();
  };
  const drops = new Map(said.flatMap(({ drop = [] }) => drop.map((one) => [JSON.stringify(one), one] as const)));
  return {
    prohibit: [...prohibit].sort(),
    public: lifted('public'),
    quasi: lifted('quasi'),
    drop: [...drops].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, drop]) => drop),
  };
}

/** Documents of one layer keep their order; the first of several equally strict ones gives its name to a rule. */
function inOrder(texts: readonly LayerText[]): readonly LayerText[] {
  return texts.toSorted((a, b) => LAYER_NAMES.indexOf(a.layer) - LAYER_NAMES.indexOf(b.layer));
}

type Digested = Pick<Layer, 'layer' | 'digest'>;

function withDigest({ layer, text }: LayerText): Digested {
  return { layer, digest: sha256(text) };
}

/** Names in order, as canonical JSON has them (RFC 8785); the order of documents does not count. */
function digests(layers: readonly Digested[]): readonly object[] {
  return layers
    .map(({ layer, digest }) => ({ digest, layer }))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
