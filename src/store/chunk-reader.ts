import {
  concatHistograms,
  FLOAT_ROW,
  histogramAt,
  isHistogramAt,
  sliceHistograms,
  type HistogramColumns,
  type HistogramPiece,
  type NativeHistogram,
} from '../model/histogram.ts';
import { isStaleAt } from '../model/series.ts';
import { chunkCache } from './chunk-cache.ts';
import { decodeChunk, type ChunkColumns } from './chunk.ts';
import {
  BASE_IS_HISTOGRAM,
  chunkCount,
  chunkEndAt,
  chunkIdAt,
  chunkStartAt,
  COLD,
  dropChunk,
  ENDS_STALE,
  firstChunkFrom,
  NO_ROW,
  TAIL_CHUNK,
  type Head,
} from './head.ts';
import { settle, type Pending } from './pending.ts';
import { sliceStarts, spreadStarts, UNKNOWN_START, type Starts } from './starts.ts';
import type { StoreDb } from './store-db.ts';
import { rangeWithin, setBaseHistogram, setTail, tailHistograms, tailStarts, tailTimes, tailValues } from './tail.ts';

/** Reads stored chunks when they are asked for, and keeps the latest ones in memory. */
export interface ChunkReader {
  /** The samples of a series in [fromMs, toMs]; views where they lie in one piece. */
  read(ref: number, fromMs: number, toMs: number): SeriesSamples;
  /** Brings the stored tail into the head, which must be done before anything is appended. */
  loadTail(ref: number): void;
}

export interface SeriesSamples {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly startTimes: Float64Array | undefined;
  readonly histograms: HistogramColumns | undefined;
}

/** Called with a chunk that cannot be read, after it was taken out of its series. */
export type DamagedChunk = (ref: number, chunkId: number, error: unknown) => void;

/** Some samples of a series that lie in one place. */
interface Piece extends HistogramPiece {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly starts: Starts;
}

const NO_SAMPLES = new Float64Array(0);
const NO_BYTES = new Uint8Array(0);

