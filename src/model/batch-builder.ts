import { longer } from '../base/columns.ts';
import {
  BESIDE,
  CONTINUES,
  SET,
  seriesHandle,
  type Batch,
  type Exemplar,
  type Metadata,
  type SeriesHandle,
} from './batch.ts';
import { histogramBuilder } from './growing-histograms.ts';
import { type NativeHistogram } from './histogram.ts';
import { labelsKey, type Labels } from './labels.ts';
import { setStaleAt } from './series.ts';

/** Collects samples row by row into a `Batch`. `startMs` is when a row's counter started, 0 for unknown. */
export interface BatchBuilder {
  /** The index of a series in the batch, for `sample` and its like. */
  series(handle: SeriesHandle): number;
  /** The index of a label set of which nobody keeps a handle; equal label sets share one. */
  seriesOf(labels: Labels): number;
  sample(series: number, timeMs: number, value: number, mode?: number, startMs?: number): void;
  stale(series: number, timeMs: number): void;
  /** A sample that is no point of the sender's, and is not counted as one. */
  beside(series: number, timeMs: number, value: number): void;
  histogram(series: number, timeMs: number, histogram: NativeHistogram, mode?: number, startMs?: number): void;
  exemplar(exemplar: Exemplar): void;
  metadata(metadata: Metadata): void;
  /** The rows from the next one to `endPoint` are one data point. */
  beginPoint(): void;
  endPoint(): void;
  /** `sample` and `stale` by label set. */
  add(labels: Labels, timeMs: number, value: number, mode?: number): void;
  addStale(labels: Labels, timeMs: number): void;
  readonly rows: number;
  build(delivery?: string): Batch;
}

/** `capacity`: the rows that are likely. */
export function batchBuilder(capacity = 256): BatchBuilder {
  /** Mostly one for each row; those beyond `seriesCount` are not set. */
  const series: SeriesHandle[] = [];
  series.length = capacity;
  let seriesCount = 0;
  const ids = new Map<string, number>();
  const exemplars: Exemplar[] = [];
  const metadata: Metadata[] = [];
  const histograms = histogramBuilder(capacity);
  let rows = 0;
  let seriesColumn = new Uint32Array(capacity);
  let times = new Float64Array(capacity);
  let values = new Float64Array(capacity);
  let modes = new Uint8Array(capacity);
  let continues: Uint8Array | undefined;
  let startTimes: Float64Array | undefined;
  let pointStart = -1;

  function grow(): void {
    const size = Math.max(rows * 2, 16);
    seriesColumn = longer(seriesColumn, new Uint32Array(size));
    times = longer(times, new Float64Array(size));
    values = longer(values, new Float64Array(size));
    modes = longer(modes, new Uint8Array(size));
    if (continues !== undefined) continues = longer(continues, new Uint8Array(size));
    if (startTimes !== undefined) startTimes = longer(startTimes, new Float64Array(size));
  }

  function row(index: number, timeMs: number, mode: number, startMs: number): number {
    if (rows === times.length) grow();
    seriesColumn[rows] = index;
    times[rows] = timeMs;
    modes[rows] = mode;
    if (startMs !== 0) {
      startTimes ??= new Float64Array(times.length);
      startTimes[rows] = startMs;
    }
    if (pointStart >= 0 && rows > pointStart) belongs(rows, CONTINUES);
    return rows++;
  }

  function belongs(at: number, how: number): void {
    continues ??= new Uint8Array(times.length);
    continues[at] = how;
  }

  function addSeries(handle: SeriesHandle): number {
    series[seriesCount] = handle;
    return seriesCount++;
  }

  function seriesOf(labels: Labels): number {
    const key = labelsKey(labels);
    const known = ids.get(key);
    if (known !== undefined) return known;
    const index = addSeries(seriesHandle(labels));
    ids.set(key, index);
    return index;
  }

  function sample(index: number, timeMs: number, value: number, mode = SET, startMs = 0): void {
    // Two statements: `row` may replace `values` by a longer column.
    const at = row(index, timeMs, mode, startMs);
    values[at] = value;
  }

  function stale(index: number, timeMs: number): void {
    const at = row(index, timeMs, SET, 0);
    setStaleAt(values, at);
  }

  return {
    series: addSeries,
    seriesOf,
    sample,
    stale,
    beside(index, timeMs, value) {
      const at = row(index, timeMs, SET, 0);
      values[at] = value;
      belongs(at, BESIDE);
    },
    histogram(index, timeMs, histogram, mode = SET, startMs = 0) {
      histograms.set(row(index, timeMs, mode, startMs), histogram);
    },
    exemplar: (exemplar) => void exemplars.push(exemplar),
    metadata: (one) => void metadata.push(one),
    beginPoint() {
      pointStart = rows;
    },
    endPoint() {
      pointStart = -1;
    },
    add: (labels, timeMs, value, mode) => sample(seriesOf(labels), timeMs, value, mode),
    addStale: (labels, timeMs) => stale(seriesOf(labels), timeMs),
    get rows() {
      return rows;
    },
    build(delivery) {
      series.length = seriesCount;
      return {
        series,
        seriesOf: seriesColumn.subarray(0, rows),
        times: times.subarray(0, rows),
        values: values.subarray(0, rows),
        modes: modes.subarray(0, rows),
        histograms: histograms.build(rows),
        startTimes: startTimes?.subarray(0, rows),
        continues: continues?.subarray(0, rows),
        exemplars,
        metadata,
        delivery,
      };
    },
  };
}
