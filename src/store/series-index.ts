import { compareLabels, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { labelTable, sameLabels } from './label-table.ts';
import { matchSeries, type LabelPostings } from './match-series.ts';

/** The label sets of a store by dense reference: the first set has reference 0, the next 1 and so on. */
export interface SeriesIndex {
  readonly size: number;
  /** The reference of a label set, or undefined. */
  find(labels: Labels): number | undefined;
  /** Whether `labels` are those of a reference, which need not be one. No string is looked at in those taken over. */
  isAt(ref: number, labels: Labels): boolean;
  /** Adds a label set that is not in the index yet, takes it over and returns its reference. */
  insert(labels: Labels): number;
  /**
   * Makes the index hold this very array, which is equal to the one at `ref`, unless it is frozen. Its strings are replaced
   * by the equal ones that other label sets hold already, so that each is kept once.
   */
  takeOver(ref: number, labels: Labels): void;
  /** Takes out the newest label sets, down to `size`; nobody may have read the index since they came. */
  truncate(size: number): void;
  labels(ref: number): Labels;
  /** How many label sets have this metric name. */
  metricSize(metric: string): number;
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
    isAt(ref, labels) {
      const known = all[ref];
      return known === labels || (known !== undefined && sameLabels(known, labels));
    },
    insert(labels) {
      const ref = all.length;
      const kept: string[] = [];
      for (let i = 0; i < labels.length; i += 2) post(labels[i]!, labels[i + 1]!, ref, kept);
      all.push(kept);
      table.insert(ref);
      takeOver(ref, labels);
      return ref;
    },
    takeOver,
    truncate(size) {
      for (let ref = all.length - 1; ref >= size; ref--) {
        const labels = all[ref]!;
        table.remove(ref);
        for (let i = 0; i < labels.length; i += 2) unpost(labels[i]!, labels[i + 1]!);
        all.pop();
      }
    },
    labels: (ref) => all[ref]!,
    metricSize(metric) {
      const refs = postings.get(METRIC_NAME)?.get(metric);
      return refs === undefined ? 0 : typeof refs === 'number' ? 1 : refs.length;
    },
    match: (matchers) => order.sort(matchSeries(postings, all, matchers)),
  };

  function takeOver(ref: number, labels: Labels): void {
    if (Object.isFrozen(labels)) return;
    const kept = all[ref]!;
    const own = labels as string[];
    for (let i = 0; i < kept.length; i++) own[i] = kept[i]!;
    all[ref] = own;
  }

  /** Notes that a series has this label; adds the strings of the series that had it first to `kept`. */
  function post(name: string, value: string, ref: number, kept: string[]): void {
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
      kept.push(keptName, value);
      return;
    }
    const first = typeof refs === 'number' ? refs : refs[0]!;
    if (typeof refs === 'number') values.set(value, [refs, ref]);
    else refs.push(ref);
    kept.push(keptName, labelValue(all[first]!, name));
  }

  /** Takes the newest series with this label out of the postings. */
  function unpost(name: string, value: string): void {
    const values = postings.get(name)!;
    const refs = values.get(value)!;
    if (typeof refs === 'number') values.delete(value);
    else if (refs.length === 1) values.delete(value);
    else refs.pop();
    if (values.size > 0) return;
    postings.delete(name);
    names.delete(name);
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
