import { literalAlternatives, matcherTest, type Matcher } from '../../model/matcher.ts';
import { findName, findPair, pairsOfName, type LabelPairs } from './label-pairs.ts';
import { patternBranches, type Branch } from './pattern.ts';
import { NO_ID } from './text-table.ts';

/**
 * A matcher as a choice among the values of its label: it selects those on which its verdict is not the one on a series
 * without the label. So a matcher that the empty string satisfies removes the series of the selected values, and any other
 * keeps no series but those.
 */
export interface Selection {
  /** The label's name, or `NO_ID` when no series has it. */
  readonly name: number;
  readonly keepsAbsent: boolean;
  /** The pairs that are selected, when no value has to be looked at to know them. */
  readonly pairs: readonly number[] | undefined;
  /** Whether the value of a pair is selected. To be asked once a pair, because regular expressions are metered. */
  selects(pair: number): boolean;
  /** Beginnings that every selected value has one of. */
  readonly branches: readonly Branch[] | undefined;
}

/** Throws `bad_data` for a regular expression that is not RE2, and `limit` for one that costs too much. */
export function selectionOf(labels: LabelPairs, matcher: Matcher): Selection {
  const test = matcherTest(matcher);
  const keepsAbsent = test('');
  const name = findName(labels, matcher.name);
  const branches = branchesOf(matcher, keepsAbsent);
  const { texts } = labels.values;
  const known = branches !== undefined && branches.length <= BRANCHES_TRIED ? branches : undefined;
  return {
    name,
    keepsAbsent,
    branches,
    pairs: name === NO_ID ? [] : pairsOf(labels, name, branches),
    selects(pair) {
      const text = texts[pair]!;
      if (known === undefined) return test(text) !== keepsAbsent;
      let tested = false;
      for (const branch of known) {
        const verdict = verdictOf(branch, text);
        if (verdict === true) return true;
        tested ||= verdict === undefined;
      }
      return tested && test(text) !== keepsAbsent;
    },
  };
}

/** The pairs that are selected, each once. */
export function selectedPairs(labels: LabelPairs, selection: Selection): readonly number[] {
  const { name, branches } = selection;
  if (selection.pairs !== undefined) return selection.pairs;
  const all = pairsOfName(labels, name);
  const few = branches !== undefined && branches.length <= BRANCHES_TRIED ? branches : undefined;
  if (all.length <= SCANNED_MAX || few === undefined || few.some(({ text }) => text === ''))
    return chosen(all, selection, []);
  const pairs: number[] = [];
  for (const { text, rest } of distinctRanges(few)) {
    if (rest !== 'nothing') chosen(labels.sorted.withPrefix(name, text, all), selection, pairs);
    else {
      const pair = findPair(labels, name, text);
      if (pair !== NO_ID) pairs.push(pair);
    }
  }
  return pairs;
}

/** Up to here every value is compared with the prefixes; keeping an order of the values would cost more. */
const SCANNED_MAX = 1_000;

/** Beginnings that a value is compared with, before running the expression is as cheap. */
const BRANCHES_TRIED = 16;

function branchesOf({ op, value }: Matcher, keepsAbsent: boolean): readonly Branch[] | undefined {
  switch (op) {
    case '=':
    case '!=':
      return value === '' ? NOT_EMPTY : [{ text: value, rest: 'nothing' }];
    case '=~':
    case '!~': {
      const matchesEmpty = keepsAbsent === (op === '=~');
      const branches = alternatives(value) ?? patternBranches(value);
      if (!matchesEmpty) return branches;
      // Those that do not match are selected, of which only `.*` tells anything: there are none.
      return branches?.some(({ text, rest }) => text === '' && rest === 'anything') ? [] : undefined;
    }
  }
}

const NOT_EMPTY: readonly Branch[] = [{ text: '', rest: 'something' }];

function alternatives(pattern: string): readonly Branch[] | undefined {
  return literalAlternatives(pattern)?.map((text): Branch => ({ text, rest: 'nothing' }));
}

/** The pairs of branches that are whole values, if all are. */
function pairsOf(
  labels: LabelPairs,
  name: number,
  branches: readonly Branch[] | undefined,
): readonly number[] | undefined {
  if (branches === undefined || branches.some(({ rest }) => rest !== 'nothing')) return undefined;
  const pairs = new Set<number>();
  for (const { text } of branches) {
    const pair = findPair(labels, name, text);
    if (pair !== NO_ID) pairs.add(pair);
  }
  return [...pairs];
}

/** Whether the branch holds the text; undefined when only the expression can tell. */
function verdictOf({ text, rest }: Branch, value: string): boolean | undefined {
  if (rest === 'nothing') return value === text;
  if (!value.startsWith(text)) return false;
  if (rest === 'unknown') return undefined;
  return rest === 'anything' || value.length > text.length;
}

function chosen(pairs: Uint32Array, selection: Selection, out: number[]): number[] {
  for (const pair of pairs) if (selection.selects(pair)) out.push(pair);
  return out;
}

/** The branches without those whose values all begin with another's text, so that no value is met twice. */
function distinctRanges(branches: readonly Branch[]): readonly Branch[] {
  // What begins with a text comes right after it in this order.
  const sorted = branches.toSorted((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : order(a) - order(b)));
  const kept: Branch[] = [];
  for (const branch of sorted) {
    const last = kept.at(-1);
    const covered =
      last !== undefined && (last.rest === 'nothing' ? branch.text === last.text : branch.text.startsWith(last.text));
    if (!covered) kept.push(branch);
  }
  return kept;
}

function order({ rest }: Branch): number {
  return rest === 'nothing' ? 1 : 0;
}
