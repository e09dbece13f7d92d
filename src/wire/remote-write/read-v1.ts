import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { LabelOwner } from '../../model/batch.ts';
import {
  BYTES,
  FIXED64,
  protoCursor,
  readDouble,
  readEnd,
  readInt64,
  readTag,
  readUint32,
  skipField,
  VARINT,
  wrongWireType,
  type ProtoCursor,
} from '../proto-cursor.ts';
import { LONG_TEXT, SALT_V1, type WireCache } from './cache.ts';
import type { HistogramReader } from './histogram.ts';
import {
  addExemplar,
  addHistogram,
  addMetadata,
  countLabelSet,
  countMetadata,
  countSeries,
  readSample,
  type Request,
} from './request.ts';
import { faulty, tooManyLabels, type WireSeries } from './series.ts';
import { textOf } from './text.ts';

const TIMESERIES = (1 << 3) | BYTES;
const METADATA = (3 << 3) | BYTES;

/** Fields of TimeSeries. */
const LABEL = (1 << 3) | BYTES;
const SAMPLE = (2 << 3) | BYTES;
const EXEMPLAR = (3 << 3) | BYTES;
const HISTOGRAM = (4 << 3) | BYTES;

/** Longer label sets are not kept by their bytes: one of them would push out hundreds. */
const KEY_BYTES = 16 * 1024;

/** Reads a `prometheus.WriteRequest`. Throws `bad_data` and `body_too_large`. */
export function readWriteRequest(request: Request, cache: WireCache, readHistogram: HistogramReader): void {
  const { cursor } = request;
  const end = cursor.bytes.length;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === TIMESERIES) {
      request.series = request.seriesCount;
      readTimeSeries(request, cache, readHistogram, readEnd(cursor, end));
      request.series = -1;
    } else if (tag === METADATA) {
      readMetadata(request, cache, readEnd(cursor, end));
    } else if (tag >>> 3 === 1 || tag >>> 3 === 3) {
      throw wrongWireType(cursor, 'WriteRequest', tag);
    } else {
      skipField(cursor, tag, end);
    }
  }
}

function readTimeSeries(request: Request, cache: WireCache, readHistogram: HistogramReader, end: number): void {
  const { cursor } = request;
  const start = cursor.at;
  const labelsEnd = passLabels(cursor, end);
  takeSurvey(cursor, end);
  const series =
    survey.labels > 0 ? makeSeries(request, cache, start, end) : seriesOf(request, cache, start, labelsEnd);
  countSeries(request, survey.points, survey.exemplars);
  cursor.at = labelsEnd;
  if (series.fault !== undefined) {
    request.rejected.points(series.fault.reason, series.fault.detail, survey.points);
    cursor.at = end;
    return;
  }
  request.index = -1;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === SAMPLE) readSample(request, series, readEnd(cursor, end));
    else if (tag === HISTOGRAM)
      addHistogram(request, series, readHistogram(cursor, readEnd(cursor, end), series.layout));
    else if (tag === EXEMPLAR) readExemplar(request, cache, series, readEnd(cursor, end));
    else skipField(cursor, tag, end);
  }
}

/** Passes by the labels, which senders write first, and returns where they end. */
function passLabels(cursor: ProtoCursor, end: number): number {
  const { bytes } = cursor;
  while (cursor.at < end && bytes[cursor.at] === LABEL) {
    cursor.at++;
    cursor.at = readEnd(cursor, end);
  }
  return cursor.at;
}

/** What is in a TimeSeries behind its labels. There is one for all, which is read before the next is filled. */
const survey = {
  /** Samples and histograms. */
  points: 0,
  exemplars: 0,
  /** Labels after other fields: allowed, but nobody writes them. */
  labels: 0,
};

/** Counts the fields from the cursor on, in `survey`. */
function takeSurvey(cursor: ProtoCursor, end: number): void {
  let points = 0;
  let exemplars = 0;
  let labels = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === SAMPLE || tag === HISTOGRAM) points++;
    else if (tag === EXEMPLAR) exemplars++;
    else if (tag === LABEL) labels++;
    else if (tag >>> 3 <= 4) throw wrongWireType(cursor, 'TimeSeries', tag);
    skipField(cursor, tag, end);
  }
  survey.points = points;
  survey.exemplars = exemplars;
  survey.labels = labels;
}

/** The series whose labels, and nothing else, are in [start, end). */
function seriesOf(request: Request, cache: WireCache, start: number, end: number): WireSeries {
  const { cursor } = request;
  if (end - start > KEY_BYTES) return makeSeries(request, cache, start, end);
  const known = cache.series.get(cursor.bytes, start, end, SALT_V1);
  if (known !== undefined) return known;
  countLabelSet(request);
  cursor.at = start;
  const series = readSeries(cursor, cache, end, cache.owner);
  cache.series.set(cursor.bytes, start, end, series, SALT_V1);
  return series;
}

