import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Admission } from '../../model/admission.ts';
import { SET, type MetricType } from '../../model/batch.ts';
import { batchBuilder, type BatchBuilder } from '../../model/batch-builder.ts';
import { hearSign, hearTime, resetTimes, signOf } from '../../model/heard-times.ts';
import { isStaleAt } from '../../model/series.ts';
import {
  FIXED64,
  protoCursor,
  readDouble,
  readInt64,
  readTag,
  skipField,
  VARINT,
  wrongWireType,
  type ProtoCursor,
} from '../proto-cursor.ts';
import type { WireHistogram } from './histogram.ts';
import { rejections, type Rejections } from './rejections.ts';
import { exemplarLabels, type Producer, type WireSeries } from './series.ts';

/** What has been read of a request, in either version. */
export interface Request {
  /** Higher than that of any request before it. */
  readonly id: number;
  readonly cursor: ProtoCursor;
  readonly builder: BatchBuilder;
  readonly rejected: Rejections;
  /** Those that have rows in the batch. */
  readonly producers: Producer[];
  readonly admission: Admission;
  /** Samples and histograms that the request has, exemplars that it has, and so on, valid or not. */
  points: number;
  exemplars: number;
  seriesCount: number;
  /** Index of the series that is being read, -1 outside of them: for messages. */
  series: number;
  metadataCount: number;
  /** Label sets that were not known by their bytes. */
  labelSets: number;
  /** Native histograms in the batch, and staleness markers that were sent as one. */
  histograms: number;
  staleHistograms: number;
  /** Index in the batch of the series that is being read; -1 before its first row. */
  index: number;
}

export function startRequest(body: Uint8Array, id: number, rowsExpected: number, admission: Admission): Request {
  const request: Request = {
    id,
    cursor: protoCursor(body, (at, reason) => {
      const place = request.series < 0 ? '' : ` in timeseries[${request.series}]`;
      return new ComityError('bad_data', `malformed protobuf at byte ${at}${place}: ${reason}`);
    }),
    builder: batchBuilder(rowsExpected),
    rejected: rejections(),
    producers: [],
    admission,
    points: 0,
    exemplars: 0,
    seriesCount: 0,
    series: -1,
    metadataCount: 0,
    labelSets: 0,
    histograms: 0,
    staleHistograms: 0,
    index: -1,
  };
  return request;
}

/** Counts a series with so many points and exemplars. Throws `body_too_large` past what one request may hold. */
export function countSeries(request: Request, points: number, exemplars: number): void {
  request.points += points;
  request.exemplars += exemplars;
  request.seriesCount++;
  const most = Math.max(request.points, request.exemplars, request.seriesCount);
  if (most > LIMITS.samplesPerRequest) throw tooManyElements();
}

export function countMetadata(request: Request): void {
  if (++request.metadataCount > LIMITS.samplesPerRequest) throw tooManyElements();
}

/**
 * Label sets that one request may bring anew. To make series of them takes about a second, in which nothing else is
 * received; no more than a part may be series that the store has not got either.
 */
const LABEL_SETS_PER_REQUEST = LIMITS.newSeriesPerRequest * 4;

/** Counts a label set that is not known by its bytes. Throws `body_too_large` past what one request may bring. */
export function countLabelSet(request: Request): void {
  if (++request.labelSets <= LABEL_SETS_PER_REQUEST) return;
  throw new ComityError(
    'body_too_large',
    `the request has more than ${LABEL_SETS_PER_REQUEST} series that were not sent before. Send smaller batches`,
  );
}

/** Index in the batch of the series that is being read, whose producer is noted. */
function indexOf(request: Request, series: WireSeries): number {
  const { producer } = series;
  if (producer.request !== request.id) {
    producer.request = request.id;
    resetTimes(producer);
    request.producers.push(producer);
  }
  if (request.index >= 0) return request.index;
  request.index = request.builder.series(series);
  return request.index;
}

