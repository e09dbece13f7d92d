import { successText } from '../api/envelope.ts';
import { TRUNCATED } from '../api/query.ts';
import { comparedWithLooks, withLooks, type Usage } from '../engine/usage.ts';
import type { Value } from '../engine/evaluate.ts';
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
import type { ShardRow } from './shard.ts';

/** The answer to a query, its rows in the order of their labels unless the query gives them another one. */
export function valueAnswer(value: Value, question: QueryQuestion, usage: Usage): Uint8Array {
  const { kind, grid, expr, limit } = question;
  if (value.kind === 'string') return resultText(stringJson(grid.startMs, value.value));
  if (value.kind === 'scalar') {
    if (kind === 'instant') return resultText(scalarJson(grid.startMs, value.values[0]!));
    const present = new Uint8Array(grid.steps).fill(1);
    return resultText(matrixJson([{ labels: [], values: value.values, present }], grid));
  }
  const there = value.rows.filter(({ present }) => anyPresent(present));
  const keepsOrder = kind === 'instant' && ordersItself(expr);
  const { first, isCut } = cut(keepsOrder ? there : byLabels(there, usage), limit);
  const rows = withLooks(first, ({ present }) => present.length, usage);
  return resultText(kind === 'instant' ? vectorJson(rows, grid.startMs) : matrixJson(rows, grid), isCut);
}

/** The answer to a query for a range vector: the samples as they are, the series in the order of their labels. */
export function samplesAnswer(rows: readonly ShardRow[], limit: number, usage: Usage): Uint8Array {
  const { first, isCut } = cut(byLabels(rows, usage), limit);
  const looked = withLooks(first, ({ columns }) => columns.present.length, usage);
  return resultText(rangeVectorJson(seriesOf(looked)), isCut);
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

function resultText(result: string, isCut = false): Uint8Array {
  return dataText(`{${result}}`, isCut);
}

function byLabels<R extends { readonly labels: Labels }>(rows: readonly R[], usage: Usage): readonly R[] {
  return rows.toSorted(comparedWithLooks((a, b) => compareLabels(a.labels, b.labels), usage));
}

function cut<T>(all: readonly T[], limit: number): { readonly first: readonly T[]; readonly isCut: boolean } {
  const isCut = limit > 0 && all.length > limit;
  return { first: isCut ? all.slice(0, limit) : all, isCut };
}

/** Whether an instant answer comes in the order of its values. */
function ordersItself(expr: Expr): boolean {
  if (expr.kind === 'paren') return ordersItself(expr.expr);
  return expr.kind === 'aggregate' && (expr.op === 'topk' || expr.op === 'bottomk');
}

function* seriesOf(rows: Iterable<ShardRow>) {
  for (const { labels, columns, histograms } of rows) {
    const [times, values] = columns.fields as [Float64Array, Float64Array];
    yield { labels, times, values, histograms };
  }
}
