import { cellsOf, FLOAT_ROW, GAUGE, type HistogramColumns, type HistogramLayout } from '../../model/histogram.ts';
import type { PartialColumns } from '../../partial/partial.ts';
import {
  assertBits,
  bitAt,
  broken,
  countOnes,
  packBits,
  packUnlessZero,
  readUnlessZero,
  spendCells,
  varintReader,
  varintWriter,
  type DecodeBudget,
} from './blocks.ts';
import { decodeLayouts, layoutDictionary, type LayoutMessage } from './layouts-codec.ts';

/** The Histograms message of proto/federation.proto. */
export interface HistogramsMessage {
  layouts: LayoutMessage[];
  native: Uint8Array;
  layoutOf: Uint8Array;
  hints: Uint8Array;
  numbers: Uint8Array;
}

interface VectorRow {
  readonly columns: PartialColumns;
  readonly histograms?: HistogramColumns | undefined;
}

/** The native histograms at the present steps of a vector's rows; undefined where there is none. */
export function encodeHistograms(rows: readonly VectorRow[]): HistogramsMessage | undefined {
  if (!rows.some(({ histograms }) => histograms !== undefined)) return undefined;
  const dictionary = layoutDictionary();
  const native: Uint8Array[] = [];
  const layoutOf = varintWriter();
  const hints: number[] = [];
  const numbers: Float64Array[] = [];
  for (const { columns, histograms } of rows) {
    const { present } = columns;
    const bits = new Uint8Array(countOnes(present));
    let cell = 0;
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0) continue;
      const at = histograms?.layoutOf[step] ?? FLOAT_ROW;
      if (histograms !== undefined && at !== FLOAT_ROW) {
        const layout = histograms.layouts[at]!;
        const start = histograms.starts[step]!;
        bits[cell] = 1;
        layoutOf.push(dictionary.indexOf(layout));
        hints.push(histograms.hints[step]!);
        numbers.push(histograms.cells.subarray(start, start + cellsOf(layout)));
      }
      cell++;
    }
    native.push(bits);
  }
  if (hints.length === 0) return undefined;
  return {
    layouts: dictionary.messages(),
    native: packBits(native),
    layoutOf: layoutOf.bytes(),
    hints: Uint8Array.from(hints),
    numbers: packUnlessZero(joined(numbers)),
  };
}

/** The histograms of each row, undefined for rows of floats; `present` has the steps of each. */
export function decodeHistograms(
  message: HistogramsMessage,
  present: readonly Uint8Array[],
  budget: DecodeBudget,
): (HistogramColumns | undefined)[] {
  const { native, hints } = message;
  const layouts = decodeLayouts(message.layouts, budget);
  assertBits(
    native,
    present.reduce((total, mask) => total + countOnes(mask), 0),
    'histogram bits',
  );
  const layoutOf = readLayoutOf(message.layoutOf, hints.length, layouts, budget);
  assertHints(hints);
  let total = 0;
  for (const index of layoutOf) total += cellsOf(layouts[index]!);
  spendCells(budget, total);
  const cells = readUnlessZero(message.numbers, total, 'histogram numbers');

  let cell = 0;
  let histogram = 0;
  let start = 0;
  const rows = present.map((mask) => {
    let row: HistogramColumns | undefined;
    for (let step = 0; step < mask.length; step++) {
      if (mask[step] === 0 || bitAt(native, cell++) === 0) continue;
      if (histogram === hints.length) throw broken('number of histograms');
      row ??= noHistograms(mask.length, layouts, cells, budget);
      row.layoutOf[step] = layoutOf[histogram]!;
      row.hints[step] = hints[histogram]!;
      row.starts[step] = start;
      start += cellsOf(layouts[layoutOf[histogram]!]!);
      histogram++;
    }
    return row;
  });
  if (histogram !== hints.length) throw broken('number of histograms');
  return rows;
}

/** Throws unless each is a hint that a histogram can have. */
export function assertHints(hints: Uint8Array): void {
  for (const hint of hints) if (hint > GAUGE) throw broken('reset hints');
}

export function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((total, part) => total + part.length, 0));
  let used = 0;
  for (const part of parts) {
    all.set(part, used);
    used += part.length;
  }
  return all;
}

/** Indices into `layouts`. */
function readLayoutOf(
  block: Uint8Array,
  count: number,
  layouts: readonly HistogramLayout[],
  budget: DecodeBudget,
): Uint32Array {
  spendCells(budget, count);
  const indexes = new Uint32Array(count);
  const reader = varintReader(block, 'layouts of histograms');
  for (let i = 0; i < count; i++) indexes[i] = reader.next(0, layouts.length - 1);
  reader.end();
  return indexes;
}

function noHistograms(
  steps: number,
  layouts: readonly HistogramLayout[],
  cells: Float64Array,
  budget: DecodeBudget,
): HistogramColumns {
  // Nine bytes for each step.
  spendCells(budget, 2 * steps);
  return {
    layouts,
    layoutOf: new Int32Array(steps).fill(FLOAT_ROW),
    hints: new Uint8Array(steps),
    starts: new Uint32Array(steps),
    cells,
  };
}
