import { ComityError } from '../base/errors.ts';
import type { AdmitWords } from './admit-words.ts';
import { labelRules, type LabelClass } from './label-classes.ts';
import { rememberByName, wordForm } from './name-forms.ts';
import type { PolicyDocument } from './policy-schema.ts';

/** Labels that carry structure rather than information about anyone; they may always leave. */
const STRUCTURAL_LABELS: ReadonlySet<string> = new Set(['__name__', 'le', 'quantile', 'job']);

/** In `labels.permit`: every label. */
const EVERY_LABEL = '*';

/** What a policy says of ingest. Names are those of attributes or of labels. */
export interface AdmitRules {
  readonly prohibit: readonly string[];
  readonly public: readonly string[];
  readonly quasi: readonly string[];
  readonly drop: readonly { readonly metrics: string; readonly labels: readonly string[] }[];
}

/** The words that a document says itself of admission. */
export function admitWords(admit: PolicyDocument['admit']): AdmitWords {
  const { prohibit = [], public: open = [], quasi = [] } = admit ?? {};
  return { prohibit, public: open, quasi };
}

/** What one document, or several together, say of labels; undefined is silence. */
export interface LabelsSaid {
  readonly permit: ReadonlySet<string> | 'all' | undefined;
  readonly match: ReadonlySet<string> | undefined;
  /** Forms of the names that may leave if some document makes them public: of those without a list, any. */
  readonly lifts: ReadonlySet<string> | undefined;
  /** Names, and the forms in which names that mean the same are equal. */
  readonly deny: ReadonlySet<string>;
}

/** What a label may be used for. */
export interface LabelUse {
  readonly leaves: boolean;
  readonly matches: boolean;
}

/** What a document says of labels. Throws `bad_config` naming the field at fault. */
export function labelsSaid({ labels, admit }: PolicyDocument, domainLabel: string, source: string): LabelsSaid {
  const { permit, match, deny = [] } = labels ?? {};
  const permits = permit?.includes(EVERY_LABEL) ? 'all' : permit;
  const ruleOf = admit === undefined ? tableRules(domainLabel) : labelRules(domainLabel, admitWords(admit));
  const assertListable = (names: readonly string[] | undefined, field: 'permit' | 'match'): void => {
    for (const [i, name] of (names ?? []).entries()) {
      const place = `${source}: /labels/${field}/${i}: ${JSON.stringify(name)}`;
      if (name === EVERY_LABEL && field === 'permit') continue;
      assertNoPattern(name, place, field);
      const kind = ruleOf(name, '').class;
      if (isHidden(kind)) throw new ComityError('bad_config', `${place} ${HIDDEN_WORDS[kind]}`);
    }
  };
  assertListable(permit, 'permit');
  assertListable(match, 'match');
  for (const [i, name] of deny.entries()) {
    const place = `${source}: /labels/deny/${i}: ${JSON.stringify(name)}`;
    assertNoPattern(name, place, 'deny');
    if (!isStructural(name, domainLabel)) continue;
    throw new ComityError('bad_config', `${place} is part of what every series is, and cannot be denied`);
  }
  return {
    permit: permits === 'all' ? 'all' : permits && new Set(permits),
    match: match && new Set(match),
    // What the document itself makes public, it permits.
    lifts: permits === 'all' ? undefined : permits && new Set([...permits, ...(admit?.public ?? [])].map(wordForm)),
    deny: new Set(deny.flatMap((name) => [name, wordForm(name)])),
  };
}

/** What documents say together: lists of what is permitted intersect, denials add up. */
export function metLabels(all: readonly LabelsSaid[]): LabelsSaid {
  return all.reduce((a, b) => ({
    permit: metPermit(a.permit, b.permit),
    match: metSets(a.match, b.match),
    lifts: metSets(a.lifts, b.lifts),
    deny: a.deny.union(b.deny),
  }));
}

/**
 * The use of each label. Structural labels and those of class public need no list; others leave where every list has them,
 * and there is one. A quasi-identifying label matches only where it is listed for that: matching tells of one by one.
 */
export function labelUse(
  { permit, match, lifts, deny }: LabelsSaid,
  domainLabel: string,
  { admit }: { readonly admit: AdmitRules },
): (name: string) => LabelUse {
  const tableRuleOf = tableRules(domainLabel);
  const hasWords = admit.prohibit.length + admit.public.length + admit.quasi.length > 0;
  const ruleOf = hasWords ? labelRules(domainLabel, admit) : tableRuleOf;
  return rememberByName((name): LabelUse => {
    if (isStructural(name, domainLabel)) return FREE;
    if (deny.has(name) || deny.has(wordForm(name))) return KEPT;
    const kind = ruleOf(name, '').class;
    if (kind === 'public') {
      // Made public by one document, it leaves where no other has a list without it.
      const isFree = tableRuleOf(name, '').class === 'public' || lifts === undefined || lifts.has(wordForm(name));
      return isFree ? FREE : KEPT;
    }
    const leaves = permit === 'all' || permit?.has(name) === true;
    if (!leaves) return KEPT;
    if (kind === 'local') return FREE;
    return { leaves, matches: match === undefined ? permit === 'all' : match.has(name) };
  });
}

/** Of the tables alone; they remember what they have looked up, and there is one domain label at a time. */
function tableRules(domainLabel: string): ReturnType<typeof labelRules> {
  if (tables?.domainLabel !== domainLabel) tables = { domainLabel, ruleOf: labelRules(domainLabel) };
  return tables.ruleOf;
}

let tables: { readonly domainLabel: string; readonly ruleOf: ReturnType<typeof labelRules> } | undefined;

const FREE: LabelUse = { leaves: true, matches: true };
const KEPT: LabelUse = { leaves: false, matches: false };

const HIDDEN_WORDS: Readonly<Record<'subject' | 'prohibited', string>> = {
  subject: 'names a person, so that its pseudonyms are counted at most and never leave',
  prohibited: 'is prohibited: what is stored are pseudonyms, which say nothing to anybody and never leave',
};

function isHidden(kind: LabelClass): kind is keyof typeof HIDDEN_WORDS {
  return kind === 'subject' || kind === 'prohibited';
}

function isStructural(name: string, domainLabel: string): boolean {
  return STRUCTURAL_LABELS.has(name) || name === domainLabel;
}

/** A pattern would silently permit or deny nothing. */
function assertNoPattern(name: string, place: string, field: string): void {
  if (!name.includes('*')) return;
  const also = field === 'permit' ? ', or write "*" alone for all of them' : '';
  throw new ComityError('bad_config', `${place} is no label; name each label${also}`);
}

function metSets(
  a: ReadonlySet<string> | undefined,
  b: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  return a === undefined || b === undefined ? (a ?? b) : a.intersection(b);
}

function metPermit(a: LabelsSaid['permit'], b: LabelsSaid['permit']): LabelsSaid['permit'] {
  if (a === undefined || a === 'all') return b ?? a;
  return b === undefined || b === 'all' ? a : metSets(a, b);
}
