import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { ComityError } from '../base/errors.ts';
import type { DomainData } from '../border/release.ts';
import { labelsKey, type Labels } from '../model/labels.ts';
import { localAsker } from './local-asker.ts';
import { remoteAsker } from './query-port.ts';
import type { QueryWorkerStart } from './query-worker.ts';
import type { Answered, Asker, LocalQuestion } from './questions.ts';
import type { ShardReader, Stoppable } from './shard.ts';

/** Queries over all that an agent holds, for its border and for people of the domain. */
export interface Queries extends DomainData {
  /** Fails with `canceled` when `signal` says so. */
  answer(question: Unstopped<LocalQuestion>, signal: AbortSignal): Promise<Answered>;
  close(): Promise<void>;
}

/** A question without what stops it; its deadline stays. */
type Unstopped<Q> = Q extends Stoppable ? Omit<Q, 'cancelled'> : never;

/** A shard and, where it is in a worker, the way there for other threads. */
export type QueryShard = ShardReader & { connect?(): MessagePort | undefined };

/**
 * Queries over shards: worked out where the only shard is, or in a worker of their own over several in workers, or in this
 * thread over those in this one. Closing leaves the shards open.
 */
export function openQueries(shards: readonly QueryShard[]): Queries {
  const askers = askersOf(shards);

  return {
    answer: (question, signal) =>
      within(question.deadlineMs, signal, async (cancelled) => {
        const asker = await askers.get();
        return asker.answer({ ...question, cancelled });
      }),
    fragment: (question, signal) =>
      within(question.deadlineMs, signal, async (cancelled) => {
        const asker = await askers.get();
        return asker.fragment({ ...question, cancelled });
      }),
    kinds: (matchers, deadlineMs, signal) =>
      within(deadlineMs, signal, async (cancelled) => {
        const question = { selectors: [matchers], fromMs: -Infinity, toMs: Infinity, deadlineMs, cancelled };
        const found = new Map<string, Labels>();
        for (const labels of (await Promise.all(shards.map((shard) => shard.kinds(question)))).flat()) {
          found.set(labelsKey(labels), labels);
        }
        return [...found.values()];
      }),
    labels: (question, signal) =>
      within(question.deadlineMs, signal, async (cancelled) => {
        const asked = { ...question, cancelled, releases: true };
        const found = (await Promise.all(shards.map((shard) => shard.labels(asked)))).flat();
        return [...new Set(found)].sort().slice(0, question.limit);
      }),
    close: askers.close,
  };
}

interface Askers {
  get(): Promise<Asker>;
  close(): Promise<void>;
}

function askersOf(shards: readonly QueryShard[]): Askers {
  const way = shards[0]?.connect?.();
  if (way === undefined) {
    const asker = localAsker(shards);
    return { get: async () => asker, close: async () => undefined };
  }
  if (shards.length > 1) {
    way.close();
    return workerAskers(shards);
  }
  const asker = remoteAsker(way);
  return { get: async () => asker, close: async () => asker.close() };
}

/** A query worker, started when it is needed; after one has died, for memory say, another. */
function workerAskers(shards: readonly QueryShard[]): Askers {
  let running: { readonly worker: Worker; readonly asker: ReturnType<typeof remoteAsker> } | undefined;
  let closed = false;

  function start(): NonNullable<typeof running> {
    const { port1, port2 } = new MessageChannel();
    const ports = shards.map((shard) => shard.connect!()!);
    const workerData: QueryWorkerStart = { port: port1, shards: ports };
    const worker = new Worker(new URL('./query-worker.ts', import.meta.url), {
      workerData,
      transferList: [port1, ...ports],
    });
    const started = { worker, asker: remoteAsker(port2) };
    // Its end is seen at the port; without a listener the error would end the process.
    worker.on('error', () => undefined);
    worker.on('exit', () => {
      if (running === started) running = undefined;
      started.asker.close();
    });
    worker.unref();
    return started;
  }

  return {
    async get() {
      if (closed) throw new ComityError('unavailable', 'the agent is stopping');
      running ??= start();
      return running.asker;
    },
    async close() {
      closed = true;
      await running?.worker.terminate();
    },
  };
}

/** The longest that a timer can wait. */
const TIMER_MS = 2 ** 31 - 1;

/** Runs a question that the signal or the deadline stops; whoever asks does not wait until that has come to the shards. */
async function within<T>(
  deadlineMs: number,
  signal: AbortSignal,
  run: (cancelled: Int32Array) => Promise<T>,
): Promise<T> {
  const cancelled = new Int32Array(new SharedArrayBuffer(4));
  const stopped = Promise.withResolvers<never>();
  const stop = (error: ComityError): void => {
    Atomics.store(cancelled, 0, 1);
    stopped.reject(error);
  };
  const onAbort = (): void => stop(new ComityError('canceled', 'the query was cancelled by whoever asked it'));
  const leftMs = Math.min(TIMER_MS, Math.max(0, deadlineMs - Date.now()) + GRACE_MS);
  const timer = setTimeout(() => stop(new ComityError('timeout', 'the query ran out of time')), leftMs);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal.aborted) onAbort();
    return await Promise.race([run(cancelled), stopped.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Shards look at the clock by themselves; this much later nobody waits for one that is busy with something else. */
const GRACE_MS = 50;
