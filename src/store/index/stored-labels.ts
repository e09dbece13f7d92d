import { longer } from '../../base/columns.ts';
import { roomIn } from './capacity.ts';
import { HASHED_UNITS, hashOfSum, saltSum, withUnit } from './keyed-hash.ts';
import { findName, findPair, NAME, nameOfPair, type LabelPairs } from './label-pairs.ts';
import { findBytes, NO_ID } from './text-table.ts';

/**
 * Reads label sets as they are stored, one after the other. Series that follow one another have most of their labels in
 * common, so the bytes are compared with those of the row before first; other labels are looked up by their bytes, and
 * only what is new, not ASCII or escaped is decoded.
 */
export interface StoredLabels {
  /** How many pairs the row has that was read last. */
  readonly count: number;
  /** By place: the id of the pair, or `NO_ID` when it is new. */
  readonly pairs: Uint32Array;
  /**
   * Reads a row, and returns how many of its pairs are new; undefined when the bytes are not `["name","value",…]` without
   * spaces, names ascending.
   */
  read(json: Uint8Array): number | undefined;
  /** The id of a pair's name, or `NO_ID` when that is new, too. */
  nameIdAt(place: number): number;
  nameAt(place: number): string;
  valueAt(place: number): string;
  /** Says that `pairs` has all ids now. */
  keep(): void;
  /** Forgets all texts and ids. */
  clear(): void;
}

interface Row {
  bytes: Buffer;
  view: DataView;
  /** Where the row ends; what lies behind is a zero and what was there before. */
  end: number;
  count: number;
  /** By place: see `START` and the others. */
  cells: Int32Array;
  /** By place: names that are new, and values that are new and not plain. */
  readonly newNames: string[];
  readonly newValues: string[];
}

/** Where the pair begins, where its name ends and where it ends, with the quotes; the id of its name, or `NO_ID`. */
const START = 0;
const NAME_END = 1;
const END = 2;
const NAME_ID = 3;
const CELLS = 4;

/** `NO_ID` as it stands in `pairs`. */
export const NEW = NO_ID >>> 0;

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;

