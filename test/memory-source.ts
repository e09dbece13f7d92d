import { histogramBuilder } from '../src/model/growing-histograms.ts';
import { sliceHistograms, type NativeHistogram } from '../src/model/histogram.ts';
import { labelsOf, labelValue, compareLabels, type Labels } from '../src/model/labels.ts';
import { matcherTest, type Matcher } from '../src/model/matcher.ts';
import { setStaleAt, type SeriesColumns } from '../src/model/series.ts';
import type { Source } from '../src/model/source.ts';

/** A staleness marker in the samples of `series`. */
export const STALE = 'stale';

/** A series from a record of labels and samples as `[time in ms, value]`, where a value may be a native histogram. */
export function series(
  labels: Readonly<Record<string, string>>,
  samples: readonly (readonly [number, number | typeof STALE | NativeHistogram])[],
): SeriesColumns {
  const values = new Float64Array(samples.length);
  const histograms = histogramBuilder();
  samples.forEach(([, value], i) => {
    if (value === STALE) setStaleAt(values, i);
    else if (typeof value === 'number') values[i] = value;
    else histograms.set(i, value);
  });
  return {
    labels: labelsOf(labels),
    times: Float64Array.from(samples, ([time]) => time),
    values,
    histograms: histograms.build(samples.length),
  };
}

/** A source over series in memory: filters, and nothing clever. */
export function memorySource(all: readonly SeriesColumns[]): Source {
  const sorted = [...all].sort((a, b) => compareLabels(a.labels, b.labels));
  return {
    *select(matchers, fromMs, toMs) {
      for (const { labels, times, values, histograms, startTimes } of sorted) {
        if (!matches(labels, matchers)) continue;
        const from = times.findIndex((time) => time >= fromMs);
        const to = times.findLastIndex((time) => time <= toMs) + 1;
        const range = from < 0 || to < from ? ([0, 0] as const) : ([from, to] as const);
        yield {
          labels,
          times: times.subarray(...range),
          values: values.subarray(...range),
          histograms: histograms && sliceHistograms(histograms, ...range),
          startTimes: typeof startTimes === 'number' ? startTimes : startTimes?.subarray(...range),
        };
      }
    },
    *series(matchers, fromMs, toMs) {
      for (const { labels, times } of sorted) {
        if (matches(labels, matchers) && times.some((time) => time >= fromMs && time <= toMs)) yield labels;
      }
    },
  };
}

export function matches(labels: Labels, matchers: readonly Matcher[]): boolean {
  return matchers.every((matcher) => matcherTest(matcher)(labelValue(labels, matcher.name)));
}
