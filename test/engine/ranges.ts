import { evaluate } from '../../src/engine/evaluate.ts';
import { noteTexts, startNotes } from '../../src/engine/notes.ts';
import { startUsage } from '../../src/engine/usage.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { histogramAt, isHistogramAt, type HistogramColumns } from '../../src/model/histogram.ts';
import { histogramText } from '../../src/model/histogram-text.ts';
import { labelsText } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { featuresFrom } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { memorySource } from '../memory-source.ts';
import { contextOver } from './context.ts';

/** A value; a native histogram as its text; null for nothing. */
export type Cell = number | string | null;

export interface RangeAnswer {
  /** Of each row its labels and its cells, one a step; of a range vector `[seconds, cell]` of each sample. */
  readonly rows: Readonly<Record<string, readonly (Cell | readonly [number, Cell])[]>>;
  readonly notes: readonly string[];
}

const ENABLED = ['promql-experimental-functions', 'promql-extended-range-selectors'];

/** Evaluates at the seconds `from`, `from + step`, … `to`, with a lookback of 100 s. */
export function rangeAnswer(
  text: string,
  held: readonly SeriesColumns[],
  { from, to = from, step = 10 }: { readonly from: number; readonly to?: number; readonly step?: number },
  features: readonly string[] = [],
): RangeAnswer {
  const grid = rangeGrid(from * 1000, to * 1000, step * 1000);
  const enabled = featuresFrom([...ENABLED, ...features]);
  const notes = startNotes();
  const value = evaluate(
    normalise(parseExpr(text, enabled), grid, text),
    contextOver(memorySource(held), grid, {
      features: enabled,
      notes,
      lookbackMs: 100_000,
      usage: startUsage(Infinity),
    }),
  );
  const { warnings, infos } = noteTexts(notes.list(), text);
  const said = [...warnings, ...infos];
  if (value.kind === 'matrix') {
    const rows = value.series.map(({ labels, times, values, histograms }) => [
      labelsText(labels),
      Array.from(times, (time, i): [number, Cell] => [time / 1000, cell(values, histograms, i)]),
    ]);
    return { rows: Object.fromEntries(rows), notes: said };
  }
  if (value.kind !== 'vector') throw new Error(`a ${value.kind} has no rows`);
  const rows = value.rows.map(({ labels, values, present, histograms }) => [
    labelsText(labels),
    Array.from(present, (bit, i) => (bit === 1 ? cell(values, histograms, i) : null)),
  ]);
  return { rows: Object.fromEntries(rows), notes: said };
}

function cell(values: Float64Array, histograms: HistogramColumns | undefined, i: number): Cell {
  if (!isHistogramAt(histograms, i)) return values[i]!;
  const histogram = histogramAt(histograms, i);
  const hasEmpty = histogram.positive.includes(0) || histogram.negative.includes(0);
  return `${histogramText(histogram)}${hasEmpty ? ' and empty buckets' : ''}`;
}
