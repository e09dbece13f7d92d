import type { Matcher } from '../../model/matcher.ts';
import { nameOfPair, valueCount, type LabelPairs } from './label-pairs.ts';
import type { LabelSets } from './label-sets.ts';
import { intersect, marked, subtract, withMark } from './ref-lists.ts';
import { markRun, runCount, sortedRun, type Runs } from './runs.ts';
import { selectedPairs, selectionOf, type Selection } from './selection.ts';

/** What matching reads. */
export interface Indexed {
  readonly labels: LabelPairs;
  readonly sets: LabelSets;
  /** By pair: the references of the series that have it. */
  readonly postings: Runs;
}

/**
 * The references of the series that satisfy all matchers, ascending, in an array that nobody else writes to. An absent
 * label counts as the empty string, so `foo=""` and `foo!="x"` match series without foo. Throws `bad_data` for a regular
 * expression that is not RE2, and `limit` for one that costs too much.
 */
export function matchSeries(indexed: Indexed, matchers: readonly Matcher[]): Uint32Array {
  const { labels, sets } = indexed;
  const selections = matchers.map((matcher) => selectionOf(labels, matcher));
  const costs = new Map(selections.map((selection) => [selection, costOf(indexed, selection)]));
  selections.sort((a, b) => costs.get(a)! - costs.get(b)!);
  // One that keeps series without its label does not say where to begin, whatever it costs.
  const first = selections.find(({ keepsAbsent }) => !keepsAbsent);
  const start = first === undefined ? allRefs(sets) : refsWith(indexed, selectedPairs(labels, first));
  let refs = start;
  for (const selection of selections) {
    if (refs.length === 0) break;
    if (selection !== first) refs = narrow(indexed, refs, selection);
  }
  // What nothing was taken from may be a part of the postings, which change in place.
  return refs === start && first !== undefined ? refs.slice() : refs;
}

/** Values that are looked at cost as much as this many references that are read. */
const VALUE_COST = 64;

function costOf({ labels, postings }: Indexed, { name, pairs }: Selection): number {
  return pairs === undefined ? valueCount(labels, name) * VALUE_COST : countOf(postings, pairs);
}

function countOf(postings: Runs, pairs: readonly number[]): number {
  let count = 0;
  for (const pair of pairs) count += runCount(postings, pair);
  return count;
}

function allRefs({ starts, size, refsEnd }: LabelSets): Uint32Array {
  const refs = new Uint32Array(size);
  let to = 0;
  for (let ref = 0; ref < refsEnd; ref++) if (starts[ref] !== 0) refs[to++] = ref;
  return refs;
}

/** The references of the series that have one of the pairs, ascending. May be a part of the postings. */
function refsWith({ postings, sets }: Indexed, pairs: readonly number[]): Uint32Array {
  if (pairs.length === 1) return sortedRun(postings, pairs[0]!);
  const count = countOf(postings, pairs);
  if (count * FEW < sets.refsEnd) return sortedUnion(postings, pairs, count);
  return marked(marksOf(postings, pairs, sets.refsEnd), count);
}

/** Sorting a reference costs about as much as looking through the marks of this many. */
const FEW = 64;

/** Pairs of one name have no series in common. */
function sortedUnion(postings: Runs, pairs: readonly number[], count: number): Uint32Array {
  const refs = new Uint32Array(count);
  let to = 0;
  for (const pair of pairs) {
    const some = sortedRun(postings, pair);
    refs.set(some, to);
    to += some.length;
  }
  return refs.sort();
}

/** A bit a reference, set where the series has one of the pairs. */
function marksOf(postings: Runs, pairs: readonly number[], refsEnd: number): Uint32Array {
  const marks = new Uint32Array((refsEnd + 31) >>> 5);
  for (const pair of pairs) markRun(postings, pair, marks);
  return marks;
}

/** Of ascending references those whose series satisfy the selection. */
function narrow(indexed: Indexed, refs: Uint32Array, selection: Selection): Uint32Array {
  const { labels, postings, sets } = indexed;
  const { name, keepsAbsent } = selection;
  const valuesOfName = valueCount(labels, name);
  if (selection.pairs === undefined && refs.length <= valuesOfName) return narrowOneByOne(indexed, refs, selection);
  const pairs = selectedPairs(labels, selection);
  if (pairs.length === 0) return keepsAbsent ? refs : new Uint32Array(0);
  if (pairs.length === 1) {
    const list = sortedRun(postings, pairs[0]!);
    return keepsAbsent ? subtract(refs, list) : intersect(refs, list);
  }
  const count = countOf(postings, pairs);
  if (count > refs.length * MANY) return narrowOneByOne(indexed, refs, { ...selection, ...among(pairs) });
  if (!keepsAbsent && count * MANY < refs.length) return intersect(refs, sortedUnion(postings, pairs, count));
  const marks = marksOf(postings, pairs, sets.refsEnd);
  return withMark(refs, marks, keepsAbsent ? 0 : 1);
}

/** Finding the label of a series costs as much as marking this many references. */
const MANY = 16;

function among(pairs: readonly number[]): Pick<Selection, 'selects'> {
  const all = new Set(pairs);
  return { selects: (pair) => all.has(pair) };
}

/** Looks at the label of each series; every value is asked about once. */
function narrowOneByOne({ labels, sets }: Indexed, refs: Uint32Array, selection: Selection): Uint32Array {
  const { name, keepsAbsent } = selection;
  const { places } = labels;
  const { words, starts } = sets;
  /** By place among the name's pairs: 0 while it is not known, 1 selected, 2 not. */
  const verdicts = new Uint8Array(valueCount(labels, name));
  const out = new Uint32Array(refs.length);
  let to = 0;
  // Series often have a label at the place where the one before had it.
  let guess = 0;
  for (const ref of refs) {
    const start = starts[ref]!;
    const count = words[start]!;
    if (guess >= count || nameOfPair(labels, words[start + 1 + guess]!) !== name) {
      guess = 0;
      while (guess < count && nameOfPair(labels, words[start + 1 + guess]!) !== name) guess++;
    }
    if (guess >= count) {
      if (keepsAbsent) out[to++] = ref;
      continue;
    }
    const pair = words[start + 1 + guess]!;
    let verdict = verdicts[places[pair]!]!;
    if (verdict === 0) {
      verdict = selection.selects(pair) ? 1 : 2;
      verdicts[places[pair]!] = verdict;
    }
    if ((verdict === 1) !== keepsAbsent) out[to++] = ref;
  }
  return out.subarray(0, to);
}
