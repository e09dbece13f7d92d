import { cellsOf, FLOAT_ROW, isHistogramAt, type HistogramColumns } from '../../model/histogram.ts';

/** Whether a row has a native histogram at any step. */
export function hasHistogram(present: Uint8Array, histograms: HistogramColumns | undefined): boolean {
  if (histograms === undefined) return false;
  return present.some((bit, step) => bit === 1 && histograms.layoutOf[step] !== FLOAT_ROW);
}

/** The histograms of the present steps with their numbers in a column of their own; undefined when there are none. */
export function copyHistograms(
  present: Uint8Array,
  histograms: HistogramColumns | undefined,
): HistogramColumns | undefined {
  if (histograms === undefined || !hasHistogram(present, histograms)) return undefined;
  const steps = present.length;
  const layoutOf = new Int32Array(steps).fill(FLOAT_ROW);
  const hints = new Uint8Array(steps);
  const starts = new Uint32Array(steps);
  const parts: Float64Array[] = [];
  let used = 0;
  let copied = -1;
  for (let step = 0; step < steps; step++) {
    if (present[step] === 0 || !isHistogramAt(histograms, step)) continue;
    const start = histograms.starts[step]!;
    layoutOf[step] = histograms.layoutOf[step]!;
    hints[step] = histograms.hints[step]!;
    // A sample counts at many steps in a row.
    if (start !== copied) {
      const part = histograms.cells.subarray(start, start + cellsOf(histograms.layouts[layoutOf[step]!]!));
      parts.push(part);
      used += part.length;
      copied = start;
    }
    starts[step] = used - parts.at(-1)!.length;
  }
  const cells = new Float64Array(used);
  let at = 0;
  for (const part of parts) {
    cells.set(part, at);
    at += part.length;
  }
  // The list too: a source may add to its own while the copy is kept.
  return { layouts: histograms.layouts.slice(), layoutOf, hints, starts, cells };
}

/** One row's histograms with those of another at the steps where that one is present. */
export function joinHistograms(
  one: HistogramColumns | undefined,
  other: HistogramColumns | undefined,
  otherPresent: Uint8Array,
): HistogramColumns | undefined {
  const added = copyHistograms(otherPresent, other);
  if (added === undefined) return one;
  if (one === undefined) return added;
  const cells = new Float64Array(one.cells.length + added.cells.length);
  cells.set(one.cells);
  cells.set(added.cells, one.cells.length);
  const layoutOf = one.layoutOf.slice();
  const hints = one.hints.slice();
  const starts = one.starts.slice();
  for (let step = 0; step < otherPresent.length; step++) {
    if (otherPresent[step] === 0 || !isHistogramAt(added, step)) continue;
    layoutOf[step] = one.layouts.length + added.layoutOf[step]!;
    hints[step] = added.hints[step]!;
    starts[step] = one.cells.length + added.starts[step]!;
  }
  return { layouts: [...one.layouts, ...added.layouts], layoutOf, hints, starts, cells };
}
