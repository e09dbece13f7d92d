import { LIMITS } from '../../base/limits.ts';
import type { MessageBounds } from '../../base/proto.ts';
import { FLOAT_ROW, type HistogramColumns } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { partialOf } from '../../partial/algebra.ts';
import type { PartialColumns } from '../../partial/partial.ts';
import {
  assertBits,
  bitAt,
  broken,
  countOnes,
  packBits,
  packUnlessZero,
  readFloats,
  spendCells,
  type DecodeBudget,
} from './blocks.ts';
import type { Fragment } from '../distribute.ts';
import { decodeStates, encodeStates, type HistogramStatesMessage } from './histogram-states-codec.ts';
import { decodeHistograms, encodeHistograms, type HistogramsMessage } from './histograms-codec.ts';
import { decodeLabelSets } from './label-sets-codec.ts';
import { decodeSketches, encodeSketches, type SketchesMessage } from './sketches-codec.ts';

/** Rows as they travel: a label set and columns of numbers at the steps. */
export interface ColumnsRow {
  readonly labels: Labels;
  readonly columns: PartialColumns;
}

/** A row of an answer to a fragment: of a vector, whose values are the only field, or of a partial or a sketch. */
export interface AnswerRow extends ColumnsRow {
  /** A vector's native histograms, step by step. */
  readonly histograms?: HistogramColumns | undefined;
  /** As `Row.dropsName` of the engine. */
  readonly dropsName?: boolean | undefined;
}

/** What the rows of a fragment's answer are made of. */
export interface ColumnsShape {
  readonly steps: number;
  readonly fields: number;
  /** Native histograms as they are, as the state of a sum or a mean, or none. */
  readonly native: 'vector' | 'sum' | 'mean' | 'none';
  /** Of sketches, which the rows have then. */
  readonly relativeError?: number | undefined;
}

/** The Columns message of proto/federation.proto. */
export interface ColumnsMessage {
  strings: string[];
  pairs: number[];
  labels: number[];
  present: Uint8Array;
  fields: Uint8Array[];
  dropsName?: Uint8Array;
  histograms?: HistogramsMessage | null;
  histogramStates?: HistogramStatesMessage | null;
  sketches?: SketchesMessage | null;
}

export function shapeOf(fragment: Fragment): ColumnsShape {
  const { steps } = fragment.grid;
  switch (fragment.answer) {
    case 'vector':
      return { steps, fields: 1, native: 'vector' };
    case 'timed':
      return { steps, fields: 1, native: 'none' };
    case 'partial': {
      const { fields, histograms } = partialOf(fragment);
      const native = histograms === 'sum' || histograms === 'mean' ? histograms : 'none';
      return { steps, fields: fields.length, native };
    }
    case 'sketch':
      return { steps, fields: 0, native: 'none', relativeError: fragment.relativeError };
  }
}

/**
 * Only present cells are written, and a field without a number other than zero takes no bytes. Rows without a present cell
 * stay away: a group of a `max` that saw nothing but native histograms has none, and is nothing to whoever merges it.
 */
export function encodeColumns(
  all: readonly AnswerRow[],
  { fields, native, relativeError }: ColumnsShape,
): ColumnsMessage {
  const rows = all.filter((row) => row.columns.present.includes(1));
  const strings = new Map<string, number>();
  const indexOf = (text: string): number => {
    let index = strings.get(text);
    if (index === undefined) strings.set(text, (index = strings.size));
    return index;
  };
  const labels = rows.flatMap((row) => row.labels.map(indexOf));
  const isNative = (row: AnswerRow, step: number): boolean =>
    native === 'vector' && row.histograms !== undefined && row.histograms.layoutOf[step] !== FLOAT_ROW;
  const columns = rows.map((row) => row.columns);
  const states = native === 'sum' || native === 'mean' ? encodeStates(columns, indexOf) : undefined;
  const histograms = native === 'vector' ? encodeHistograms(rows) : undefined;
  return {
    strings: [...strings.keys()],
    pairs: rows.map((row) => row.labels.length / 2),
    labels,
    present: packBits(columns.map(({ present }) => present)),
    fields: Array.from({ length: fields }, (_, field) => packField(rows, field, isNative)),
    dropsName: packFlags(rows),
    ...(histograms !== undefined && { histograms }),
    ...(states !== undefined && { histogramStates: states }),
    ...(relativeError !== undefined && { sketches: encodeSketches(columns) }),
  };
}

export function startColumnsBudget(): DecodeBudget {
  return { rows: LIMITS.rowsPerAnswer, cells: LIMITS.cellsPerVector };
}

