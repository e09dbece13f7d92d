import { createHash } from 'node:crypto';
import { RE2JS } from 're2js';
import { ComityError, messageOf } from '../base/errors.ts';
import { labelsFrom, type Labels } from './labels.ts';

export const RELABEL_ACTIONS = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;

export type RelabelAction = (typeof RELABEL_ACTIONS)[number];

/** A rule as Prometheus's `relabel_config` gives it; what is left out has Prometheus's default. */
export interface RelabelConfig {
  readonly action?: RelabelAction | undefined;
  readonly sourceLabels?: readonly string[] | undefined;
  /** Between the values of the source labels; `;`. */
  readonly separator?: string | undefined;
  /** RE2, anchored at both ends, and `.` matches newlines; `(.*)`. */
  readonly regex?: string | undefined;
  readonly modulus?: number | undefined;
  readonly targetLabel?: string | undefined;
  /** `$1`, `${1}` and `${name}` stand for groups of the match; `$1`. */
  readonly replacement?: string | undefined;
}

/** One compiled rule. It changes the labels, or says `false`: what carries them is dropped. */
export type RelabelRule = (labels: LabelEdits) => boolean;

/** Labels while rules work on them. An empty value is an absent label. */
export interface LabelEdits {
  get(name: string): string;
  set(name: string, value: string): void;
  /** All labels as they are now: those left of the first ones in their order, then the set ones in the order of setting. */
  pairs(): readonly (readonly [string, string])[];
  labels(): Labels;
}

/** Applies the rules in order; false when one of them drops. */
export function relabel(edits: LabelEdits, rules: readonly RelabelRule[]): boolean {
  return rules.every((rule) => rule(edits));
}

export function labelEdits(base: Labels = []): LabelEdits {
  const untouched = new Map<string, string>();
  for (let i = 0; i < base.length; i += 2) untouched.set(base[i]!, base[i + 1]!);
  const set = new Map<string, string>();
  const pairs = (): [string, string][] => [...untouched, ...set].filter(([, value]) => value !== '');
  return {
    get: (name) => set.get(name) ?? untouched.get(name) ?? '',
    set(name, value) {
      untouched.delete(name);
      if (value === '') set.delete(name);
      else set.set(name, value);
    },
    pairs,
    labels: () => labelsFrom(pairs()),
  };
}

/**
 * Compiles a rule. Behaves as Prometheus 3.15 (https://prometheus.io/docs/prometheus/latest/configuration/configuration/,
 * relabel_config), label names being any UTF-8. Throws `bad_config` that says what is wrong with the rule.
 */
export function relabelRule(config: RelabelConfig): RelabelRule {
  const { action = 'replace', sourceLabels = [], separator = ';', targetLabel = '', replacement = '$1' } = config;
  checkFields(action, config);
  const source = (labels: LabelEdits): string => sourceLabels.map((name) => labels.get(name)).join(separator);

  switch (action) {
    case 'keep':
    case 'drop': {
      const regex = compile(config.regex);
      const kept = action === 'keep';
      return (labels) => regex.test(source(labels)) === kept;
    }
    case 'keepequal':
      return (labels) => labels.get(targetLabel) === source(labels);
    case 'dropequal':
      return (labels) => labels.get(targetLabel) !== source(labels);
    case 'replace': {
      const regex = compile(config.regex);
      return always((labels) => {
        const expand = regex.match(source(labels));
        if (expand === undefined) return;
        const target = expand(targetLabel);
        if (isLabelName(target)) labels.set(target, expand(replacement));
      });
    }
    case 'lowercase':
      return always((labels) => labels.set(targetLabel, mapLetters(source(labels), lower)));
    case 'uppercase':
      return always((labels) => labels.set(targetLabel, mapLetters(source(labels), upper)));
    case 'hashmod': {
      const modulus = BigInt(config.modulus ?? 0);
      return always((labels) => labels.set(targetLabel, String(hash(source(labels)) % modulus)));
    }
    case 'labelmap': {
      const regex = compile(config.regex);
      return always((labels) => {
        for (const [name, value] of labels.pairs()) {
          const expand = regex.match(name);
          if (expand !== undefined) labels.set(expand(replacement), value);
        }
      });
    }
    case 'labeldrop':
    case 'labelkeep': {
      const regex = compile(config.regex);
      const dropped = action === 'labeldrop';
      return always((labels) => {
        for (const [name] of labels.pairs()) if (regex.test(name) === dropped) labels.set(name, '');
      });
    }
  }
}

