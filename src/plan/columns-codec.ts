import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Labels } from '../model/labels.ts';
import type { PartialColumns } from '../partial/partial.ts';

/** The Columns message of proto/federation.proto. */
export interface ColumnsMessage {
  strings: string[];
  pairs: number[];
  labels: number[];
  present: Uint8Array;
  fields: Uint8Array[];
}

/** Rows as they travel: a label set and columns of numbers at the steps. */
export interface ColumnsRow {
  readonly labels: Labels;
  readonly columns: PartialColumns;
}

/** Only present cells are written, and a field without a number other than zero takes no bytes. */
export function encodeColumns(rows: readonly ColumnsRow[], fieldCount: number): ColumnsMessage {
  const strings = new Map<string, number>();
  const labels: number[] = [];
  for (const row of rows) {
    for (const part of row.labels) {
      if (!strings.has(part)) strings.set(part, strings.size);
      labels.push(strings.get(part)!);
    }
  }
  return {
    strings: [...strings.keys()],
    pairs: rows.map((row) => row.labels.length / 2),
    labels,
    present: packBits(rows.map((row) => row.columns.present)),
    fields: Array.from({ length: fieldCount }, (_, field) => packField(rows, field)),
  };
}

/** What one answer may still hold, over all its fragments. */
export interface ColumnsBudget {
  rows: number;
  cells: number;
}

export function startColumnsBudget(): ColumnsBudget {
  return { rows: LIMITS.rowsPerAnswer, cells: LIMITS.cellsPerVector };
}

/** Throws `bad_data` when the blocks do not fit together: nothing from the other side is taken on trust. */
export function decodeColumns(
  message: ColumnsMessage,
  steps: number,
  fieldCount: number,
  budget: ColumnsBudget,
): ColumnsRow[] {
  const count = message.pairs.length;
  budget.rows -= count;
  budget.cells -= count * steps * (fieldCount + 1);
  if (budget.rows < 0) throw broken('too many rows');
  if (budget.cells < 0) throw broken('too many cells');
  if (message.present.length !== Math.ceil((count * steps) / 8)) throw broken('presence bits');
  if (message.fields.length !== fieldCount) throw broken('fields');

  const rows = readLabels(message).map((labels, row) => ({ labels, columns: emptyColumns(message, row, steps) }));
  if (rows.some((row) => countPresent(row.columns.present) === 0)) throw broken('an empty row');
  const cells = rows.reduce((total, row) => total + countPresent(row.columns.present), 0);
  message.fields.forEach((block, field) => {
    if (block.length === 0) return;
    if (block.length !== cells * 8) throw broken('field length');
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    let at = 0;
    for (const { columns } of rows) {
      for (let step = 0; step < steps; step++) {
        if (columns.present[step] === 0) continue;
        columns.fields[field]![step] = view.getFloat64(at, true);
        at += 8;
      }
    }
  });
  return rows;
}

function emptyColumns(message: ColumnsMessage, row: number, steps: number): PartialColumns {
  const present = new Uint8Array(steps);
  for (let step = 0; step < steps; step++) {
    const bit = row * steps + step;
    present[step] = (message.present[bit >> 3]! >> (bit & 7)) & 1;
  }
  return { present, fields: message.fields.map(() => new Float64Array(steps)) };
}

function readLabels({ strings, pairs, labels }: ColumnsMessage): Labels[] {
  let at = 0;
  const sets = pairs.map((count) => {
    const set: string[] = [];
    for (let i = 0; i < count * 2; i++) {
      const text = strings[labels[at++]!];
      if (text === undefined) throw broken('label index');
      if (text === '' || text.length > LIMITS.labelBytes) throw broken('label length');
      if (i % 2 === 0 && i > 0 && !(text > set[i - 2]!)) throw broken('label order');
      set.push(text);
    }
    return set;
  });
  if (at !== labels.length) throw broken('label count');
  return sets;
}

function packBits(masks: readonly Uint8Array[]): Uint8Array {
  const total = masks.reduce((bits, mask) => bits + mask.length, 0);
  const bytes = new Uint8Array(Math.ceil(total / 8));
  let bit = 0;
  for (const mask of masks) {
    for (const present of mask) {
      bytes[bit >> 3]! |= present << (bit & 7);
      bit++;
    }
  }
  return bytes;
}

function packField(rows: readonly ColumnsRow[], field: number): Uint8Array {
  const cells = rows.reduce((total, row) => total + countPresent(row.columns.present), 0);
  const bytes = new Uint8Array(cells * 8);
  const view = new DataView(bytes.buffer);
  let at = 0;
  let plain = true;
  for (const { columns } of rows) {
    const values = columns.fields[field]!;
    for (let step = 0; step < values.length; step++) {
      if (columns.present[step] === 0) continue;
      view.setFloat64(at, values[step]!, true);
      plain &&= Object.is(values[step], 0);
      at += 8;
    }
  }
  return plain ? new Uint8Array(0) : bytes;
}

function countPresent(present: Uint8Array): number {
  let count = 0;
  for (const bit of present) count += bit;
  return count;
}

function broken(what: string): ComityError {
  return new ComityError('bad_data', `malformed Columns: ${what}`);
}
