import type { HistogramLayout, NativeHistogram } from '../model/histogram.ts';
import { labelsFrom, type Labels } from '../model/labels.ts';
import { isStaleAt, type SeriesColumns } from '../model/series.ts';
import {
  BYTES,
  FIXED64,
  protoCursor,
  readDouble,
  readEnd,
  readInt64,
  readTag,
  skipField,
  VARINT,
  type ProtoCursor,
} from '../wire/proto-cursor.ts';
import { histogramReader, type HistogramReader } from '../wire/remote-write/histogram.ts';
import { garbled } from './client.ts';
import { columnsBuilder, takeSamples, takeSeries, type ColumnsBuilder, type ReadBudget } from './samples.ts';

/**
 * Reads a ReadResponse of Prometheus's remote read (prometheus/prompb/remote.proto): for each query its series, with
 * staleness markers, any float and native histograms. Throws `unavailable` for malformed bytes and `limit`.
 */
export function readReadResponse(bytes: Uint8Array, budget: ReadBudget): SeriesColumns[][] {
  const cursor = protoCursor(bytes, (at, reason) => garbled(`malformed at byte ${at}: ${reason}`));
  const read: Reading = { cursor, budget, histograms: histogramReader() };
  const results: SeriesColumns[][] = [];
  eachMessage(read, bytes.length, 1, (end) => {
    const series: SeriesColumns[] = [];
    eachMessage(read, end, 1, (seriesEnd) => series.push(readSeries(read, seriesEnd)));
    results.push(series);
  });
  return results;
}

interface Reading {
  readonly cursor: ProtoCursor;
  readonly budget: ReadBudget;
  readonly histograms: HistogramReader;
}

/** Calls `take` with the end of each message of this field, at whose start the cursor then stands. */
function eachMessage({ cursor }: Reading, end: number, field: number, take: (end: number) => void): void {
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag !== ((field << 3) | BYTES)) {
      skipField(cursor, tag, end);
      continue;
    }
    const inner = readEnd(cursor, end);
    take(inner);
    cursor.at = inner;
  }
}

const LABELS = (1 << 3) | BYTES;
const SAMPLES = (2 << 3) | BYTES;
const HISTOGRAMS = (4 << 3) | BYTES;

function readSeries(read: Reading, end: number): SeriesColumns {
  const { cursor, budget } = read;
  takeSeries(budget);
  const labels: [string, string][] = [];
  const floats: Sample[] = [];
  const natives: Sample[] = [];
  let layout: HistogramLayout | undefined;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag !== LABELS && tag !== SAMPLES && tag !== HISTOGRAMS) {
      skipField(cursor, tag, end);
      continue;
    }
    const inner = readEnd(cursor, end);
    if (tag === LABELS) labels.push(readLabel(cursor, inner));
    else {
      takeSamples(budget, 1);
      if (tag === SAMPLES) floats.push(readSample(cursor, inner));
      else {
        const sample = readHistogram(read, inner, layout);
        if (sample.histogram !== undefined) ({ layout } = sample.histogram);
        natives.push(sample);
      }
    }
    cursor.at = inner;
  }
  const builder = columnsBuilder();
  merge(floats, natives, builder);
  return builder.build(labelSet(labels));
}

/** A sample: a staleness marker where it has neither a value nor a histogram. */
interface Sample {
  readonly timeMs: number;
  readonly value?: number;
  readonly histogram?: NativeHistogram;
}

function readLabel(cursor: ProtoCursor, end: number): [string, string] {
  const texts: [string, string] = ['', ''];
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    const field = tag >>> 3;
    if ((tag & 7) !== BYTES || field > 2) {
      skipField(cursor, tag, end);
      continue;
    }
    const inner = readEnd(cursor, end);
    texts[field - 1] = cursor.bytes.toString('utf8', cursor.at, inner);
    cursor.at = inner;
  }
  return texts;
}

const scratch = new Float64Array(1);
const scratchWords = new Uint32Array(scratch.buffer);

function readSample(cursor: ProtoCursor, end: number): Sample {
  let value: number | undefined = 0;
  let timeMs = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    if (tag === ((1 << 3) | FIXED64)) {
      const { at, view } = cursor;
      value = readDouble(cursor, end);
      // Looked up on the wire: a NaN in a variable may lose its bits.
      scratchWords[0] = view.getUint32(at, true);
      scratchWords[1] = view.getUint32(at + 4, true);
      if (isStaleAt(scratch, 0)) value = undefined;
    } else if (tag === ((2 << 3) | VARINT)) timeMs = readInt64(cursor, end);
    else skipField(cursor, tag, end);
  }
  return value === undefined ? { timeMs } : { timeMs, value };
}

function readHistogram({ cursor, histograms }: Reading, end: number, before: HistogramLayout | undefined): Sample {
  const { timeMs, stale, fault, histogram } = histograms(cursor, end, before);
  if (fault !== undefined) throw garbled(`a histogram: ${fault}`);
  if (stale) return { timeMs };
  // The reader uses its columns again.
  const kept = { ...histogram, positive: histogram.positive.slice(), negative: histogram.negative.slice() };
  return { timeMs, histogram: kept };
}

function merge(floats: readonly Sample[], natives: readonly Sample[], builder: ColumnsBuilder): void {
  let i = 0;
  let j = 0;
  while (i < floats.length || j < natives.length) {
    const isFloat = j === natives.length || (i < floats.length && floats[i]!.timeMs <= natives[j]!.timeMs);
    const { timeMs, value, histogram } = isFloat ? floats[i++]! : natives[j++]!;
    if (!Number.isSafeInteger(timeMs)) throw garbled('a time');
    if (histogram !== undefined) builder.histogram(timeMs, histogram);
    else if (value !== undefined) builder.float(timeMs, value);
    else builder.stale(timeMs);
  }
}

function labelSet(pairs: readonly (readonly [string, string])[]): Labels {
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw garbled('a label twice');
  return labelsFrom(pairs);
}
