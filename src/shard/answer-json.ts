import { successText } from '../api/envelope.ts';
import { TRUNCATED } from '../api/query.ts';
import { comparedWithLooks, withLooks, type Usage } from '../engine/usage.ts';
import type { Value } from '../engine/evaluation.ts';
import { noteTexts } from '../engine/notes.ts';
import { anyPresent } from '../engine/rows.ts';
import type { SeriesExemplars } from '../model/batch.ts';
import { compareLabels, type Labels } from '../model/labels.ts';
import type { Expr } from '../promql/ast.ts';
import {
  exemplarsJson,
  labelSetsJson,
  matrixJson,
  rangeVectorJson,
  scalarJson,
  stringJson,
  vectorJson,
} from '../wire/prometheus-json.ts';
import type { QueryQuestion } from './questions.ts';
import type { Evaluated } from './run.ts';
import type { Spent } from './shard.ts';

/**
 * The answer to a query, its rows in the order of their labels unless the query gives them another one. `seconds`: what it
 * took to evaluate.
 */
export function valueAnswer(
  { value, notes, spent }: Evaluated,
  question: QueryQuestion,
  seconds: number,
  usage: Usage,
): Uint8Array {
  const { text, stats, warnings: known = [] } = question;
  const { result, isCut } = resultJson(value, question, usage);
  const { warnings, infos } = noteTexts(notes, text);
  const all = [...warnings, ...(isCut ? [TRUNCATED] : []), ...known];
  const told = stats === true ? `,"stats":${statsJson(seconds, spent)}` : '';
  return new TextEncoder().encode(successText(`{${result}${told}}`, all, infos));
}

/**
 * What is known of Prometheus's statistics of a query: seconds, and stored samples that were read (Prometheus counts those
 * that a step uses, and again at each step that does).
 */
function statsJson(seconds: number, { series, samples }: Spent): string {
  const rounded = Math.round(seconds * 1e6) / 1e6;
  const timings = { evalTotalTime: rounded, execTotalTime: rounded };
  return JSON.stringify({ timings, samples: { samplesRead: samples, seriesRead: series } });
}

function resultJson(
  value: Value,
  { kind, grid, expr, limit }: QueryQuestion,
  usage: Usage,
): { readonly result: string; readonly isCut: boolean } {
  switch (value.kind) {
    case 'string':
      return { result: stringJson(grid.startMs, value.value), isCut: false };
    case 'scalar': {
      if (kind === 'instant') return { result: scalarJson(grid.startMs, value.values[0]!), isCut: false };
      const present = new Uint8Array(grid.steps).fill(1);
      return { result: matrixJson([{ labels: [], values: value.values, present }], grid), isCut: false };
    }
    case 'matrix': {
      const { first, isCut } = cut(byLabels(value.series, usage), limit);
      return { result: rangeVectorJson(withLooks(first, ({ times }) => times.length, usage)), isCut };
    }
    case 'vector': {
      const there = value.rows.filter(({ present }) => anyPresent(present));
      const keepsOrder = kind === 'instant' && ordersItself(expr);
      const { first, isCut } = cut(keepsOrder ? there : byLabels(there, usage), limit);
      const rows = withLooks(first, ({ present }) => present.length, usage);
      return { result: kind === 'instant' ? vectorJson(rows, grid.startMs) : matrixJson(rows, grid), isCut };
    }
  }
}

/** The answer to a question for texts: in order, at most `limit`. */
export function stringsAnswer(found: Iterable<string>, limit: number): Uint8Array {
  const { first, isCut } = cut([...new Set(found)].sort(), limit);
  return dataText(JSON.stringify(first), isCut);
}

/** The answer to a question for label sets: in order, at most `limit`. */
export function setsAnswer(found: readonly Labels[], limit: number, usage: Usage): Uint8Array {
  const { first, isCut } = cut(found.toSorted(comparedWithLooks(compareLabels, usage)), limit);
  return dataText(labelSetsJson(withLooks(first, (labels) => labels.length, usage)), isCut);
}

export function exemplarsAnswer(found: readonly SeriesExemplars[], usage: Usage): Uint8Array {
  const rows = withLooks(byLabels(found, usage), ({ exemplars }) => exemplars.length, usage);
  return dataText(exemplarsJson(rows), false);
}

/** `data` is JSON text; `isCut` says that a limit left something out. */
export function dataText(data: string, isCut: boolean): Uint8Array {
  return new TextEncoder().encode(successText(data, isCut ? [TRUNCATED] : []));
}

function byLabels<R extends { readonly labels: Labels }>(rows: readonly R[], usage: Usage): readonly R[] {
  return rows.toSorted(comparedWithLooks((a, b) => compareLabels(a.labels, b.labels), usage));
}

function cut<T>(all: readonly T[], limit: number): { readonly first: readonly T[]; readonly isCut: boolean } {
  const isCut = limit > 0 && all.length > limit;
  return { first: isCut ? all.slice(0, limit) : all, isCut };
}

/** Whether an instant answer comes in an order of its own. */
function ordersItself(expr: Expr): boolean {
  if (expr.kind === 'paren') return ordersItself(expr.expr);
  if (expr.kind === 'call') return SORTING_CALLS.has(expr.func);
  return expr.kind === 'aggregate' && (expr.op === 'topk' || expr.op === 'bottomk');
}

const SORTING_CALLS: ReadonlySet<string> = new Set(['sort', 'sort_desc', 'sort_by_label', 'sort_by_label_desc']);
