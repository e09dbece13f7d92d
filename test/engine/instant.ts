import { evaluate } from '../../src/engine/evaluate.ts';
import { noteTexts, startNotes } from '../../src/engine/notes.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { labelsText } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { featuresFrom } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { memorySource, series, type STALE } from '../memory-source.ts';
import { contextOver } from './context.ts';

/** A row as text and its values, null where nothing is; native histograms show as 'histogram'. */
type Shown = readonly [string, readonly (number | null | 'histogram')[]];

interface Answer {
  readonly rows: readonly Shown[];
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** When an expression is evaluated, in seconds, and with what. */
interface When {
  readonly from?: number;
  readonly to?: number;
  readonly step?: number;
  readonly features?: readonly string[];
}

/** Evaluates an expression over some series; experimental functions are enabled. */
export function answer(text: string, held: readonly SeriesColumns[], when: When = {}): Answer {
  const { from = 60, to = from, step = 10, features = [] } = when;
  const grid = rangeGrid(from * 1000, to * 1000, step * 1000);
  const enabled = featuresFrom(['promql-experimental-functions', ...features]);
  const notes = startNotes();
  const expr = normalise(parseExpr(text, enabled), grid, text);
  const value = evaluate(expr, contextOver(memorySource(held), grid, { features: enabled, notes }));
  const texts = noteTexts(notes.list(), text);
  if (value.kind === 'scalar') return { rows: [['', [...value.values]]], ...texts };
  if (value.kind !== 'vector') throw new Error(`a ${value.kind} has no rows`);
  const rows = value.rows.map(({ labels, values, present, histograms }): Shown => {
    const shown = (v: number, i: number) => (histograms && histograms.layoutOf[i] !== -1 ? ('histogram' as const) : v);
    return [labelsText(labels), Array.from(values, (v, i) => (present[i] === 1 ? shown(v, i) : null))];
  });
  return { rows, ...texts };
}

/** The rows alone. */
export function rowsOf(text: string, held: readonly SeriesColumns[], when: When = {}): readonly Shown[] {
  return answer(text, held, when).rows;
}

/** A series whose samples are at the given seconds. */
export function samples(
  labels: Readonly<Record<string, string>>,
  ...at: readonly (readonly [number, number | typeof STALE])[]
): SeriesColumns {
  return series(
    labels,
    at.map(([seconds, value]) => [seconds * 1000, value] as const),
  );
}

/** A series with one sample at 60 s. */
export function now(labels: Readonly<Record<string, string>>, value: number): SeriesColumns {
  return samples(labels, [60, value]);
}
