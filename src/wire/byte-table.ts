import { randomBytes } from 'node:crypto';

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
  /** How many values are kept; one that is in both generations counts twice. */
  readonly size: number;
  /** Memory of the keys and of the table around them; the values themselves are not counted. */
  readonly bytes: number;
}

/**
 * A table that holds at most `limitBytes`. It has two generations: values that are set or found go into the young one, and
 * when that has reached half of the limit it becomes the old one, whose values are dropped. So what is used between two
 * such changes is never forgotten.
 */
export function byteTable<T>(limitBytes: number): ByteTable<T> {
  const seed = randomBytes(4).readUInt32LE();
  const halfBytes = Math.floor(limitBytes / 2);
  let young = generation<T>();
  let old = generation<T>();
  /** Over the buffer that was asked about last, which it keeps alive. */
  let view: DataView = new DataView(new ArrayBuffer(0));
  // Senders repeat series in the order in which they sent them first, so that the entry after the one that was found last
  // is often the next one: then the bytes are compared without being hashed.
  let expected = 0;

  function insert(at: number, length: number, salt: number, hash: number, value: T): void {
    const bytes = entryBytes(length);
    // One that takes up a generation by itself would push out all others.
    if (bytes > halfBytes) return;
    if (young.bytes + bytes > halfBytes) {
      old = young;
      young = generation();
    }
    add(young, view, at, length, salt, hash, value);
    expected = young.used;
  }

  return {
    get(bytes, start, end, salt = 0) {
      if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer);
      const at = bytes.byteOffset + start;
      const length = end - start;
      if (expected < young.used && isEntry(young, expected, view, at, length, salt)) {
        const value = valueAt(young, expected);
        expected += entryWords(length);
        return value;
      }
      const hash = hashOf(view, at, length, seed ^ salt);
      let entry = find(young, view, at, length, salt, hash);
      if (entry !== NONE) {
        expected = entry + entryWords(length);
        return valueAt(young, entry);
      }
      entry = find(old, view, at, length, salt, hash);
      if (entry === NONE) return undefined;
      const value = valueAt(old, entry);
      insert(at, length, salt, hash, value);
      return value;
    },
    set(bytes, start, end, value, salt = 0) {
      if (view.buffer !== bytes.buffer) view = new DataView(bytes.buffer);
      const at = bytes.byteOffset + start;
      const length = end - start;
      const hash = hashOf(view, at, length, seed ^ salt);
      const entry = find(young, view, at, length, salt, hash);
      if (entry === NONE) insert(at, length, salt, hash, value);
      else young.values[young.words[entry + INDEX]!] = value;
    },
    get size() {
      return young.values.length + old.values.length;
    },
    get bytes() {
      return young.bytes + old.bytes;
    },
  };
}

/** An entry is known by the word that it starts at: a header of four words and the key, filled up with zeros. */
interface Generation<T> {
  /** Pairs of a hash and the start of an entry + 1; 0 is a free slot. */
  slots: Int32Array;
  /** The entries, one after the other. */
  words: Int32Array;
  /** The same memory, two words at a time. */
  longs: BigInt64Array;
  /** Words that entries take. */
  used: number;
  readonly values: T[];
  bytes: number;
}

/** The words of an entry's header, and where its key starts. */
const LENGTH = 0;
const SALT = 1;
const INDEX = 2;
const HASH = 3;
const KEY = 4;

const NONE = -1;
const FIRST_ENTRIES = 64;

/**
 * A search looks at no more slots than this; a value that finds none free within them is not found again. At the table's
 * load honest keys need a few, so this only stops one who has found keys of equal hash from making every search long.
 */
const PROBES = 64;

/** What an entry takes outside of `words`: its value's place (8) and up to four slots (32). */
const SLOT_BYTES = 40;

/** Entries are whole pairs of words, so that keys can be compared eight bytes at a time. */
function entryWords(length: number): number {
  return KEY + ((length + 7) >>> 3) * 2;
}

function entryBytes(length: number): number {
  return SLOT_BYTES + entryWords(length) * 4;
}

function generation<T>(): Generation<T> {
  const words = new Int32Array(FIRST_ENTRIES * 16);
  return {
    slots: new Int32Array(FIRST_ENTRIES * 4),
    words,
    longs: new BigInt64Array(words.buffer),
    used: 0,
    values: [],
    bytes: 0,
  };
}

function valueAt<T>(table: Generation<T>, entry: number): T {
  return table.values[table.words[entry + INDEX]!]!;
}

