import { cellsOf, FLOAT_ROW, type HistogramColumns, type HistogramLayout } from '../model/histogram.ts';
import { padded, type Sections } from './framed.ts';

/**
 * The native histograms of a record or chunk: layouts once each, then for each histogram its row, layout and hint, then
 * all cells. See docs/formats.md.
 */
export interface HistogramSection {
  readonly layouts: readonly HistogramLayout[];
  /** Ascending; the other rows are floats. */
  readonly rows: Uint32Array;
  /** Of each histogram, its index into `layouts`. */
  readonly layoutOf: Uint32Array;
  readonly hints: Uint8Array;
  /** The cells of one histogram after the other's. */
  readonly cells: Float64Array;
}

const LAYOUT_HEADER_NUMBERS = 4;

/** The rows [from, to) of `columns` that are histograms, counted from `from`. Layouts that none of them has are left out. */
export function sectionOf(columns: HistogramColumns, from: number, to: number): HistogramSection | undefined {
  let count = 0;
  let cellCount = 0;
  let first = 0;
  /** Whether the histograms' cells lie one behind the other. */
  let dense = true;
  const indexes = new Int32Array(columns.layouts.length).fill(-1);
  const layouts: HistogramLayout[] = [];
  for (let row = from; row < to; row++) {
    const layout = columns.layoutOf[row]!;
    if (layout === FLOAT_ROW) continue;
    if (indexes[layout] === -1) indexes[layout] = layouts.push(columns.layouts[layout]!) - 1;
    if (count === 0) first = columns.starts[row]!;
    else if (columns.starts[row] !== first + cellCount) dense = false;
    count++;
    cellCount += cellsOf(columns.layouts[layout]!);
  }
  if (count === 0) return undefined;
  const section = {
    layouts,
    rows: new Uint32Array(count),
    layoutOf: new Uint32Array(count),
    hints: new Uint8Array(count),
    cells: dense ? columns.cells.subarray(first, first + cellCount) : new Float64Array(cellCount),
  };
  let at = 0;
  let used = 0;
  for (let row = from; row < to; row++) {
    const layout = columns.layoutOf[row]!;
    if (layout === FLOAT_ROW) continue;
    section.rows[at] = row - from;
    section.layoutOf[at] = indexes[layout]!;
    section.hints[at++] = columns.hints[row]!;
    if (dense) continue;
    const cells = cellsOf(columns.layouts[layout]!);
    const start = columns.starts[row]!;
    section.cells.set(columns.cells.subarray(start, start + cells), used);
    used += cells;
  }
  return section;
}

/** The section as columns of `rows` rows; the cells are shared. Histograms of later rows are left out. */
export function columnsOf(section: HistogramSection, rows: number): HistogramColumns | undefined {
  const layoutOf = new Int32Array(rows).fill(FLOAT_ROW);
  const hints = new Uint8Array(rows);
  const starts = new Uint32Array(rows);
  let used = 0;
  let any = false;
  for (let i = 0; i < section.rows.length; i++) {
    const row = section.rows[i]!;
    if (row < rows) {
      any = true;
      layoutOf[row] = section.layoutOf[i]!;
      hints[row] = section.hints[i]!;
      starts[row] = used;
    }
    used += cellsOf(section.layouts[section.layoutOf[i]!]!);
  }
  return any ? { layouts: section.layouts, layoutOf, hints, starts, cells: section.cells } : undefined;
}

export function sectionBytes(section: HistogramSection): number {
  let bytes = 16 + section.rows.length * 8 + padded(section.hints.length) + section.cells.length * 8;
  for (const layout of section.layouts) {
    bytes += LAYOUT_HEADER_NUMBERS * 4 + 8 + layout.bounds.length * 8;
    bytes += padded((layout.positive.length + layout.negative.length) * 4);
  }
  return bytes;
}

export function writeSection(sections: Sections, section: HistogramSection): void {
  sections.u32(4).set([section.layouts.length, section.rows.length, section.cells.length, 0]);
  for (const { schema, zeroThreshold, positive, negative, bounds } of section.layouts) {
    sections.i32(LAYOUT_HEADER_NUMBERS).set([schema, positive.length, negative.length, bounds.length]);
    sections.f64(1)[0] = zeroThreshold;
    sections.f64(bounds.length).set(bounds);
    const indexes = sections.i32(evenly(positive.length + negative.length));
    indexes.set(positive, 0);
    indexes.set(negative, positive.length);
  }
  sections.u32(section.rows.length).set(section.rows);
  sections.u32(section.layoutOf.length).set(section.layoutOf);
  sections.u8(section.hints.length).set(section.hints);
  sections.f64(section.cells.length).set(section.cells);
}

/** Reads the histograms of a frame whose rows lie below `rowsMax`. Throws `internal` when they do not fit together. */
export function readSection(sections: Sections, rowsMax: number): HistogramSection {
  const [layoutCount, rowCount, cellCount] = sections.u32(4) as unknown as [number, number, number];
  const layouts: HistogramLayout[] = [];
  for (let i = 0; i < layoutCount; i++) layouts.push(readLayout(sections));
  const section = {
    layouts,
    rows: sections.u32(rowCount),
    layoutOf: sections.u32(rowCount),
    hints: sections.u8(rowCount),
    cells: sections.f64(cellCount),
  };
  let used = 0;
  for (let i = 0; i < rowCount; i++) {
    const layout = layouts[section.layoutOf[i]!];
    if (layout === undefined) throw sections.damaged(`histogram ${i} has layout ${section.layoutOf[i]}`);
    if (section.rows[i]! >= rowsMax || (i > 0 && section.rows[i]! <= section.rows[i - 1]!)) {
      throw sections.damaged(`histogram ${i} is in row ${section.rows[i]}`);
    }
    used += cellsOf(layout);
  }
  if (used !== cellCount) throw sections.damaged(`its histograms have ${used} cells and not ${cellCount}`);
  return section;
}

function readLayout(sections: Sections): HistogramLayout {
  const [schema, positives, negatives, bounds] = sections.i32(LAYOUT_HEADER_NUMBERS) as unknown as number[];
  if (positives! < 0 || negatives! < 0 || bounds! < 0) throw sections.damaged('a layout has fewer than no buckets');
  const zeroThreshold = sections.f64(1)[0]!;
  const boundValues = sections.f64(bounds!);
  const indexes = sections.i32(evenly(positives! + negatives!));
  // Copies: layouts are shared by reference and outlive the chunk that they came from.
  return {
    schema: schema!,
    zeroThreshold,
    positive: indexes.slice(0, positives),
    negative: indexes.slice(positives, positives! + negatives!),
    bounds: boundValues.slice(),
  };
}

/** An even count, so that numbers of four bytes fill up eight. */
function evenly(count: number): number {
  return count + (count % 2);
}
