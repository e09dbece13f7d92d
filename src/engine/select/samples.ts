import type { HistogramColumns } from '../../model/histogram.ts';
import { isStaleAt } from '../../model/series.ts';
import type { RangeSeries } from '../evaluation.ts';
import type { ReadTimes } from './read-times.ts';
import { pickRows } from './subquery.ts';

/** A series without its staleness markers; the series itself when it has none. */
export function withoutStale(series: RangeSeries): RangeSeries {
  const { times, values, histograms, startTimes } = series;
  let first = 0;
  // Most series have no NaN at all, which is quickly seen.
  while (first < values.length && values[first] === values[first]) first++;
  if (first === values.length) return series;
  let stale = 0;
  for (let i = first; i < values.length; i++) if (isStaleAt(values, i)) stale++;
  if (stale === 0) return series;
  const kept = new Uint32Array(values.length - stale);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (!isStaleAt(values, i)) kept[count++] = i;
  return {
    ...series,
    times: Float64Array.from(kept, (i) => times[i]!),
    values: Float64Array.from(kept, (i) => values[i]!),
    histograms: histograms === undefined ? undefined : pickRows(histograms, kept),
    startTimes: typeof startTimes === 'object' ? Float64Array.from(kept, (i) => startTimes[i]!) : startTimes,
  };
}

/**
 * The histograms among the samples that count at the steps, the last one up to each; `times` ascend. Where there is none,
 * at steps that are not present, a row says nothing.
 */
export function histogramsAtSteps(
  times: Float64Array,
  histograms: HistogramColumns,
  read: ReadTimes,
  steps: number,
): HistogramColumns {
  const indices = new Uint32Array(steps);
  let next = 0;
  for (let step = 0; step < steps; step++) {
    const time = read.at(step);
    while (next < times.length && times[next]! <= time) next++;
    indices[step] = Math.max(0, next - 1);
  }
  return pickRows(histograms, indices);
}
