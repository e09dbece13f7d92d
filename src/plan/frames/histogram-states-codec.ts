import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { cellsOf, type HistogramLayout } from '../../model/histogram.ts';
import { MEAN, NOTHING, SUM, type HistogramBlock } from '../../partial/histogram-block.ts';
import {
  FLOAT,
  HISTOGRAM,
  INCOMPATIBLE,
  RECONCILED,
  SAW_NOT_RESET,
  SAW_RESET,
  type PartialHistograms,
} from '../../partial/partial-histograms.ts';
import type { PartialColumns } from '../../partial/partial.ts';
import {
  assertBits,
  bitAt,
  broken,
  floatReader,
  packBits,
  packUnlessZero,
  spendCells,
  varintReader,
  varintWriter,
  type DecodeBudget,
} from './blocks.ts';
import { assertHints, joined } from './histograms-codec.ts';
import { decodeLayouts, layoutDictionary, type LayoutMessage } from './layouts-codec.ts';

/** The HistogramStates message of proto/federation.proto. */
export interface HistogramStatesMessage {
  layouts: LayoutMessage[];
  rows: Uint8Array;
  seen: Uint8Array;
  metrics: Uint8Array;
  blocks: Uint8Array;
  holds: Uint8Array;
  hints: Uint8Array;
  counts: Uint8Array;
  numbers: Uint8Array;
  lost: Uint8Array;
}

/** The histograms of partials; undefined where no row has any. `stringIndex` puts a string among those of the message. */
export function encodeStates(
  rows: readonly PartialColumns[],
  stringIndex: (text: string) => number,
): HistogramStatesMessage | undefined {
  const states = rows.flatMap(({ histograms }) => (histograms === undefined ? [] : [histograms]));
  if (states.length === 0) return undefined;
  const dictionary = layoutDictionary();
  const metrics = varintWriter();
  const blocks = varintWriter();
  for (const { metric, clashing, blocks: own } of states) {
    metrics.push(metric === '' ? 0 : stringIndex(metric) + 1);
    const named = clashing.slice(0, LIMITS.clashingMetricsPerGroup);
    metrics.push(named.length);
    for (const name of named) metrics.push(name === '' ? 0 : stringIndex(name) + 1);
    if (own.length > LIMITS.histogramKindsPerGroup)
      throw new ComityError('limit', `over ${LIMITS.histogramKindsPerGroup} kinds of buckets in one aggregation`);
    blocks.push(own.length);
    for (const { layout } of own) blocks.push(dictionary.indexOf(layout));
  }
  return {
    layouts: dictionary.messages(),
    rows: packBits([Uint8Array.from(rows, ({ histograms }) => (histograms === undefined ? 0 : 1))]),
    seen: Buffer.concat(states.map(({ seen }) => seen)),
    metrics: metrics.bytes(),
    blocks: blocks.bytes(),
    ...encodeBlocks(states.flatMap((state) => state.blocks)),
  };
}

/** The histograms of each row, undefined where it has none; `present` has the steps of each. */
export function decodeStates(
  message: HistogramStatesMessage,
  present: readonly Uint8Array[],
  strings: readonly string[],
  isMean: boolean,
  budget: DecodeBudget,
): (PartialHistograms | undefined)[] {
  const layouts = decodeLayouts(message.layouts, budget);
  const kinds = layouts.map(({ schema, zeroThreshold, bounds }) => `${schema} ${zeroThreshold} ${bounds.join()}`);
  assertBits(message.rows, present.length, 'bits of rows');
  assertHints(message.hints);
  const metrics = varintReader(message.metrics, 'metrics of states');
  const blocks = varintReader(message.blocks, 'blocks of states');
  const held = heldReader(message, isMean, budget);
  const nextName = (): string => {
    const index = metrics.next(0, strings.length);
    const name = index === 0 ? '' : strings[index - 1]!;
    if (name.length > LIMITS.labelBytes) throw broken('metrics of states');
    return name;
  };
  let used = 0;
  const states = present.map((mask, row) => {
    if (bitAt(message.rows, row) === 0) return undefined;
    spendCells(budget, mask.length);
    const seen = copyOf(message.seen, used, mask.length);
    used += mask.length;
    assertSeen(seen, mask);
    const metric = nextName();
    const clashing: string[] = [];
    for (let left = metrics.next(0, LIMITS.clashingMetricsPerGroup); left > 0; left--) clashing.push(nextName());
    const own: HistogramBlock[] = [];
    const here = new Set<string>();
    for (let left = blocks.next(0, LIMITS.histogramKindsPerGroup); left > 0; left--) {
      const index = blocks.next(0, layouts.length - 1);
      // Two blocks of one kind of buckets would be one.
      if (here.has(kinds[index]!)) throw broken('blocks of one kind');
      here.add(kinds[index]!);
      own.push(held.next(layouts[index]!, seen));
    }
    return { seen, blocks: own, metric, clashing };
  });
  if (used !== message.seen.length) throw broken('what was seen');
  metrics.end();
  blocks.end();
  held.end();
  return states;
}

