import { isUtf8 } from 'node:buffer';
import { labelsFrom, type Labels } from '../../model/labels.ts';
import { malformed, readTag, skipField, type ProtoCursor } from '../proto-cursor.ts';
import { bytesField, doubleField, int64Field } from './fields.ts';

export interface ExemplarMessage {
  readonly labels: Labels;
  readonly value: number;
  readonly timeMs: number | undefined;
}

/** Reads the `Exemplar` that ends at `end`. */
export function readExemplar(cursor: ProtoCursor, end: number): ExemplarMessage {
  const pairs: [string, string][] = [];
  let value = 0;
  let timeMs: number | undefined;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if (field === 1) {
      const pair: string[] = [];
      // An exemplar is no reason to refuse a scrape: what is no UTF-8 in it is replaced.
      readPair(cursor, bytesField(cursor, end, tag), pair, false);
      pairs.push([pair[0]!, pair[1]!]);
    } else if (field === 2) {
      value = doubleField(cursor, end, tag);
    } else if (field === 3) {
      timeMs = readTimestamp(cursor, bytesField(cursor, end, tag));
    } else {
      skipField(cursor, tag, end);
    }
  }
  return { labels: labelsFrom(pairs), value, timeMs };
}

/** Reads the `google.protobuf.Timestamp` that ends at `end`, in whole milliseconds. */
export function readTimestamp(cursor: ProtoCursor, end: number): number {
  let seconds = 0;
  let nanos = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if (field === 1) seconds = int64Field(cursor, end, tag);
    else if (field === 2) nanos = int64Field(cursor, end, tag);
    else skipField(cursor, tag, end);
  }
  return seconds * 1000 + Math.trunc(nanos / 1_000_000);
}

/** Reads the `LabelPair` that ends at `end` and adds its name and value. Throws `bad_data` for no UTF-8. */
export function readLabel(cursor: ProtoCursor, end: number, into: string[]): void {
  readPair(cursor, end, into, true);
}

function readPair(cursor: ProtoCursor, end: number, into: string[], checked: boolean): void {
  let name = '';
  let value = '';
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if (field === 1) name = readText(cursor, end, tag, checked);
    else if (field === 2) value = readText(cursor, end, tag, checked);
    else skipField(cursor, tag, end);
  }
  into.push(name, value);
}

function readText(cursor: ProtoCursor, end: number, tag: number, checked: boolean): string {
  const textEnd = bytesField(cursor, end, tag);
  const start = cursor.at;
  if (checked && !isUtf8(cursor.bytes.subarray(start, textEnd))) {
    throw malformed(cursor, 'a label whose name or value is no valid UTF-8');
  }
  cursor.at = textEnd;
  return cursor.bytes.toString('utf8', start, textEnd);
}