function always(change: (labels: LabelEdits) => void): RelabelRule {
  return (labels) => {
    change(labels);
    return true;
  };
}

const NEEDS_TARGET: ReadonlySet<RelabelAction> = new Set([
  'replace',
  'hashmod',
  'lowercase',
  'uppercase',
  'keepequal',
  'dropequal',
]);

/** What Prometheus refuses too: fields that an action would not read are most likely meant for another one. */
function checkFields(action: RelabelAction, config: RelabelConfig): void {
  const refuse = (text: string): never => {
    throw new ComityError('bad_config', `${action}: ${text}`);
  };
  if (NEEDS_TARGET.has(action) && (config.targetLabel ?? '') === '') refuse('target_label is missing');
  if (action === 'hashmod') {
    if (!Number.isSafeInteger(config.modulus) || config.modulus! < 1) refuse('modulus must be a whole number above 0');
  }
  if (action === 'labelmap' && !isLabelName(config.replacement ?? '$1')) refuse('replacement is no label name');
  const targetOnly = action === 'lowercase' || action === 'uppercase';
  const equality = action === 'keepequal' || action === 'dropequal';
  const regexOnly = action === 'labeldrop' || action === 'labelkeep';
  const unread: [string, boolean][] = [
    ['replacement', (targetOnly || equality || regexOnly) && (config.replacement ?? '$1') !== '$1'],
    ['regex', equality && (config.regex ?? ANYTHING) !== ANYTHING],
    ['separator', (equality || regexOnly) && (config.separator ?? ';') !== ';'],
    ['modulus', (equality || regexOnly) && (config.modulus ?? 0) !== 0],
    ['source_labels', regexOnly && config.sourceLabels !== undefined],
    ['target_label', regexOnly && (config.targetLabel ?? '') !== ''],
  ];
  for (const [field, given] of unread) if (given) refuse(`${field} has no meaning here, leave it out`);
}

const ANYTHING = '(.*)';

function isLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed();
}

interface Regex {
  test(text: string): boolean;
  /** Expands templates from the match of `text`; undefined when there is none. */
  match(text: string): ((template: string) => string) | undefined;
}

function compile(pattern = ANYTHING): Regex {
  let compiled: RE2JS;
  try {
    // On its own first: `a)?(?:b` is valid only inside the anchoring group, and would break out of it.
    RE2JS.compile(pattern);
    compiled = RE2JS.compile(`^(?s:${pattern})$`);
  } catch (error) {
    const reason = messageOf(error);
    throw new ComityError('bad_config', `regex ${JSON.stringify(pattern)} is no RE2 regular expression: ${reason}`);
  }
  const names = compiled.namedGroups();
  return {
    test: (text) => compiled.matches(text),
    match(text) {
      const matcher = compiled.matcher(text);
      if (!matcher.find()) return undefined;
      const count = matcher.groupCount();
      return (template) =>
        expandTemplate(template, (name, index) => {
          const group = index ?? (Object.hasOwn(names, name) ? names[name]! : count + 1);
          return group <= count ? (matcher.group(group) ?? '') : '';
        });
    },
  };
}

/** `$$`, or a name after `$`, with or without braces. The name is as long as it can be: `$1x` is the group "1x". */
const VARIABLE = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;

/** Go's regexp.Expand. An unknown group is empty; a `$` that begins nothing stays. */
export function expandTemplate(template: string, group: (name: string, index: number | undefined) => string): string {
  if (!template.includes('$')) return template;
  return template.replace(VARIABLE, (_, braced: string | undefined, bare: string | undefined) => {
    const name = braced ?? bare;
    if (name === undefined) return '$';
    return group(name, /^(?:0|[1-9]\d{0,7})$/.test(name) ? Number(name) : undefined);
  });
}

/** Letter by letter, as Go does it: no letter becomes two, and none looks at its neighbours. */
function mapLetters(text: string, map: (char: string) => string): string {
  let out = '';
  for (const char of text) {
    const mapped = map(char);
    out += mapped.length === String.fromCodePoint(mapped.codePointAt(0)!).length ? mapped : char;
  }
  return out;
}

/** The dotted capital I: its lower case is two letters in JavaScript and one in Go. */
const lower = (char: string): string => (char === '\u0130' ? 'i' : char.toLowerCase());

const upper = (char: string): string => char.toUpperCase();

/** The last eight bytes of the MD5 sum, as Prometheus takes them; it must split targets between shards as theirs does. */
function hash(text: string): bigint {
  return createHash('md5').update(text).digest().readBigUInt64BE(8);
}
