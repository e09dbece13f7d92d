/**
 * Native histograms in columns (https://prometheus.io/docs/specs/native_histograms/). Bucket counts are absolute and
 * floats: what PromQL computes with. An integer count stays exact up to 2^53.
 */

/** The schema of histograms whose bounds are listed (native histograms with custom buckets). */
export const CUSTOM_BUCKETS = -53;

/** Exponential schemas: bucket `i` ends at 2^(i * 2^-schema), that bound included. */
export const SCHEMA_MIN = -4;
export const SCHEMA_MAX = 8;

/**
 * Which buckets a histogram has. Series rarely change theirs, so samples share a layout by reference wherever they can;
 * compare with `sameLayout`, since equal ones may still be two objects.
 */
export interface HistogramLayout {
  readonly schema: number;
  /** Observations with a magnitude up to here are in the zero bucket. 0 under `CUSTOM_BUCKETS`. */
  readonly zeroThreshold: number;
  /** Indexes of the buckets for positive observations, ascending; under `CUSTOM_BUCKETS`, positions in `bounds`. */
  readonly positive: Int32Array;
  /** The same for negative observations; empty under `CUSTOM_BUCKETS`. */
  readonly negative: Int32Array;
  /** Upper bounds under `CUSTOM_BUCKETS`, ascending, without +Inf; otherwise empty. */
  readonly bounds: Float64Array;
}

/** Whether a sample's counters may have started again before it (`CounterResetHint` of Prometheus). */
export const RESET_UNKNOWN = 0;
export const RESET = 1;
export const NOT_RESET = 2;
export const GAUGE = 3;

/** One native histogram. */
export interface NativeHistogram {
  readonly layout: HistogramLayout;
  readonly hint: number;
  readonly count: number;
  readonly sum: number;
  readonly zeroCount: number;
  /** Counts of the buckets in `layout.positive`. */
  readonly positive: Float64Array;
  /** Counts of the buckets in `layout.negative`. */
  readonly negative: Float64Array;
}

/**
 * A column of samples some of which are native histograms, beside a column of floats: row i is a histogram where
 * `layoutOf[i]` is not `FLOAT_ROW`, and then the float says nothing. A staleness marker is always a float.
 *
 * The numbers of row i lie in `cells` from `starts[i]` on: count, sum, zero count, then the positive and the negative
 * buckets in the order of the layout.
 */
export interface HistogramColumns {
  readonly layouts: readonly HistogramLayout[];
  /** Row -> index into `layouts`, or `FLOAT_ROW`. */
  readonly layoutOf: Int32Array;
  /** Row -> its reset hint; 0 for floats. */
  readonly hints: Uint8Array;
  /** Row -> where its numbers start in `cells`; anything for floats. */
  readonly starts: Uint32Array;
  readonly cells: Float64Array;
}

export const FLOAT_ROW = -1;

/** Where the parts of a histogram stand in its cells. */
export const COUNT_CELL = 0;
export const SUM_CELL = 1;
export const ZERO_COUNT_CELL = 2;
export const BUCKET_CELLS = 3;

/** How many cells a histogram of this layout takes. */
export function cellsOf(layout: HistogramLayout): number {
  return BUCKET_CELLS + layout.positive.length + layout.negative.length;
}

function sameLayout(a: HistogramLayout, b: HistogramLayout): boolean {
  if (a === b) return true;
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    sameNumbers(a.positive, b.positive) &&
    sameNumbers(a.negative, b.negative) &&
    sameNumbers(a.bounds, b.bounds)
  );
}

/** Whether row `index` is a native histogram; `columns` is undefined where every row is a float. */
export function isHistogramAt(columns: HistogramColumns | undefined, index: number): columns is HistogramColumns {
  return columns !== undefined && columns.layoutOf[index] !== FLOAT_ROW;
}

/** Row `index`, which must be a histogram; its counts are views into the column. */
export function histogramAt(columns: HistogramColumns, index: number): NativeHistogram {
  const layout = columns.layouts[columns.layoutOf[index]!]!;
  const { cells } = columns;
  const start = columns.starts[index]!;
  const negativeAt = start + BUCKET_CELLS + layout.positive.length;
  return {
    layout,
    hint: columns.hints[index]!,
    count: cells[start + COUNT_CELL]!,
    sum: cells[start + SUM_CELL]!,
    zeroCount: cells[start + ZERO_COUNT_CELL]!,
    positive: cells.subarray(start + BUCKET_CELLS, negativeAt),
    negative: cells.subarray(negativeAt, negativeAt + layout.negative.length),
  };
}

