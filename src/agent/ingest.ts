import { totalmem } from 'node:os';
import { constrainedMemory, memoryUsage } from 'node:process';
import { getHeapStatistics } from 'node:v8';
import { ComityError, toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Appended, Batch } from '../model/batch.ts';
import { appendQueue, type AppendSettlement } from '../shard/append-queue.ts';
import { mergeAppended, splitBatch } from '../shard/append-split.ts';
import type { Shards } from '../shard/open-shards.ts';
import { router } from '../shard/router.ts';

/** The one way into the stores. Batches that arrive while a store commits are committed together. */
export interface Ingest {
  /** As `ReceiverDeps.append`. */
  append(batch: Batch): Promise<Appended>;
  /** Live memory of all threads. */
  memoryBytes(): number;
  /** Batches that were turned away because memory was short, since the start. */
  readonly memoryRefusals: number;
  /** Commits what waits; what comes later is refused. */
  close(): Promise<void>;
}

export interface IngestOptions {
  /** Bytes of live memory past which nothing is taken; most of the machine's when left out. */
  readonly memoryBytes?: number | undefined;
  /** Told of what is stored behind a watermark that others know; without it nothing is. */
  readonly settlement?: AppendSettlement | undefined;
  /** Told when a commit failed: the senders learn no more than that they must send again. */
  onFailure(error: ComityError): void;
}

/** What appends and the look at memory need of the shards. */
export type IngestShards = Pick<Shards, 'stats' | 'heapPart' | 'collectGarbage'> & {
  readonly shards: readonly Pick<Shards['shards'][number], 'appendAll'>[];
};

/** Memory is looked at this often at most: reading it costs some microseconds. */
const MEMORY_LOOK_MS = 250;

/** Before anything is turned away, what is garbage must go; that takes up to a tenth of a second and is not done oftener. */
const COLLECT_MS = 5_000;

/** Of V8's own limit, at which the process would end. */
const HEAP_PART = 0.9;

/** Part of the machine's (or the container's) memory that an agent takes. */
const MEMORY_PART = 0.8;

function defaultMemoryBytes(): number {
  return Math.floor(Math.min(constrainedMemory() || Infinity, totalmem()) * MEMORY_PART);
}

export function ingest(shards: IngestShards, options: IngestOptions): Ingest {
  const { memoryBytes = defaultMemoryBytes() } = options;
  const heapBytes = getHeapStatistics().heap_size_limit * HEAP_PART;
  const routes = router(shards.shards.length);
  const queues = shards.shards.map((shard) => appendQueue(shard, options.settlement));
  let waitingBytes = 0;
  let closed = false;
  let lookedAt = -Infinity;
  let collectedAt = -Infinity;
  let short = false;
  let memoryRefusals = 0;

  /** Resolves when every shard has its part; when one has not, sending all of it again brings that part alone. */
  async function store(batch: Batch): Promise<Appended> {
    try {
      const parts = splitBatch(batch, routes);
      const outcomes = await Promise.all(parts.map((part) => queues[part.shard]!.append(part.batch)));
      return mergeAppended(parts, outcomes);
    } catch (error) {
      options.onFailure(toComityError(error));
      // The reason may name files and tables, which are no business of a sender.
      throw new ComityError('unavailable', 'the batch could not be stored. Send it again', { cause: error });
    }
  }

  function memoryIsShort(): boolean {
    const now = performance.now();
    if (now - lookedAt < MEMORY_LOOK_MS) return short;
    lookedAt = now;
    short = isPastBound();
    if (short && now - collectedAt > COLLECT_MS) {
      collectedAt = now;
      shards.collectGarbage();
      short = isPastBound();
    }
    return short;
  }

  /** Resident memory would say nothing: after a burst it stays where it was, though what was freed is used again. */
  function isPastBound(): boolean {
    return liveBytes() > memoryBytes || memoryUsage().heapUsed > heapBytes || shards.heapPart() > HEAP_PART;
  }

  function liveBytes(): number {
    const { heapUsed, external } = memoryUsage();
    return heapUsed + external + shards.stats().memoryBytes;
  }

  return {
    async append(batch) {
      if (isEmpty(batch)) return NOTHING_APPENDED;
      if (closed) throw new ComityError('unavailable', 'the agent is stopping. Send it again');
      if (memoryIsShort()) {
        memoryRefusals++;
        throw new ComityError('unavailable', 'the agent is short of memory. Send it again later');
      }
      const bytes = bytesOf(batch);
      if (waitingBytes + bytes > LIMITS.appendBytesAtOnce && waitingBytes > 0) {
        throw new ComityError('unavailable', 'more is waiting to be stored than the agent keeps. Send it again later');
      }
      waitingBytes += bytes;
      try {
        return await store(batch);
      } finally {
        waitingBytes -= bytes;
      }
    },
    memoryBytes: liveBytes,
    get memoryRefusals() {
      return memoryRefusals;
    },
    async close() {
      closed = true;
      await Promise.all(queues.map((queue) => queue.drained()));
    },
  };
}

const NOTHING_APPENDED: Appended = { stored: 0, repeated: 0, rejected: new Map(), histograms: 0, exemplars: 0 };

function isEmpty({ times, exemplars, metadata }: Batch): boolean {
  return times.length === 0 && exemplars.length === 0 && metadata.length === 0;
}

/** About what a row takes in its columns, and a series in a list. */
const ROW_BYTES = 32;

/** About what an exemplar takes, with its labels. */
const EXEMPLAR_BYTES = 256;

/** About the memory that a batch holds while it waits. */
function bytesOf({ series, times, histograms, exemplars }: Batch): number {
  const cells = histograms === undefined ? 0 : histograms.cells.byteLength;
  return (series.length + times.length) * ROW_BYTES + cells + exemplars.length * EXEMPLAR_BYTES;
}
