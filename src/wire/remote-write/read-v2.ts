import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import {
  BYTES,
  FIXED64,
  malformed,
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
import { LONG_TEXT, SALT_V2, type WireCache, type WireSymbol } from './cache.ts';
import type { HistogramReader } from './histogram.ts';
import {
  addExemplar,
  addHistogram,
  addMetadata,
  countLabelSet,
  countSeries,
  readSample,
  type Request,
} from './request.ts';
import { faulty, tooManyLabels, type Family, type WireSeries } from './series.ts';

const SYMBOL = (4 << 3) | BYTES;
const TIMESERIES = (5 << 3) | BYTES;

/** Fields of TimeSeries; references may be packed or not. */
const REFS = 1;
const SAMPLE = (2 << 3) | BYTES;
const HISTOGRAM = (3 << 3) | BYTES;
const EXEMPLAR = (4 << 3) | BYTES;
const METADATA = (5 << 3) | BYTES;

/** References of one label set that are looked at; one that has more has too many labels anyway. */
const REFS_MAX = LIMITS.labelsPerSeries * 2 + 2;

/** What is read of one request. */
interface Reading {
  readonly request: Request;
  readonly cursor: ProtoCursor;
  readonly cache: WireCache;
  readonly readHistogram: HistogramReader;
  readonly symbols: WireSymbol[];
  /** References of the label set that is being read. */
  readonly refs: Refs;
  readonly exemplarRefs: Refs;
  /** Metadata of the series that is being read. */
  readonly metadata: { type: number; help: number; unit: number };
}

interface Refs {
  readonly refs: Uint32Array;
  /** The ids of the symbols, and the same memory as bytes. */
  readonly ids: Uint32Array;
  readonly key: Uint8Array;
  /** How many were sent, which may be more than are kept. */
  count: number;
  hasLongText: boolean;
}

/** Reads an `io.prometheus.write.v2.Request`. Throws `bad_data` and `body_too_large`. */
export function readV2Request(request: Request, cache: WireCache, readHistogram: HistogramReader): void {
  const { cursor } = request;
  const reading: Reading = {
    request,
    cursor,
    cache,
    readHistogram,
    symbols: [],
    refs: emptyRefs(),
    exemplarRefs: emptyRefs(),
    metadata: { type: 0, help: 0, unit: 0 },
  };
  // Twice: a series may come before the symbols that it names.
  readSymbols(reading);
  cursor.at = 0;
  const end = cursor.bytes.length;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag !== TIMESERIES) {
      skipField(cursor, tag, end);
      continue;
    }
    request.series = request.seriesCount;
    readTimeSeries(reading, readEnd(cursor, end));
    request.series = -1;
  }
}

function readSymbols({ cursor, cache, symbols }: Reading): void {
  const end = cursor.bytes.length;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === SYMBOL) {
      if (symbols.length === LIMITS.samplesPerRequest) throw tooManySymbols();
      const symbolEnd = readEnd(cursor, end);
      symbols.push(cache.symbol(cursor.bytes, cursor.at, symbolEnd));
      cursor.at = symbolEnd;
    } else if (tag >>> 3 === 4 || (tag >>> 3 === 5 && tag !== TIMESERIES)) {
      throw wrongWireType(cursor, 'Request', tag);
    } else {
      skipField(cursor, tag, end);
    }
  }
}

function readTimeSeries(reading: Reading, end: number): void {
  const { request, cursor, refs, readHistogram } = reading;
  const start = cursor.at;
  const { samples, histograms, exemplars } = readIdentity(reading, end);
  const points = samples + histograms;
  countSeries(request, points, exemplars);
  if (refs.count % 2 !== 0) throw malformed(cursor, `${refs.count} label references, which are not pairs`);
  const series = seriesOf(reading);
  cursor.at = end;
  if (series.fault !== undefined) {
    request.rejected.points(series.fault.reason, series.fault.detail, points);
    return;
  }
  // Prometheus sends exemplars as series of their own.
  if (points === 0 && exemplars === 0) {
    request.rejected.points('no_samples', `${series.family.metric} has neither samples nor exemplars`, 0);
    return;
  }
  noteMetadata(reading, series.family, histograms > 0);
  request.index = -1;
  cursor.at = start;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === SAMPLE) readSample(request, series, readEnd(cursor, end));
    else if (tag === HISTOGRAM)
      addHistogram(request, series, readHistogram(cursor, readEnd(cursor, end), series.layout));
    else if (tag === EXEMPLAR) readExemplar(reading, series, readEnd(cursor, end));
    else skipField(cursor, tag, end);
  }
}

/** Reads the labels and the metadata, and counts the rest. */
function readIdentity(
  reading: Reading,
  end: number,
): { readonly samples: number; readonly histograms: number; readonly exemplars: number } {
  const { cursor, refs, metadata } = reading;
  clear(refs);
  metadata.type = 0;
  metadata.help = 0;
  metadata.unit = 0;
  let samples = 0;
  let histograms = 0;
  let exemplars = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag >>> 3 === REFS) {
      readRefs(reading, refs, tag, end);
      continue;
    }
    if (tag === METADATA) {
      readMetadata(reading, readEnd(cursor, end));
      continue;
    }
    if (tag === SAMPLE) samples++;
    else if (tag === HISTOGRAM) histograms++;
    else if (tag === EXEMPLAR) exemplars++;
    else if (tag >>> 3 <= 5) throw wrongWireType(cursor, 'TimeSeries', tag);
    skipField(cursor, tag, end);
  }
  return { samples, histograms, exemplars };
}

