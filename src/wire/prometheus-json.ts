import { formatFloat } from '../base/numbers.ts';
import type { StepGrid } from '../model/grid.ts';
import type { Labels } from '../model/labels.ts';

/** One series at the steps of a query: `values[i]` counts where `present[i]` is 1. */
export interface JsonRow {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

/**
 * The `resultType` and `result` of Prometheus's HTTP API
 * (https://prometheus.io/docs/prometheus/latest/querying/api/#expression-query-result-formats), as JSON text made straight
 * from columns. Times are seconds with up to three decimals, values are strings.
 */
export function vectorJson(rows: readonly JsonRow[], timeMs: number): string {
  const samples = rows.filter((row) => row.present[0] === 1);
  const parts = samples.map(
    ({ labels, values }) => `{"metric":${metricJson(labels)},"value":${pointJson(timeMs, values[0]!)}}`,
  );
  return `"resultType":"vector","result":[${parts.join(',')}]`;
}

/** Series without a point are left out. */
export function matrixJson(rows: readonly JsonRow[], grid: StepGrid): string {
  const parts: string[] = [];
  // Every series has the same times, and writing a time costs as much as writing a value.
  const times = Array.from({ length: grid.steps }, (_none, step) => String((grid.startMs + step * grid.stepMs) / 1000));
  for (const { labels, values, present } of rows) {
    const points: string[] = [];
    for (let step = 0; step < grid.steps; step++) {
      if (present[step] === 1) points.push(`[${times[step]!},"${formatFloat(values[step]!)}"]`);
    }
    if (points.length > 0) parts.push(`{"metric":${metricJson(labels)},"values":[${points.join(',')}]}`);
  }
  return `"resultType":"matrix","result":[${parts.join(',')}]`;
}

export function scalarJson(timeMs: number, value: number): string {
  return `"resultType":"scalar","result":${pointJson(timeMs, value)}`;
}

export function stringJson(timeMs: number, value: string): string {
  return `"resultType":"string","result":[${timeMs / 1000},${JSON.stringify(value)}]`;
}

function pointJson(timeMs: number, value: number): string {
  return `[${timeMs / 1000},"${formatFloat(value)}"]`;
}

function metricJson(labels: Labels): string {
  let json = '{';
  for (let i = 0; i < labels.length; i += 2) {
    json += `${i === 0 ? '' : ','}${JSON.stringify(labels[i])}:${JSON.stringify(labels[i + 1])}`;
  }
  return `${json}}`;
}
