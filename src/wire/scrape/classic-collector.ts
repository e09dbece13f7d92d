import type { MetricType } from '../../model/batch.ts';
import { parseFloatStrict } from '../../base/numbers.ts';
import { labelsFrom, labelsKey, labelValue, METRIC_NAME, type Labels } from '../../model/labels.ts';
import { classicHistogram } from './custom-buckets.ts';
import type { ExposedSeries, ExpositionSink, ParseOptions } from './sink.ts';

/**
 * Stands between a text parser and its sink and makes native histograms of the classic ones
 * (`convert_classic_histograms_to_nhcb`). One is handed on when the run of its series is over. As in Prometheus, a
 * classic histogram that makes no native one is left out.
 */
export interface ClassicCollector extends ExpositionSink {
  /** A line that declares a type. */
  family(metric: string, type: MetricType): void;
  /** A line that is no sample, or the end of the body: the run is over. */
  interrupt(): void;
}

export function classicCollector(
  sink: ExpositionSink,
  { keepClassic }: Pick<ParseOptions, 'keepClassic'>,
): ClassicCollector {
  const histogram = classicHistogram();
  let family = '';
  let isHistogram = false;
  /** The histogram whose series are being read: its labels without `le` and the suffix of the name. */
  let open:
    | { key: string; labels: Labels; emptyNames: readonly string[]; timeMs: number | undefined; startMs: number }
    | undefined;
  /** Whether the sample before went into the open histogram. */
  let collected = false;
  let exemplars: { labels: Labels; value: number; timeMs: number }[] = [];

  function flush(): void {
    if (open === undefined) return;
    const converted = histogram.convert();
    if (typeof converted !== 'string') {
      sink.histogram(madeSeries(open), converted, open.timeMs, open.startMs);
      for (const exemplar of exemplars) sink.exemplar(exemplar.labels, exemplar.value, exemplar.timeMs);
    }
    open = undefined;
    exemplars = [];
    histogram.reset();
  }

  /** Takes a sample into its histogram; false when it is of none. A sample of another metric ends the one before. */
  function collect(series: ExposedSeries, value: number, timeMs: number | undefined, startMs: number): boolean {
    if (!isHistogram) {
      flush();
      return false;
    }
    const labels = series.labels();
    const name = labelValue(labels, METRIC_NAME);
    const suffix = SUFFIXES.find((one) => name.endsWith(one)) ?? '';
    const metric = name.slice(0, name.length - suffix.length);
    const own = withoutBucket(labels, metric);
    const key = labelsKey(own);
    if (open !== undefined && open.key !== key) flush();
    const bound = suffix === '_bucket' ? parseFloatStrict(labelValue(labels, 'le')) : 0;
    if (suffix === '' || metric !== family || bound === undefined || bound !== bound) return false;
    open ??= { key, labels: own, emptyNames: series.emptyNames(), timeMs, startMs };
    open.timeMs = timeMs;
    if (suffix === '_bucket') histogram.bucket(bound, value);
    else if (suffix === '_count') histogram.count(value);
    else histogram.sum(value);
    return true;
  }

  return {
    sample(series, value, timeMs, startMs) {
      collected = collect(series, value, timeMs, startMs);
      if (!collected || keepClassic) sink.sample(series, value, timeMs, startMs);
    },
    histogram(series, native, timeMs, startMs) {
      flush();
      sink.histogram(series, native, timeMs, startMs);
    },
    exemplar(labels, value, timeMs) {
      if (!collected) sink.exemplar(labels, value, timeMs);
      // Prometheus keeps none without a time for native histograms: it could not tell an old one from a new one.
      else if (timeMs !== undefined) exemplars.push({ labels, value, timeMs });
    },
    metadata: (metadata) => sink.metadata(metadata),
    family(metric, type) {
      family = metric;
      isHistogram = type === 'histogram';
    },
    interrupt: flush,
  };
}

const SUFFIXES = ['_bucket', '_count', '_sum'] as const;

function withoutBucket(labels: Labels, metric: string): Labels {
  const pairs: [string, string][] = [[METRIC_NAME, metric]];
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] !== METRIC_NAME && labels[i] !== 'le') pairs.push([labels[i]!, labels[i + 1]!]);
  }
  return labelsFrom(pairs);
}

/** No text series starts with this byte, so that a made series never shares the key of an exposed one. */
const MADE = '\u00fe';

function madeSeries({
  key,
  labels,
  emptyNames,
}: {
  readonly key: string;
  readonly labels: Labels;
  readonly emptyNames: readonly string[];
}): ExposedSeries {
  const bytes = Buffer.from(`${MADE}${key}`);
  return {
    key: bytes.toString('latin1'),
    bytes,
    start: 0,
    end: bytes.length,
    labels: () => labels,
    emptyNames: () => emptyNames,
  };
}
