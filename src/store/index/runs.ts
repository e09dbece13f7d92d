import { roomIn } from './capacity.ts';

/**
 * A list of numbers for each of many owners, which are dense ids: the postings of a label (references of series) and the
 * values of a label name (ids of pairs). A lone item stands in the owner's own cells, a short list in a run of the pool,
 * a long one in an array of its own.
 */
export interface Runs {
  /** Four words an owner: see `HEAD` and the others. */
  cells: Uint32Array;
  pool: Uint32Array;
  poolEnd: number;
  /** By class: 1 + the start of a run that is not in use, whose first word leads on to the next, or 0. */
  readonly unused: Uint32Array;
  readonly large: Uint32Array[];
  readonly unusedLarge: number[];
  largeBytes: number;
}

/** The lone item, the start of the run in the pool, or the place of the array in `large`. */
const HEAD = 0;
const COUNT = 1;
/** Items that have room: 0 or 1 in the cells, up to `POOLED_MAX` in the pool. */
const ROOM = 2;
/** Not 0 when the items are out of order. */
const UNSORTED = 3;

const CELLS = 4;

/** Lengths of the pool's runs, two for every power of two, so that a sixth is unused on average. */
const LENGTHS: readonly number[] = Array.from({ length: 22 }, (_, kind) => (2 + (kind & 1)) << (kind >> 1));

/** Up to here lists are in the pool. Of a million series, some thousand lists are longer at most. */
const POOLED_MAX = 3072;

export function runLists(): Runs {
  return {
    cells: new Uint32Array(0),
    pool: new Uint32Array(0),
    poolEnd: 0,
    unused: new Uint32Array(LENGTHS.length),
    large: [],
    unusedLarge: [],
    largeBytes: 0,
  };
}

export function runCount({ cells }: Runs, owner: number): number {
  const at = owner * CELLS;
  return at + CELLS <= cells.length ? cells[at + COUNT]! : 0;
}

/** Adds an item at the end. */
export function addToRun(runs: Runs, owner: number, item: number): void {
  const at = owner * CELLS;
  if (at + CELLS > runs.cells.length) runs.cells = roomIn(runs.cells, at + CELLS);
  const count = runs.cells[at + COUNT]!;
  if (count === runs.cells[at + ROOM]) resize(runs, owner, count + 1);
  const { cells } = runs;
  const head = cells[at + HEAD]!;
  const room = cells[at + ROOM]!;
  cells[at + COUNT] = count + 1;
  if (room === 1) {
    cells[at + HEAD] = item;
    return;
  }
  // Two ways rather than one with a choice of array: V8 makes better code of it.
  if (room > POOLED_MAX) {
    const array = runs.large[head]!;
    if (array[count - 1]! > item) cells[at + UNSORTED] = 1;
    array[count] = item;
  } else {
    const { pool } = runs;
    const to = head + count;
    if (pool[to - 1]! > item) cells[at + UNSORTED] = 1;
    pool[to] = item;
  }
}

/** Puts the last item in the place of the one at `at`, and returns it: the order is lost. */
export function swapOut(runs: Runs, owner: number, at: number): number {
  const items = runItems(runs, owner);
  const last = items[items.length - 1]!;
  items[at] = last;
  runs.cells[owner * CELLS + UNSORTED] = 1;
  shorten(runs, owner, items.length - 1);
  return last;
}

/** The items in ascending order. Good until the next change of any list. */
export function sortedRun(runs: Runs, owner: number): Uint32Array {
  const items = runItems(runs, owner);
  if (items.length > 1 && runs.cells[owner * CELLS + UNSORTED] !== 0) {
    sortTail(items);
    runs.cells[owner * CELLS + UNSORTED] = 0;
  }
  return items;
}

/** The items in the order in which they lie. Good until the next change of any list. */
export function runItems(runs: Runs, owner: number): Uint32Array {
  const count = runCount(runs, owner);
  if (count === 0) return NOTHING;
  const { cells } = runs;
  const at = owner * CELLS;
  const room = cells[at + ROOM]!;
  const head = cells[at + HEAD]!;
  if (room === 1) return cells.subarray(at + HEAD, at + HEAD + 1);
  return room > POOLED_MAX ? runs.large[head]!.subarray(0, count) : runs.pool.subarray(head, head + count);
}

/** Sets the bit of every item. */
export function markRun(runs: Runs, owner: number, bits: Uint32Array): void {
  const { cells } = runs;
  const at = owner * CELLS;
  const count = runCount(runs, owner);
  if (count === 0) return;
  const head = cells[at + HEAD]!;
  const room = cells[at + ROOM]!;
  if (room === 1) {
    bits[head >>> 5]! |= 1 << (head & 31);
    return;
  }
  const array = room > POOLED_MAX ? runs.large[head]! : runs.pool;
  const start = room > POOLED_MAX ? 0 : head;
  for (let i = start; i < start + count; i++) bits[array[i]! >>> 5]! |= 1 << (array[i]! & 31);
}

