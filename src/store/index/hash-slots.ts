/**
 * Ids by hash, in one array with linear probing. What an id stands for is the caller's: he compares it for every slot that
 * has his hash.
 */
export interface HashSlots {
  /** Pairs of a hash and an id + 1; 0 is a free slot. */
  slots: Int32Array;
  used: number;
}

export const NO_SLOT = -1;

const FIRST_SLOTS = 16;

export function hashSlots(): HashSlots {
  return { slots: new Int32Array(FIRST_SLOTS * 2), used: 0 };
}

/** The first slot with this hash, or `NO_SLOT`. */
export function firstSlot(table: HashSlots, hash: number): number {
  return slotFrom(table.slots, hash, homeOf(hash, table.slots.length - 1));
}

/** The next slot with this hash after one that has it, or `NO_SLOT`. */
export function nextSlot({ slots }: HashSlots, hash: number, slot: number): number {
  return slotFrom(slots, hash, (slot + 2) & (slots.length - 1));
}

export function idAt({ slots }: HashSlots, slot: number): number {
  return slots[slot + 1]! - 1;
}

/** Adds an id that is not there yet. */
export function addId(table: HashSlots, hash: number, id: number): void {
  // At seven tenths an id that is not there is known after six slots on average, most of them in one line of the cache.
  if ((table.used + 1) * 20 > table.slots.length * 7) grow(table);
  put(table.slots, hash, id + 1);
  table.used++;
}

/** Takes out an id that is there. */
export function removeId(table: HashSlots, hash: number, id: number): void {
  const { slots } = table;
  const mask = slots.length - 1;
  let gap = homeOf(hash, mask);
  while (slots[gap + 1] !== id + 1) gap = (gap + 2) & mask;
  // What lies behind the gap moves into it unless its own place is behind it, too: then it is found without the gap.
  for (let slot = (gap + 2) & mask; slots[slot + 1] !== 0; slot = (slot + 2) & mask) {
    const home = homeOf(slots[slot]!, mask);
    if (((slot - home) & mask) < ((slot - gap) & mask)) continue;
    slots[gap] = slots[slot]!;
    slots[gap + 1] = slots[slot + 1]!;
    gap = slot;
  }
  slots[gap] = 0;
  slots[gap + 1] = 0;
  table.used--;
}

function homeOf(hash: number, mask: number): number {
  return (hash << 1) & mask;
}

function slotFrom(slots: Int32Array, hash: number, start: number): number {
  const mask = slots.length - 1;
  for (let slot = start; slots[slot + 1] !== 0; slot = (slot + 2) & mask) if (slots[slot] === hash) return slot;
  return NO_SLOT;
}

function put(slots: Int32Array, hash: number, entry: number): void {
  const mask = slots.length - 1;
  let slot = homeOf(hash, mask);
  while (slots[slot + 1] !== 0) slot = (slot + 2) & mask;
  slots[slot] = hash;
  slots[slot + 1] = entry;
}

function grow(table: HashSlots): void {
  const { slots } = table;
  const wider = new Int32Array(slots.length * 2);
  for (let slot = 0; slot < slots.length; slot += 2) {
    if (slots[slot + 1] !== 0) put(wider, slots[slot]!, slots[slot + 1]!);
  }
  table.slots = wider;
}
