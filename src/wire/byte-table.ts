import { randomBytes } from 'node:crypto';
import { hashOf, tailOf } from './region-hash.ts';

/**
 * Values looked up by a region of a buffer: nothing is copied, decoded or allocated to find one. A decoder keeps in it
 * what it made of bytes that senders repeat, such as the label set of a series.
 *
 * It is a cache: a value may be forgotten at any time, but what is found is the value of exactly these bytes and this
 * salt.
 */
export interface ByteTable<T> {
  /** The value of `bytes[start, end)`. `salt` is a 32-bit number that is part of the key. */
  get(bytes: Uint8Array, start: number, end: number, salt?: number): T | undefined;
  set(bytes: Uint8Array, start: number, end: number, value: T, salt?: number): void;
  /** A copy of the bytes of the entry at a place, as `onPlaced` tells of it. */
  keyAt(place: number): Buffer;
  /** How many values are kept. */
  readonly size: number;
  /** Memory of the keys and of the table around them; the values themselves are not counted. */
  readonly bytes: number;
}

/** The place of a value that is not in the table any more. */
export const FORGOTTEN = -1;

/**
 * A table that holds at most `limitBytes`. Entries lie in segments in the order in which they came. When there is room for
 * no further segment the oldest one is emptied; those of its entries that were found since stay, up to half of them, and a
 * segment more than half of which was found is passed over for once. So what is found again and again stays, as long as
 * that is not more than fits.
 *
 * `onPlaced` is told where the entry of a value is, and when it is `FORGOTTEN`.
 */
