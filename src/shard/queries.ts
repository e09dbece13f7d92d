import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { ComityError } from '../base/errors.ts';
import type { Listed } from '../border/list-data.ts';
import type { DomainData } from '../border/domain-data.ts';
import type { Metadata } from '../model/batch.ts';
import { compareLabels, labelsKey, METRIC_NAME, type Labels } from '../model/labels.ts';
import { streamKey, type Stream } from '../model/stream.ts';
import { localAsker } from './local-asker.ts';
import { remoteAsker } from './query-port.ts';
import type { QueryWorkerStart } from './query-worker.ts';
import type { Answered, Asker, LocalQuestion } from './questions.ts';
import type { ShardReader, Stoppable } from './shard.ts';

/** Queries over all that an agent holds, for its border and for people of the domain. */
export interface Queries extends DomainData {
  /** Fails with `canceled` when `signal` says so. */
  answer(question: Unstopped<LocalQuestion>, signal: AbortSignal): Promise<Answered>;
  /** The producers of a metric's series, each once. Fails as the questions of `DomainData`. */
  producers(metric: string, deadlineMs: number, signal: AbortSignal): Promise<readonly Stream[]>;
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
    producers: (metric, deadlineMs, signal) =>
      within(deadlineMs, signal, async (cancelled) => {
        const selectors = [[{ name: METRIC_NAME, op: '=' as const, value: metric }]];
        const question = { selectors, fromMs: -Infinity, toMs: Infinity, deadlineMs, cancelled };
        const found = (await Promise.all(shards.map((shard) => shard.producers(question)))).flat();
        return [...new Map(found.map((stream) => [streamKey(stream), stream])).values()];
      }),
    labels: (question, signal) =>
      within(question.deadlineMs, signal, async (cancelled) => {
        const asked = { ...question, cancelled, releases: true };
        const found = (await Promise.all(shards.map((shard) => shard.labels(asked)))).flat();
        return [...new Set(found)].sort().slice(0, question.limit);
      }),
    estimate: (question, signal) =>
      within(question.deadlineMs, signal, async (cancelled) => {
        const answers = await Promise.all(shards.map((shard) => shard.estimate({ ...question, cancelled })));
        const sizes = question.reads.map((_none, i) => ({
          series: sum(answers, ({ sizes: of }) => of[i]!.series),
          samples: sum(answers, ({ sizes: of }) => of[i]!.samples),
        }));
        const added = sum(answers, ({ regexWork }) => regexWork - question.regexWork);
        return { sizes, regexWork: question.regexWork + added };
      }),
    series: (question, signal) =>
      within(question.deadlineMs, signal, async (cancelled) => {
        // One more than wanted shows that there are more.
        const asked = { ...question, limit: question.limit + 1, cancelled, releases: true };
        const found = (await Promise.all(shards.map((shard) => shard.series(asked)))).flat().sort(compareLabels);
        return { found: found.slice(0, question.limit), isCut: found.length > question.limit };
      }),
    metadata: ({ metric, limit, deadlineMs }, signal) =>
      within(deadlineMs, signal, async () => {
        const found = (await Promise.all(shards.map((shard) => shard.metadata({ releases: true })))).flat();
        return someFamilies(found, metric, limit);
      }),
    exemplars: (question, signal) =>
      within(question.deadlineMs, signal, async (cancelled) => {
        const asked = { ...question, cancelled, releases: true };
        const found = (await Promise.all(shards.map((shard) => shard.exemplars(asked)))).flat();
        return { found: found.sort((a, b) => compareLabels(a.labels, b.labels)), isCut: false };
      }),
    close: askers.close,
  };
}

/** Each family once, by name: every shard keeps what it heard last. */
function someFamilies(all: readonly Metadata[], metric: string, limit: number): Listed<Metadata> {
  const families = new Map<string, Metadata>();
  for (const family of all) if (metric === '' || family.metric === metric) families.set(family.metric, family);
  const found = [...families.values()].sort((a, b) => (a.metric < b.metric ? -1 : 1));
  return { found: found.slice(0, limit), isCut: found.length > limit };
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
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
