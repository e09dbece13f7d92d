import { isPrefix, type AdmitWords } from './admit-words.ts';
import { attributeRule, UNKNOWN_ATTRIBUTE } from './attribute-classes.ts';
import { ATTRIBUTES } from './attribute-table.ts';
import { LABELS, labelRules } from './label-classes.ts';
import { prefixForm, wordForm } from './name-forms.ts';

/** Where the words of a policy are at fault, and why. */
export interface AdmitFault {
  /** Such as `/prohibit/0`. */
  readonly field: string;
  readonly fault: string;
}

/**
 * The first word that a policy may not say. `domainLabel` names the domain and stays as it is, as all that is structure does;
 * what a table knows is lifted by no policy.
 */
export function checkAdmitWords(words: AdmitWords, domainLabel: string): AdmitFault | undefined {
  const ruleOf = labelRules(domainLabel);
  for (const list of ['prohibit', 'public', 'quasi'] as const) {
    for (const [i, word] of words[list].entries()) {
      const fault =
        formFault(list, word) ?? (list === 'prohibit' ? stays(word, ruleOf) : liftFault(list, word, ruleOf));
      if (fault !== undefined) return { field: `/${list}/${i}`, fault };
    }
  }
  return undefined;
}

/** Attributes without which nobody knows whose a span is. */
const PRODUCER_KEYS: ReadonlySet<string> = new Set(['service.name', 'service.namespace', 'service.instance.id']);

type RuleOf = ReturnType<typeof labelRules>;

function formFault(list: keyof AdmitWords, word: string): string | undefined {
  if (isPrefix(word)) {
    if (list === 'public') return `${shown(word)} is a prefix; write public keys out one by one`;
    if (wordForm(word) === '') return `${shown(word)} means every key; name what is meant`;
    return word.slice(0, -2).includes('*') ? `${shown(word)} is no key: * stands only behind the last dot` : undefined;
  }
  if (word.includes('*')) return `${shown(word)} is no key: * stands only behind the last dot`;
  return wordForm(word) === '' ? `${shown(word)} has no letter or digit to compare names by` : undefined;
}

function stays(word: string, ruleOf: RuleOf): string | undefined {
  const { class: kind, entry } = ruleOf(word, '');
  const isStructure = kind === 'structural' || entry === 'instance';
  if (isStructure)
    return `${shown(word)} is part of what every series is and stays; deny it under labels to keep it in`;
  const producer = [...PRODUCER_KEYS].find(
    (key) => key === word || (isPrefix(word) && key.startsWith(word.slice(0, -1))),
  );
  return producer === undefined ? undefined : `${producer} names the producer of spans and metrics and stays`;
}

function liftFault(list: 'public' | 'quasi', word: string, ruleOf: RuleOf): string | undefined {
  if (isPrefix(word)) {
    const form = prefixForm(word.slice(0, -1));
    const known = KNOWN.find((entry) => prefixForm(entry).startsWith(form) || form.startsWith(ownPrefix(entry)));
    return known === undefined ? undefined : `${shown(word)} meets ${known}, which has its class already`;
  }
  const label = ruleOf(word, '').class;
  const attribute = attributeRule(word);
  const kind = label === 'local' && attribute.entry !== UNKNOWN_ATTRIBUTE.entry ? attribute.class : label;
  // Whoever writes down what the table says already does no harm.
  if (kind === 'local' || kind === list) return undefined;
  return `${shown(word)} is ${kind} by the table, and a policy lifts only what the table does not know`;
}

const KNOWN: readonly string[] = [...Object.values(ATTRIBUTES).flat(), ...Object.values(LABELS).flat()];

/** Of `geo.*` the beginning that its keys share; of a key that is written out nothing begins so. */
function ownPrefix(entry: string): string {
  return isPrefix(entry) ? prefixForm(entry.slice(0, -1)) : '\0';
}

function shown(word: string): string {
  return JSON.stringify(word.length > SHOWN_CHARS ? `${word.slice(0, SHOWN_CHARS)}…` : word);
}

const SHOWN_CHARS = 64;
