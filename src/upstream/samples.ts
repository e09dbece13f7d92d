import { histogramBuilder, type HistogramBuilder } from '../model/growing-histograms.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import { setStaleAt, type SeriesColumns } from '../model/series.ts';
import { garbled, tooMuch } from './client.ts';
import { LIMITS } from '../base/limits.ts';

/** What the reads of one fragment may still bring. */
export interface ReadBudget {
  samples: number;
  series: number;
  bytes: number;
}

export function startReadBudget(): ReadBudget {
  const { upstreamReadSamples: readSamples, upstreamSeries: series, upstreamReadBytes: readBytes } = LIMITS;
  return { samples: readSamples, series, bytes: readBytes };
}

export function takeSamples(budget: ReadBudget, count: number): void {
  budget.samples -= count;
  if (budget.samples < 0) throw tooMuch(LIMITS.upstreamReadSamples, 'samples', 'readSamples');
}

export function takeSeries(budget: ReadBudget): void {
  if (--budget.series < 0) throw tooMuch(LIMITS.upstreamSeries, 'series', 'series');
}

/** The columns of a series, sample by sample in the order of time. Throws `unavailable` for another order. */
export interface ColumnsBuilder {
  float(timeMs: number, value: number): void;
  stale(timeMs: number): void;
  histogram(timeMs: number, histogram: NativeHistogram): void;
  build(labels: Labels): SeriesColumns;
}

export function columnsBuilder(): ColumnsBuilder {
  let times = new Float64Array(64);
  let values = new Float64Array(64);
  let used = 0;
  let histograms: HistogramBuilder | undefined;

  function next(timeMs: number): number {
    if (used > 0 && !(timeMs > times[used - 1]!)) throw garbled('samples out of order');
    if (used === times.length) {
      times = grown(times);
      values = grown(values);
    }
    times[used] = timeMs;
    return used++;
  }

  return {
    float(timeMs, value) {
      const row = next(timeMs);
      // The bits of a NaN say nothing but that it is none of a staleness marker.
      values[row] = value === value ? value : NaN;
    },
    stale(timeMs) {
      const row = next(timeMs);
      setStaleAt(values, row);
    },
    histogram(timeMs, histogram) {
      const row = next(timeMs);
      (histograms ??= histogramBuilder()).set(row, histogram);
    },
    build: (labels) => ({
      labels,
      times: times.slice(0, used),
      values: values.slice(0, used),
      histograms: histograms?.build(used),
    }),
  };
}

function grown(column: Float64Array): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(column.length * 2);
  longer.set(column);
  return longer;
}
