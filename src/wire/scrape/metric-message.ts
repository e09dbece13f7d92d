import { readTag, skipField, type ProtoCursor } from '../proto-cursor.ts';
import { readExemplar, readTimestamp, type ExemplarMessage } from './exemplar-message.ts';
import { bytesField, doubleField, int64Field, uint64Field } from './fields.ts';
import { histogramMessage, readHistogram, resetHistogram, type HistogramMessage } from './histogram-message.ts';

/**
 * One `io.prometheus.client.Metric` (https://github.com/prometheus/client_model). Every field of every kind is kept: the
 * type of the family, which may come after its metrics, says which of them count. Reused from metric to metric.
 */
export interface MetricMessage {
  /** Pairs of where the labels stand: from the length of a `LabelPair` to its end. */
  readonly labels: number[];
  /** 0: the scrape's time. */
  timeMs: number;
  counter: number;
  gauge: number;
  untyped: number;
  /** Of the counter. */
  exemplar: ExemplarMessage | undefined;
  counterStartMs: number;
  hasSummary: boolean;
  readonly summary: {
    count: number;
    sum: number;
    startMs: number;
    readonly quantiles: number[];
    readonly values: number[];
  };
  hasHistogram: boolean;
  readonly histogram: HistogramMessage;
}

export function metricMessage(): MetricMessage {
  return {
    labels: [],
    timeMs: 0,
    counter: 0,
    gauge: 0,
    untyped: 0,
    exemplar: undefined,
    counterStartMs: 0,
    hasSummary: false,
    summary: { count: 0, sum: 0, startMs: 0, quantiles: [], values: [] },
    hasHistogram: false,
    histogram: histogramMessage(),
  };
}

/** Reads the message that ends at `end`. Throws `bad_data`. */
export function readMetric(cursor: ProtoCursor, end: number, into: MetricMessage): void {
  reset(into);
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    switch (tag >>> 3) {
      case 1: {
        const start = cursor.at;
        cursor.at = bytesField(cursor, end, tag);
        into.labels.push(start, cursor.at);
        break;
      }
      case 2:
        into.gauge = readValue(cursor, bytesField(cursor, end, tag), into.gauge);
        break;
      case 3:
        readCounter(cursor, bytesField(cursor, end, tag), into);
        break;
      case 4:
        into.hasSummary = true;
        readSummary(cursor, bytesField(cursor, end, tag), into.summary);
        break;
      case 5:
        into.untyped = readValue(cursor, bytesField(cursor, end, tag), into.untyped);
        break;
      case 6:
        into.timeMs = int64Field(cursor, end, tag);
        break;
      case 7:
        into.hasHistogram = true;
        readHistogram(cursor, bytesField(cursor, end, tag), into.histogram);
        break;
      default:
        skipField(cursor, tag, end);
    }
  }
}

function reset(message: MetricMessage): void {
  message.labels.length = 0;
  message.timeMs = 0;
  message.counter = 0;
  message.gauge = 0;
  message.untyped = 0;
  message.exemplar = undefined;
  message.counterStartMs = 0;
  // Emptying lists costs more than reading a counter.
  if (message.hasSummary) resetSummary(message.summary);
  if (message.hasHistogram) resetHistogram(message.histogram);
  message.hasSummary = false;
  message.hasHistogram = false;
}

function resetSummary(summary: MetricMessage['summary']): void {
  summary.count = 0;
  summary.sum = 0;
  summary.startMs = 0;
  summary.quantiles.length = 0;
  summary.values.length = 0;
}

/** A message whose only field is a value. */
function readValue(cursor: ProtoCursor, end: number, before: number): number {
  let value = before;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag >>> 3 === 1) value = doubleField(cursor, end, tag);
    else skipField(cursor, tag, end);
  }
  return value;
}

function readCounter(cursor: ProtoCursor, end: number, into: MetricMessage): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if (field === 1) into.counter = doubleField(cursor, end, tag);
    else if (field === 2) into.exemplar = readExemplar(cursor, bytesField(cursor, end, tag));
    else if (field === 3) into.counterStartMs = readTimestamp(cursor, bytesField(cursor, end, tag));
    else skipField(cursor, tag, end);
  }
}

function readSummary(cursor: ProtoCursor, end: number, into: MetricMessage['summary']): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if (field === 1) into.count = uint64Field(cursor, end, tag);
    else if (field === 2) into.sum = doubleField(cursor, end, tag);
    else if (field === 3) readQuantile(cursor, bytesField(cursor, end, tag), into);
    else if (field === 4) into.startMs = readTimestamp(cursor, bytesField(cursor, end, tag));
    else skipField(cursor, tag, end);
  }
}

function readQuantile(cursor: ProtoCursor, end: number, into: MetricMessage['summary']): void {
  let quantile = 0;
  let value = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag >>> 3 === 1) quantile = doubleField(cursor, end, tag);
    else if (tag >>> 3 === 2) value = doubleField(cursor, end, tag);
    else skipField(cursor, tag, end);
  }
  into.quantiles.push(quantile);
  into.values.push(value);
}
