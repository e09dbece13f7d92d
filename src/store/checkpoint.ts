import { isStaleAt } from '../model/series.ts';
import { encodeChunk } from './chunk.ts';
import { addChunk, dropFromTail, tailTimes, tailValues, type HeadSeries } from './head.ts';
import type { ChunkRow, ChunkWriter, StoreDb } from './store-db.ts';

/**
 * Samples of a sealed chunk. An hour at 15 s: a query of some hours reads few chunks and throws little of them away,
 * and an open need not know of many.
 */
const SAMPLES_PER_CHUNK = 240;

interface Sealed {
  readonly series: HeadSeries;
  readonly chunkId: number;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Writes the tails of the dirty series into the database and removes the write-ahead records, in one transaction; then
 * lets go of the samples that are in sealed chunks. A tail keeps at least its last sample, which may still be replaced.
 * When it throws, nothing has changed.
 */
export function checkpointSeries(db: StoreDb, dirty: readonly HeadSeries[]): void {
  const sealed: Sealed[] = [];
  db.checkpoint((writer) => {
    for (const series of dirty) writeTail(series, writer, sealed);
  });
  for (const { series, chunkId, startMs, endMs } of sealed) addChunk(series, chunkId, startMs, endMs);
  for (const series of dirty) {
    const whole = sealedSamples(series.count);
    if (whole > 0) dropFromTail(series, whole);
    series.dirty = false;
  }
}

/** Bytes that a checkpoint writes for a tail of `samples`. */
export function tailBytes(samples: number): number {
  return samples * 16;
}

function sealedSamples(count: number): number {
  return Math.floor((count - 1) / SAMPLES_PER_CHUNK) * SAMPLES_PER_CHUNK;
}

function writeTail(series: HeadSeries, writer: ChunkWriter, sealed: Sealed[]): void {
  const whole = sealedSamples(series.count);
  for (let start = 0; start < whole; start += SAMPLES_PER_CHUNK) {
    const row = chunkRow(series, start, start + SAMPLES_PER_CHUNK);
    sealed.push({ series, chunkId: writer.seal(row), startMs: row.startMs, endMs: row.endMs });
  }
  writer.tail(chunkRow(series, whole, series.count));
}

function chunkRow(series: HeadSeries, start: number, end: number): ChunkRow {
  const times = tailTimes(series).subarray(start, end);
  const values = tailValues(series).subarray(start, end);
  const base = end === series.count ? series.base : lastPlainValue(values);
  return {
    seriesId: series.id,
    startMs: times[0]!,
    endMs: times[times.length - 1]!,
    samples: times.length,
    body: encodeChunk({ times, values, base }),
  };
}

function lastPlainValue(values: Float64Array): number {
  for (let i = values.length - 1; i >= 0; i--) if (!isStaleAt(values, i)) return values[i]!;
  return 0;
}
