import { isUtf8 } from 'node:buffer';
import { labelsFrom, type Labels } from '../../model/labels.ts';
import {
  BYTES,
  doubleField,
  expectType,
  protoError,
  readInt64,
  readLength,
  readTag,
  skipField,
  VARINT,
  within,
  type ProtoCursor,
} from './proto-cursor.ts';

export interface ExemplarMessage {
  readonly labels: Labels;
  readonly value: number;
  readonly timeMs: number | undefined;
}

/** Reads the `Exemplar` that the cursor is set to. */
export function readExemplar(cursor: ProtoCursor): ExemplarMessage {
  const { end } = cursor;
  const pairs: [string, string][] = [];
  let value = 0;
  let timeMs: number | undefined;
  while (cursor.at < end) {
    const tag = readTag(cursor);
    const field = tag >>> 3;
    if (field === 1) {
      expectType(cursor, tag, BYTES);
      const pair: string[] = [];
      const start = cursor.at;
      const pairEnd = readLength(cursor);
      // An exemplar is no reason to refuse a scrape: what is no UTF-8 in it is replaced.
      readPair(cursor, start, pairEnd, pair, false);
      cursor.end = end;
      pairs.push([pair[0]!, pair[1]!]);
    } else if (field === 2) {
      value = doubleField(cursor, tag);
    } else if (field === 3) {
      within(cursor, tag, () => (timeMs = readTimestamp(cursor)));
    } else {
      skipField(cursor, tag);
    }
  }
  return { labels: labelsFrom(pairs), value, timeMs };
}

/** A `google.protobuf.Timestamp`, in whole milliseconds. */
export function readTimestamp(cursor: ProtoCursor): number {
  let seconds = 0;
  let nanos = 0;
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    const field = tag >>> 3;
    if (field !== 1 && field !== 2) {
      skipField(cursor, tag);
      continue;
    }
    expectType(cursor, tag, VARINT);
    if (field === 1) seconds = readInt64(cursor);
    else nanos = readInt64(cursor);
  }
  return seconds * 1000 + Math.trunc(nanos / 1_000_000);
}

/** Reads the `LabelPair` whose length stands at `start` and adds its name and value. Throws `bad_data` for no UTF-8. */
export function readLabel(cursor: ProtoCursor, start: number, end: number, into: string[]): void {
  readPair(cursor, start, end, into, true);
}

function readPair(cursor: ProtoCursor, start: number, end: number, into: string[], checked: boolean): void {
  cursor.at = start;
  cursor.end = end;
  let name = '';
  let value = '';
  readLength(cursor);
  while (cursor.at < end) {
    const tag = readTag(cursor);
    const field = tag >>> 3;
    if (field === 1) name = readText(cursor, tag, checked);
    else if (field === 2) value = readText(cursor, tag, checked);
    else skipField(cursor, tag);
  }
  into.push(name, value);
}

function readText(cursor: ProtoCursor, tag: number, checked: boolean): string {
  expectType(cursor, tag, BYTES);
  const end = readLength(cursor);
  const start = cursor.at;
  if (checked && !isUtf8(cursor.bytes.subarray(start, end))) {
    throw protoError(cursor, 'a label whose name or value is no valid UTF-8');
  }
  cursor.at = end;
  return cursor.bytes.toString('utf8', start, end);
}
