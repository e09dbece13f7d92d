import { metricsRequest, nanos, text, type Json } from '../wire/otlp-requests.ts';
import { observations, type Histogram, type Sample, type Series } from './samples.ts';

/** The job of the series that come by OTLP, the only protocol that tells both sides when a counter started. */
export const OTLP_JOB = 'otel';

/** What Prometheus adds to the names of counters. */
const SUFFIX = '_total';

/**
 * The series as requests of OTLP, one for each instance of each domain. Where `labelled`, the domain becomes a label of each,
 * also of `target_info`: an agent adds it by itself.
 */
export function otlpRequests(series: readonly Series[], labelled: boolean): Json[] {
  const placeOf = ({ labels, domain }: Series): string => JSON.stringify([domain, labels['instance']]);
  return [...Map.groupBy(series, placeOf).values()].map((ofInstance) => {
    const { labels, domain } = ofInstance[0]!;
    const attributes = labelled ? [text('domain', domain)] : [];
    const instance = text('service.instance.id', labels['instance'] ?? '');
    const resource = [text('service.name', OTLP_JOB), instance, text('version', '1')];
    return metricsRequest(
      [...resource, ...attributes],
      ofInstance.map((one) => metric(one, attributes)),
    );
  });
}

function metric({ labels, samples }: Series, attributes: readonly Json[]): Json {
  const name = labels['__name__'] ?? '';
  const times = ({ timeMs, startMs }: Sample): Json => ({
    timeUnixNano: nanos(timeMs),
    ...(startMs === undefined ? {} : { startTimeUnixNano: nanos(startMs) }),
    attributes,
  });
  if (name.endsWith(SUFFIX)) {
    const dataPoints = samples.map((sample) => ({ ...times(sample), ...floatPoint(sample.value) }));
    return { name: name.slice(0, -SUFFIX.length), sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints } };
  }
  const dataPoints = samples.map((sample) => ({ ...times(sample), ...histogramPoint(sample.value) }));
  return { name, exponentialHistogram: { aggregationTemporality: 2, dataPoints } };
}

/** A point without a recorded value is a staleness marker. */
const NO_VALUE: Json = { flags: 1 };

function floatPoint(value: Sample['value']): Json {
  return typeof value === 'number' ? { asDouble: value } : NO_VALUE;
}

function histogramPoint(value: Sample['value']): Json {
  if (typeof value !== 'object') return NO_VALUE;
  const { schema, sum, zeroCount, zeroThreshold, positive, negative } = value;
  return {
    scale: schema,
    count: String(observations(value)),
    sum,
    zeroCount: String(zeroCount),
    zeroThreshold,
    positive: buckets(positive),
    negative: buckets(negative),
  };
}

/** OTLP counts a bucket by its lower bound, and lists all from the first to the last. */
function buckets(of: Histogram['positive']): Json {
  if (of.size === 0) return { offset: 0, bucketCounts: [] };
  const first = Math.min(...of.keys());
  const length = Math.max(...of.keys()) - first + 1;
  return { offset: first - 1, bucketCounts: Array.from({ length }, (_, i) => String(of.get(first + i) ?? 0)) };
}
