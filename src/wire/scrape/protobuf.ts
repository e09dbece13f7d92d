import { isUtf8 } from 'node:buffer';
import type { MetricType } from '../../model/batch.ts';
import { GAUGE } from '../../model/histogram.ts';
import { LIMITS } from '../../base/limits.ts';
import { malformed, readEnd, readTag, skipField, type ProtoCursor } from '../proto-cursor.ts';
import { classicHistogram } from './custom-buckets.ts';
import { utf8Cut } from './families.ts';
import type { ExemplarMessage } from './exemplar-message.ts';
import { bytesField, expositionCursor, uint64Field } from './fields.ts';
import type { HistogramMessage } from './histogram-message.ts';
import { metricMessage, readMetric } from './metric-message.ts';
import { isNative, nativeOf } from './native.ts';
import { BUCKET, COUNT, PLAIN, protoSeries, QUANTILE, SUM } from './proto-series.ts';
import type { ExpositionSink, ParseOptions } from './sink.ts';

/** By the number of the type in `io.prometheus.client.MetricType`. */
const TYPES: readonly MetricType[] = ['counter', 'gauge', 'summary', 'unknown', 'histogram', 'gaugehistogram'];

/** The metric that is being read. */
const metric = metricMessage();

/**
 * Reads length-delimited messages `io.prometheus.client.MetricFamily`
 * (https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto). Throws `bad_data` with the
 * byte at which the body goes wrong.
 */
export function parseProtobuf(bytes: Uint8Array, options: ParseOptions, sink: ExpositionSink): void {
  const cursor = expositionCursor(bytes);
  const series = protoSeries(cursor, metric);
  const converter = classicHistogram();

  function exemplar(one: ExemplarMessage | undefined): void {
    if (one === undefined) return;
    // An exemplar is no reason to refuse a scrape, but at a time beyond all years it is none.
    if (one.timeMs !== undefined && !Number.isSafeInteger(one.timeMs)) return;
    sink.exemplar(one.labels, one.value, one.timeMs);
  }

  /** Of a native histogram: those of its own or else of its buckets, and only with a time. */
  function nativeExemplars({ exemplars, bucketExemplars }: HistogramMessage): void {
    for (const one of exemplars.length > 0 ? exemplars : bucketExemplars) if (one?.timeMs !== undefined) exemplar(one);
  }

  function summary(timeMs: number | undefined): void {
    const { count, sum, startMs, quantiles, values } = metric.summary;
    sink.sample(series.as(COUNT), count, timeMs, startMs);
    sink.sample(series.as(SUM), sum, timeMs, startMs);
    for (let i = 0; i < quantiles.length; i++) {
      sink.sample(series.as(QUANTILE, quantiles[i]), values[i]!, timeMs, startMs);
    }
  }

  function classic(histogram: HistogramMessage, timeMs: number | undefined): void {
    const { bounds, counts, bucketExemplars, startMs } = histogram;
    const count = classicCount(histogram);
    sink.sample(series.as(COUNT), count, timeMs, startMs);
    sink.sample(series.as(SUM), histogram.sum[0]!, timeMs, startMs);
    for (let i = 0; i < bounds.length; i++) {
      sink.sample(series.as(BUCKET, bounds[i]), counts[i]!, timeMs, startMs);
      exemplar(bucketExemplars[i]);
      // The bucket of all observations is the last one, whatever follows.
      if (bounds[i] === Infinity) return;
    }
    sink.sample(series.as(BUCKET, Infinity), count, timeMs, startMs);
  }

  function customBuckets(message: HistogramMessage, isGauge: boolean, timeMs: number | undefined): void {
    converter.reset();
    converter.count(classicCount(message));
    converter.sum(message.sum[0]!);
    for (const [i, bound] of message.bounds.entries()) converter.bucket(bound, message.counts[i]!);
    const converted = converter.convert();
    if (typeof converted === 'string') throw malformed(cursor, `the histogram ${series.metric} has ${converted}`);
    const histogram = isGauge ? { ...converted, hint: GAUGE } : converted;
    sink.histogram(series.as(PLAIN), histogram, timeMs, message.startMs);
    nativeExemplars(message);
  }

  function histogram(isGauge: boolean, timeMs: number | undefined): void {
    const message = metric.histogram;
    if (options.ignoreNative !== true && isNative(message)) {
      const native = nativeOf(message, isGauge);
      if (typeof native === 'string') throw malformed(cursor, `the histogram ${series.metric}: ${native}`);
      sink.histogram(series.as(PLAIN), native, timeMs, message.startMs);
      nativeExemplars(message);
      if (options.keepClassic && message.bounds.length > 0) classic(message, timeMs);
      return;
    }
    if (options.keepClassic || !options.toCustomBuckets) classic(message, timeMs);
    if (options.toCustomBuckets) customBuckets(message, isGauge, timeMs);
  }

  function sample(type: MetricType): void {
    const timeMs = metric.timeMs === 0 ? undefined : metric.timeMs;
    if (type === 'counter') {
      sink.sample(series.as(PLAIN), metric.counter, timeMs, metric.counterStartMs);
      exemplar(metric.exemplar);
    } else if (type === 'gauge') {
      sink.sample(series.as(PLAIN), metric.gauge, timeMs, 0);
    } else if (type === 'summary') {
      summary(timeMs);
    } else if (type === 'unknown') {
      sink.sample(series.as(PLAIN), metric.untyped, timeMs, 0);
    } else {
      histogram(type === 'gaugehistogram', timeMs);
    }
  }

  while (cursor.at < bytes.length) {
    const end = readEnd(cursor, bytes.length);
    const family = readFamily(cursor, end);
    if (family.metrics.length > 0) {
      const { metric: name, type } = family;
      sink.metadata({ metric: name, type, help: family.help, unit: family.unit });
      for (let i = 0; i < family.metrics.length; i += 2) {
        cursor.at = family.metrics[i]!;
        readMetric(cursor, family.metrics[i + 1]!, metric);
        series.begin(name);
        sample(type);
      }
    }
    cursor.at = end;
  }
}

