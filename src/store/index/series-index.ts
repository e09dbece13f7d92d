import { METRIC_NAME, type Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { roomIn } from './capacity.ts';
import {
  addName,
  addPair,
  findName,
  findPair,
  labelPairs,
  labelPairsBytes,
  nameOfPair,
  pairsOfName,
  removePair,
} from './label-pairs.ts';
import { addSet, findSet, hasSet, labelSets, labelSetsBytes, removeSet } from './label-sets.ts';
import { labelCache } from './label-cache.ts';
import { matchSeries } from './match.ts';
import { removePostings } from './remove-postings.ts';
import { addToRun, runCount, runLists, runsBytes } from './runs.ts';
import { NEW, storedLabels } from './stored-labels.ts';
import { NO_ID } from './text-table.ts';

/**
 * The label sets of a store. A set has a reference, a place in columns, which is used again once the set is gone.
 *
 * Nothing is an object of its own but the strings: a label is a pair of a name and a value with a dense id, a label set a
 * list of ids in one array, and the references of the series with a label a list in another.
 */
export interface SeriesIndex {
  readonly size: number;
  /** One more than the highest reference that is or was in use. */
  readonly refsEnd: number;
  /** The reference of a label set, or undefined. */
  find(labels: Labels): number | undefined;
  /** Adds a label set that is not in the index yet; returns its reference: a free one or `refsEnd`. */
  insert(labels: Labels): number;
  /**
   * Adds a label set from its stored text, the JSON array of its names and values without spaces. Undefined, and nothing
   * is changed, when the bytes are no such array, the names are not ascending, or the label set is in the index already.
   */
  insertStored(json: Uint8Array): number | undefined;
  /**
   * Takes label sets out, if they are there. What no other has of their labels is gone with them, and their references
   * are free.
   */
  remove(refs: readonly number[]): void;
  has(ref: number): boolean;
  /** The label set of a reference in use. Arrays are made on demand, and the same ones given out again for a while. */
  labels(ref: number): Labels;
  /** The value of a label of a reference in use; the empty string when it does not have the label. */
  value(ref: number, name: string): string;
  /** How many label sets have this metric name. */
  metricSize(metric: string): number;
  /**
   * References of the label sets that satisfy all matchers, ascending, in an array that is not written again. Throws
   * `bad_data` for a regular expression that is not RE2, and `limit` for one that costs too much.
   */
  match(matchers: readonly Matcher[]): Uint32Array;
  /** All label names. The index must not change while they are read. */
  names(): Iterable<string>;
  /** The values that label sets have for a name. The index must not change while they are read. */
  values(name: string): Iterable<string>;
  /** About what the index takes in memory. */
  readonly bytes: number;
}

export function seriesIndex(): SeriesIndex {
  const labels = labelPairs();
  const sets = labelSets();
  const postings = runLists();
  const stored = storedLabels(labels);
  const cache = labelCache();
  const { texts: names } = labels.names;
  const { texts: values } = labels.values;
  /** The pairs of the label set that was looked for last, by place. The next one often has some of them. */
  let wanted: Uint32Array = new Uint32Array(16);
  /** The name that `value` was asked for last. */
  let asked = { text: '', id: NO_ID };

  /** The id of the name at a place: mostly the one that was there before. */
  function nameId(name: string, place: number): number {
    const guess = nameOfPair(labels, wanted[place]!);
    return names[guess] === name ? guess : findName(labels, name);
  }

  function addPosting(ref: number, pairs: Uint32Array, count: number): void {
    for (let i = 0; i < count; i++) addToRun(postings, pairs[i]!, ref);
  }

  return {
    get size() {
      return sets.size;
    },
    get refsEnd() {
      return sets.refsEnd;
    },
    find(set) {
      const count = set.length >>> 1;
      wanted = roomIn(wanted, count);
      for (let i = 0; i < count; i++) {
        const value = set[i * 2 + 1]!;
        const name = nameId(set[i * 2]!, i);
        if (name === NO_ID) return undefined;
        const guess = wanted[i]!;
        if (nameOfPair(labels, guess) === name && values[guess] === value) continue;
        const pair = findPair(labels, name, value);
        if (pair === NO_ID) return undefined;
        wanted[i] = pair;
      }
      const ref = findSet(sets, wanted, count);
      return ref === NO_ID ? undefined : ref;
    },
    insert(set) {
      const count = set.length >>> 1;
      wanted = roomIn(wanted, count);
      for (let i = 0; i < count; i++) {
        const text = set[i * 2]!;
        let name = nameId(text, i);
        if (name === NO_ID) name = addName(labels, text);
        let pair = findPair(labels, name, set[i * 2 + 1]!);
        if (pair === NO_ID) pair = addPair(labels, name, set[i * 2 + 1]!);
        wanted[i] = pair;
      }
      const ref = addSet(sets, wanted, count);
      addPosting(ref, wanted, count);
      return ref;
    },
    insertStored(json) {
      const fresh = stored.read(json);
      if (fresh === undefined) return undefined;
      const { pairs, count } = stored;
      if (fresh === 0 && findSet(sets, pairs, count) !== NO_ID) return undefined;
      for (let place = 0, left = fresh; left > 0; place++) {
        if (pairs[place] !== NEW) continue;
        let name = stored.nameIdAt(place);
        if (name === NO_ID) name = addName(labels, stored.nameAt(place));
        pairs[place] = addPair(labels, name, stored.valueAt(place));
        left--;
      }
      const ref = addSet(sets, pairs, count);
      addPosting(ref, pairs, count);
      stored.keep();
      return ref;
    },
    remove(refs) {
      const gone = [...new Set(refs)].filter((ref) => hasSet(sets, ref));
      // Neither may hold on to a text that goes with its last series.
      stored.clear();
      for (const ref of gone) cache.drop(ref);
      for (const pair of removePostings(sets, postings, gone)) removePair(labels, pair);
      for (const ref of gone) removeSet(sets, ref);
      asked = { text: '', id: NO_ID };
    },
    has: (ref) => hasSet(sets, ref),
    labels(ref) {
      const known = cache.get(ref);
      if (known !== undefined) return known;
      const start = sets.starts[ref]!;
      const end = start + 1 + sets.words[start]!;
      const set: string[] = [];
      for (let at = start + 1; at < end; at++) {
        const pair = sets.words[at]!;
        set.push(names[nameOfPair(labels, pair)]!, values[pair]!);
      }
      cache.set(ref, set);
      return set;
    },
    value(ref, name) {
      if (asked.text !== name || asked.id === NO_ID) asked = { text: name, id: findName(labels, name) };
      if (asked.id === NO_ID) return '';
      const start = sets.starts[ref]!;
      const end = start + 1 + sets.words[start]!;
      for (let at = start + 1; at < end; at++) {
        const pair = sets.words[at]!;
        if (nameOfPair(labels, pair) === asked.id) return values[pair]!;
      }
      return '';
    },
    metricSize(metric) {
      const name = findName(labels, METRIC_NAME);
      const pair = name === NO_ID ? NO_ID : findPair(labels, name, metric);
      return pair === NO_ID ? 0 : runCount(postings, pair);
    },
    match: (matchers) => matchSeries({ labels, sets, postings }, matchers),
    *names() {
      for (const name of pairsOfAllNames()) yield names[name]!;
    },
    *values(name) {
      const id = findName(labels, name);
      if (id !== NO_ID) for (const pair of pairsOfName(labels, id)) yield values[pair]!;
    },
    get bytes() {
      return labelPairsBytes(labels) + labelSetsBytes(sets) + runsBytes(postings) + cache.bytes;
    },
  };

  function* pairsOfAllNames(): Iterable<number> {
    for (let name = 0; name < names.length; name++) if (runCount(labels.ofName, name) > 0) yield name;
  }
}