const SEEN_MAX = FLOAT | HISTOGRAM | INCOMPATIBLE | SAW_RESET | SAW_NOT_RESET | RECONCILED;

/** What the blocks hold, block after block. */
function encodeBlocks(
  blocks: readonly HistogramBlock[],
): Pick<HistogramStatesMessage, 'holds' | 'hints' | 'counts' | 'numbers' | 'lost'> {
  const hints: number[] = [];
  const counts = varintWriter();
  const numbers: Float64Array[] = [];
  const lost: Float64Array[] = [];
  for (const block of blocks) {
    const width = cellsOf(block.layout);
    for (let step = 0; step < block.holds.length; step++) {
      if (block.holds[step] === NOTHING) continue;
      hints.push(block.hints[step]!);
      counts.push(block.counts[step]!);
      numbers.push(block.cells.subarray(step * width, (step + 1) * width));
      lost.push(block.lost.subarray(step * width, (step + 1) * width));
    }
  }
  return {
    holds: Buffer.concat(blocks.map(({ holds }) => holds)),
    hints: Uint8Array.from(hints),
    counts: counts.bytes(),
    numbers: packUnlessZero(joined(numbers)),
    lost: packUnlessZero(joined(lost)),
  };
}

interface HeldReader {
  /** The next block, whose state saw this. */
  next(layout: HistogramLayout, seen: Uint8Array): HistogramBlock;
  end(): void;
}

function heldReader(message: HistogramStatesMessage, isMean: boolean, budget: DecodeBudget): HeldReader {
  const counts = varintReader(message.counts, 'counts of states');
  const numbers = floatReader(message.numbers, 'numbers of states');
  const lost = floatReader(message.lost, 'rounding errors of states');
  let stepsUsed = 0;
  let held = 0;
  return {
    next(layout, seen) {
      const steps = seen.length;
      const width = cellsOf(layout);
      spendCells(budget, 2 * steps * (width + 1));
      const holds = copyOf(message.holds, stepsUsed, steps);
      if (holds.length !== steps) throw broken('what blocks hold');
      stepsUsed += steps;
      const block = {
        layout,
        holds,
        hints: new Uint8Array(steps),
        counts: new Float64Array(steps),
        cells: new Float64Array(steps * width),
        lost: new Float64Array(steps * width),
      };
      for (let step = 0; step < steps; step++) {
        if (holds[step] === NOTHING) continue;
        if (holds[step]! > (isMean ? MEAN : SUM) || (seen[step]! & HISTOGRAM) === 0) throw broken('what blocks hold');
        if (held === message.hints.length) throw broken('reset hints');
        block.hints[step] = message.hints[held++]!;
        block.counts[step] = counts.next(1, Number.MAX_SAFE_INTEGER);
        numbers.read(block.cells, step * width, width);
        lost.read(block.lost, step * width, width);
      }
      return block;
    },
    end() {
      if (stepsUsed !== message.holds.length) throw broken('what blocks hold');
      if (held !== message.hints.length) throw broken('reset hints');
      counts.end();
      numbers.end();
      lost.end();
    },
  };
}

/** States change when they are merged, and a slice of a Buffer would be a view. */
function copyOf(block: Uint8Array, from: number, length: number): Uint8Array {
  return Uint8Array.from(block.subarray(from, from + length));
}

/** A step that saw anything is present. */
function assertSeen(seen: Uint8Array, present: Uint8Array): void {
  if (seen.length !== present.length) throw broken('what was seen');
  for (let step = 0; step < seen.length; step++) {
    if (seen[step]! > SEEN_MAX || (seen[step] !== 0 && present[step] === 0)) throw broken('what was seen');
  }
}