export function chunkReader(
  db: StoreDb,
  head: Head,
  pending: Pending,
  cacheBytes: number,
  onDamaged: DamagedChunk,
): ChunkReader {
  const cache = chunkCache(cacheBytes);

  /** The chunk, or undefined when it is damaged; then it is no longer one of the series' chunks. */
  function chunkOf(ref: number, chunkId: number): ChunkColumns | undefined {
    const key = keyOf(ref, chunkId);
    const known = cache.get(key);
    if (known !== undefined) return known;
    try {
      const chunk = decodeChunk(db.chunk(chunkId, head.ids[ref]!) ?? NO_BYTES);
      cache.set(key, chunk);
      return chunk;
    } catch (error) {
      dropChunk(head, ref, chunkId);
      if (head.counts[ref] === 0 && head.newest[ref] === NO_ROW) goBack(ref, chunkId);
      onDamaged(ref, chunkId, error);
      return undefined;
    }
  }

  /** Makes the series end with the last chunk that it has left, where a damaged one was its end. */
  function goBack(ref: number, lostChunk: number): void {
    if (lostChunk === TAIL_CHUNK) head.flags[ref]! &= ~COLD;
    if ((head.flags[ref]! & COLD) !== 0) return;
    const last = chunkCount(head, ref) - 1;
    head.lastTimes[ref] = last < 0 ? Number.NEGATIVE_INFINITY : chunkEndAt(head, ref, last);
    head.bases[ref] = 0;
    head.flags[ref]! &= ~(ENDS_STALE | BASE_IS_HISTOGRAM);
    const chunk = last < 0 ? undefined : chunkOf(ref, chunkIdAt(head, ref, last));
    if (chunk === undefined) return;
    const base = endWith(ref, chunk);
    if (base !== undefined) setBaseHistogram(head, ref, base);
  }

  /** Notes that the last sample of the series is that of a chunk; returns what additions go on from if a histogram. */
  function endWith(ref: number, chunk: ChunkColumns): NativeHistogram | undefined {
    const { values, histograms, baseHistogram } = chunk;
    let at = values.length - 1;
    while (at >= 0 && isStaleAt(values, at) && !isHistogramAt(histograms, at)) at--;
    const endsStale = at < values.length - 1;
    const held = at >= 0 && isHistogramAt(histograms, at) ? histogramAt(histograms, at) : undefined;
    const base = at < 0 ? baseHistogram : held;
    const flags = head.flags[ref]! & ~(ENDS_STALE | BASE_IS_HISTOGRAM);
    head.flags[ref] = flags | (endsStale ? ENDS_STALE : 0) | (base === undefined ? 0 : BASE_IS_HISTOGRAM);
    // The bits of a NaN must stay as they are, for a repetition is known by them.
    if (at >= 0 && base === undefined) head.bases.set(values.subarray(at, at + 1), ref);
    else head.bases[ref] = base === undefined ? chunk.base : 0;
    return base;
  }

  return {
    read(ref, fromMs, toMs) {
      settle(head, pending, ref);
      const pieces: Piece[] = [];
      const add = (chunk: Omit<Piece, 'rows'>): void => {
        const [start, end] = rangeWithin(chunk.times, fromMs, toMs);
        if (start !== end) pieces.push(pieceOf(chunk, start, end));
      };
      let at = firstChunkFrom(head, ref, fromMs);
      while (at < chunkCount(head, ref) && chunkStartAt(head, ref, at) <= toMs) {
        const chunk = chunkOf(ref, chunkIdAt(head, ref, at));
        // A damaged chunk has left the list, so the next one stands in its place.
        if (chunk === undefined) continue;
        add(chunk);
        at++;
      }
      if (head.counts[ref]! > 0) {
        add({
          times: tailTimes(head, ref),
          values: tailValues(head, ref),
          starts: tailStarts(head, ref),
          histograms: tailHistograms(head, ref),
        });
      }
      return {
        times: concatenate(pieces.map(({ times }) => times)),
        values: concatenate(pieces.map(({ values }) => values)),
        startTimes: concatenateStarts(pieces),
        histograms: pieces.length === 0 ? undefined : concatHistograms(pieces),
      };
    },
    loadTail(ref) {
      if ((head.flags[ref]! & COLD) === 0) return;
      const tail = chunkOf(ref, TAIL_CHUNK);
      if (tail === undefined) return;
      dropChunk(head, ref, TAIL_CHUNK);
      cache.delete(keyOf(ref, TAIL_CHUNK));
      head.flags[ref]! &= ~COLD;
      setTail(head, ref, tail);
      endWith(ref, tail);
    },
  };
}

/** Stored tails have negative keys in the cache, by their series. */
function keyOf(ref: number, chunkId: number): number {
  return chunkId === TAIL_CHUNK ? -ref - 1 : chunkId;
}

function pieceOf({ times, values, starts, histograms }: Omit<Piece, 'rows'>, start: number, end: number): Piece {
  if (start === 0 && end === times.length) return { rows: end, times, values, starts, histograms };
  return {
    rows: end - start,
    times: times.subarray(start, end),
    values: values.subarray(start, end),
    starts: sliceStarts(starts, start, end),
    histograms: histograms === undefined ? undefined : withHistogram(sliceHistograms(histograms, start, end)),
  };
}

/** Undefined where every row is a float. */
function withHistogram(columns: HistogramColumns): HistogramColumns | undefined {
  return columns.layoutOf.some((layout) => layout !== FLOAT_ROW) ? columns : undefined;
}

function concatenate(pieces: readonly Float64Array[]): Float64Array {
  if (pieces.length <= 1) return pieces[0] ?? NO_SAMPLES;
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const all = new Float64Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function concatenateStarts(pieces: readonly Piece[]): Float64Array | undefined {
  if (pieces.every(({ starts }) => starts === UNKNOWN_START)) return undefined;
  if (pieces.length === 1 && typeof pieces[0]!.starts !== 'number') return pieces[0]!.starts;
  let length = 0;
  for (const piece of pieces) length += piece.rows;
  const all = new Float64Array(length);
  let at = 0;
  for (const { starts, rows } of pieces) {
    spreadStarts(starts, all.subarray(at, at + rows));
    at += rows;
  }
  return all;
}