/** A float overrides the integer, unless it is zero. */
function classicCount({ countFloat, countInt }: HistogramMessage): number {
  return countFloat === 0 ? countInt : countFloat;
}

interface Family {
  readonly metric: string;
  readonly help: string;
  readonly type: MetricType;
  readonly unit: string;
  /** Pairs of where its metrics start and end. */
  readonly metrics: readonly number[];
}

/** Reads what surrounds the metrics of a family, which may stand after them. One without metrics is not looked at. */
function readFamily(cursor: ProtoCursor, end: number): Family {
  let name = { start: 0, end: 0 };
  let help = name;
  let type = 0;
  let unit = name;
  const metrics: number[] = [];
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if (field === 3) {
      type = uint64Field(cursor, end, tag);
    } else if (field === 1 || field === 2 || field === 4 || field === 5) {
      const fieldEnd = bytesField(cursor, end, tag);
      const start = cursor.at;
      cursor.at = fieldEnd;
      if (field === 1) name = { start, end: fieldEnd };
      else if (field === 2) help = { start, end: fieldEnd };
      else if (field === 5) unit = { start, end: fieldEnd };
      else metrics.push(start, fieldEnd);
    } else {
      skipField(cursor, tag, end);
    }
  }
  const { bytes } = cursor;
  if (metrics.length === 0) return { metric: '', help: '', type: 'unknown', unit: '', metrics };
  const known = TYPES[type];
  if (name.start === name.end || !isUtf8(bytes.subarray(name.start, name.end))) {
    throw malformed(cursor, 'a metric family whose name is empty or no valid UTF-8');
  }
  const metric = bytes.toString('utf8', name.start, name.end);
  if (!isUtf8(bytes.subarray(help.start, help.end))) throw malformed(cursor, `the help of ${metric} is no valid UTF-8`);
  if (known === undefined) throw malformed(cursor, `${metric} has the type ${type}, which does not exist`);
  return {
    metric,
    help: bytes.toString('utf8', help.start, utf8Cut(bytes, help.start, help.end, LIMITS.helpBytes)),
    type: known,
    unit: bytes.toString('utf8', unit.start, utf8Cut(bytes, unit.start, unit.end, LIMITS.helpBytes)),
    metrics,
  };
}