/** The series of a label set that was kept by its bytes. */
export function readLabelSet(bytes: Buffer, cache: WireCache): WireSeries {
  const cursor = protoCursor(bytes, (at, reason) => {
    return new ComityError('internal', `a label set that was read before is malformed at byte ${at}: ${reason}`);
  });
  return readSeries(cursor, cache, bytes.length, cache.owner);
}

function makeSeries(request: Request, cache: WireCache, start: number, end: number): WireSeries {
  countLabelSet(request);
  request.cursor.at = start;
  return readSeries(request.cursor, cache, end);
}

/** `owner` keeps the bytes from which the labels can be read again. */
function readSeries(cursor: ProtoCursor, cache: WireCache, end: number, owner?: LabelOwner): WireSeries {
  const pairs: (string | undefined)[] = [];
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag !== LABEL) {
      skipField(cursor, tag, end);
      continue;
    }
    if (pairs.length / 2 === LIMITS.labelsPerSeries) return faulty(tooManyLabels(pairs.length / 2 + 1));
    if (!readLabel(cursor, cache, readEnd(cursor, end), pairs)) {
      return faulty({ reason: 'label_too_long', detail: `a label is longer than ${LIMITS.labelBytes} bytes` });
    }
  }
  return cache.make(pairs, owner);
}

/** Adds a Label message to `pairs`; false when it has a text that is too long. */
function readLabel(cursor: ProtoCursor, cache: WireCache, end: number, pairs: (string | undefined)[]): boolean {
  let name: string | undefined = '';
  let value: string | undefined = '';
  let fits = true;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag !== ((1 << 3) | BYTES) && tag !== ((2 << 3) | BYTES)) {
      if (tag >>> 3 <= 2) throw wrongWireType(cursor, 'Label', tag);
      skipField(cursor, tag, end);
      continue;
    }
    const textEnd = readEnd(cursor, end);
    if (tag >>> 3 === 2 && textEnd - cursor.at <= LIMITS.labelBytes) {
      // Many values belong to one series each: to remember them would cost more than to read them again.
      value = textOf(cursor.bytes, cursor.at, textEnd);
    } else {
      const symbol = cache.symbol(cursor.bytes, cursor.at, textEnd);
      if (symbol.id === LONG_TEXT) fits = false;
      if (tag >>> 3 === 1) name = symbol.text;
      else value = symbol.text;
    }
    cursor.at = textEnd;
  }
  pairs.push(name, value);
  return fits;
}

function readExemplar(request: Request, cache: WireCache, series: WireSeries, end: number): void {
  const { cursor } = request;
  const pairs: (string | undefined)[] = [];
  let value = 0;
  let timeMs = 0;
  let fits = true;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === ((1 << 3) | BYTES)) {
      const labelEnd = readEnd(cursor, end);
      if (pairs.length / 2 === LIMITS.labelsPerSeries) fits = false;
      if (fits) fits = readLabel(cursor, cache, labelEnd, pairs);
      cursor.at = labelEnd;
    } else if (tag === ((2 << 3) | FIXED64)) value = readDouble(cursor, end);
    else if (tag === ((3 << 3) | VARINT)) timeMs = readInt64(cursor, end);
    else if (tag >>> 3 <= 3) throw wrongWireType(cursor, 'Exemplar', tag);
    else skipField(cursor, tag, end);
  }
  if (fits) addExemplar(request, series, { pairs, value, timeMs });
  else request.rejected.exemplar(`of ${series.family.metric} at ${timeMs}: its labels are too many or too long`);
}

function readMetadata(request: Request, cache: WireCache, end: number): void {
  const { cursor } = request;
  countMetadata(request);
  let type = 0;
  let metric = '';
  let help = '';
  let unit = '';
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === ((1 << 3) | VARINT)) type = readUint32(cursor, end);
    else if (tag === ((2 << 3) | BYTES)) metric = readText(cursor, cache, end);
    else if (tag === ((4 << 3) | BYTES)) help = readText(cursor, cache, end);
    else if (tag === ((5 << 3) | BYTES)) unit = readText(cursor, cache, end);
    else if (tag >>> 3 <= 5 && tag >>> 3 !== 3) throw wrongWireType(cursor, 'MetricMetadata', tag);
    else skipField(cursor, tag, end);
  }
  addMetadata(request, metric, type, help, unit);
}

/** A text that is not valid UTF-8 says nothing; of a long one the beginning is taken. */
function readText(cursor: ProtoCursor, cache: WireCache, end: number): string {
  const textEnd = readEnd(cursor, end);
  const { text } = cache.symbol(cursor.bytes, cursor.at, textEnd);
  cursor.at = textEnd;
  return text ?? '';
}
