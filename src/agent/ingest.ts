import { constrainedMemory, memoryUsage } from 'node:process';
import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ComityError, toComityError } from '../base/errors.ts';
import type { Appended, Batch } from '../model/batch.ts';
import type { Store } from '../store/store.ts';

/** The one way into the store. Batches that arrive in one turn of the event loop are committed together. */
export interface Ingest {
  /** As `ReceiverDeps.append`. */
  append(batch: Batch): Promise<Appended>;
  /** Batches that were turned away because memory was short, since the start. */
  readonly memoryRefusals: number;
  /** Commits what waits; what comes later is refused. */
  close(): void;
}

export interface IngestOptions {
  /** Bytes of live memory past which nothing is taken; most of the machine's when left out. */
  readonly memoryBytes?: number | undefined;
  /** Told when a commit failed: the senders learn no more than that they must send again. */
  onFailure(error: ComityError): void;
}

interface Waiting {
  readonly batch: Batch;
  resolve(appended: Appended): void;
  reject(error: ComityError): void;
}

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

export function ingest(store: Pick<Store, 'appendAll'>, options: IngestOptions): Ingest {
  const { memoryBytes = defaultMemoryBytes() } = options;
  const heapBytes = getHeapStatistics().heap_size_limit * HEAP_PART;
  let waiting: Waiting[] = [];
  let closed = false;
  let lookedAt = -Infinity;
  let collectedAt = -Infinity;
  let short = false;
  let memoryRefusals = 0;

  /** One transaction for all; when that fails each by itself, so that one bad batch is no one else's failure. */
  function flush(): void {
    const group = waiting;
    waiting = [];
    if (group.length === 0) return;
    try {
      const appended = store.appendAll(group.map(({ batch }) => batch));
      for (const [i, one] of group.entries()) one.resolve(appended[i]!);
    } catch (error) {
      if (group.length > 1 && toComityError(error).code !== 'unavailable') {
        for (const one of group) commit(one);
      } else {
        for (const one of group) fail(one, error);
      }
    }
  }

  function commit(one: Waiting): void {
    try {
      one.resolve(store.appendAll([one.batch])[0]!);
    } catch (error) {
      fail(one, error);
    }
  }

  function fail(one: Waiting, error: unknown): void {
    options.onFailure(toComityError(error));
    // The reason may name files and tables, which are no business of a sender.
    const message = 'the batch could not be stored, nothing of it was kept. Send it again';
    one.reject(new ComityError('unavailable', message, { cause: error }));
  }

  function memoryIsShort(): boolean {
    const now = performance.now();
    if (now - lookedAt < MEMORY_LOOK_MS) return short;
    lookedAt = now;
    short = isPastBound();
    if (short && now - collectedAt > COLLECT_MS) {
      collectedAt = now;
      collectGarbage();
      short = isPastBound();
    }
    return short;
  }

  /** Resident memory would say nothing: after a burst it stays where it was, though what was freed is used again. */
  function isPastBound(): boolean {
    const { heapUsed, external } = memoryUsage();
    return heapUsed + external > memoryBytes || heapUsed > heapBytes;
  }

  return {
    async append(batch) {
      if (isEmpty(batch)) return NOTHING_APPENDED;
      if (closed) throw new ComityError('unavailable', 'the agent is stopping. Send it again');
      if (memoryIsShort()) {
        memoryRefusals++;
        throw new ComityError('unavailable', 'the agent is short of memory. Send it again later');
      }
      return new Promise((resolve, reject) => {
        waiting.push({ batch, resolve, reject });
        if (waiting.length === 1) setImmediate(flush);
      });
    },
    get memoryRefusals() {
      return memoryRefusals;
    },
    close() {
      closed = true;
      flush();
    },
  };
}

const NOTHING_APPENDED: Appended = { stored: 0, repeated: 0, rejected: new Map(), histograms: 0, exemplars: 0 };

function isEmpty({ times, exemplars, metadata }: Batch): boolean {
  return times.length === 0 && exemplars.length === 0 && metadata.length === 0;
}

/** A full collection. Node only has it behind a flag, which may be set at any time. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
