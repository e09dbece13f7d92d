import { FREE, releaseId, type TextTable } from './text-table.ts';

/**
 * Pairs of label names in the order of their values, for the names that were searched by a prefix. An order is made at
 * the first search; pairs that come and go later are noted and worked in at the next one.
 */
export interface SortedValues {
  /** The pairs of a name whose values begin with `prefix`, `all` being its pairs. Good until the next change. */
  withPrefix(name: number, prefix: string, all: Uint32Array): Uint32Array;
  add(name: number, pair: number): void;
  /** Notes that a pair is gone. True when its id is still in the order: then it is released from here, later. */
  remove(name: number, pair: number): boolean;
  /** Forgets the order of a name. */
  drop(name: number): void;
  readonly bytes: number;
}

interface Order {
  pairs: Uint32Array;
  /** Pairs that are not in order yet, some of which may be gone again. */
  readonly added: number[];
  /** Ids that were taken out, and must not be given again before they are out of `pairs`. */
  readonly gone: number[];
}

/** An order may have this many changes more than pairs before it is forgotten, because nobody asks for it any more. */
const CHANGES_SPARE = 1024;

export function sortedValues(values: TextTable): SortedValues {
  const orders = new Map<number, Order>();

  function dropOrder(name: number, order: Order): void {
    for (const pair of order.gone) releaseId(values, pair);
    orders.delete(name);
  }

  function changed(name: number, order: Order): void {
    if (order.added.length + order.gone.length > order.pairs.length + CHANGES_SPARE) dropOrder(name, order);
  }

  return {
    withPrefix(name, prefix, all) {
      let order = orders.get(name);
      if (order === undefined) {
        order = { pairs: sortByValue(values.texts, all.slice()), added: [], gone: [] };
        orders.set(name, order);
      }
      refresh(values, order);
      const { pairs } = order;
      const start = firstPlace(pairs, (pair) => values.texts[pair]! >= prefix);
      const end = firstPlace(pairs, (pair) => {
        const text = values.texts[pair]!;
        return text > prefix && !text.startsWith(prefix);
      });
      return pairs.subarray(start, end);
    },
    add(name, pair) {
      const order = orders.size === 0 ? undefined : orders.get(name);
      if (order === undefined) return;
      order.added.push(pair);
      changed(name, order);
    },
    remove(name, pair) {
      const order = orders.size === 0 ? undefined : orders.get(name);
      if (order === undefined) return false;
      order.gone.push(pair);
      changed(name, order);
      return true;
    },
    drop(name) {
      const order = orders.get(name);
      if (order !== undefined) dropOrder(name, order);
    },
    get bytes() {
      let bytes = 0;
      for (const { pairs, added, gone } of orders.values())
        bytes += pairs.byteLength + (added.length + gone.length) * 8;
      return bytes;
    },
  };
}

/** Takes out what is gone and merges what came into the order, with few comparisons: a place is found by bisection. */
function refresh(values: TextTable, order: Order): void {
  const { added, gone } = order;
  if (added.length + gone.length === 0) return;
  const { texts, salts } = values;
  const lives = (pair: number): boolean => salts[pair] !== FREE;
  const old = gone.length === 0 ? order.pairs : order.pairs.filter(lives);
  const fresh = sortByValue(texts, Uint32Array.from(added.filter(lives)));
  const merged = new Uint32Array(old.length + fresh.length);
  let from = 0;
  let to = 0;
  for (const pair of fresh) {
    const text = texts[pair]!;
    const rest = old.subarray(from);
    const next = from + firstPlace(rest, (one) => texts[one]! > text);
    merged.set(old.subarray(from, next), to);
    to += next - from;
    merged[to++] = pair;
    from = next;
  }
  merged.set(old.subarray(from), to);
  order.pairs = merged;
  for (const pair of gone) releaseId(values, pair);
  added.length = 0;
  gone.length = 0;
}

function sortByValue(texts: readonly string[], pairs: Uint32Array): Uint32Array {
  // No two pairs of a name have one value.
  return pairs.sort((a, b) => (texts[a]! < texts[b]! ? -1 : 1));
}

/** The first place of sorted items from which on `reached` is true. */
function firstPlace(items: Uint32Array, reached: (item: number) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reached(items[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
