import { batchBuilder } from '../model/batch-builder.ts';
import type { Batch } from '../model/batch.ts';
import { CUSTOM_BUCKETS, SCHEMA_MAX, SCHEMA_MIN, type NativeHistogram } from '../model/histogram.ts';
import { labelsFrom, labelsKey, labelsRecord, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import { parseFloatStrict } from '../base/numbers.ts';
import { classicHistogram, type ClassicHistogram } from '../wire/scrape/custom-buckets.ts';
import type { Load, LoadedSeries } from './command.ts';
import { failAt } from './script-line.ts';

/** The samples of a `load` command as one batch. Throws `ScriptError` for a histogram that cannot be. */
export function loadBatch(load: Load): Batch {
  const builder = batchBuilder();
  for (const { labels, samples, line } of load.series) {
    const index = builder.seriesOf(labels);
    for (const { timeMs, startMs, value } of samples) {
      if (value.kind === 'stale') builder.stale(index, timeMs);
      else if (value.kind === 'float') builder.sample(index, timeMs, value.value, undefined, startMs);
      else {
        const fault = faultOf(value.histogram);
        if (fault !== undefined) failAt(line, 0, `the histogram at ${timeMs} ms has ${fault}`);
        builder.histogram(index, timeMs, value.histogram, undefined, startMs);
      }
    }
  }
  if (load.withCustomBuckets) {
    for (const { labels, histograms, line } of classicHistograms(load.series)) {
      const index = builder.seriesOf(labels);
      for (const [timeMs, classic] of [...histograms].sort(([a], [b]) => a - b)) {
        const histogram = classic.convert();
        if (typeof histogram === 'string') {
          failAt(line, 0, `the classic histogram of this series has, at ${timeMs} ms, ${histogram}`);
        }
        builder.histogram(index, timeMs, histogram);
      }
    }
  }
  return builder.build();
}

/** What Prometheus would not take of a histogram; undefined where there is nothing. */
function faultOf({ layout, count, zeroCount, positive, negative }: NativeHistogram): string | undefined {
  const { schema, zeroThreshold, bounds } = layout;
  const isLess = (value: number): boolean => value < 0;
  if (count < 0) return 'a negative count';
  if (positive.some(isLess) || negative.some(isLess) || zeroCount < 0) return 'a bucket with a negative count';
  if (schema !== CUSTOM_BUCKETS) {
    if (schema < SCHEMA_MIN || schema > SCHEMA_MAX) return `the schema ${schema}, of which there is none`;
    return bounds.length > 0 ? 'custom bounds, which only schema -53 has' : undefined;
  }
  if (zeroCount !== 0 || zeroThreshold !== 0) return 'a zero bucket beside custom bounds';
  if (negative.length > 0) return 'negative buckets beside custom bounds';
  if (bounds.some((bound, i) => bound !== bound || (i > 0 && bound <= bounds[i - 1]!)))
    return 'bounds that do not ascend';
  if (bounds.at(-1) === Infinity) return 'a custom bound of +Inf, which is implied';
  if ((layout.positive[0] ?? 0) < 0) return 'a negative offset beside custom bounds';
  const reach = (layout.positive.at(-1) ?? -1) + 1;
  return reach > bounds.length + 1 ? `${bounds.length} custom bounds and buckets up to ${reach}` : undefined;
}

interface ConvertedSeries {
  readonly labels: Labels;
  readonly line: LoadedSeries['line'];
  /** By time. */
  readonly histograms: Map<number, ClassicHistogram>;
}

const SUFFIX = /^(.*)_(bucket|count|sum)$/s;
const BUCKET_BOUND = 'le';

/** The classic histograms among the series, under the names and labels that the native ones have. */
function classicHistograms(series: readonly LoadedSeries[]): Iterable<ConvertedSeries> {
  const found = new Map<string, ConvertedSeries>();
  for (const { labels, samples, line } of series) {
    const match = SUFFIX.exec(labelValue(labels, METRIC_NAME));
    if (match === null) continue;
    const bound = parseFloatStrict(labelValue(labels, BUCKET_BOUND));
    if (match[2] === 'bucket' && (bound === undefined || bound !== bound)) continue;
    const rest = labelsFrom(Object.entries({ ...labelsRecord(labels), [METRIC_NAME]: match[1]!, [BUCKET_BOUND]: '' }));
    const key = labelsKey(rest);
    const converted = found.get(key) ?? { labels: rest, line, histograms: new Map<number, ClassicHistogram>() };
    found.set(key, converted);
    for (const { timeMs, value } of samples) {
      if (value.kind === 'histogram') continue;
      const histogram = converted.histograms.get(timeMs) ?? classicHistogram();
      converted.histograms.set(timeMs, histogram);
      const number = value.kind === 'stale' ? NaN : value.value;
      if (match[2] === 'bucket') histogram.bucket(bound!, number);
      else if (match[2] === 'count') histogram.count(number);
      else histogram.sum(number);
    }
  }
  return found.values();
}
