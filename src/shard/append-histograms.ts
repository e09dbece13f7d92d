import { cellsOf, FLOAT_ROW, type HistogramColumns, type HistogramLayout } from '../model/histogram.ts';
import { filled, type BufferRoom } from './buffer-room.ts';

/** The layouts one after the other: `sizes` has the lengths of positive, negative and bounds of each. */
export interface PackedHistograms extends Omit<HistogramColumns, 'layouts'> {
  readonly schemas: Int32Array;
  readonly zeroThresholds: Float64Array;
  readonly sizes: Uint32Array;
  readonly indexes: Int32Array;
  readonly bounds: Float64Array;
}

/** What rows use of histogram columns: a part of a split batch shares layouts and cells with the others. */
export interface MeasuredHistograms {
  readonly columns: HistogramColumns;
  readonly used: readonly HistogramLayout[];
  /** Of each layout of the columns, where it is in `used`. */
  readonly placeOf: Int32Array;
  readonly cellCount: number;
  readonly indexCount: number;
  readonly boundCount: number;
  readonly bytes: number;
}

export function measureHistograms(columns: HistogramColumns): MeasuredHistograms {
  const rows = columns.layoutOf.length;
  const used: HistogramLayout[] = [];
  const placeOf = new Int32Array(columns.layouts.length).fill(FLOAT_ROW);
  let cellCount = 0;
  let indexCount = 0;
  let boundCount = 0;
  for (let row = 0; row < rows; row++) {
    const at = columns.layoutOf[row]!;
    if (at === FLOAT_ROW) continue;
    const layout = columns.layouts[at]!;
    cellCount += cellsOf(layout);
    if (placeOf[at] !== FLOAT_ROW) continue;
    placeOf[at] = used.push(layout) - 1;
    indexCount += layout.positive.length + layout.negative.length;
    boundCount += layout.bounds.length;
  }
  const bytes = cellCount * 8 + rows * 9 + (indexCount + used.length * 4) * 4 + (boundCount + used.length) * 8 + 9 * 8;
  return { columns, used, placeOf, cellCount, indexCount, boundCount, bytes };
}

export function packHistograms(measured: MeasuredHistograms, room: BufferRoom): PackedHistograms {
  const { columns, used, placeOf, cellCount, indexCount, boundCount } = measured;
  const rows = columns.layoutOf.length;
  const cells = room.doubles(cellCount);
  const layoutOf = room.integers(rows).fill(FLOAT_ROW);
  const hints = filled(room.bytes(rows), columns.hints);
  const starts = room.words(rows);
  let cell = 0;
  for (let row = 0; row < rows; row++) {
    const at = columns.layoutOf[row]!;
    if (at === FLOAT_ROW) continue;
    const start = columns.starts[row]!;
    const size = cellsOf(columns.layouts[at]!);
    layoutOf[row] = placeOf[at]!;
    starts[row] = cell;
    for (let i = 0; i < size; i++) cells[cell + i] = columns.cells[start + i]!;
    cell += size;
  }
  const schemas = room.integers(used.length);
  const zeroThresholds = room.doubles(used.length);
  const sizes = room.words(used.length * 3);
  const indexes = room.integers(indexCount);
  const bounds = room.doubles(boundCount);
  let index = 0;
  let bound = 0;
  for (const [i, layout] of used.entries()) {
    schemas[i] = layout.schema;
    zeroThresholds[i] = layout.zeroThreshold;
    sizes.set([layout.positive.length, layout.negative.length, layout.bounds.length], i * 3);
    indexes.set(layout.positive, index);
    indexes.set(layout.negative, index + layout.positive.length);
    bounds.set(layout.bounds, bound);
    index += layout.positive.length + layout.negative.length;
    bound += layout.bounds.length;
  }
  return { cells, layoutOf, hints, starts, schemas, zeroThresholds, sizes, indexes, bounds };
}

/** Layouts are copies: a store keeps them, and a view would keep the whole message. */
export function unpackHistograms(packed: PackedHistograms): HistogramColumns {
  const { cells, layoutOf, hints, starts, schemas, zeroThresholds, sizes, indexes, bounds } = packed;
  const layouts: HistogramLayout[] = [];
  let index = 0;
  let bound = 0;
  for (let i = 0; i < schemas.length; i++) {
    const negativeAt = index + sizes[i * 3]!;
    const end = negativeAt + sizes[i * 3 + 1]!;
    const boundEnd = bound + sizes[i * 3 + 2]!;
    layouts.push({
      schema: schemas[i]!,
      zeroThreshold: zeroThresholds[i]!,
      positive: indexes.slice(index, negativeAt),
      negative: indexes.slice(negativeAt, end),
      bounds: bounds.slice(bound, boundEnd),
    });
    index = end;
    bound = boundEnd;
  }
  return { layouts, layoutOf, hints, starts, cells };
}