/** Reads a Sample message, the same in both versions but for the start. */
export function readSample(request: Request, series: WireSeries, end: number): void {
  const { cursor } = request;
  let value = 0;
  let valueAt = -1;
  let timeMs = 0;
  let startMs = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === ((1 << 3) | FIXED64)) {
      valueAt = cursor.at;
      value = readDouble(cursor, end);
    } else if (tag === ((2 << 3) | VARINT)) {
      timeMs = readInt64(cursor, end);
    } else if (tag === ((3 << 3) | VARINT)) {
      startMs = readInt64(cursor, end);
    } else if (tag >>> 3 <= 2) {
      throw wrongWireType(cursor, 'Sample', tag);
    } else {
      skipField(cursor, tag, end);
    }
  }
  if (!Number.isSafeInteger(timeMs)) {
    badTimestamp(request, timeMs);
    return;
  }
  const index = indexOf(request, series);
  const stale = value !== value && isStale(cursor, valueAt);
  hear(series, timeMs, stale, value);
  if (stale) request.builder.stale(index, timeMs);
  // The bits of any other NaN say nothing.
  else request.builder.sample(index, timeMs, value === value ? value : NaN, SET, startOf(startMs));
}

/** What a sample says of the producer of its series. */
function hear({ producer, family }: WireSeries, timeMs: number, stale: boolean, value: number): void {
  if (family.scrapeMetric === undefined && !stale) hearTime(producer, timeMs);
  else hearSign(producer, signOf(family.scrapeMetric, stale, value), timeMs);
}

export function addHistogram(request: Request, series: WireSeries, read: WireHistogram): void {
  const { timeMs, startMs } = read;
  if (!Number.isSafeInteger(timeMs)) return badTimestamp(request, timeMs);
  if (read.fault !== undefined) {
    const detail = `${series.family.metric} at ${timeMs}: ${read.fault}`;
    return request.rejected.points('bad_histogram', detail, 1);
  }
  const index = indexOf(request, series);
  hear(series, timeMs, read.stale, 1);
  if (read.stale) {
    request.staleHistograms++;
    return request.builder.stale(index, timeMs);
  }
  request.histograms++;
  series.layout = read.histogram.layout;
  return request.builder.histogram(index, timeMs, read.histogram, SET, startOf(startMs));
}

/** `pairs` are the exemplar's own labels, as those of a series. */
export function addExemplar(
  request: Request,
  series: WireSeries,
  exemplar: { readonly pairs: readonly (string | undefined)[]; readonly value: number; readonly timeMs: number },
): void {
  const { timeMs, value } = exemplar;
  const place = `of ${series.family.metric} at ${timeMs}`;
  if (!Number.isSafeInteger(timeMs) || timeMs === 0) return request.rejected.exemplar(`${place}: it has no time`);
  const checked = exemplarLabels(exemplar.pairs, request.admission);
  if ('reason' in checked) return request.rejected.exemplar(`${place}: ${checked.detail}`);
  // It says nothing of the samples that are still to come.
  const index = indexOf(request, series);
  return request.builder.exemplar({ series: index, timeMs, value, labels: checked.labels });
}

/** Adds what is known of a metric family, unless it says nothing. Types beyond the table are unknown ones. */
export function addMetadata(request: Request, metric: string, type: number, help: string, unit: string): void {
  if (metric === '' || (type === 0 && help === '' && unit === '')) return;
  request.builder.metadata({ metric, type: METRIC_TYPES[type] ?? 'unknown', help, unit });
}

/** By the numbers that both versions give them. */
const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

/** One that no float holds says nothing. One after its sample is kept: that it stays the same from sample to sample tells. */
function startOf(startMs: number): number {
  return Number.isSafeInteger(startMs) ? startMs : 0;
}

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

/** Whether the float at `at` is a staleness marker: looked up on the wire, since a NaN in a variable may lose its bits. */
function isStale({ view }: ProtoCursor, at: number): boolean {
  scratchWords[0] = view.getUint32(at, true);
  scratchWords[1] = view.getUint32(at + 4, true);
  return isStaleAt(scratch, 0);
}

function badTimestamp(request: Request, timeMs: number): void {
  request.rejected.points('bad_timestamp', `the time ${timeMs} ms is none`, 1);
}

function tooManyElements(): ComityError {
  return new ComityError(
    'body_too_large',
    `the request has more than ${LIMITS.samplesPerRequest} series, samples, exemplars or metadata. Send smaller batches`,
  );
}
