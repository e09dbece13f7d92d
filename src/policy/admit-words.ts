import type { AttributeRule } from './attribute-classes.ts';
import type { AttributeClass } from './attribute-table.ts';
import { prefixForm, wordForm } from './name-forms.ts';

/**
 * What a policy adds to the tables of attributes and labels, as keys (`demo.customer`), labels (`shop`) or, but for `public`,
 * all keys that begin so (`demo.*`). `prohibit` is stricter than any table; the others lift what no table knows.
 */
export interface AdmitWords {
  readonly prohibit: readonly string[];
  readonly public: readonly string[];
  readonly quasi: readonly string[];
}

export const NO_WORDS: AdmitWords = { prohibit: [], public: [], quasi: [] };

/** What the words of a policy say of a name; undefined where they say nothing. The entry is the policy's own word. */
export interface WordRules {
  prohibits(name: string): AttributeRule | undefined;
  /** Of an attribute by its exact key: what is lifted is what was meant. */
  liftsKey(key: string): AttributeRule | undefined;
  /** Of a label in any of its forms. */
  liftsLabel(label: string): AttributeRule | undefined;
}

export function wordRules(words: AdmitWords): WordRules {
  const prohibited = byForm(words.prohibit, 'prohibited');
  const lifted = [...byForm(words.quasi, 'quasi'), ...byForm(words.public, 'public')];
  return {
    prohibits: (name) => byLabel(prohibited, name),
    liftsKey: (key) =>
      lifted.find(({ word }) => (isPrefix(word) ? key.startsWith(word.slice(0, -1)) : key === word))?.rule,
    liftsLabel: (label) => byLabel(lifted, label),
  };
}

/** Whether a word stands for all keys that begin with it. */
export function isPrefix(word: string): boolean {
  return word.endsWith('.*');
}

interface FormRule {
  readonly word: string;
  /** Of a prefix with the underscore at its end. */
  readonly form: string;
  readonly rule: AttributeRule;
}

function byForm(words: readonly string[], kind: AttributeClass): FormRule[] {
  return words.map((word) => ({
    word,
    form: isPrefix(word) ? prefixForm(word.slice(0, -1)) : wordForm(word),
    rule: { class: kind, entry: word },
  }));
}

function byLabel(rules: readonly FormRule[], name: string): AttributeRule | undefined {
  if (rules.length === 0) return undefined;
  const whole = wordForm(name);
  const parts = prefixForm(name);
  return rules.find(({ word, form }) => (isPrefix(word) ? parts.startsWith(form) : whole === form))?.rule;
}
