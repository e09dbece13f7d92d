import { copyHistograms } from '../../engine/select/histogram-rows.ts';
import {
  concatHistograms,
  sliceHistograms,
  type HistogramColumns,
  type HistogramPiece,
} from '../../model/histogram.ts';
import { labelsKey } from '../../model/labels.ts';
import type { PartialColumns } from '../../partial/partial.ts';
import type { AnswerRow } from '../../plan/frames/columns-codec.ts';
import { joinSketches, joinStates, sliceSketches, sliceStates } from './states.ts';

/** Rows at some steps of a whole: `steps` of them, from step `from` on. No label set comes twice. */
export interface RowsPiece {
  readonly from: number;
  readonly steps: number;
  readonly rows: readonly AnswerRow[];
}

/** A copy of the rows at the steps [from, to), without those that have nothing there. */
export function sliceRows(rows: readonly AnswerRow[], from: number, to: number): AnswerRow[] {
  return rows.flatMap((row) => {
    const present = row.columns.present.slice(from, to);
    if (!present.includes(1)) return [];
    const columns: PartialColumns = {
      present,
      fields: row.columns.fields.map((field) => field.slice(from, to)),
    };
    const { histograms: states, sketches } = row.columns;
    const slicedStates = states === undefined ? undefined : sliceStates(states, from, to);
    if (slicedStates !== undefined) columns.histograms = slicedStates;
    if (sketches !== undefined) columns.sketches = sliceSketches(sketches, from, to);
    const histograms = row.histograms && copyHistograms(present, sliceHistograms(row.histograms, from, to));
    return [
      {
        labels: row.labels,
        columns,
        ...(histograms !== undefined && { histograms }),
        ...(row.dropsName === true && { dropsName: true }),
      },
    ];
  });
}

/**
 * One row for each label set in any of the pieces, over all `steps` of the whole, in the order in which they come. The pieces
 * are in order of time and share no step; where none is, nothing is present. A piece that is the whole is returned as it is.
 */
export function joinRows(pieces: readonly RowsPiece[], steps: number): readonly AnswerRow[] {
  const [first] = pieces;
  if (pieces.length === 1 && first!.from === 0 && first!.steps === steps) return first!.rows;
  const parts = new Map<string, RowPart[]>();
  for (const { from, rows } of pieces) {
    for (const row of rows) {
      const key = labelsKey(row.labels);
      const known = parts.get(key);
      if (known === undefined) parts.set(key, [{ from, row }]);
      else known.push({ from, row });
    }
  }
  return [...parts.values()].map((one) => joinRow(one, steps));
}

/** What a piece has of one row. */
interface RowPart {
  readonly from: number;
  readonly row: AnswerRow;
}

function joinRow(parts: readonly RowPart[], steps: number): AnswerRow {
  const { labels, columns: shape, dropsName } = parts[0]!.row;
  const present = new Uint8Array(steps);
  const fields = shape.fields.map(() => new Float64Array(steps));
  for (const { from, row } of parts) {
    present.set(row.columns.present, from);
    for (const [i, field] of row.columns.fields.entries()) fields[i]!.set(field, from);
  }
  const columns: PartialColumns = { present, fields };
  const states = joinStates(
    parts.map(({ from, row }) => ({ from, present: row.columns.present, states: row.columns.histograms })),
    steps,
  );
  if (states !== undefined) columns.histograms = states;
  if (shape.sketches !== undefined) {
    columns.sketches = joinSketches(
      parts.map(({ from, row }) => ({ from, sketches: row.columns.sketches! })),
      steps,
    );
  }
  const histograms = joinHistograms(parts, steps);
  return {
    labels,
    columns,
    ...(histograms !== undefined && { histograms }),
    ...(dropsName === true && { dropsName }),
  };
}

function joinHistograms(parts: readonly RowPart[], steps: number): HistogramColumns | undefined {
  if (parts.every(({ row }) => row.histograms === undefined)) return undefined;
  const pieces: HistogramPiece[] = [];
  let at = 0;
  for (const { from, row } of parts) {
    const { length } = row.columns.present;
    pieces.push({ rows: from - at, histograms: undefined }, { rows: length, histograms: row.histograms });
    at = from + length;
  }
  return concatHistograms([...pieces, { rows: steps - at, histograms: undefined }]);
}

/** What the rows take in memory, about. */
export function bytesOfRows(rows: readonly AnswerRow[]): number {
  return rows.reduce((bytes, row) => bytes + bytesOfRow(row), 0);
}

/** A row's objects without what they hold, measured. */
const ROW_BYTES = 400;
/** A typed array without its numbers, and a string without its characters. */
const ARRAY_BYTES = 120;
const STRING_BYTES = 24;

function bytesOfRow({ labels, columns, histograms }: AnswerRow): number {
  let bytes = ROW_BYTES;
  for (const text of labels) bytes += STRING_BYTES + 2 * text.length;
  const arrays: ArrayBufferView[] = [columns.present, ...columns.fields];
  if (histograms !== undefined) {
    const { layouts, layoutOf, hints, starts, cells } = histograms;
    arrays.push(layoutOf, hints, starts, cells);
    for (const { positive, negative, bounds } of layouts) arrays.push(positive, negative, bounds);
  }
  for (const { layout, holds, hints, counts, cells, lost } of columns.histograms?.blocks ?? []) {
    arrays.push(holds, hints, counts, cells, lost, layout.positive, layout.negative, layout.bounds);
  }
  if (columns.histograms !== undefined) arrays.push(columns.histograms.seen);
  if (columns.sketches !== undefined) {
    const { starts, keys, counts } = columns.sketches;
    arrays.push(starts, keys, counts);
  }
  for (const array of arrays) bytes += ARRAY_BYTES + array.byteLength;
  return bytes;
}
