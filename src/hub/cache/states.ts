import { cellsOf } from '../../model/histogram.ts';
import { blockFor, NOTHING, placementIn, type HistogramBlock } from '../../partial/histogram-block.ts';
import { FLOAT, seeFloats, zeroHistograms, type PartialHistograms } from '../../partial/partial-histograms.ts';
import { settled, type Sketches } from '../../partial/sketch.ts';

/** The histograms of a partial at the steps [from, to); undefined where floats are all that was seen there. */
export function sliceStates(
  { seen, blocks, metric, clashing }: PartialHistograms,
  from: number,
  to: number,
): PartialHistograms | undefined {
  const own = seen.slice(from, to);
  if (own.every((bits) => (bits & ~FLOAT) === 0)) return undefined;
  return {
    seen: own,
    blocks: blocks.flatMap((block) => sliceBlock(block, from, to) ?? []),
    metric,
    clashing: [...clashing],
  };
}

function sliceBlock(
  { layout, holds, hints, counts, cells, lost }: HistogramBlock,
  from: number,
  to: number,
): HistogramBlock | undefined {
  const own = holds.slice(from, to);
  if (own.every((held) => held === NOTHING)) return undefined;
  const width = cellsOf(layout);
  return {
    layout,
    holds: own,
    hints: hints.slice(from, to),
    counts: counts.slice(from, to),
    cells: cells.slice(from * width, to * width),
    lost: lost.slice(from * width, to * width),
  };
}

/** What one partial has of histograms, from step `from` of the whole on, and where it has anything. */
interface StatesPart {
  readonly from: number;
  readonly present: Uint8Array;
  readonly states: PartialHistograms | undefined;
}

/** The histograms of partials one after the other, over `steps` steps; undefined where none has any. */
export function joinStates(parts: readonly StatesPart[], steps: number): PartialHistograms | undefined {
  if (parts.every(({ states }) => states === undefined)) return undefined;
  const joined = zeroHistograms(new Uint8Array(steps));
  // All buckets first, so that no block has to be widened while it is filled.
  for (const { states } of parts) for (const { layout } of states?.blocks ?? []) blockFor(joined.blocks, layout, steps);
  for (const { from, present, states } of parts) {
    if (states === undefined) {
      seeFloats({ ...joined, seen: joined.seen.subarray(from, from + present.length) }, present);
      continue;
    }
    joined.seen.set(states.seen, from);
    for (const block of states.blocks) putBlock(blockFor(joined.blocks, block.layout, steps), block, from);
    if (joined.metric === '' || (states.metric !== '' && states.metric < joined.metric)) joined.metric = states.metric;
    for (const metric of states.clashing) if (!joined.clashing.includes(metric)) joined.clashing.push(metric);
  }
  return joined;
}

/** Copies a block into one that has room for its buckets. */
function putBlock(
  into: HistogramBlock,
  { layout, holds, hints, counts, cells, lost }: HistogramBlock,
  at: number,
): void {
  into.holds.set(holds, at);
  into.hints.set(hints, at);
  into.counts.set(counts, at);
  const { places, width } = placementIn(into, layout);
  for (let step = 0; step < holds.length; step++) {
    if (holds[step] === NOTHING) continue;
    const from = step * places.length;
    const to = (at + step) * width;
    for (let i = 0; i < places.length; i++) {
      into.cells[to + places[i]!] = cells[from + i]!;
      into.lost[to + places[i]!] = lost[from + i]!;
    }
  }
}

/** The sketches at the steps [from, to). */
export function sliceSketches(sketches: Sketches, from: number, to: number): Sketches {
  const { starts, keys, counts } = settled(sketches);
  const first = starts[from]!;
  const end = starts[to]!;
  return {
    starts: starts.slice(from, to + 1).map((start) => start - first),
    keys: keys.slice(first, end),
    counts: counts.slice(first, end),
  };
}

interface SketchesPart {
  readonly from: number;
  readonly sketches: Sketches;
}

/** Sketches one after the other, over `steps` steps; in order of time. */
export function joinSketches(parts: readonly SketchesPart[], steps: number): Sketches {
  const bins = parts.reduce((total, { sketches }) => total + sketches.keys.length, 0);
  const joined = { starts: new Uint32Array(steps + 1), keys: new Int32Array(bins), counts: new Float64Array(bins) };
  let used = 0;
  let at = 0;
  for (const { from, sketches } of parts) {
    const { starts, keys, counts } = settled(sketches);
    const steps = starts.length - 1;
    joined.starts.fill(used, at, from);
    for (let step = 0; step <= steps; step++) joined.starts[from + step] = used + starts[step]!;
    joined.keys.set(keys, used);
    joined.counts.set(counts, used);
    used += keys.length;
    at = from + steps;
  }
  joined.starts.fill(used, at);
  return joined;
}