function readExemplar(reading: Reading, series: WireSeries, end: number): void {
  const { request, cursor, exemplarRefs } = reading;
  clear(exemplarRefs);
  let value = 0;
  let timeMs = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag >>> 3 === REFS) readRefs(reading, exemplarRefs, tag, end);
    else if (tag === ((2 << 3) | FIXED64)) value = readDouble(cursor, end);
    else if (tag === ((3 << 3) | VARINT)) timeMs = readInt64(cursor, end);
    else if (tag >>> 3 <= 3) throw wrongWireType(cursor, 'Exemplar', tag);
    else skipField(cursor, tag, end);
  }
  const { count, hasLongText } = exemplarRefs;
  if (count % 2 !== 0) throw malformed(cursor, `${count} label references of an exemplar, which are not pairs`);
  if (hasLongText || count > LIMITS.labelsPerSeries * 2) {
    request.rejected.exemplar(`of ${series.family.metric} at ${timeMs}: its labels are too many or too long`);
    return;
  }
  addExemplar(request, series, { pairs: textsOf(reading, exemplarRefs), value, timeMs });
}

function readMetadata(reading: Reading, end: number): void {
  const { cursor, metadata } = reading;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === ((1 << 3) | VARINT)) metadata.type = readUint32(cursor, end);
    else if (tag === ((3 << 3) | VARINT)) metadata.help = checkedRef(reading, readUint32(cursor, end));
    else if (tag === ((4 << 3) | VARINT)) metadata.unit = checkedRef(reading, readUint32(cursor, end));
    else if (tag >>> 3 <= 4 && tag >>> 3 !== 2) throw wrongWireType(cursor, 'Metadata', tag);
    else skipField(cursor, tag, end);
  }
}

/** Metadata comes with each series, and is told on once a request for each metric name. */
function noteMetadata(reading: Reading, family: Family, isNative: boolean): void {
  const { request, symbols, metadata } = reading;
  const { type } = metadata;
  const help = symbols[metadata.help]?.text ?? '';
  const unit = symbols[metadata.unit]?.text ?? '';
  if (family.request === request.id && family.type === type && family.help === help && family.unit === unit) return;
  family.request = request.id;
  family.type = type;
  family.help = help;
  family.unit = unit;
  addMetadata(request, isNative ? family.metric : familyName(family.metric, type), type, help, unit);
}

/** What the series of a classic histogram or a summary add to the name of their family, by the number of its type. */
const SUFFIXES: Readonly<Record<number, readonly string[]>> = {
  3: ['_bucket', '_count', '_sum', '_created'],
  4: ['_bucket', '_gcount', '_gsum', '_count', '_sum'],
  5: ['_count', '_sum', '_created'],
};

function familyName(metric: string, type: number): string {
  const suffix = SUFFIXES[type]?.find((one) => metric.endsWith(one));
  return suffix === undefined ? metric : metric.slice(0, -suffix.length);
}

function seriesOf(reading: Reading): WireSeries {
  const { cache, refs, request } = reading;
  if (refs.hasLongText) {
    return faulty({ reason: 'label_too_long', detail: `a label is longer than ${LIMITS.labelBytes} bytes` });
  }
  if (refs.count > LIMITS.labelsPerSeries * 2) return faulty(tooManyLabels(refs.count / 2));
  const { key } = refs;
  const keyEnd = refs.count * Uint32Array.BYTES_PER_ELEMENT;
  const known = cache.series.get(key, 0, keyEnd, SALT_V2);
  if (known !== undefined) return known;
  countLabelSet(request);
  const series = cache.make(textsOf(reading, refs));
  cache.series.set(key, 0, keyEnd, series, SALT_V2);
  return series;
}

function textsOf({ symbols }: Reading, { refs, count }: Refs): (string | undefined)[] {
  return Array.from(refs.subarray(0, count), (ref) => symbols[ref]!.text);
}

function emptyRefs(): Refs {
  const ids = new Uint32Array(REFS_MAX);
  return { refs: new Uint32Array(REFS_MAX), ids, key: new Uint8Array(ids.buffer), count: 0, hasLongText: false };
}

function clear(refs: Refs): void {
  refs.count = 0;
  refs.hasLongText = false;
}

function readRefs(reading: Reading, refs: Refs, tag: number, end: number): void {
  const { cursor } = reading;
  const wireType = tag & 7;
  if (wireType === BYTES) {
    const packedEnd = readEnd(cursor, end);
    while (cursor.at < packedEnd) addRef(reading, refs, readUint32(cursor, packedEnd));
  } else if (wireType === VARINT) {
    addRef(reading, refs, readUint32(cursor, end));
  } else {
    throw wrongWireType(cursor, 'TimeSeries', tag);
  }
}

function addRef(reading: Reading, refs: Refs, ref: number): void {
  const symbol = reading.symbols[checkedRef(reading, ref)]!;
  if (symbol.id === LONG_TEXT) refs.hasLongText = true;
  if (refs.count < REFS_MAX) {
    refs.refs[refs.count] = ref;
    refs.ids[refs.count] = symbol.id;
  }
  refs.count++;
}

function checkedRef({ cursor, symbols }: Reading, ref: number): number {
  if (ref < symbols.length) return ref;
  throw malformed(cursor, `a reference to symbol ${ref} of ${symbols.length}`);
}

function tooManySymbols(): ComityError {
  return new ComityError(
    'body_too_large',
    `the request has more than ${LIMITS.samplesPerRequest} symbols. Send smaller batches`,
  );
}