export function byteTable<T>(limitBytes: number, onPlaced: (value: T, place: number) => void = () => {}): ByteTable<T> {
  const seed = randomBytes(4).readUInt32LE();
  const shift = segmentShift(limitBytes);
  const segmentWords = 1 << shift;
  /** By their numbers. */
  const segments: Segment[] = [];
  /** Numbers of segments, the oldest first; the last one is being filled. */
  const order: number[] = [];
  /** Pairs of a hash and the place of an entry + 1; 0 is a free slot, `REMOVED` one that was taken. */
  let slots: Int32Array = new Int32Array(FIRST_ENTRIES * 4);
  let slotsUsed = 0;
  const values: (T | undefined)[] = [];
  /** Whether a value was found since its segment was looked at; by the index of the value. */
  let found = new Uint8Array(FIRST_ENTRIES);
  const freeIndexes: number[] = [];
  /** Over the buffer that was asked about last, which it keeps alive. */
  let view: DataView = new DataView(new ArrayBuffer(0));
  // Senders repeat series in the order in which they sent them first, so that the entry after the one that was found last
  // is often the next one: then the bytes are compared without being hashed.
  let expected = NONE;

  /** The place after an entry: in the next segment where it was the last of its own. */
  function next(place: number, length: number): number {
    const segment = segments[place >>> shift]!;
    const after = (place & (segmentWords - 1)) + entryWords(length);
    return after < segment.used ? place + entryWords(length) : segment.next;
  }

  function isThere(place: number): boolean {
    return place !== NONE && (place & (segmentWords - 1)) < segments[place >>> shift]!.used;
  }

  function isEntry(place: number, at: number, length: number, salt: number): boolean {
    const { words, longs } = segments[place >>> shift]!;
    const entry = place & (segmentWords - 1);
    if (words[entry + LENGTH] !== length || words[entry + SALT] !== (salt | 0)) return false;
    let long = (entry + KEY) >>> 1;
    let i = at;
    for (const end = at + (length & ~7); i < end; i += 8) {
      if (view.getBigInt64(i, true) !== longs[long++]) return false;
    }
    let word = long * 2;
    if ((length & 4) !== 0) {
      if (view.getInt32(i, true) !== words[word++]) return false;
      i += 4;
    }
    return (length & 3) === 0 || tailOf(view, i, length & 3) === words[word];
  }

  function find(at: number, length: number, salt: number, hash: number): number {
    const mask = slots.length - 1;
    let slot = (hash << 1) & mask;
    for (let probe = 0; probe < PROBES; probe++) {
      const place = slots[slot + 1]! - 1;
      if (place === NONE) return NONE;
      if (slots[slot] === hash && place >= 0 && isEntry(place, at, length, salt)) return place;
      slot = (slot + 2) & mask;
    }
    return NONE;
  }

  function valueAt(place: number): T {
    const segment = segments[place >>> shift]!;
    const index = segment.words[(place & (segmentWords - 1)) + INDEX]!;
    if (found[index] === 0) {
      found[index] = 1;
      segment.found++;
    }
    return values[index]!;
  }

  function takeIndex(value: T): number {
    const index = freeIndexes.pop() ?? values.length;
    if (index === found.length) {
      const longer = new Uint8Array(found.length * 2);
      longer.set(found);
      found = longer;
    }
    values[index] = value;
    found[index] = 0;
    return index;
  }

  function bytesUsed(): number {
    const ofValues = (values.length + freeIndexes.length) * 8 + found.length;
    return segments.length * segmentWords * 4 + slots.byteLength + ofValues;
  }

  /** Makes room for an entry of so many words. Returns its segment; undefined where the limit is too small for it. */
  function roomFor(size: number): Segment | undefined {
    for (let tries = segments.length * 2 + 2; tries > 0; tries--) {
      const last = order.length === 0 ? undefined : segments[order.at(-1)!]!;
      const fits = last !== undefined && last.used + size <= segmentWords;
      const entries = values.length - freeIndexes.length + 1;
      const more =
        (fits ? 0 : segmentWords * 4) +
        (entries * 4 > slots.length ? slotsFor(entries) * 4 - slots.byteLength : 0) +
        (freeIndexes.length > 0 ? 0 : VALUE_BYTES + (values.length === found.length ? found.length : 0));
      if (more === 0 || bytesUsed() + more <= limitBytes) {
        if (fits) return last;
        segments.push(emptySegment(segmentWords));
        append(segments.length - 1);
        return segments.at(-1);
      }
      if (order.length === 0) return undefined;
      recycle();
    }
    return undefined;
  }

  function append(number: number): void {
    if (order.length > 0) segments[order.at(-1)!]!.next = number << shift;
    order.push(number);
  }

  /** Empties the oldest segment of which little was found, and keeps that in it. */
  function recycle(): void {
    for (let looks = 1; looks < LOOKS_MAX; looks++) {
      const oldest = segments[order[0]!]!;
      if (oldest.found * 2 <= oldest.entries) break;
      forEachEntry(oldest, (entry) => (found[oldest.words[entry + INDEX]!] = 0));
      oldest.found = 0;
      order.push(order.shift()!);
    }
    const number = order.shift()!;
    const segment = segments[number]!;
    const kept: Int32Array[] = [];
    let keptWords = 0;
    forEachEntry(segment, (entry, size) => {
      const index = segment.words[entry + INDEX]!;
      removeSlot(segment.words[entry + HASH]!, (number << shift) + entry);
      if (found[index] === 1 && (keptWords + size) * 2 <= segmentWords) {
        kept.push(segment.words.slice(entry, entry + size));
        keptWords += size;
        found[index] = 0;
      } else {
        onPlaced(values[index]!, FORGOTTEN);
        values[index] = undefined;
        freeIndexes.push(index);
      }
    });
    segment.used = 0;
    segment.entries = 0;
    segment.found = 0;
    segment.next = NONE;
    expected = NONE;
    append(number);
    for (const words of kept) {
      segment.words.set(words, segment.used);
      const place = (number << shift) + segment.used;
      segment.used += words.length;
      segment.entries++;
      putSlot(words[HASH]!, place);
      onPlaced(values[words[INDEX]!]!, place);
    }
  }

  function putSlot(hash: number, place: number): void {
    // At most half of the slots lead to entries, and a quarter did once.
    const entries = values.length - freeIndexes.length;
    if (entries * 4 > slots.length || (slotsUsed + 1) * 8 > slots.length * 3) rebuildSlots();
    const mask = slots.length - 1;
    let slot = (hash << 1) & mask;
    for (let probe = 0; probe < PROBES; probe++) {
      const taken = slots[slot + 1]!;
      if (taken <= 0) {
        if (taken === 0) slotsUsed++;
        slots[slot] = hash;
        slots[slot + 1] = place + 1;
        return;
      }
      slot = (slot + 2) & mask;
    }
  }

  function removeSlot(hash: number, place: number): void {
    const mask = slots.length - 1;
    let slot = (hash << 1) & mask;
    for (let probe = 0; probe < PROBES; probe++) {
      if (slots[slot + 1] === 0) return;
      if (slots[slot + 1] === place + 1) {
        slots[slot + 1] = REMOVED;
        return;
      }
      slot = (slot + 2) & mask;
    }
  }

  /** Frees the slots that were taken once, and makes more where that is not enough. */
  function rebuildSlots(): void {
    slots = new Int32Array(Math.max(slots.length, slotsFor(values.length - freeIndexes.length + 1)));
    slotsUsed = 0;
    for (const [number, segment] of segments.entries()) {
      forEachEntry(segment, (entry) => putSlot(segment.words[entry + HASH]!, (number << shift) + entry));
    }
  }

  function insert(at: number, length: number, salt: number, hash: number, value: T): void {
    const size = entryWords(length);
    // Of a segment that is emptied, up to a half stays.
    if (size * 2 > segmentWords) return;
    const segment = roomFor(size);
    if (segment === undefined) return;
    const { words, used: entry } = segment;
    const place = (order.at(-1)! << shift) + entry;
    words[entry + LENGTH] = length;
    words[entry + SALT] = salt;
    words[entry + INDEX] = takeIndex(value);
    words[entry + HASH] = hash;
    copyKey(words, entry + KEY, view, at, length);
    putSlot(hash, place);
    segment.used += size;
    segment.entries++;
    onPlaced(value, place);
  }

  return {
    get(bytes, start, end, salt = 0) {
      if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer);
      const at = bytes.byteOffset + start;
      const length = end - start;
      let place = expected;
      if (!isThere(place) || !isEntry(place, at, length, salt)) {
        place = find(at, length, salt, hashOf(view, at, length, seed ^ salt));
        if (place === NONE) return undefined;
      }
      expected = next(place, length);
      return valueAt(place);
    },
    set(bytes, start, end, value, salt = 0) {
      if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer);
      const at = bytes.byteOffset + start;
      const length = end - start;
      const hash = hashOf(view, at, length, seed ^ salt);
      const place = find(at, length, salt, hash);
      if (place === NONE) return insert(at, length, salt, hash, value);
      const index = segments[place >>> shift]!.words[(place & (segmentWords - 1)) + INDEX]!;
      if (values[index] !== value) onPlaced(values[index]!, FORGOTTEN);
      values[index] = value;
      return onPlaced(value, place);
    },
    keyAt(place) {
      const { words } = segments[place >>> shift]!;
      const entry = place & (segmentWords - 1);
      return Buffer.from(Buffer.from(words.buffer, (entry + KEY) * 4, words[entry + LENGTH]));
    },
    get size() {
      return values.length - freeIndexes.length;
    },
    get bytes() {
      return bytesUsed();
    },
  };
}

