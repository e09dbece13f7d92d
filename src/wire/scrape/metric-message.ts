import { readExemplar, readTimestamp, type ExemplarMessage } from './exemplar-message.ts';
import { histogramMessage, readHistogram, resetHistogram, type HistogramMessage } from './histogram-message.ts';
import {
  BYTES,
  doubleField,
  expectType,
  readInt64,
  readLength,
  readTag,
  skipField,
  uint64Field,
  VARINT,
  within,
  type ProtoCursor,
} from './proto-cursor.ts';

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

/** Reads the message that the cursor is set to. Throws `bad_data`. */
export function readMetric(cursor: ProtoCursor, into: MetricMessage): void {
  reset(into);
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    switch (tag >>> 3) {
      case 1: {
        expectType(cursor, tag, BYTES);
        const start = cursor.at;
        cursor.at = readLength(cursor);
        into.labels.push(start, cursor.at);
        break;
      }
      case 2:
        within(cursor, tag, () => (into.gauge = readValue(cursor, into.gauge)));
        break;
      case 3:
        within(cursor, tag, () => readCounter(cursor, into));
        break;
      case 4:
        into.hasSummary = true;
        within(cursor, tag, () => readSummary(cursor, into.summary));
        break;
      case 5:
        within(cursor, tag, () => (into.untyped = readValue(cursor, into.untyped)));
        break;
      case 6:
        expectType(cursor, tag, VARINT);
        into.timeMs = readInt64(cursor);
        break;
      case 7:
        into.hasHistogram = true;
        within(cursor, tag, () => readHistogram(cursor, into.histogram));
        break;
      default:
        skipField(cursor, tag);
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
function readValue(cursor: ProtoCursor, before: number): number {
  let value = before;
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    if (tag >>> 3 === 1) value = doubleField(cursor, tag);
    else skipField(cursor, tag);
  }
  return value;
}

function readCounter(cursor: ProtoCursor, into: MetricMessage): void {
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    const field = tag >>> 3;
    if (field === 1) into.counter = doubleField(cursor, tag);
    else if (field === 2) within(cursor, tag, () => (into.exemplar = readExemplar(cursor)));
    else if (field === 3) within(cursor, tag, () => (into.counterStartMs = readTimestamp(cursor)));
    else skipField(cursor, tag);
  }
}

function readSummary(cursor: ProtoCursor, into: MetricMessage['summary']): void {
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    const field = tag >>> 3;
    if (field === 1) into.count = uint64Field(cursor, tag);
    else if (field === 2) into.sum = doubleField(cursor, tag);
    else if (field === 3) within(cursor, tag, () => readQuantile(cursor, into));
    else if (field === 4) within(cursor, tag, () => (into.startMs = readTimestamp(cursor)));
    else skipField(cursor, tag);
  }
}

function readQuantile(cursor: ProtoCursor, into: MetricMessage['summary']): void {
  let quantile = 0;
  let value = 0;
  while (cursor.at < cursor.end) {
    const tag = readTag(cursor);
    if (tag >>> 3 === 1) quantile = doubleField(cursor, tag);
    else if (tag >>> 3 === 2) value = doubleField(cursor, tag);
    else skipField(cursor, tag);
  }
  into.quantiles.push(quantile);
  into.values.push(value);
}
