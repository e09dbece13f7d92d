import { crc32 } from 'node:zlib';
import { ComityError } from '../../base/errors.ts';
import { FLOAT_ROW, type HistogramColumns } from '../../model/histogram.ts';
import { UNKNOWN_START, type Starts } from '../starts.ts';
import { byteReader, byteWriter, damaged, openReader, readCount, writeByte, writeVarint } from './bytes.ts';
import { readColumn, writeColumn } from './columns.ts';
import { countHistograms, readHistograms, writeHistograms } from './histograms.ts';
import { CHUNK_ROWS_MAX, scratchColumn } from './scratch.ts';
import { readTimes, writeTimes } from './times.ts';

/**
 * The columns of a chunk of one series: `times` in ms, strictly ascending, and `values`, of the same length. The values of
 * rows that are histograms say nothing; they are not kept and come back as 0.
 */
export interface ChunkColumns {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly starts: Starts;
  readonly histograms: HistogramColumns | undefined;
}

const VERSION = 3;

const CRC_AT = 1;
const CRC_FROM = 5;
const FLAGS_AT = 5;
const ROWS_AT = 6;

/** So many bytes of a chunk tell how many rows it has. */
export const CHUNK_HEADER_BYTES = ROWS_AT + 3;

/** Which sections there are. */
const ONE_START = 1;
const EACH_START = 2;
const HISTOGRAMS = 4;
const KNOWN_FLAGS = ONE_START | EACH_START | HISTOGRAMS;

const writer = byteWriter();
const reader = byteReader();
const floats = scratchColumn();

/**
 * The bytes of one chunk, good until the next call. Every bit of every number comes back, for what docs/formats.md says.
 * Throws `internal` when there are more rows than a chunk can have.
 */
export function encodeChunk({ times, values, starts, histograms }: ChunkColumns): Uint8Array {
  const rows = times.length;
  if (rows > CHUNK_ROWS_MAX)
    throw new ComityError('internal', `a chunk has ${CHUNK_ROWS_MAX} rows at most, not ${rows}`);
  const histogramCount = countHistograms(histograms, rows);
  writer.at = FLAGS_AT;
  writeByte(writer, startFlag(starts) | (histogramCount === 0 ? 0 : HISTOGRAMS));
  writeVarint(writer, rows);
  writeTimes(writer, times, rows);
  if (typeof starts !== 'number') writeColumn(writer, starts, rows);
  else if (starts !== UNKNOWN_START) writeColumn(writer, Float64Array.of(starts), 1);
  if (histograms === undefined || histogramCount === 0) {
    writeColumn(writer, values, rows);
  } else {
    writeHistograms(writer, histograms, rows, histogramCount);
    writeColumn(writer, floatsOf(values, histograms, rows), rows - histogramCount);
  }
  writer.view.setUint8(0, VERSION);
  writer.view.setUint32(CRC_AT, crc32(writer.bytes.subarray(CRC_FROM, writer.at)), true);
  return writer.bytes.subarray(0, writer.at);
}

function startFlag(starts: Starts): number {
  if (typeof starts !== 'number') return EACH_START;
  return starts === UNKNOWN_START ? 0 : ONE_START;
}

/** The values of the rows that are floats. */
function floatsOf(values: Float64Array, { layoutOf }: HistogramColumns, rows: number): Float64Array {
  let count = 0;
  for (let row = 0; row < rows;) {
    const from = row;
    while (row < rows && layoutOf[row] === FLOAT_ROW) row++;
    // A copy of memory, which keeps the bits of NaNs.
    if (row > from) floats.set(values.subarray(from, row), count);
    count += row - from;
    while (row < rows && layoutOf[row] !== FLOAT_ROW) row++;
  }
  return floats;
}

/** How many rows a chunk has. Its checksum is not looked at. Throws `internal` where there is no header. */
export function chunkRows(bytes: Uint8Array): number {
  checkHeader(bytes);
  let rows = 0;
  for (let at = ROWS_AT, shift = 0; at < bytes.length && shift <= 14; at++, shift += 7) {
    rows |= (bytes[at]! & 127) << shift;
    if (bytes[at]! > 127) continue;
    if (rows > CHUNK_ROWS_MAX) break;
    return rows;
  }
  throw damaged('how many rows it has cannot be read');
}

/** Reads a chunk into columns of its own. Throws `internal` when it is damaged. */
export function decodeChunk(bytes: Uint8Array): ChunkColumns {
  const rows = chunkRows(bytes);
  const times = new Float64Array(rows);
  const values = new Float64Array(rows);
  return { times, values, ...decodeChunkInto(bytes, times, values, 0) };
}

/**
 * Reads a chunk's times and values into columns that have room for its rows (`chunkRows`) from `at` on, and the rest into
 * columns of its own. Throws `internal` when it is damaged; the columns may hold anything there then.
 */
export function decodeChunkInto(
  bytes: Uint8Array,
  times: Float64Array,
  values: Float64Array,
  at: number,
): { starts: Starts; histograms: HistogramColumns | undefined } {
  checkHeader(bytes);
  openReader(reader, bytes, CRC_FROM);
  if (reader.view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(CRC_FROM))) {
    throw damaged('its checksum does not match');
  }
  const flags = reader.view.getUint8(FLAGS_AT);
  if ((flags & ~KNOWN_FLAGS) !== 0) throw damaged(`flags ${flags} are unknown`);
  reader.at = ROWS_AT;
  const rows = readCount(reader, CHUNK_ROWS_MAX, 'rows');
  readTimes(reader, rows, times, at);
  const starts = readStarts(flags, rows);
  let histograms: HistogramColumns | undefined;
  if ((flags & HISTOGRAMS) === 0) {
    readColumn(reader, rows, values, at);
  } else {
    const { columns, count } = readHistograms(reader, rows);
    readColumn(reader, rows - count, values, at);
    spreadFloats(values, at, columns, rows, rows - count);
    histograms = columns;
  }
  if (reader.at !== reader.end) throw damaged(`${reader.end - reader.at} bytes are too many`);
  return { starts, histograms };
}

function checkHeader(bytes: Uint8Array): void {
  if (bytes.length <= ROWS_AT) throw damaged(`${bytes.length} bytes are too few for its header`);
  if (bytes[0] !== VERSION) throw damaged(`version ${bytes[0]} is unknown`);
}

function readStarts(flags: number, rows: number): Starts {
  if ((flags & EACH_START) !== 0) {
    const column = new Float64Array(rows);
    readColumn(reader, rows, column, 0);
    return column;
  }
  if ((flags & ONE_START) === 0) return UNKNOWN_START;
  readColumn(reader, 1, floats, 0);
  return floats[0]!;
}

/** Moves the `count` floats that begin at `at` to their rows; the others become 0. */
function spreadFloats(
  values: Float64Array,
  at: number,
  { layoutOf }: HistogramColumns,
  rows: number,
  count: number,
): void {
  let left = count;
  for (let row = rows; row > 0;) {
    let from = row;
    while (from > 0 && layoutOf[from - 1] !== FLOAT_ROW) from--;
    values.fill(0, at + from, at + row);
    row = from;
    while (from > 0 && layoutOf[from - 1] === FLOAT_ROW) from--;
    left -= row - from;
    values.copyWithin(at + from, at + left, at + left + row - from);
    row = from;
  }
}
