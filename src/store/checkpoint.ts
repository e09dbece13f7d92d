import { FLOAT_ROW, sliceHistograms, type HistogramColumns, type NativeHistogram } from '../model/histogram.ts';
import { encodeChunk } from './chunk.ts';
import { addChunk, BASE_IS_HISTOGRAM, DIRTY, SAMPLE_BYTES, type Head } from './head.ts';
import { settle, type Pending } from './pending.ts';
import { sliceStarts } from './starts.ts';
import type { ChunkRow, ChunkWriter, StoreDb } from './store-db.ts';
import {
  dropFromTail,
  lastFloat,
  lastTailHistogram,
  tailIndexBefore,
  tailHistograms,
  tailStarts,
  tailTimes,
  tailValues,
} from './tail.ts';

/** Moves samples out of the write-ahead records into chunks and tails, and removes the records. */
export interface Checkpoints {
  /** Bytes of the records that there are: what an open would read back. */
  readonly recordBytes: number;
  /** Counts a record that was stored. */
  stored(bytes: number): void;
  /** Does a part of a checkpoint if one is due or under way; what it throws has changed nothing. */
  step(): void;
  /** Does a whole checkpoint, so that no record is left. */
  run(): void;
}

/** A checkpoint under way: the records up to `lastRecord` go once the tails of all of `refs` are written. */
interface Round {
  readonly refs: Uint32Array;
  readonly lastRecord: number;
  readonly recordBytes: number;
  /** How many of `refs` are done. */
  done: number;
}

/**
 * Samples of a sealed chunk. An hour at 15 s: a query of some hours reads few chunks and throws little of them away,
 * and an open need not know of many.
 */
const SAMPLES_PER_CHUNK = 240;

/** A checkpoint is due when the write-ahead records reach this many bytes, so that an open reads little back. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024;

/**
 * With many series, though, the records must also reach as much as the checkpoint would write: each rewrites the whole
 * tail of every series it touches, and doing so for a handful of new samples would wear the disk out.
 */
const RECORDS_PER_REWRITE = 1;

/** But no more than this many times what makes one due, 128 MB: an open reads some 50 MB a second back. */
const GATHERED_MAX = 16;

/**
 * A record counts for at least this, its row being more than its bytes: many small ones become as heavy as a few large.
 */
const RECORD_BYTES_LEAST = 4 * 1024;

/**
 * A checkpoint is done in parts that write about this much of what makes one due, 4 MB: some milliseconds, which is what
 * an append or a query waits for it.
 */
const STEP_PART = 0.5;

/** What a row costs beside its samples. */
const ROW_BYTES = 64;

export function checkpoints(db: StoreDb, head: Head, pending: Pending, dueBytes = CHECKPOINT_BYTES): Checkpoints {
  let recordBytes = 0;
  let retryAtBytes = 0;
  let round: Round | undefined;

  function begin(): Round {
    const refs = Uint32Array.from(head.dirty).sort();
    // What is appended from now on is for the next round.
    for (const ref of refs) head.flags[ref]! &= ~DIRTY;
    head.dirty = [];
    head.dirtyBytes = 0;
    return { refs, lastRecord: db.lastRecord(), recordBytes, done: 0 };
  }

  function advance(under: Round): void {
    const sealed: Sealed[] = [];
    let end = under.done;
    for (let bytes = 0; end < under.refs.length && bytes < dueBytes * STEP_PART; end++) {
      settle(head, pending, under.refs[end]!);
      bytes += ROW_BYTES + head.counts[under.refs[end]!]! * SAMPLE_BYTES;
    }
    const isLast = end === under.refs.length;
    db.checkpoint((writer) => {
      for (let i = under.done; i < end; i++) writeTail(head, under.refs[i]!, writer, sealed);
      if (isLast) writer.finish(under.lastRecord);
    });
    for (const { ref, chunkId, startMs, endMs } of sealed) addChunk(head, ref, chunkId, startMs, endMs);
    for (let i = under.done; i < end; i++) {
      const ref = under.refs[i]!;
      const whole = sealedSamples(head, ref);
      if (whole > 0) dropFromTail(head, ref, whole);
    }
    under.done = end;
    if (!isLast) return;
    recordBytes -= under.recordBytes;
    round = undefined;
  }

  function isDue(): boolean {
    const wanted = Math.min(dueBytes * GATHERED_MAX, Math.max(dueBytes, head.dirtyBytes * RECORDS_PER_REWRITE));
    return recordBytes >= Math.max(wanted, retryAtBytes);
  }

  function step(): void {
    if (round === undefined && !isDue()) return;
    if (recordBytes < retryAtBytes) return;
    round ??= begin();
    try {
      advance(round);
      retryAtBytes = 0;
    } catch (error) {
      retryAtBytes = recordBytes + dueBytes / 2;
      throw error;
    }
  }

  return {
    get recordBytes() {
      return recordBytes;
    },
    stored(bytes) {
      recordBytes += Math.max(bytes, RECORD_BYTES_LEAST);
    },
    step,
    run() {
      while (round !== undefined) advance(round);
      round = begin();
      while (round !== undefined) advance(round);
      retryAtBytes = 0;
    },
  };
}

interface Sealed {
  readonly ref: number;
  readonly chunkId: number;
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * A tail keeps its last sample, which may still be replaced, and the one before it, which tells whether an addition made
 * the last: unless so many staleness markers lie between them that the tail would grow without end.
 */
function sealedSamples(head: Head, ref: number): number {
  const count = head.counts[ref]!;
  if (count <= SAMPLES_PER_CHUNK) return 0;
  const before = tailIndexBefore(head, ref, head.lastTimes[ref]!);
  const kept = count - before > SAMPLES_PER_CHUNK ? count - 1 : before;
  return Math.floor(kept / SAMPLES_PER_CHUNK) * SAMPLES_PER_CHUNK;
}

function writeTail(head: Head, ref: number, writer: ChunkWriter, sealed: Sealed[]): void {
  const count = head.counts[ref]!;
  const whole = sealedSamples(head, ref);
  for (let start = 0; start < whole; start += SAMPLES_PER_CHUNK) {
    const row = chunkRow(head, ref, start, start + SAMPLES_PER_CHUNK);
    sealed.push({ ref, chunkId: writer.seal(row), startMs: row.startMs, endMs: row.endMs });
  }
  writer.tail(chunkRow(head, ref, whole, count));
}

function chunkRow(head: Head, ref: number, start: number, end: number): ChunkRow {
  const times = tailTimes(head, ref).subarray(start, end);
  const values = tailValues(head, ref).subarray(start, end);
  const allHistograms = tailHistograms(head, ref);
  const histograms = allHistograms === undefined ? undefined : sliceHistograms(allHistograms, start, end);
  const isTail = end === head.counts[ref];
  return {
    seriesId: head.ids[ref]!,
    startMs: times[0]!,
    endMs: times[times.length - 1]!,
    samples: times.length,
    body: encodeChunk({
      times,
      values,
      starts: sliceStarts(tailStarts(head, ref), start, end),
      histograms,
      base: isTail ? head.bases[ref]! : lastFloat(values, histograms),
      baseHistogram: isTail ? baseBefore(head, ref, histograms) : undefined,
    }),
  };
}

/** The histogram that additions are made to, where the rows of a stored tail do not hold it. */
function baseBefore(head: Head, ref: number, rows: HistogramColumns | undefined): NativeHistogram | undefined {
  if ((head.flags[ref]! & BASE_IS_HISTOGRAM) === 0) return undefined;
  return rows?.layoutOf.some((layout) => layout !== FLOAT_ROW) ? undefined : lastTailHistogram(head, ref);
}
