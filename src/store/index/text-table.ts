import { roomIn } from './capacity.ts';
import { addId, firstSlot, hashSlots, idAt, nextSlot, NO_SLOT, removeId, type HashSlots } from './hash-slots.ts';
import { hashOfText } from './keyed-hash.ts';

/** Texts by dense ids, each once per salt: of label names the salt is the same, of label values it is the name's id. */
export interface TextTable {
  /** By id; empty where the id is free. */
  readonly texts: string[];
  /** By id; `FREE` where the id is free. */
  salts: Uint32Array;
  readonly slots: HashSlots;
  /** Ids that may be given again. */
  readonly free: number[];
  /** About what the strings themselves take. */
  textBytes: number;
}

export const NO_ID = -1;

/** The salt of an id that stands for nothing. */
export const FREE = 0xffffffff;

export function textTable(): TextTable {
  return { texts: [], salts: new Uint32Array(0), slots: hashSlots(), free: [], textBytes: 0 };
}

export function findText(table: TextTable, salt: number, text: string): number {
  const hash = hashOfText(salt, text);
  for (let slot = firstSlot(table.slots, hash); slot !== NO_SLOT; slot = nextSlot(table.slots, hash, slot)) {
    const id = idAt(table.slots, slot);
    if (table.salts[id] === salt && table.texts[id] === text) return id;
  }
  return NO_ID;
}

/** Finds the text that is `bytes[start, end)`, all of it ASCII, whose hash the caller knows. */
export function findBytes(
  table: TextTable,
  salt: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  hash: number,
): number {
  for (let slot = firstSlot(table.slots, hash); slot !== NO_SLOT; slot = nextSlot(table.slots, hash, slot)) {
    const id = idAt(table.slots, slot);
    if (table.salts[id] === salt && isText(table.texts[id]!, bytes, start, end)) return id;
  }
  return NO_ID;
}

/** Adds a text that is not there yet. */
export function addText(table: TextTable, salt: number, text: string): number {
  const { texts } = table;
  const own = ownText(text);
  const id = table.free.pop() ?? texts.length;
  if (id === texts.length) texts.push(own);
  else texts[id] = own;
  table.salts = roomIn(table.salts, texts.length);
  table.salts[id] = salt;
  table.textBytes += textBytes(own);
  addId(table.slots, hashOfText(salt, own), id);
  return id;
}

/** Takes a text out. Its id is not given again before `releaseId`. */
export function removeText(table: TextTable, id: number): void {
  const text = table.texts[id]!;
  removeId(table.slots, hashOfText(table.salts[id]!, text), id);
  table.textBytes -= textBytes(text);
  table.texts[id] = '';
  table.salts[id] = FREE;
}

export function releaseId(table: TextTable, id: number): void {
  table.free.push(id);
}

export function textTableBytes({ texts, salts, slots, free, textBytes: strings }: TextTable): number {
  return texts.length * 8 + salts.byteLength + slots.slots.byteLength + free.length * 8 + strings;
}

function isText(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

/** Shorter strings are never parts of other strings in V8. */
const PART_CHARS_MIN = 13;

/** Most texts fit; a longer one gets a buffer of its own. */
const COPIED = Buffer.alloc(1024);

/**
 * A string with memory of its own. A part that was cut out of a long string keeps all of that in memory, such as the body
 * of the request that brought it. UTF-8 would not do: it has no lone surrogates.
 */
function ownText(text: string): string {
  if (text.length < PART_CHARS_MIN) return text;
  const encoding = isLatin1(text) ? 'latin1' : 'utf16le';
  const buffer = text.length * 2 <= COPIED.length ? COPIED : Buffer.alloc(text.length * 2);
  const length = buffer.write(text, encoding);
  const own = buffer.toString(encoding, 0, length);
  buffer.fill(0, 0, length);
  return own;
}

function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}

/** A string's header and its characters, in whole words. */
function textBytes(text: string): number {
  return 16 + ((text.length * (isLatin1(text) ? 1 : 2) + 7) & ~7);
}
