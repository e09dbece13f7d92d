import { compareLabels, labelValue, type Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { labelTable } from './label-table.ts';
import { matchSeries, type LabelPostings } from './match-series.ts';

/** The label sets of a store by dense reference: the first set has reference 0, the next 1 and so on. */
export interface SeriesIndex {
  readonly size: number;
  /** The reference of a label set, or undefined. */
  find(labels: Labels): number | undefined;
  /** Adds a label set that is not in the index yet, strings it shares with others kept once; returns its reference. */
  insert(labels: Labels): number;
  labels(ref: number): Labels;
  /** References of the label sets that satisfy all matchers, in the order of `compareLabels`. Throws `bad_data`. */
  match(matchers: readonly Matcher[]): readonly number[];
}

/** Up to here sorting by label sets is cheaper than looking after the rank of every series. */
const SMALL_RESULT = 64;

export function seriesIndex(): SeriesIndex {
  const all: Labels[] = [];
  const table = labelTable(all);
  const names = new Map<string, string>();
  const postings: LabelPostings = new Map();
  const order = seriesOrder(all);

  return {
    get size() {
      return all.length;
    },
    find: (labels) => table.find(labels),
    insert(labels) {
      const ref = all.length;
      const kept: string[] = [];
      for (let i = 0; i < labels.length; i += 2) kept.push(...post(labels[i]!, labels[i + 1]!, ref));
      all.push(kept);
      table.insert(ref);
      return ref;
    },
    labels: (ref) => all[ref]!,
    match: (matchers) => order.sort(matchSeries(postings, all, matchers)),
  };

  /** Notes that a series has this label; returns the strings of the series that had it first, to be shared. */
  function post(name: string, value: string, ref: number): [string, string] {
    let values = postings.get(name);
    if (values === undefined) {
      values = new Map();
      postings.set(name, values);
      names.set(name, name);
    }
    const keptName = names.get(name)!;
    const refs = values.get(value);
    if (refs === undefined) {
      values.set(value, ref);
      return [keptName, value];
    }
    const first = typeof refs === 'number' ? refs : refs[0]!;
    if (typeof refs === 'number') values.set(value, [refs, ref]);
    else refs.push(ref);
    return [keptName, labelValue(all[first]!, name)];
  }
}

/**
 * Sorts references by their label sets. Comparing label sets is slow, so large results are sorted by ranks, which are
 * brought up to date when series have come: only the new ones are sorted, then merged.
 */
function seriesOrder(all: readonly Labels[]): { sort(refs: readonly number[]): readonly number[] } {
  const compare = (a: number, b: number): number => compareLabels(all[a]!, all[b]!);
  let sorted: number[] = [];
  let rank = new Uint32Array(0);

  function refresh(): void {
    const fresh: number[] = [];
    for (let ref = sorted.length; ref < all.length; ref++) fresh.push(ref);
    fresh.sort(compare);
    sorted = mergeSorted(sorted, fresh, compare);
    rank = new Uint32Array(sorted.length);
    for (let at = 0; at < sorted.length; at++) rank[sorted[at]!] = at;
  }

  return {
    sort(refs) {
      if (refs.length <= SMALL_RESULT) return [...refs].sort(compare);
      if (sorted.length < all.length) refresh();
      const ranks = new Uint32Array(refs.length);
      for (let i = 0; i < refs.length; i++) ranks[i] = rank[refs[i]!]!;
      ranks.sort();
      return Array.from(ranks, (at) => sorted[at]!);
    },
  };
}

/** Merges a few sorted items into many, with few comparisons: each new item's place is found by bisection. */
function mergeSorted(
  many: readonly number[],
  few: readonly number[],
  compare: (a: number, b: number) => number,
): number[] {
  const out: number[] = [];
  let from = 0;
  for (const item of few) {
    let low = from;
    let high = many.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(many[middle]!, item) < 0) low = middle + 1;
      else high = middle;
    }
    while (from < low) out.push(many[from++]!);
    out.push(item);
  }
  while (from < many.length) out.push(many[from++]!);
  return out;
}