/** Entries one after the other, each known by the word that it starts at: a header of four words and the key. */
interface Segment {
  readonly words: Int32Array;
  /** The same memory, two words at a time. */
  readonly longs: BigInt64Array;
  /** Words that entries take. */
  used: number;
  entries: number;
  /** Entries that were found since the segment was looked at. */
  found: number;
  /** The place of the first entry that came after those of this segment; `NONE` while there is none. */
  next: number;
}

/** The words of an entry's header, and where its key starts. */
const LENGTH = 0;
const SALT = 1;
const INDEX = 2;
const HASH = 3;
const KEY = 4;

const NONE = -1;
const REMOVED = -1;
const FIRST_ENTRIES = 8;

/** A value's place, among the values and among the free ones. */
const VALUE_BYTES = 16;

/** Segments that are passed over at the most before one is emptied, so that no look-up takes long. */
const LOOKS_MAX = 8;

/**
 * A search looks at no more slots than this; a value that finds none free within them is not found again. At the table's
 * load honest keys need a few, so this only stops one who has found keys of equal hash from making every search long.
 */
const PROBES = 64;

/** A table has some dozens of segments, of 64 Ki words at the most. */
function segmentShift(limitBytes: number): number {
  return Math.max(5, Math.min(16, Math.floor(Math.log2(limitBytes / 4 / 64))));
}

function emptySegment(size: number): Segment {
  const words = new Int32Array(size);
  return { words, longs: new BigInt64Array(words.buffer), used: 0, entries: 0, found: 0, next: NONE };
}

/** The length of the table of slots for so many entries: two numbers each, half of them free. */
function slotsFor(entries: number): number {
  let length = FIRST_ENTRIES * 4;
  while (length < entries * 4) length *= 2;
  return length;
}

function forEachEntry({ words, used }: Segment, visit: (entry: number, size: number) => void): void {
  for (let entry = 0; entry < used;) {
    const size = entryWords(words[entry + LENGTH]!);
    visit(entry, size);
    entry += size;
  }
}

/** Entries are whole pairs of words, so that keys can be compared eight bytes at a time. */
function entryWords(length: number): number {
  return KEY + ((length + 7) >>> 3) * 2;
}

function copyKey(words: Int32Array, word: number, view: DataView, at: number, length: number): void {
  let to = word;
  let i = at;
  for (const end = at + (length & ~3); i < end; i += 4) words[to++] = view.getInt32(i, true);
  if ((length & 3) !== 0) words[to] = tailOf(view, i, length & 3);
}
