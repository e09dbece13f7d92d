import { roomIn } from './capacity.ts';
import { addId, firstSlot, hashSlots, idAt, nextSlot, NO_SLOT, removeId, type HashSlots } from './hash-slots.ts';
import { hashOfIds } from './keyed-hash.ts';
import { NO_ID } from './text-table.ts';

/** The label sets of all series as lists of ids of pairs, by reference. */
export interface LabelSets {
  size: number;
  /** One more than the highest reference that was ever given. */
  refsEnd: number;
  /** By reference: where in `words` its set lies, or 0 when the reference is free. */
  starts: Uint32Array;
  /** Sets one after the other: how many pairs, then their ids. The first word is not in use. */
  words: Uint32Array;
  wordsEnd: number;
  /** Words of sets that are gone. */
  gone: number;
  readonly slots: HashSlots;
  readonly free: number[];
}

export function labelSets(): LabelSets {
  return {
    size: 0,
    refsEnd: 0,
    starts: new Uint32Array(0),
    words: new Uint32Array(1),
    wordsEnd: 1,
    gone: 0,
    slots: hashSlots(),
    free: [],
  };
}

export function hasSet({ starts, refsEnd }: LabelSets, ref: number): boolean {
  return ref >= 0 && ref < refsEnd && starts[ref]! !== 0;
}

/** The reference of the set of the first `count` pairs, or `NO_ID`. */
export function findSet(sets: LabelSets, pairs: Uint32Array, count: number): number {
  const hash = hashOfIds(pairs, count);
  for (let slot = firstSlot(sets.slots, hash); slot !== NO_SLOT; slot = nextSlot(sets.slots, hash, slot)) {
    const ref = idAt(sets.slots, slot);
    if (isSet(sets, ref, pairs, count)) return ref;
  }
  return NO_ID;
}

/** Adds a set that is not there yet; returns its reference. */
export function addSet(sets: LabelSets, pairs: Uint32Array, count: number): number {
  const ref = sets.free.pop() ?? sets.refsEnd++;
  makeRoom(sets, count + 1);
  sets.starts = roomIn(sets.starts, sets.refsEnd);
  const start = sets.wordsEnd;
  const { words } = sets;
  words[start] = count;
  for (let i = 0; i < count; i++) words[start + 1 + i] = pairs[i]!;
  sets.wordsEnd = start + 1 + count;
  sets.starts[ref] = start;
  sets.size++;
  addId(sets.slots, hashOfIds(pairs, count), ref);
  return ref;
}

export function removeSet(sets: LabelSets, ref: number): void {
  const start = sets.starts[ref]!;
  const count = sets.words[start]!;
  removeId(sets.slots, hashOfIds(sets.words.subarray(start + 1, start + 1 + count), count), ref);
  // The last set gives its words back at once: what an append that fails has added leaves nothing behind.
  if (start + 1 + count === sets.wordsEnd) sets.wordsEnd = start;
  else sets.gone += count + 1;
  sets.starts[ref] = 0;
  sets.size--;
  sets.free.push(ref);
}

export function labelSetsBytes({ starts, words, slots, free }: LabelSets): number {
  return starts.byteLength + words.byteLength + slots.slots.byteLength + free.length * 8;
}

function isSet({ starts, words }: LabelSets, ref: number, pairs: Uint32Array, count: number): boolean {
  const start = starts[ref]!;
  if (words[start] !== count) return false;
  for (let i = 0; i < count; i++) if (words[start + 1 + i] !== pairs[i]) return false;
  return true;
}

/** When the words are used up, the sets that there are move together, if that gives enough, or into a longer array. */
function makeRoom(sets: LabelSets, count: number): void {
  if (sets.wordsEnd + count <= sets.words.length) return;
  if (sets.gone * 4 < sets.wordsEnd) {
    sets.words = roomIn(sets.words, sets.wordsEnd + count);
    return;
  }
  const words = new Uint32Array(sets.words.length);
  let end = 1;
  for (let ref = 0; ref < sets.refsEnd; ref++) {
    const start = sets.starts[ref] ?? 0;
    if (start === 0) continue;
    const next = start + 1 + sets.words[start]!;
    for (let from = start, to = end; from < next; from++, to++) words[to] = sets.words[from]!;
    sets.starts[ref] = end;
    end += next - start;
  }
  sets.words = roomIn(words, end + count);
  sets.wordsEnd = end;
  sets.gone = 0;
}
