import { SET, type Batch } from './batch.ts';
import { labelsKey, type Labels } from './labels.ts';
import { setStaleAt } from './series.ts';

/** Collects samples row by row into a `Batch`. Equal label sets share one entry. */
export interface BatchBuilder {
  add(labels: Labels, timeMs: number, value: number, mode?: number): void;
  addStale(labels: Labels, timeMs: number): void;
  readonly rows: number;
  build(): Batch;
}

export function batchBuilder(): BatchBuilder {
  const series: Labels[] = [];
  const ids = new Map<string, number>();
  let rows = 0;
  let seriesOf = new Uint32Array(256);
  let times = new Float64Array(256);
  let values = new Float64Array(256);
  let modes = new Uint8Array(256);

  function grow(): void {
    seriesOf = copyInto(new Uint32Array(rows * 2), seriesOf);
    times = copyInto(new Float64Array(rows * 2), times);
    values = copyInto(new Float64Array(rows * 2), values);
    modes = copyInto(new Uint8Array(rows * 2), modes);
  }

  function row(labels: Labels, timeMs: number, mode: number): number {
    const key = labelsKey(labels);
    let id = ids.get(key);
    if (id === undefined) {
      id = series.length;
      ids.set(key, id);
      series.push(labels);
    }
    if (rows === times.length) grow();
    seriesOf[rows] = id;
    times[rows] = timeMs;
    modes[rows] = mode;
    return rows++;
  }

  return {
    add(labels, timeMs, value, mode = SET) {
      // Two statements: `row` may replace `values` by a longer column.
      const at = row(labels, timeMs, mode);
      values[at] = value;
    },
    addStale(labels, timeMs) {
      const at = row(labels, timeMs, SET);
      setStaleAt(values, at);
    },
    get rows() {
      return rows;
    },
    build() {
      return {
        series,
        seriesOf: seriesOf.subarray(0, rows),
        times: times.subarray(0, rows),
        values: values.subarray(0, rows),
        modes: modes.subarray(0, rows),
      };
    },
  };
}

function copyInto<T extends Uint8Array | Uint32Array | Float64Array>(target: T, source: T): T {
  target.set(source);
  return target;
}