/** Takes items out of a list; `gone` is ascending, and all of it is in the list. */
export function removeFromRun(runs: Runs, owner: number, gone: Uint32Array): void {
  let items = runItems(runs, owner);
  const { length } = items;
  // What was added last is often what goes, because an append failed: then the order does not matter.
  if (gone.length > 1 || items[length - 1] !== gone[0]) {
    items = sortedRun(runs, owner);
    let to = lowerBound(items, gone[0]!);
    let from = to;
    for (let next = 0; next < gone.length; from++) {
      if (items[from] === gone[next]) next++;
      else items[to++] = items[from]!;
    }
    items.copyWithin(to, from);
  }
  shorten(runs, owner, length - gone.length);
}

/** The first place whose item is not less than `item`. */
export function lowerBound(items: Uint32Array, item: number, from = 0, to = items.length): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[middle]! < item) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function runsBytes({ cells, pool, largeBytes }: Runs): number {
  return cells.byteLength + pool.byteLength + largeBytes;
}

const NOTHING = new Uint32Array(0);

function shorten(runs: Runs, owner: number, count: number): void {
  const { cells } = runs;
  const at = owner * CELLS;
  cells[at + COUNT] = count;
  if (count <= 1) cells[at + UNSORTED] = 0;
  if (count <= 1 || count < cells[at + ROOM]! >>> 2) resize(runs, owner, count);
}

/** Moves a list to where `count` items have room. */
function resize(runs: Runs, owner: number, count: number): void {
  const at = owner * CELLS;
  const { cells } = runs;
  const head = cells[at + HEAD]!;
  const room = cells[at + ROOM]!;
  const kept = cells[at + COUNT]!;
  if (count <= 1) {
    if (kept === 1 && room > 1) cells[at + HEAD] = room > POOLED_MAX ? runs.large[head]![0]! : runs.pool[head]!;
    cells[at + ROOM] = count;
  } else if (count > POOLED_MAX) {
    const array = new Uint32Array(count + (count >>> 2));
    array.set(runItems(runs, owner));
    const place = runs.unusedLarge.pop() ?? runs.large.length;
    runs.large[place] = array;
    runs.largeBytes += array.byteLength;
    cells[at + HEAD] = place;
    cells[at + ROOM] = array.length;
  } else {
    const kind = classOf(count);
    const start = takeRun(runs, kind);
    if (room > POOLED_MAX) runs.pool.set(runItems(runs, owner), start);
    else if (room > 1) runs.pool.copyWithin(start, head, head + kept);
    else if (kept === 1) runs.pool[start] = head;
    cells[at + HEAD] = start;
    cells[at + ROOM] = LENGTHS[kind]!;
  }
  if (room > POOLED_MAX) {
    runs.largeBytes -= runs.large[head]!.byteLength;
    runs.large[head] = NOTHING;
    runs.unusedLarge.push(head);
  } else if (room > 1) {
    const kind = classOf(room);
    runs.pool[head] = runs.unused[kind]!;
    runs.unused[kind] = head + 1;
  }
}

/** The class of the shortest run with room for `count` items, at least two. */
function classOf(count: number): number {
  const power = 31 - Math.clz32(count);
  const length = 1 << power;
  return (power - 1) * 2 + (count === length ? 0 : count <= length + (length >>> 1) ? 1 : 2);
}

function takeRun(runs: Runs, kind: number): number {
  const unused = runs.unused[kind]!;
  if (unused !== 0) {
    runs.unused[kind] = runs.pool[unused - 1]!;
    return unused - 1;
  }
  const start = runs.poolEnd;
  runs.poolEnd += LENGTHS[kind]!;
  runs.pool = roomIn(runs.pool, runs.poolEnd);
  return start;
}

/**
 * Sorts items of which most are in order already: references that are used again come behind greater ones. Everything
 * from the first step down on is sorted and merged into what lies before.
 */
function sortTail(items: Uint32Array): void {
  let step = 1;
  while (step < items.length && items[step - 1]! < items[step]!) step++;
  const tail = items.slice(step).sort();
  let to = items.length - 1;
  let head = step - 1;
  for (let from = tail.length - 1; from >= 0; to--) {
    if (head >= 0 && items[head]! > tail[from]!) items[to] = items[head--]!;
    else items[to] = tail[from--]!;
  }
}
