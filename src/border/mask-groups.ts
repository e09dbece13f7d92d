import { labelsKey } from '../model/labels.ts';
import { FLOAT, HISTOGRAM, INCOMPATIBLE, type PartialHistograms } from '../partial/partial-histograms.ts';
import type { PartialColumns } from '../partial/partial.ts';
import type { Sketches } from '../partial/sketch.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';

/** Rows without the cells that are not to leave, and how many those are. */
export interface Masked {
  readonly rows: readonly AnswerRow[];
  readonly suppressed: number;
}

/** How many series are behind groups: the states of a `count` by the same labels. */
export interface GroupCounts {
  readonly all: readonly AnswerRow[];
  /** Of those that are floats; only where `hasMixed` says that it takes them. */
  readonly floats: readonly AnswerRow[];
}

/** Whether some state adds up floats and native histograms side by side: each of the two could be of one series. */
export function hasMixed(rows: readonly AnswerRow[]): boolean {
  return rows.some(({ columns }) => columns.histograms?.seen.some(isMixed) === true);
}

/**
 * The states of groups, without the steps at which fewer than `minSeries` series are behind them, or behind a part of them. A
 * group that is in none of the counts has no series that count.
 */
export function maskGroups(rows: readonly AnswerRow[], { all, floats }: GroupCounts, minSeries: number): Masked {
  const countsOf = byLabels(all);
  const floatsOf = byLabels(floats);
  const kept: AnswerRow[] = [];
  let suppressed = 0;
  for (const row of rows) {
    const { present, histograms } = row.columns;
    const key = labelsKey(row.labels);
    const isLarge = (step: number): boolean => {
      const count = countAt(countsOf.get(key), step) ?? 0;
      if (histograms === undefined || !isMixed(histograms.seen[step]!)) return count >= minSeries;
      const own = countAt(floatsOf.get(key), step) ?? 0;
      return own >= minSeries && count - own >= minSeries;
    };
    const keeps = present.map((bit, step) => (bit === 1 && isLarge(step) ? 1 : 0));
    const lost = onesIn(present) - onesIn(keeps);
    suppressed += lost;
    if (lost === 0) kept.push(row);
    else if (keeps.includes(1)) kept.push({ ...row, columns: maskedColumns(row.columns, keeps) });
  }
  return { rows: kept, suppressed };
}

/** How many cells of a count have fewer than `minSeries` series. */
export function smallCells(counts: readonly AnswerRow[], minSeries: number): number {
  let small = 0;
  for (const { columns } of counts) {
    for (let step = 0; step < columns.present.length; step++) {
      const count = countAt(columns, step);
      if (count !== undefined && count < minSeries) small += 1;
    }
  }
  return small;
}

function isMixed(seen: number): boolean {
  return (seen & FLOAT) !== 0 && (seen & HISTOGRAM) !== 0;
}

function byLabels(rows: readonly AnswerRow[]): ReadonlyMap<string, PartialColumns> {
  return new Map(rows.map(({ labels, columns }) => [labelsKey(labels), columns]));
}

function countAt(columns: PartialColumns | undefined, step: number): number | undefined {
  return columns?.present[step] === 1 ? columns.fields[0]![step] : undefined;
}

function onesIn(bits: Uint8Array): number {
  let ones = 0;
  for (const bit of bits) ones += bit;
  return ones;
}

/** A copy in which nothing is left of the steps that `keeps` does not mark. */
function maskedColumns({ fields, histograms, sketches }: PartialColumns, keeps: Uint8Array): PartialColumns {
  return {
    present: keeps,
    fields: fields.map((field) => field.map((value, step) => (keeps[step] === 1 ? value : 0))),
    histograms: histograms === undefined ? undefined : maskedHistograms(histograms, keeps),
    sketches: sketches === undefined ? undefined : maskedSketches(sketches, keeps),
  };
}

function maskedHistograms(
  { seen, blocks, metric, clashing }: PartialHistograms,
  keeps: Uint8Array,
): PartialHistograms | undefined {
  const keep = (bits: Uint8Array): Uint8Array => bits.map((value, step) => (keeps[step] === 1 ? value : 0));
  const left = keep(seen);
  if (!left.some((bits) => bits !== 0)) return undefined;
  const held = blocks
    .map((block) => {
      const width = block.cells.length / keeps.length;
      const cells = (all: Float64Array): Float64Array =>
        all.map((value, at) => (keeps[Math.floor(at / width)] === 1 ? value : 0));
      return {
        layout: block.layout,
        holds: keep(block.holds),
        hints: keep(block.hints),
        counts: block.counts.map((count, step) => (keeps[step] === 1 ? count : 0)),
        cells: cells(block.cells),
        lost: cells(block.lost),
      };
    })
    .filter(({ holds }) => holds.some((what) => what !== 0));
  // Names are of series whose histograms met somewhere; of steps that stay they are not known.
  const clashes = left.some((bits) => (bits & INCOMPATIBLE) !== 0);
  return { seen: left, blocks: held, metric, clashing: clashes ? clashing : [] };
}

function maskedSketches({ starts, keys, counts }: Sketches, keeps: Uint8Array): Sketches {
  const ownStarts = new Uint32Array(starts.length);
  const ownKeys: number[] = [];
  const ownCounts: number[] = [];
  for (let step = 0; step < keeps.length; step++) {
    for (let bin = starts[step]!; keeps[step] === 1 && bin < starts[step + 1]!; bin++) {
      ownKeys.push(keys[bin]!);
      ownCounts.push(counts[bin]!);
    }
    ownStarts[step + 1] = ownKeys.length;
  }
  return { starts: ownStarts, keys: Int32Array.from(ownKeys), counts: Float64Array.from(ownCounts) };
}
