import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { HistogramLayout } from '../../model/histogram.ts';
import {
  damaged,
  readByte,
  readCount,
  readSigned,
  takeBytes,
  writeByte,
  writeBytes,
  writeSigned,
  writeVarint,
  type ByteReader,
  type ByteWriter,
} from './bytes.ts';
import { readColumn, writeColumn } from './columns.ts';

/** What a layout's zero threshold is: a layout of custom buckets has none, and Prometheus's clients begin with 2^-128. */
const NO_THRESHOLD = 0;
const USUAL_THRESHOLD = 1;
const ANY_THRESHOLD = 2;
const BUCKETS_MAX = LIMITS.bucketsPerHistogram;
const USUAL_THRESHOLD_VALUE = 2 ** -128;

/** Throws `internal` where the layout has more buckets than may come in. */
export function writeLayout(writer: ByteWriter, layout: HistogramLayout): void {
  const { schema, zeroThreshold, positive, negative, bounds } = layout;
  if (Math.max(positive.length + negative.length, bounds.length) > BUCKETS_MAX) {
    throw new ComityError('internal', `a histogram in a chunk has ${BUCKETS_MAX} buckets at most`);
  }
  writeSigned(writer, schema);
  if (Object.is(zeroThreshold, 0)) {
    writeByte(writer, NO_THRESHOLD);
  } else if (zeroThreshold === USUAL_THRESHOLD_VALUE) {
    writeByte(writer, USUAL_THRESHOLD);
  } else {
    writeByte(writer, ANY_THRESHOLD);
    writeBytes(writer, new Uint8Array(Float64Array.of(zeroThreshold).buffer));
  }
  for (const numbers of [positive, negative, bounds]) {
    writeVarint(writer, numbers.length);
    writeColumn(writer, Float64Array.from(numbers), numbers.length);
  }
}

export function readLayout(reader: ByteReader): HistogramLayout {
  const schema = readSigned(reader);
  const zeroThreshold = readThreshold(reader);
  const positive = Int32Array.from(readNumbers(reader, BUCKETS_MAX));
  const negative = Int32Array.from(readNumbers(reader, BUCKETS_MAX - positive.length));
  return { schema, zeroThreshold, positive, negative, bounds: readNumbers(reader, BUCKETS_MAX) };
}

function readThreshold(reader: ByteReader): number {
  const kind = readByte(reader);
  if (kind === NO_THRESHOLD) return 0;
  if (kind === USUAL_THRESHOLD) return USUAL_THRESHOLD_VALUE;
  if (kind === ANY_THRESHOLD) return reader.view.getFloat64(takeBytes(reader, 8), true);
  throw damaged(`a zero threshold is of kind ${kind}`);
}

function readNumbers(reader: ByteReader, max: number): Float64Array {
  const count = readCount(reader, max, 'buckets in a layout');
  const numbers = new Float64Array(count);
  readColumn(reader, count, numbers, 0);
  return numbers;
}
