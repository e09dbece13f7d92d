import { formatFloat, parseFloatStrict } from '../base/numbers.ts';
import type { Coverage } from '../coverage/coverage.ts';

/** The result of a query as Prometheus's HTTP API has it. */
export type ApiResult =
  | { readonly resultType: 'vector'; readonly result: readonly VectorItem[] }
  | { readonly resultType: 'matrix'; readonly result: readonly MatrixItem[] }
  | { readonly resultType: 'scalar'; readonly result: Point }
  | { readonly resultType: 'string'; readonly result: Point };

type Metric = Readonly<Record<string, string>>;
type Point = readonly [number, string];
type HistogramPoint = readonly [number, { readonly count: string; readonly sum: string }];

/** One of the two, as the sample is a number or a native histogram. */
interface VectorItem {
  readonly metric: Metric;
  readonly value?: Point;
  readonly histogram?: HistogramPoint;
}

/** One of the two, or both. */
interface MatrixItem {
  readonly metric: Metric;
  readonly values?: readonly Point[];
  readonly histograms?: readonly HistogramPoint[];
}

/** A result as text: one line a series, a column a label, the value last; of a range its first, least, most and last. */
export function resultTable(data: ApiResult): string {
  if (data.resultType === 'scalar' || data.resultType === 'string') return data.result[1];
  if (data.result.length === 0) return '(empty)';
  if (data.resultType === 'vector') {
    return table(
      data.result.map(({ metric, value, histogram }) => ({
        metric,
        cells: { value: value?.[1] ?? histogramCell(histogram) },
      })),
    );
  }
  return table(
    data.result.map(({ metric, values = [], histograms = [] }) => ({ metric, cells: rangeCells(values, histograms) })),
  );
}

/** The least and the most are those of the numbers: histograms have no order. */
function rangeCells(values: readonly Point[], histograms: readonly HistogramPoint[]): Record<string, string> {
  const numbers = values.map(([, text]) => parseFloatStrict(text) ?? NaN);
  const points = [
    ...values.map(([time, text]) => ({ time, text })),
    ...histograms.map((point) => ({ time: point[0], text: histogramCell(point) })),
  ].sort((a, b) => a.time - b.time);
  return {
    points: String(points.length),
    first: points[0]?.text ?? '',
    min: numbers.length === 0 ? '' : formatFloat(leastOf(numbers)),
    max: numbers.length === 0 ? '' : formatFloat(-leastOf(numbers.map((number) => -number))),
    last: points.at(-1)?.text ?? '',
  };
}

/** As `Math.min`, of however many. */
function leastOf(numbers: readonly number[]): number {
  return numbers.reduce((least, number) => Math.min(least, number), Infinity);
}

function histogramCell(point: HistogramPoint | undefined): string {
  return point === undefined ? '' : `{count:${point[1].count}, sum:${point[1].sum}}`;
}

/** How complete an answer is: a line for the whole, then one for each domain that is not. */
export function coverageLine(coverage: Coverage): string {
  const { complete, observed, expected, domains } = coverage;
  const states = domains.map(({ domain, status }) => `${domain} ${status}`).join(', ');
  const head = `coverage: ${complete ? 'complete' : 'PARTIAL'}, ${observed} of ${expected} streams (${states})`;
  const reasons = domains.flatMap(({ domain, reason }) => (reason === undefined ? [] : [`  ${domain}: ${reason}`]));
  return [head, ...reasons].join('\n');
}

function table(rows: readonly { metric: Metric; cells: Record<string, string> }[]): string {
  const labels = [...new Set(rows.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const columns = Object.keys(rows[0]!.cells);
  const lines = [
    [...labels, ...columns.map((column) => column.toUpperCase())],
    ...rows.map(({ metric, cells }) => [
      ...labels.map((label) => metric[label] ?? ''),
      ...columns.map((column) => cells[column]!),
    ]),
  ];
  return aligned(lines);
}

/** Lines of equally many cells as text, each column as wide as its longest cell. */
export function aligned(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_cell, i) => Math.max(...lines.map((line) => line[i]!.length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