function find<T>(table: Generation<T>, view: DataView, at: number, length: number, salt: number, hash: number): number {
  const { slots } = table;
  const mask = slots.length - 1;
  let slot = (hash << 1) & mask;
  for (let probe = 0; probe < PROBES; probe++) {
    const entry = slots[slot + 1]! - 1;
    if (entry === NONE) return NONE;
    if (slots[slot] === hash && isEntry(table, entry, view, at, length, salt)) return entry;
    slot = (slot + 2) & mask;
  }
  return NONE;
}

function isEntry<T>(
  table: Generation<T>,
  entry: number,
  view: DataView,
  at: number,
  length: number,
  salt: number,
): boolean {
  const { words, longs } = table;
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

/** Adds an entry that is not there yet. */
function add<T>(
  table: Generation<T>,
  view: DataView,
  at: number,
  length: number,
  salt: number,
  hash: number,
  value: T,
): void {
  const entry = table.used;
  const size = entryWords(length);
  if (entry + size > table.words.length) growWords(table, size);
  if ((table.values.length + 1) * 4 > table.slots.length) growSlots(table);
  const { words } = table;
  words[entry + LENGTH] = length;
  words[entry + SALT] = salt;
  words[entry + INDEX] = table.values.push(value) - 1;
  words[entry + HASH] = hash;
  copyKey(words, entry + KEY, view, at, length);
  table.used += size;
  table.bytes += entryBytes(length);
  putSlot(table.slots, hash, entry);
}

function copyKey(words: Int32Array, word: number, view: DataView, at: number, length: number): void {
  let to = word;
  let i = at;
  for (const end = at + (length & ~3); i < end; i += 4) words[to++] = view.getInt32(i, true);
  if ((length & 3) !== 0) words[to] = tailOf(view, i, length & 3);
}

function putSlot(slots: Int32Array, hash: number, entry: number): void {
  const mask = slots.length - 1;
  let slot = (hash << 1) & mask;
  for (let probe = 0; probe < PROBES; probe++) {
    if (slots[slot + 1] === 0) {
      slots[slot] = hash;
      slots[slot + 1] = entry + 1;
      return;
    }
    slot = (slot + 2) & mask;
  }
}

/** Doubles the slots, of which at most half are taken. */
function growSlots<T>(table: Generation<T>): void {
  const { words } = table;
  table.slots = new Int32Array(table.slots.length * 2);
  for (let entry = 0; entry < table.used; entry += entryWords(words[entry + LENGTH]!)) {
    putSlot(table.slots, words[entry + HASH]!, entry);
  }
}

function growWords<T>(table: Generation<T>, more: number): void {
  const words = new Int32Array(Math.max(table.words.length * 2, table.used + more));
  words.set(table.words);
  table.words = words;
  table.longs = new BigInt64Array(words.buffer);
}

/** The last one to three bytes of a key as a word. */
function tailOf(view: DataView, at: number, count: number): number {
  let word = view.getUint8(at);
  if (count > 1) word |= view.getUint8(at + 1) << 8;
  if (count > 2) word |= view.getUint8(at + 2) << 16;
  return word;
}

/** Odd constants with well mixed bits. */
const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;

/**
 * A 32-bit hash of a region, in four lanes that do not wait for one another. It only has to spread keys: the seed keeps
 * others from choosing keys that meet, and every hit is compared in full.
 */
function hashOf(view: DataView, at: number, length: number, seed: number): number {
  let a = seed ^ Math.imul(length, P1);
  let b = Math.imul(seed, P2) ^ P3;
  let c = seed ^ P3;
  let d = Math.imul(seed, P3) ^ P1;
  let i = at;
  for (const end = at + (length & ~15); i < end; i += 16) {
    a = Math.imul(a ^ view.getInt32(i, true), P1);
    a ^= a >>> 15;
    b = Math.imul(b ^ view.getInt32(i + 4, true), P2);
    b ^= b >>> 13;
    c = Math.imul(c ^ view.getInt32(i + 8, true), P1);
    c ^= c >>> 14;
    d = Math.imul(d ^ view.getInt32(i + 12, true), P2);
    d ^= d >>> 16;
  }
  for (const end = at + (length & ~3); i < end; i += 4) {
    a = Math.imul(a ^ view.getInt32(i, true), P3);
    a ^= a >>> 15;
  }
  if ((length & 3) !== 0) b = Math.imul(b ^ tailOf(view, i, length & 3), P2);
  return mixed(mixed(a) ^ b) ^ mixed(mixed(c) ^ d);
}

function mixed(word: number): number {
  const half = Math.imul(word ^ (word >>> 15), P2);
  return Math.imul(half ^ (half >>> 13), P3) ^ (half >>> 16);
}
