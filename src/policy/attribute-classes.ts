import { ATTRIBUTES, type AttributeClass } from './attribute-table.ts';
import { prefixForm, wordForm } from './name-forms.ts';

/** What the table says of a key. */
export interface AttributeRule {
  readonly class: AttributeClass;
  /** The entry of the table that fits, such as `geo.*`; `unknown` where none does. Never a sender's word. */
  readonly entry: string;
}

/** The class of an attribute by its key in OpenTelemetry. A key that the table does not know is prohibited. */
export function attributeRule(key: string): AttributeRule {
  return EXACT.get(key) ?? byPrefix(key, PREFIXES) ?? UNKNOWN_ATTRIBUTE;
}

/**
 * The entry that a label of this name comes from, if any: `user.id` is written `user_id`, and some senders write `userId`.
 * Where several keys make one name, the strictest class counts.
 */
export function attributeRuleOfLabel(label: string): AttributeRule | undefined {
  return EXACT_FORMS.get(wordForm(label)) ?? byPrefix(prefixForm(label), PREFIX_FORMS);
}

/** What the table does not know. */
export const UNKNOWN_ATTRIBUTE: AttributeRule = { class: 'prohibited', entry: 'unknown' };

const STRICTNESS: readonly AttributeClass[] = ['public', 'quasi', 'subject', 'prohibited'];

const RULES: readonly AttributeRule[] = STRICTNESS.flatMap((kind) =>
  ATTRIBUTES[kind].map((entry) => ({ class: kind, entry })),
);

/** Later entries replace earlier ones, and the rules ascend in strictness. */
const EXACT = new Map(RULES.filter(isExact).map((rule) => [rule.entry, rule]));
const EXACT_FORMS = new Map(RULES.filter(isExact).map((rule) => [wordForm(rule.entry), rule]));
const PREFIXES = new Map(RULES.filter((rule) => !isExact(rule)).map((rule) => [prefixOf(rule), rule]));
const PREFIX_FORMS = new Map([...PREFIXES].map(([prefix, rule]) => [prefixForm(prefix), rule]));

const PREFIX_CHARS_MAX = longest(PREFIXES);
const FORM_CHARS_MAX = longest(PREFIX_FORMS);

function isExact(rule: AttributeRule): boolean {
  return !rule.entry.endsWith('.*');
}

/** With the dot at its end: `geo.*` is `geo.`. */
function prefixOf(rule: AttributeRule): string {
  return rule.entry.slice(0, -1);
}

/** The entry of the longest prefix; prefixes end where a word ends. */
function byPrefix(name: string, prefixes: ReadonlyMap<string, AttributeRule>): AttributeRule | undefined {
  const charsMax = prefixes === PREFIXES ? PREFIX_CHARS_MAX : FORM_CHARS_MAX;
  const separator = prefixes === PREFIXES ? '.' : '_';
  let at = name.lastIndexOf(separator, charsMax - 1);
  while (at > 0) {
    const rule = prefixes.get(name.slice(0, at + 1));
    if (rule !== undefined) return rule;
    at = name.lastIndexOf(separator, at - 1);
  }
  return undefined;
}

function longest(prefixes: ReadonlyMap<string, AttributeRule>): number {
  return Math.max(...[...prefixes.keys()].map((prefix) => prefix.length));
}
