import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { formatFloat } from '../base/numbers.ts';
import type { StepGrid } from '../model/grid.ts';
import { histogramAt, isHistogramAt, type HistogramColumns } from '../model/histogram.ts';
import type { SeriesExemplars } from '../model/batch.ts';
import type { Labels } from '../model/labels.ts';
import type { SeriesColumns } from '../model/series.ts';
import { histogramJson } from './histogram-json.ts';

/**
 * One series at the steps of a query: `values[i]` counts where `present[i]` is 1, and there a histogram takes its place
 * where `histograms` has one.
 */
export interface JsonRow {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms?: HistogramColumns | undefined;
}

/**
 * The `resultType` and `result` of Prometheus's HTTP API
 * (https://prometheus.io/docs/prometheus/latest/querying/api/#expression-query-result-formats), as JSON text made straight
 * from columns. Times are seconds with up to three decimals, values are strings. Throws `limit` for an answer that is too
 * long to be text.
 */
export function vectorJson(rows: Iterable<JsonRow>, timeMs: number): string {
  const list = startList();
  const time = timeJson(timeMs);
  for (const { labels, values, present, histograms } of rows) {
    if (present[0] !== 1) continue;
    const sample = isHistogramAt(histograms, 0)
      ? `"histogram":${histogramPoint(time, histograms, 0)}`
      : `"value":${point(time, values[0]!)}`;
    list.add(`{"metric":${metricJson(labels)},${sample}}`);
  }
  return `"resultType":"vector","result":[${list.text()}]`;
}

/** Series without a point are left out. */
export function matrixJson(rows: Iterable<JsonRow>, grid: StepGrid): string {
  const list = startList();
  // Every series has the same times, and writing a time costs as much as writing a value.
  const times = Array.from({ length: grid.steps }, (_none, step) => timeJson(grid.startMs + step * grid.stepMs));
  for (const { labels, values, present, histograms } of rows) {
    const floats: string[] = [];
    const natives: string[] = [];
    for (let step = 0; step < grid.steps; step++) {
      if (present[step] !== 1) continue;
      if (isHistogramAt(histograms, step)) natives.push(list.counted(histogramPoint(times[step]!, histograms, step)));
      else floats.push(list.counted(point(times[step]!, values[step]!)));
    }
    list.addSeries(labels, floats, natives);
  }
  return `"resultType":"matrix","result":[${list.text()}]`;
}

/** The samples of series as they are: a range vector. Series without a sample are left out. */
export function rangeVectorJson(series: Iterable<SeriesColumns>): string {
  const list = startList();
  for (const { labels, times, values, histograms } of series) {
    const floats: string[] = [];
    const natives: string[] = [];
    for (let i = 0; i < times.length; i++) {
      const time = timeJson(times[i]!);
      if (isHistogramAt(histograms, i)) natives.push(list.counted(histogramPoint(time, histograms, i)));
      else floats.push(list.counted(point(time, values[i]!)));
    }
    list.addSeries(labels, floats, natives);
  }
  return `"resultType":"matrix","result":[${list.text()}]`;
}

export function scalarJson(timeMs: number, value: number): string {
  return `"resultType":"scalar","result":${point(timeJson(timeMs), value)}`;
}

export function stringJson(timeMs: number, value: string): string {
  return `"resultType":"string","result":[${timeJson(timeMs)},${JSON.stringify(value)}]`;
}

/** The `data` of a query for exemplars (https://prometheus.io/docs/prometheus/latest/querying/api/#querying-exemplars). */
export function exemplarsJson(series: Iterable<SeriesExemplars>): string {
  const list = startList();
  for (const { labels, exemplars } of series) {
    const parts = exemplars.map(
      (one) =>
        `{"labels":${metricJson(one.labels)},"value":"${formatFloat(one.value)}","timestamp":${timeJson(one.timeMs)}}`,
    );
    list.add(`{"seriesLabels":${metricJson(labels)},"exemplars":[${parts.join(',')}]}`);
  }
  return `[${list.text()}]`;
}

/** The `data` of a query for series: an array of label sets. */
export function labelSetsJson(sets: Iterable<Labels>): string {
  const list = startList();
  for (const labels of sets) list.add(metricJson(labels));
  return `[${list.text()}]`;
}

/** The items of a JSON array; their parts are counted against `LIMITS.resultBytes` as they come. */
function startList() {
  const items: string[] = [];
  let bytes = 0;
  function count(more: number): void {
    bytes += more;
    if (bytes <= LIMITS.resultBytes) return;
    throw new ComityError(
      'limit',
      `the answer comes to ${bytes} bytes or more, past the ${LIMITS.resultBytes} allowed (resultBytes). ` +
        'Aggregate, raise the step or ask for fewer series',
    );
  }
  /** For what has no character beyond ASCII. */
  function counted(part: string): string {
    count(part.length);
    return part;
  }
  function countedText(part: string): string {
    count(Buffer.byteLength(part));
    return part;
  }
  return {
    counted,
    add: (item: string): void => void items.push(countedText(item)),
    /** Points that are counted already. */
    addSeries(labels: Labels, floats: readonly string[], natives: readonly string[]): void {
      if (floats.length === 0 && natives.length === 0) return;
      const values = floats.length === 0 ? '' : `,"values":[${floats.join(',')}]`;
      const histograms = natives.length === 0 ? '' : `,"histograms":[${natives.join(',')}]`;
      items.push(`{"metric":${countedText(metricJson(labels))}${values}${histograms}}`);
    },
    text: () => items.join(','),
  };
}

function point(time: string, value: number): string {
  return `[${time},"${formatFloat(value)}"]`;
}

function histogramPoint(time: string, histograms: HistogramColumns, index: number): string {
  return `[${time},${histogramJson(histogramAt(histograms, index))}]`;
}

function timeJson(timeMs: number): string {
  return String(timeMs / 1000);
}

function metricJson(labels: Labels): string {
  let json = '{';
  for (let i = 0; i < labels.length; i += 2) {
    json += `${i === 0 ? '' : ','}${JSON.stringify(labels[i])}:${JSON.stringify(labels[i + 1])}`;
  }
  return `${json}}`;
}