export function storedLabels(labels: LabelPairs): StoredLabels {
  let row = emptyRow();
  /** The row before, and its pairs by place. */
  let before = emptyRow();
  let pairs: Uint32Array = new Uint32Array(0);
  let pairsBefore: Uint32Array = new Uint32Array(0);
  /** What `readText` found. */
  let textEnd = 0;
  let textHash = 0;
  let decoded: string | undefined;

  /** Reads the text whose opening quote is at `start`; false when it is none. */
  function readText(start: number, salt: number): boolean {
    const { bytes } = row;
    let sum = saltSum(salt);
    for (let i = 0; i < HASHED_UNITS; i++) {
      const byte = bytes[start + 1 + i]!;
      if (byte === QUOTE) {
        textEnd = start + i + 2;
        textHash = hashOfSum(sum, i);
        decoded = undefined;
        return true;
      }
      if (byte < 0x20 || byte >= 0x80 || byte === BACKSLASH) break;
      sum = withUnit(sum, i, byte);
    }
    return decodeText(start);
  }

  function decodeText(start: number): boolean {
    const { bytes, end: rowEnd } = row;
    let at = start + 1;
    while (at < rowEnd && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
    if (at >= rowEnd) return false;
    textEnd = at + 1;
    try {
      decoded = JSON.parse(bytes.toString('utf8', start, textEnd)) as string;
      return true;
    } catch {
      return false;
    }
  }

  /** Reads the name of the pair at `start`; false when there is none. */
  function readName(place: number, start: number): boolean {
    const { bytes, cells } = row;
    if (bytes[start] !== QUOTE || !readText(start, NAME)) return false;
    const name =
      decoded === undefined
        ? findBytes(labels.names, NAME, bytes, start + 1, textEnd - 1, textHash)
        : findName(labels, decoded);
    cells[place * CELLS + NAME_ID] = name;
    cells[place * CELLS + NAME_END] = textEnd;
    if (name === NO_ID) row.newNames[place] = decoded ?? bytes.toString('latin1', start + 1, textEnd - 1);
    return true;
  }

  /** Reads the value of a pair whose name was read; false when there is none. */
  function readValue(place: number): boolean {
    const { bytes, cells } = row;
    const name = cells[place * CELLS + NAME_ID]!;
    const comma = cells[place * CELLS + NAME_END]!;
    if (bytes[comma] !== COMMA || bytes[comma + 1] !== QUOTE || !readText(comma + 1, name)) return false;
    let pair = NO_ID;
    if (name !== NO_ID) {
      pair =
        decoded === undefined
          ? findBytes(labels.values, name, bytes, comma + 2, textEnd - 1, textHash)
          : findPair(labels, name, decoded);
    }
    pairs[place] = pair;
    cells[place * CELLS + END] = textEnd;
    if (pair === NO_ID && decoded !== undefined) row.newValues[place] = decoded;
    return true;
  }

  /** Reads the pair at `start`; false when it is none. */
  function readPair(place: number, start: number): boolean {
    const at = place * CELLS;
    if (at === row.cells.length) lengthen(row);
    pairs = roomIn(pairs, place + 1);
    const { cells, view, end: rowEnd } = row;
    cells[at + START] = start;
    if (place >= before.count) return readName(place, start) && readValue(place);
    const old = before.cells;
    const from = old[at + START]!;
    const length = old[at + END]! - from;
    if (start + length <= rowEnd && sameBytes(view, start, before.view, from, length)) {
      cells[at + NAME_END] = start + old[at + NAME_END]! - from;
      cells[at + END] = start + length;
      cells[at + NAME_ID] = old[at + NAME_ID]!;
      pairs[place] = pairsBefore[place]!;
      return true;
    }
    const nameLength = old[at + NAME_END]! - from;
    if (start + nameLength <= rowEnd && sameBytes(view, start, before.view, from, nameLength)) {
      cells[at + NAME_END] = start + nameLength;
      cells[at + NAME_ID] = old[at + NAME_ID]!;
      return readValue(place);
    }
    return readName(place, start) && readValue(place);
  }

  function inOrder(place: number): boolean {
    if (place === 0) return true;
    const { cells } = row;
    const at = place * CELLS + NAME_ID;
    if (place < before.count) {
      const old = before.cells;
      if (cells[at] === old[at] && cells[at - CELLS] === old[at - CELLS]) return true;
    }
    return nameAt(place - 1) < nameAt(place);
  }

  function nameAt(place: number): string {
    const name = row.cells[place * CELLS + NAME_ID]!;
    return name === NO_ID ? row.newNames[place]! : labels.names.texts[name]!;
  }

  return {
    get count() {
      return row.count;
    },
    get pairs() {
      return pairs;
    },
    read(json) {
      startRow(row, json);
      const end = json.length;
      if (end < 2 || json[0] !== OPEN || json[end - 1] !== CLOSE) return undefined;
      if (end === 2) return 0;
      let fresh = 0;
      for (let at = 1, place = 0; ; place++, at++) {
        if (!readPair(place, at) || !inOrder(place)) return undefined;
        if (pairs[place] === NEW) fresh++;
        at = row.cells[place * CELLS + END]!;
        if (row.bytes[at] === COMMA) continue;
        row.count = place + 1;
        return at === end - 1 ? fresh : undefined;
      }
    },
    nameAt,
    valueAt(place) {
      const { bytes, cells, newValues } = row;
      const start = cells[place * CELLS + NAME_END]! + 2;
      return newValues[place] ?? bytes.toString('latin1', start, cells[place * CELLS + END]! - 1);
    },
    nameIdAt: (place) => row.cells[place * CELLS + NAME_ID]!,
    keep() {
      if (row.newNames.length > 0) {
        for (let place = 0; place < row.count; place++)
          row.cells[place * CELLS + NAME_ID] = nameOfPair(labels, pairs[place]!);
      }
      [row, before] = [before, row];
      [pairs, pairsBefore] = [pairsBefore, pairs];
    },
    clear() {
      row = emptyRow();
      before = emptyRow();
    },
  };
}

function emptyRow(): Row {
  const bytes = Buffer.alloc(0);
  return {
    bytes,
    view: new DataView(bytes.buffer),
    end: 0,
    count: 0,
    cells: new Int32Array(0),
    newNames: [],
    newValues: [],
  };
}

/** Takes a row's bytes over, and a zero behind them, which no text may hold. */
function startRow(row: Row, json: Uint8Array): void {
  if (json.length >= row.bytes.length) {
    row.bytes = Buffer.from(new ArrayBuffer(json.length * 2 + 1));
    row.view = new DataView(row.bytes.buffer);
  }
  row.bytes.set(json);
  row.bytes[json.length] = 0;
  row.end = json.length;
  row.count = 0;
  if (row.newNames.length > 0) row.newNames.length = 0;
  if (row.newValues.length > 0) row.newValues.length = 0;
}

function lengthen(row: Row): void {
  row.cells = longer(row.cells, new Int32Array(row.cells.length * 2 + CELLS * 16));
}

function sameBytes(a: DataView, aStart: number, b: DataView, bStart: number, length: number): boolean {
  let i = 0;
  for (const end = length & ~7; i < end; i += 8) {
    if (a.getBigInt64(aStart + i, true) !== b.getBigInt64(bStart + i, true)) return false;
  }
  for (; i < length; i++) if (a.getUint8(aStart + i) !== b.getUint8(bStart + i)) return false;
  return true;
}
