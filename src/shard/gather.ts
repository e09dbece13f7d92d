import type { HistogramColumns } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { PartialHistograms } from '../partial/partial-histograms.ts';
import type { Sketches } from '../partial/sketch.ts';
import type { ShardRow } from './shard.ts';

/**
 * Rows on their way between threads: columns one after the other in a few buffers, which are handed over and not copied, and
 * each text once.
 */
export interface PackedRows {
  readonly strings: readonly string[];
  /** Row -> how many of `labels` are its own. */
  readonly parts: Uint32Array;
  /** Names and values of the rows' labels, as indices into `strings`. */
  readonly labels: Uint32Array;
  /** Row -> how many cells it has. */
  readonly cells: Uint32Array;
  readonly present: Uint8Array;
  readonly fields: readonly Float64Array[];
  /** By row; empty where no row has any. */
  readonly histograms: readonly (HistogramColumns | undefined)[];
  /** Of groups, by row; empty where no row has any. */
  readonly partials: readonly (PartialHistograms | undefined)[];
  readonly sketches: readonly (Sketches | undefined)[];
  /** By row, 1 for `dropsName`. */
  readonly dropsNames: Uint8Array;
}

export function packRows(rows: readonly ShardRow[]): PackedRows {
  const cells = Uint32Array.from(rows, ({ columns }) => columns.present.length);
  const total = cells.reduce((sum, count) => sum + count, 0);
  const present = new Uint8Array(total);
  const fields = (rows[0]?.columns.fields ?? []).map(() => new Float64Array(total));
  let at = 0;
  for (const { columns } of rows) {
    present.set(columns.present, at);
    for (const [i, field] of columns.fields.entries()) fields[i]!.set(field, at);
    at += columns.present.length;
  }
  const withHistograms = rows.some(({ histograms }) => histograms !== undefined);
  const withPartials = rows.some(({ columns }) => columns.histograms !== undefined);
  const withSketches = rows.some(({ columns }) => columns.sketches !== undefined);
  return {
    ...packLabels(rows),
    cells,
    present,
    fields,
    histograms: withHistograms ? rows.map(({ histograms }) => histograms) : [],
    partials: withPartials ? rows.map(({ columns }) => columns.histograms) : [],
    sketches: withSketches ? rows.map(({ columns }) => columns.sketches) : [],
    dropsNames: Uint8Array.from(rows, ({ dropsName }) => (dropsName === true ? 1 : 0)),
  };
}

/** Rows again, as views into the buffers. */
export function unpackRows(packed: PackedRows): ShardRow[] {
  const { strings, parts, labels, cells, present, fields, histograms, partials, sketches, dropsNames } = packed;
  const rows: ShardRow[] = [];
  let label = 0;
  let at = 0;
  for (let row = 0; row < parts.length; row++) {
    const own: string[] = [];
    for (const end = label + parts[row]!; label < end; label++) own.push(strings[labels[label]!]!);
    const end = at + cells[row]!;
    rows.push({
      labels: own,
      columns: {
        present: present.subarray(at, end),
        fields: fields.map((field) => field.subarray(at, end)),
        histograms: partials[row],
        sketches: sketches[row],
      },
      histograms: histograms[row],
      dropsName: dropsNames[row] === 1,
    });
    at = end;
  }
  return rows;
}

/** The buffers of packed rows, which nobody else has. Those of histogram layouts are shared, so they are copied instead. */
export function buffersOf({
  parts,
  labels,
  cells,
  present,
  fields,
  histograms,
  dropsNames,
}: PackedRows): ArrayBuffer[] {
  const columns: ArrayBufferView[] = [parts, labels, cells, present, dropsNames, ...fields];
  for (const own of histograms) if (own !== undefined) columns.push(own.layoutOf, own.hints, own.starts, own.cells);
  // Columns without a cell may share one buffer, and none may be handed over twice.
  return [...new Set(columns.map(({ buffer }) => buffer as ArrayBuffer))];
}

function packLabels(rows: readonly { readonly labels: Labels }[]): Pick<PackedRows, 'strings' | 'parts' | 'labels'> {
  const strings = new Map<string, number>();
  const parts = Uint32Array.from(rows, ({ labels }) => labels.length);
  const labels = new Uint32Array(parts.reduce((sum, count) => sum + count, 0));
  let at = 0;
  for (const row of rows) {
    for (const part of row.labels) {
      let index = strings.get(part);
      if (index === undefined) {
        index = strings.size;
        strings.set(part, index);
      }
      labels[at++] = index;
    }
  }
  return { strings: [...strings.keys()], parts, labels };
}