/** Rows [from, to) as columns of their own that share the cells. */
export function sliceHistograms(columns: HistogramColumns, from: number, to: number): HistogramColumns {
  return {
    layouts: columns.layouts,
    layoutOf: columns.layoutOf.subarray(from, to),
    hints: columns.hints.subarray(from, to),
    starts: columns.starts.subarray(from, to),
    cells: columns.cells,
  };
}

/** Whether two histograms are equal in every bit, hints aside. */
export function sameHistogram(a: NativeHistogram, b: NativeHistogram): boolean {
  return (
    sameLayout(a.layout, b.layout) &&
    sameBits(Float64Array.of(a.count, a.sum, a.zeroCount), Float64Array.of(b.count, b.sum, b.zeroCount)) &&
    sameBits(a.positive, b.positive) &&
    sameBits(a.negative, b.negative)
  );
}

/** A part of a column: `rows` rows, all of them floats where `histograms` is undefined. */
export interface HistogramPiece {
  readonly rows: number;
  readonly histograms: HistogramColumns | undefined;
}

/** The pieces one after the other; undefined when no piece has a histogram. A single piece is returned as it is. */
export function concatHistograms(pieces: readonly HistogramPiece[]): HistogramColumns | undefined {
  if (pieces.length === 1) return pieces[0]!.histograms;
  let rows = 0;
  let cellsMax = 0;
  for (const piece of pieces) {
    rows += piece.rows;
    if (piece.histograms !== undefined) cellsMax += usedCells(piece.histograms)[1];
  }
  if (!pieces.some(({ histograms }) => histograms !== undefined)) return undefined;

  const layouts: HistogramLayout[] = [];
  const layoutOf = new Int32Array(rows).fill(FLOAT_ROW);
  const hints = new Uint8Array(rows);
  const starts = new Uint32Array(rows);
  const cells = new Float64Array(cellsMax);
  let row = 0;
  let used = 0;
  for (const { rows: length, histograms } of pieces) {
    if (histograms !== undefined) {
      const [from, count] = usedCells(histograms);
      const indexes = histograms.layouts.map((layout) => layoutIndex(layouts, layout));
      hints.set(histograms.hints, row);
      for (let i = 0; i < length; i++) {
        const layout = histograms.layoutOf[i]!;
        if (layout === FLOAT_ROW) continue;
        layoutOf[row + i] = indexes[layout]!;
        starts[row + i] = histograms.starts[i]! - from + used;
      }
      cells.set(histograms.cells.subarray(from, from + count), used);
      used += count;
    }
    row += length;
  }
  return { layouts, layoutOf, hints, starts, cells };
}

/** Where the cells of the rows begin, and how many there are to the end of the last. */
function usedCells({ layouts, layoutOf, starts }: HistogramColumns): [from: number, count: number] {
  let from = Number.POSITIVE_INFINITY;
  let end = 0;
  for (let i = 0; i < layoutOf.length; i++) {
    if (layoutOf[i] === FLOAT_ROW) continue;
    from = Math.min(from, starts[i]!);
    end = Math.max(end, starts[i]! + cellsOf(layouts[layoutOf[i]!]!));
  }
  return end === 0 ? [0, 0] : [from, end - from];
}

/** Layouts that a new one is compared with: many series in one batch have few shapes, and a search must stay short. */
const LAYOUTS_COMPARED = 16;

/** The index of an equal layout in `layouts`, to which a new one is added. */
export function layoutIndex(layouts: HistogramLayout[], layout: HistogramLayout): number {
  const first = Math.max(0, layouts.length - LAYOUTS_COMPARED);
  // From the end: a series that changed its buckets goes on with the newest ones.
  for (let i = layouts.length - 1; i >= first; i--) if (layouts[i] === layout) return i;
  for (let i = layouts.length - 1; i >= first; i--) if (sameLayout(layouts[i]!, layout)) return i;
  return layouts.push(layout) - 1;
}

function sameBits(a: Float64Array, b: Float64Array): boolean {
  if (a.length !== b.length) return false;
  const x = new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  const y = new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
  return Buffer.compare(x, y) === 0;
}

export function sameNumbers(a: Int32Array | Float64Array, b: Int32Array | Float64Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  // From the end, where ascending numbers that are not the same differ first.
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false;
  return true;
}
