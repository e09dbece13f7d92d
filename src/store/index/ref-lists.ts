import { lowerBound } from './runs.ts';

/** From here on the longer list is searched rather than read. */
const GALLOP_RATIO = 8;

/** What two ascending lists have in common, as a fresh list. */
export function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  const [few, many] = a.length <= b.length ? [a, b] : [b, a];
  const out = new Uint32Array(few.length);
  const to = few.length * GALLOP_RATIO < many.length ? searchAll(few, many, out) : readBoth(few, many, out);
  return out.subarray(0, to);
}

/** What is in the ascending list `from` and not in `taken`, as a fresh list. */
export function subtract(from: Uint32Array, taken: Uint32Array): Uint32Array {
  const out = new Uint32Array(from.length);
  let at = 0;
  let to = 0;
  for (const item of taken) {
    const next = gallop(from, item, at);
    // What lies between two items that go is copied at once.
    if (next - at < COPIED_ONE_BY_ONE) for (let i = at; i < next; i++) out[to++] = from[i]!;
    else {
      out.set(from.subarray(at, next), to);
      to += next - at;
    }
    at = from[next] === item ? next + 1 : next;
    if (at === from.length) break;
  }
  out.set(from.subarray(at), to);
  return out.subarray(0, to + from.length - at);
}

/** Shorter pieces are copied faster by a loop than by a call. */
const COPIED_ONE_BY_ONE = 64;

/** The numbers of the bits that are set, of which there are `count`. */
export function marked(bits: Uint32Array, count: number): Uint32Array {
  const out = new Uint32Array(count);
  let to = 0;
  for (let word = 0; word < bits.length; word++) {
    for (let rest = bits[word]!; rest !== 0; rest &= rest - 1) out[to++] = (word << 5) + 31 - Math.clz32(rest & -rest);
  }
  return out;
}

/** The items whose bit is `wanted`, as a fresh list. */
export function withMark(items: Uint32Array, bits: Uint32Array, wanted: 0 | 1): Uint32Array {
  const out = new Uint32Array(items.length);
  let to = 0;
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!;
    if (((bits[item >>> 5]! >>> (item & 31)) & 1) === wanted) out[to++] = item;
  }
  return out.subarray(0, to);
}

function searchAll(few: Uint32Array, many: Uint32Array, out: Uint32Array): number {
  let at = 0;
  let to = 0;
  for (const item of few) {
    at = gallop(many, item, at);
    if (many[at] === item) out[to++] = item;
  }
  return to;
}

function readBoth(a: Uint32Array, b: Uint32Array, out: Uint32Array): number {
  let i = 0;
  let j = 0;
  let to = 0;
  while (i < a.length && j < b.length) {
    const one = a[i]!;
    const other = b[j]!;
    if (one === other) out[to++] = one;
    if (one <= other) i++;
    if (other <= one) j++;
  }
  return to;
}

/** The first place from `start` on whose item is not less than `item`, found in steps that double. */
function gallop(items: Uint32Array, item: number, start: number): number {
  let step = 1;
  let low = start;
  while (low + step <= items.length && items[low + step - 1]! < item) {
    low += step;
    step *= 2;
  }
  return lowerBound(items, item, low, Math.min(low + step, items.length));
}