/** Throws `bad_data` when the blocks do not fit together: nothing from the other side is taken on trust. */
export function decodeColumns(message: ColumnsMessage, shape: ColumnsShape, budget: DecodeBudget): AnswerRow[] {
  const { steps, native, relativeError } = shape;
  const count = message.pairs.length;
  budget.rows -= count;
  if (budget.rows < 0) throw broken('too many rows');
  spendCells(budget, count * steps * (shape.fields + 1));
  assertBits(message.present, count * steps, 'presence bits');
  if (message.fields.length !== shape.fields) throw broken('fields');

  const present = Array.from({ length: count }, (_, row) => readPresent(message.present, row, steps));
  const cells = present.map(countOnes);
  if (cells.includes(0)) throw broken('an empty row');
  const labels = decodeLabelSets(message);
  const drops = readFlags(message.dropsName, count);
  if (message.histograms && native !== 'vector') throw broken('histograms');
  const histograms = message.histograms ? decodeHistograms(message.histograms, present, budget) : undefined;
  const fields = message.fields.map((block) => readField(block, present, histograms));
  if (message.histogramStates && native !== 'sum' && native !== 'mean') throw broken('histogram states');
  const states = message.histogramStates
    ? decodeStates(message.histogramStates, present, message.strings, native === 'mean', budget)
    : undefined;
  if ((relativeError !== undefined) !== (message.sketches !== undefined && message.sketches !== null)) {
    throw broken('sketches');
  }
  const sketches =
    relativeError === undefined ? undefined : decodeSketches(message.sketches!, present, relativeError, budget);

  return labels.map((set, row) => {
    const columns: PartialColumns = { present: present[row]!, fields: fields.map((columnsOf) => columnsOf[row]!) };
    if (states?.[row] !== undefined) columns.histograms = states[row];
    if (sketches !== undefined) columns.sketches = sketches[row]!;
    return {
      labels: set,
      columns,
      ...(histograms?.[row] !== undefined && { histograms: histograms[row] }),
      ...(drops?.[row] === 1 && { dropsName: true }),
    };
  });
}

/** The Columns message, by the field numbers of proto/federation.proto. */
export const columnsBounds: MessageBounds = {
  // Label names and values: several new ones for each row. Layouts have a bound of their own.
  fields: LIMITS.rowsPerAnswer * 5 + 32,
  // Ten labels a row, with indices of up to three bytes.
  bytes: { 1: LIMITS.labelBytes, 2: LIMITS.rowsPerAnswer * 2, 3: LIMITS.rowsPerAnswer * 10 * 2 * 3 },
  counts: { 2: 1, 3: 1, 5: 8 },
  nested: { 7: { fields: LIMITS.rowsPerAnswer }, 8: { fields: LIMITS.rowsPerAnswer } },
};

function packFlags(rows: readonly AnswerRow[]): Uint8Array {
  if (!rows.some(({ dropsName }) => dropsName === true)) return new Uint8Array(0);
  return packBits([Uint8Array.from(rows, ({ dropsName }) => (dropsName === true ? 1 : 0))]);
}

function readFlags(block: Uint8Array | undefined, count: number): Uint8Array | undefined {
  if (block === undefined || block.length === 0) return undefined;
  assertBits(block, count, 'bits of rows');
  return Uint8Array.from({ length: count }, (_, row) => bitAt(block, row));
}

function readPresent(block: Uint8Array, row: number, steps: number): Uint8Array {
  const present = new Uint8Array(steps);
  let bit = row * steps;
  for (let step = 0; step < steps; step++, bit++) present[step] = (block[bit >> 3]! >> (bit & 7)) & 1;
  return present;
}

function packField(
  rows: readonly AnswerRow[],
  field: number,
  isNative: (row: AnswerRow, step: number) => boolean,
): Uint8Array {
  const cells = rows.reduce((total, row) => total + countOnes(row.columns.present), 0);
  const values = new Float64Array(cells);
  let used = 0;
  for (const row of rows) {
    const { present, fields } = row.columns;
    const column = fields[field]!;
    if (row.histograms === undefined && !present.includes(0)) {
      values.set(column, used);
      used += column.length;
      continue;
    }
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 1 && !isNative(row, step)) values[used++] = column[step]!;
    }
  }
  return packUnlessZero(values.subarray(0, used));
}

/** The columns of one field, row by row. */
function readField(
  block: Uint8Array,
  present: readonly Uint8Array[],
  histograms: readonly (HistogramColumns | undefined)[] | undefined,
): Float64Array[] {
  if (block.length === 0) return present.map((mask) => new Float64Array(mask.length));
  const values = readFloats(block, 'field length');
  let at = 0;
  const columns = present.map((mask, row) => {
    const layoutOf = histograms?.[row]?.layoutOf;
    if (layoutOf === undefined && at + mask.length <= values.length && !mask.includes(0)) {
      // Most rows are there at every step. A copy: who keeps one row is not to keep the block of all.
      const column = values.slice(at, at + mask.length);
      at += mask.length;
      return column;
    }
    const column = new Float64Array(mask.length);
    for (let step = 0; step < mask.length; step++) {
      if (mask[step] === 0 || (layoutOf !== undefined && layoutOf[step] !== FLOAT_ROW)) continue;
      if (at === values.length) throw broken('field length');
      column[step] = values[at++]!;
    }
    return column;
  });
  if (at !== values.length) throw broken('field length');
  return columns;
}
